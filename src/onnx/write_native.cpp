#include "base/file.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/metadata.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/onnx.hpp"
#include "onnx/standard/fields.hpp"

namespace nibble::onnx {
namespace {

/// The zero point and one scale, or one for each channel of several, that QuantizeLinear of 8 bits rounds to.
bool standard_says(const graph::Quantise& op, ElementType output) {
  const Grid& grid = op.grid;
  const bool bytes = (grid.low == -128 && grid.high == 127) || (grid.low == 0 && grid.high == 255);
  const bool channels = !grid.per_channel() || grid.scale.size() > 1;
  return is_real(output) && op.rounding == Rounding::HalfEven && bytes && channels && grid.zero_point >= grid.low &&
         grid.zero_point <= grid.high;
}

void write_pair(ModelWriter& writer, const graph::Node& node, const Grid& grid) {
  const Shape shape = grid.per_channel() ? Shape{static_cast<int64_t>(grid.scale.size())} : Shape{};
  const Tensor scales = Tensor(shape, grid.scale).cast(ElementType::Float32);
  const Tensor points = Tensor(shape, std::vector<int64_t>(grid.scale.size(), grid.zero_point)).cast(grid.container());
  const std::string scale = writer.add_constant(node.name + ".scale", scales);
  const std::string point = writer.add_constant(node.name + ".zero_point", points);
  const std::string integers = writer.free_name(node.name + ".integers");
  const auto fill = [&](pb::NodeProto& proto, const std::string& input, const std::string& output) {
    for (const std::string& each : {input, scale, point}) proto.add_input(each);
    proto.add_output(output);
    if (grid.per_channel()) set_integer(proto, "axis", grid.axis);
  };
  fill(writer.add_node(node.name, "QuantizeLinear"), writer.name(node.inputs[0]), integers);
  fill(writer.add_node(node.name + ".dequantise", "DequantizeLinear"), integers, writer.name(node.outputs[0]));
}

void write_own(ModelWriter& writer, const graph::Node& node) {
  auto& proto = writer.add_node(node.name, graph::name_of(node.op), nibble_domain);
  for (graph::ValueId id : node.inputs) proto.add_input(writer.name(id));
  for (graph::ValueId id : node.outputs) proto.add_output(writer.name(id));
  write_fields(node.op, proto);
}

void write_node(ModelWriter& writer, const graph::Node& node) {
  const auto* quantise = get_if<graph::Quantise>(&node.op);
  if (quantise && standard_says(*quantise, writer.graph()[node.outputs[0]].type))
    write_pair(writer, node, quantise->grid);
  else if (!write_standard(writer, node))
    write_own(writer, node);
}

}  // namespace

std::string native_bytes(const graph::Graph& graph) {
  // Gelu alone raises the opset: other ops that came after 17 are written under our own domain.
  int64_t opset = 17;
  for (const graph::Node& node : graph.nodes)
    if (holds_alternative<graph::Gelu>(node.op)) opset = opset_of(node.op);
  ModelWriter writer(graph, opset, opset > 17 ? 9 : 8);
  for (graph::ValueId id : graph.inputs) writer.add_input(id);
  for (graph::ValueId id : graph.outputs) writer.add_output(id, graph[id].type);
  for (size_t i = 0; i < graph.values.size(); ++i)
    if (graph.values[i].constant) writer.add_value_constant(static_cast<graph::ValueId>(i));
  for (const graph::Node& node : graph.nodes) {
    write_node(writer, node);
    for (graph::ValueId id : node.outputs) writer.add_value_info(id, graph[id].type);
  }
  for (const auto& [key, text] : graph.metadata) writer.add_metadata(key, text);
  writer.add_metadata(std::string(metadata_key), metadata_for(graph, "native").dump());
  return writer.bytes();
}

void write_native(const graph::Graph& graph, const std::filesystem::path& file) {
  write_file(file, native_bytes(graph), "onnx");
}

}  // namespace nibble::onnx
