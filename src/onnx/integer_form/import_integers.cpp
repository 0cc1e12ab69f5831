#include <algorithm>

#include "graph/input_rounding.hpp"
#include "onnx/integer_form/integer_ops.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "onnx/standard/import.hpp"
#include "quant/range.hpp"

// QuantizeLinear and DequantizeLinear of a file that computes with integers: borders, not fake quantisers.
namespace nibble::onnx {
namespace {

/// The float input of the file holds the integers itself, as inputs of integer networks do.
void turn_into_integers(NodeReader& node, Item& input, const Grid& grid) {
  graph::Value& value = node.reader().graph()[input.id];
  if (is_real(value.type)) {
    value.type = grid.container();
    value.grid = grid;
    value.bounds = {{grid.low, grid.high}};
    graph::set_input_rounding(node.reader().graph(), value.name, Rounding::HalfEven);
  } else if (value.grid != grid) {
    node.fail("another scale or zero point than the QuantizeLinear of the same input before it", "the same");
  }
  node.alias(input.id);
}

void quantise_constant(NodeReader& node, const Tensor& reals, const Grid& grid) {
  const Tensor integers = node.quantised(reals, grid, Rounding::HalfEven);
  node.give(FileTensor{integers, file_type(integers.type())});
}

}  // namespace

void quantise_integers(NodeReader& node) {
  GraphReader& reader = node.reader();
  Item& item = node.item(0);
  const size_t rank = item.constant   ? item.constant->tensor.rank()
                      : item.reals_of ? node.shape(item.reals_of->integers).size()
                                      : node.shape(node.value(0)).size();
  const Grid grid = grid_of_quantize(node, rank);
  if (grid.per_channel()) node.fail("a scale for each channel of an activation", "one for the tensor");
  if (item.reals_of) {
    const Grid& from = item.reals_of->grid;
    if (from == grid) return node.alias(item.reals_of->integers);
    if (from.per_channel()) node.fail("a scale for each channel of an activation", "one for the tensor");
    const Interval reachable{from.low, from.high};
    return emit_requantised(node, item.reals_of->integers,
                            {{quant::Ratio{{from.scale[0]}, {grid.scale[0]}}, -from.zero_point, reachable}}, grid);
  }
  if (item.constant) return quantise_constant(node, item.constant->tensor, grid);
  const bool is_input =
      std::find(reader.graph().inputs.begin(), reader.graph().inputs.end(), item.id) != reader.graph().inputs.end();
  if (is_input && reader.read_only_by(node.input_name(0), "QuantizeLinear"))
    return turn_into_integers(node, item, grid);
  const auto x = node.value(0);
  if (!is_real(node.typed(x).type)) node.fail("of " + std::string(to_string(node.typed(x).type)), "reals");
  node.emit(graph::Quantise{grid, Rounding::HalfEven}, {x});
  graph::Value& written = reader.graph()[reader.graph().nodes.back().outputs[0]];
  written.type = grid.container();
  written.grid = grid;
}

void dequantise_integers(NodeReader& node) {
  Item& item = node.item(0);
  const Tensor* constant = item.constant ? &item.constant->tensor : nullptr;
  if (constant) {
    const Grid grid = grid_of_dequantize(node, constant->type(), constant->rank());
    return node.give(FileTensor{dequantised(node, *constant, grid), pb::TensorProto::FLOAT});
  }
  const auto x = node.value(0);
  Item reals;
  reals.reals_of = RealsOf{x, grid_of_dequantize(node, node.typed(x).type, node.shape(x).size())};
  node.reader().define(node.output_name(0), std::move(reals));
}

}  // namespace nibble::onnx
