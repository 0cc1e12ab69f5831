#include <algorithm>
#include <bit>

#include "base/file.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/metadata.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/integer_form/to_fake_quantised.hpp"
#include "onnx/onnx.hpp"
#include "onnx/standard/in_pieces.hpp"
#include "quant/range.hpp"

namespace nibble::onnx {
namespace {

/// How a Quant says levels: stored integers less `shift`.
struct Levels {
  int64_t bits = 0, shift = 0;
  bool with_sign = false, narrow = false;
};

/// Exactly these levels: 2^b of them or one less, signed as they stand or unsigned from the lowest on.
std::optional<Levels> exact_levels(const Grid& grid) {
  const auto count = static_cast<uint64_t>(grid.levels());
  const bool narrow = std::has_single_bit(count + 1) && count > 1;
  if (!narrow && !std::has_single_bit(count)) return {};
  const int64_t bits = std::bit_width(narrow ? count : count - 1);
  const int64_t half = int64_t{1} << (bits - 1);
  if (grid.low == -half + narrow && grid.high == half - 1) return Levels{bits, 0, true, narrow};
  return Levels{bits, grid.low, false, narrow};
}

/// Levels that hold a constant's.
Levels wide_levels(const Grid& grid) {
  Levels levels{1, 0, true, false};
  while (grid.low < -(int64_t{1} << (levels.bits - 1)) || grid.high > (int64_t{1} << (levels.bits - 1)) - 1)
    ++levels.bits;
  return levels;
}

class QonnxWriter {
 public:
  QonnxWriter(const graph::Graph& graph, int64_t opset) : graph_(graph), writer_(graph, opset, 8) {}

  std::string bytes() {
    for (graph::ValueId id : graph_.inputs) writer_.add_input(id);
    for (graph::ValueId id : graph_.outputs) writer_.add_output(id, graph_[id].type);
    for (size_t i = 0; i < graph_.values.size(); ++i)
      if (graph_.values[i].constant) writer_.add_value_constant(static_cast<graph::ValueId>(i));
    Json metadata = metadata_for(graph_, "qonnx");
    std::string refused;
    for (const graph::Node& node : graph_.nodes) {
      if (const auto* op = get_if<graph::Quantise>(&node.op))
        metadata["values"][writer_.name(node.outputs[0])]["grid"] = grid_json(op->grid);
      const std::string why = write_node(node);
      if (!why.empty()) refused += (refused.empty() ? "'" : ", '") + node.name + "' (" + why + ")";
      for (graph::ValueId id : node.outputs) writer_.add_value_info(id, graph_[id].type);
    }
    if (!refused.empty())
      fail("onnx", graph_.name, "nodes that QONNX cannot say: " + refused,
           "the standard's ops, and quantisers of 2^b levels or one less");
    for (const auto& [key, text] : graph_.metadata) writer_.add_metadata(key, text);
    writer_.add_metadata(std::string(metadata_key), metadata.dump());
    return writer_.bytes();
  }

 private:
  /// Why the dialect cannot say a node, or "".
  std::string write_node(const graph::Node& node) {
    if (const auto* op = get_if<graph::Quantise>(&node.op)) return write_quantiser(node, *op);
    if (write_standard(writer_, node)) return "";
    return "the standard has no such " + std::string(graph::name_of(node.op));
  }

  std::string write_quantiser(const graph::Node& node, const graph::Quantise& op) {
    if (!is_real(graph_[node.outputs[0]].type)) return "gives integers";
    const bool constant = graph_.constant(node.inputs[0]) != nullptr;
    const auto exact = exact_levels(op.grid);
    if (!exact && !constant)
      return "levels " + std::to_string(op.grid.low) + ".." + std::to_string(op.grid.high) +
             ", neither 2^b nor one less";
    const Levels levels = exact ? *exact : wide_levels(op.grid);
    const auto number = [&](const std::string& name, int64_t value) {
      const Tensor tensor(Shape{}, std::vector<float>{static_cast<float>(value)});
      return writer_.add_constant(node.name + "." + name, tensor);
    };
    const std::string scale = writer_.add_constant(node.name + ".scale", scales_of(node, op.grid));
    const std::string point = number("zero_point", op.grid.zero_point - levels.shift),
                      bits = number("bits", levels.bits);
    auto& proto = writer_.add_node(node.name, "Quant", qonnx_domain);
    for (const std::string& input : {writer_.name(node.inputs[0]), scale, point, bits}) proto.add_input(input);
    proto.add_output(writer_.name(node.outputs[0]));
    set_integer(proto, "signed", levels.with_sign);
    set_integer(proto, "narrow", levels.narrow);
    set_text(proto, "rounding_mode", op.rounding == Rounding::Floor ? "FLOOR" : "ROUND");
    return "";
  }

  /// One scale, or one for each index of an axis as a tensor that broadcasts.
  Tensor scales_of(const graph::Node& node, const Grid& grid) const {
    Shape shape(grid.per_channel() ? graph_[node.inputs[0]].shape.size() : 0, 1);
    if (grid.per_channel()) shape[static_cast<size_t>(grid.axis)] = static_cast<int64_t>(grid.scale.size());
    return Tensor(shape, grid.scale).cast(ElementType::Float32);
  }

  const graph::Graph& graph_;
  ModelWriter writer_;
};

}  // namespace

void write_qonnx(const graph::Graph& given, const std::filesystem::path& file) {
  if (given.stage == graph::Stage::QD || given.stage == graph::Stage::ID)
    return write_qonnx(to_fake_quantised(given), file);
  const graph::Graph graph = in_pieces(given, 21);
  int64_t opset = 13;
  for (const graph::Node& node : graph.nodes)
    if (const int64_t first = opset_of(node.op); first != no_opset) opset = std::max(opset, first);
  write_file(file, QonnxWriter(graph, opset).bytes(), "onnx");
}

}  // namespace nibble::onnx
