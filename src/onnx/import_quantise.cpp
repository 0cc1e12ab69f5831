#include <algorithm>

#include "onnx/container.hpp"
#include "onnx/graph_reader.hpp"
#include "onnx/import.hpp"
#include "onnx/metadata.hpp"

namespace nibble::onnx {
namespace {

void refuse_unusual(const NodeReader& node) {
  if (node.attributes().integer("block_size", 0) != 0)
    node.fail("attribute 'block_size' is set", "0: a scale a tensor or a channel");
  if (node.attributes().integer("saturate", 1) != 1) node.fail("attribute 'saturate' is 0", "1");
  node.attributes().integer("precision", 0);
}

/// The grid that scale (input 1) and zero point (input 2) say over the levels of `data_type`, for x of rank `rank`.
Grid grid_of(const NodeReader& node, int data_type, size_t rank) {
  const FileTensor& scale = node.constant(1, "scale");
  if (!is_real(scale.tensor.type())) node.fail("a scale of " + type_name(scale.data_type), "reals");
  if (scale.tensor.rank() > 1)
    node.fail("scales of shape " + to_string(scale.tensor.shape()), "one, or one for each channel");
  const IntegerRange range = range_of(data_type);
  if (range.low > range.high)
    node.fail("integers of " + type_name(data_type), "INT8, UINT8, INT16, UINT16, INT32, INT4, UINT4, INT2 or UINT2");
  Grid grid;
  grid.scale = scale.tensor.to_reals();
  grid.low = range.low, grid.high = range.high;
  grid.zero_point = 0;
  if (node.has(2)) {
    const std::vector<int64_t> points = node.constant(2, "zero point").tensor.to_integers();
    if (points.size() != grid.scale.size())
      node.fail(std::to_string(points.size()) + " zero points with " + std::to_string(grid.scale.size()) + " scales",
                "as many");
    if (points.empty() || std::any_of(points.begin(), points.end(), [&](int64_t point) { return point != points[0]; }))
      node.fail("zero points that differ from channel to channel", "one for all");
    grid.zero_point = points[0];
  }
  if (scale.tensor.rank() == 1 && grid.scale.size() > 1)
    grid.axis = static_cast<int>(node.axis(node.attributes().integer("axis", 1), rank));
  check_grid(grid, "onnx", node.place());
  return grid;
}

/// Our own metadata may say that fewer levels than the container's are used.
Grid narrowed(const NodeReader& node, Grid grid) {
  if (node.native()) return grid;
  const auto declared = declared_grid(node.reader().metadata_of(node.output_name(0)), node.reader().place());
  if (declared && declared->scale == grid.scale && declared->zero_point == grid.zero_point &&
      declared->low >= grid.low && declared->high <= grid.high)
    grid.low = declared->low, grid.high = declared->high;
  return grid;
}

/// scale * (q - zero point) as float32.
Tensor reals_of(const NodeReader& node, const Tensor& integers, const Grid& grid) {
  size_t inner = 1, channels = 1;
  if (grid.per_channel()) {
    const auto axis = static_cast<size_t>(grid.axis);
    channels = static_cast<size_t>(integers.shape()[axis]);
    if (channels != grid.scale.size())
      node.fail(std::to_string(grid.scale.size()) + " scales for " + to_string(integers.shape()),
                std::to_string(channels));
    for (size_t i = axis + 1; i < integers.rank(); ++i) inner *= static_cast<size_t>(integers.shape()[i]);
  }
  const std::vector<int64_t> q = integers.to_integers();
  Tensor reals(ElementType::Float32, integers.shape());
  for (size_t i = 0; i < q.size(); ++i)
    reals.as<float>()[i] = static_cast<float>(grid.real(q[i], grid.per_channel() ? i / inner % channels : 0));
  return reals;
}

/// Integers of the file, whether or not they are a value of the graph already.
const Tensor* integer_constant(const NodeReader& node, const Item& item) {
  if (item.constant) return &item.constant->tensor;
  return node.reader().graph().constant(item.id);
}

void dequantise_constant(NodeReader& node, const Item& item, const Tensor& integers) {
  const int data_type = item.constant ? item.constant->data_type : file_type(integers.type());
  Grid grid = grid_of(node, data_type, integers.rank());
  Tensor reals = reals_of(node, integers, grid);
  if (data_type == pb::TensorProto::INT32) return node.give(FileTensor{std::move(reals), pb::TensorProto::FLOAT});
  grid = narrowed(node, std::move(grid));
  const graph::ValueId real = node.add_constant("reals", std::move(reals));
  node.emit(graph::Quantise{grid, Rounding::HalfEven}, {real});
}

}  // namespace

void read_quantize_linear(NodeReader& node) {
  node.expect_inputs(2, 3);
  refuse_unusual(node);
  const auto x = node.value(0);
  if (!is_real(node.typed(x).type)) node.fail("of " + std::string(to_string(node.typed(x).type)), "reals");
  const int64_t asked = node.attributes().integer("output_dtype", 0);
  int data_type =
      asked == 0 ? static_cast<int>(pb::TensorProto::UINT8) : static_cast<int>(std::clamp<int64_t>(asked, 0, 127));
  if (node.has(2)) data_type = node.constant(2, "zero point").data_type;
  const Grid grid = grid_of(node, data_type, node.shape(x).size());
  const graph::Quantise op{grid, Rounding::HalfEven};
  GraphReader& reader = node.reader();
  Item item;
  item.id =
      reader.add_node(reader.free_node_name(node.name()), op, {x}, {reader.free_value_name(node.name() + ".real")})[0];
  item.integers_of = grid;
  item.quantise = reader.graph().nodes.size() - 1;
  reader.define(node.output_name(0), std::move(item));
}

void read_dequantize_linear(NodeReader& node) {
  node.expect_inputs(2, 3);
  refuse_unusual(node);
  Item& item = node.item(0);
  GraphReader& reader = node.reader();
  if (!item.integers_of) {
    if (const Tensor* integers = integer_constant(node, item)) return dequantise_constant(node, item, *integers);
    const auto x = node.value(0);
    return node.emit(graph::Dequantise{grid_of(node, file_type(node.typed(x).type), node.shape(x).size())}, {x});
  }
  const Grid grid =
      grid_of(node, node.has(2) ? node.constant(2, "zero point").data_type : static_cast<int>(pb::TensorProto::UINT8),
              node.shape(item.id).size());
  if (grid != *item.integers_of) node.fail("another scale or zero point than the QuantizeLinear before it", "the same");
  const graph::ValueId fake = item.id;
  if (!item.renamed) {
    item.renamed = true;
    reader.rename(fake, node.output_name(0));
    std::get<graph::Quantise>(reader.graph().nodes[item.quantise].op).grid = narrowed(node, grid);
  }
  node.alias(fake);
}

}  // namespace nibble::onnx
