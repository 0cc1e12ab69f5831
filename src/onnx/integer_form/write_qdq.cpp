#include <algorithm>

#include "base/file.hpp"
#include "onnx/file/metadata.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/file/tensors.hpp"
#include "onnx/integer_form/to_fake_quantised.hpp"
#include "onnx/onnx.hpp"
#include "onnx/standard/in_pieces.hpp"
#include "quant/range.hpp"

namespace nibble::onnx {
namespace {

bool holds(const Interval& range, const Grid& grid) {
  return grid.low >= range.low && grid.high <= range.high && grid.zero_point >= range.low &&
         grid.zero_point <= range.high;
}
bool fills(const Interval& range, const Grid& grid) {
  return grid.low == range.low && grid.high == range.high;
}

/// The narrowest type of the format that holds the levels. Types below 8 bits know no Clip: an activation fills them.
int container_of(const Grid& grid, bool constant, Containers containers) {
  const auto narrow = [&](int type) {
    return constant ? holds(range_of(type), grid) : holds(range_of(type), grid) && fills(range_of(type), grid);
  };
  if (containers == Containers::Exact)
    for (int type : {INT2, UINT2})
      if (narrow(type)) return type;
  if (containers == Containers::Exact || (containers == Containers::FourBit && constant))
    for (int type : {INT4, UINT4})
      if (narrow(type)) return type;
  for (int type : {pb::TensorProto::INT8, pb::TensorProto::UINT8, pb::TensorProto::INT16, pb::TensorProto::UINT16})
    if (holds(range_of(type), grid)) return type;
  const bool wide = constant && grid.zero_point == 0 && holds(range_of(pb::TensorProto::INT32), grid);
  return wide ? pb::TensorProto::INT32 : pb::TensorProto::UNDEFINED;
}

bool is_byte(int type) {
  return type == pb::TensorProto::INT8 || type == pb::TensorProto::UINT8;
}
bool is_packed(int type) {
  return type == INT4 || type == UINT4 || type == INT2 || type == UINT2;
}

/// Why the dialect cannot say a quantiser, or "".
std::string objection(const graph::Graph& graph, const graph::Node& node, const graph::Quantise& op,
                      Containers containers) {
  const bool constant = graph.constant(node.inputs[0]) != nullptr;
  if (!is_real(graph[node.outputs[0]].type)) return "gives integers";
  const int type = container_of(op.grid, constant, containers);
  if (type == pb::TensorProto::UNDEFINED)
    return "levels " + std::to_string(op.grid.low) + ".." + std::to_string(op.grid.high) + " with zero point " +
           std::to_string(op.grid.zero_point);
  if (!constant && op.rounding == Rounding::Floor) return "rounds down";
  if (!constant && !is_byte(type) && op.grid.per_channel() && !fills(range_of(type), op.grid))
    return "clips each channel on its own";
  return "";
}

class QdqWriter {
 public:
  QdqWriter(const graph::Graph& graph, Containers containers, int64_t opset, int64_t ir_version)
      : graph_(graph), containers_(containers), writer_(graph, opset, ir_version) {}

  std::string bytes() {
    for (graph::ValueId id : graph_.inputs) writer_.add_input(id);
    for (graph::ValueId id : graph_.outputs) writer_.add_output(id, graph_[id].type);
    write_constants();
    Json metadata = metadata_for(graph_, "qdq");
    std::string refused;
    for (const graph::Node& node : graph_.nodes) {
      std::string why;
      if (const auto* op = get_if<graph::Quantise>(&node.op)) {
        why = objection(graph_, node, *op, containers_);
        if (why.empty()) write_quantiser(node, *op);
        metadata["values"][writer_.name(node.outputs[0])]["grid"] = grid_json(op->grid);
      } else if (!write_standard(writer_, node)) {
        why = standard_lacks(node.op);
      }
      if (!why.empty()) refused += (refused.empty() ? "'" : ", '") + node.name + "' (" + why + ")";
      for (graph::ValueId id : node.outputs) writer_.add_value_info(id, graph_[id].type);
    }
    if (!refused.empty())
      fail("onnx", graph_.name, "nodes that QDQ cannot say: " + refused, "the standard's ops and 4, 8 or 16 bits");
    for (const auto& [key, text] : graph_.metadata) writer_.add_metadata(key, text);
    writer_.add_metadata(std::string(metadata_key), metadata.dump());
    return writer_.bytes();
  }

 private:
  /// Constants but those that only quantisers read: they go as integers.
  void write_constants() {
    const graph::Uses uses(graph_);
    for (size_t i = 0; i < graph_.values.size(); ++i) {
      if (!graph_.values[i].constant) continue;
      const auto& readers = uses.readers[i];
      const bool real = uses.is_output[i] || std::any_of(readers.begin(), readers.end(), [&](int reader) {
                          return !holds_alternative<graph::Quantise>(graph_.nodes[static_cast<size_t>(reader)].op);
                        });
      if (real) writer_.add_value_constant(static_cast<graph::ValueId>(i));
    }
  }

  std::string add_integers(const std::string& name, const Tensor& integers, int type) {
    if (is_packed(type)) return writer_.add_packed(name, integers, type);
    for (ElementType element :
         {ElementType::Int8, ElementType::UInt8, ElementType::Int16, ElementType::UInt16, ElementType::Int32})
      if (file_type(element) == type) return writer_.add_constant(name, integers.cast(element));
    throw InternalError("a container of the dialect has an element type");
  }

  void write_quantiser(const graph::Node& node, const graph::Quantise& op) {
    const Tensor* constant = graph_.constant(node.inputs[0]);
    const int type = container_of(op.grid, constant != nullptr, containers_);
    const Shape shape = op.grid.per_channel() ? Shape{static_cast<int64_t>(op.grid.scale.size())} : Shape{};
    const std::string scale =
        writer_.add_constant(node.name + ".scale", Tensor(shape, op.grid.scale).cast(ElementType::Float32));
    const std::string point = add_integers(
        node.name + ".zero_point", Tensor(shape, std::vector<int64_t>(op.grid.scale.size(), op.grid.zero_point)), type);
    const auto fill = [&](pb::NodeProto& proto, const std::string& input, const std::string& output) {
      for (const std::string& each : {input, scale, point}) proto.add_input(each);
      proto.add_output(output);
      if (op.grid.per_channel()) set_integer(proto, "axis", op.grid.axis);
    };
    std::string integers;
    if (constant) {
      integers = add_integers(node.name + ".integers", quant::quantise(*constant, op.grid, op.rounding), type);
    } else {
      integers = writer_.free_name(node.name + ".integers");
      fill(writer_.add_node(node.name, "QuantizeLinear"), clipped(node, op, type), integers);
      if (is_byte(type) && !fills(range_of(type), op.grid)) integers = cut(node, op.grid, integers, type);
    }
    fill(writer_.add_node(node.name + ".dequantise", "DequantizeLinear"), integers, writer_.name(node.outputs[0]));
  }

  /// The integers cut to the grid's levels.
  std::string cut(const graph::Node& node, const Grid& grid, const std::string& integers, int type) {
    const auto bound = [&](const std::string& name, int64_t level) {
      return add_integers(node.name + "." + name, Tensor(Shape{}, std::vector<int64_t>{level}), type);
    };
    const std::string low = bound("low", grid.low), high = bound("high", grid.high);
    auto& proto = writer_.add_node(node.name + ".clip", "Clip");
    for (const std::string& each : {integers, low, high}) proto.add_input(each);
    proto.add_output(writer_.free_name(node.name + ".clipped"));
    return proto.output(0);
  }

  /// The input cut to the grid where a container that tools do not clip has more levels: clipping to grid points
  /// commutes with rounding.
  std::string clipped(const graph::Node& node, const graph::Quantise& op, int type) {
    const Interval range = range_of(type);
    const std::string& input = writer_.name(node.inputs[0]);
    if (is_byte(type) || fills(range, op.grid)) return input;
    const auto bound = [&](const std::string& name, int64_t q) {
      return writer_.add_constant(node.name + "." + name,
                                  Tensor(Shape{}, std::vector<float>{static_cast<float>(op.grid.real(q, 0))}));
    };
    const std::string low = bound("low", op.grid.low), high = bound("high", op.grid.high);
    auto& proto = writer_.add_node(node.name + ".clip", "Clip");
    for (const std::string& each : {input, low, high}) proto.add_input(each);
    proto.add_output(writer_.free_name(node.name + ".clipped"));
    return proto.output(0);
  }

  const graph::Graph& graph_;
  Containers containers_;
  ModelWriter writer_;
};

/// The last opset that the tools which the containers are for are known to have.
int64_t last_opset(Containers containers) {
  switch (containers) {
    case Containers::Byte: return 13;
    case Containers::FourBit: return 21;
    case Containers::Exact: return 25;
  }
  throw InternalError("containers are one of the enumeration");
}

/// The first opset that has all that the graph holds.
int64_t opset_for(const graph::Graph& graph, Containers containers) {
  int64_t opset = 13;
  for (const graph::Node& node : graph.nodes) {
    if (const int64_t first = opset_of(node.op); first != no_opset) opset = std::max(opset, first);
    const auto* quantise = get_if<graph::Quantise>(&node.op);
    if (!quantise) continue;
    const int type = container_of(quantise->grid, graph.constant(node.inputs[0]) != nullptr, containers);
    if (type == INT2 || type == UINT2)
      opset = 25;
    else if (!is_byte(type) && type != pb::TensorProto::INT32)
      opset = std::max<int64_t>(opset, 21);
  }
  return opset;
}

/// Of the release of the format that brought the opset.
int64_t ir_version_of(int64_t opset) {
  if (opset >= 23) return opset - 12;
  return opset >= 21 ? 10 : opset >= 19 ? 9 : opset >= 15 ? 8 : 7;
}

}  // namespace

void write_qdq(const graph::Graph& graph, const std::filesystem::path& file, Containers containers) {
  if (graph.stage == graph::Stage::QD || graph.stage == graph::Stage::ID)
    return write_qdq(to_fake_quantised(graph), file, containers);
  const graph::Graph known = in_pieces(graph, last_opset(containers));
  const int64_t opset = opset_for(known, containers);
  write_file(file, QdqWriter(known, containers, opset, ir_version_of(opset)).bytes(), "onnx");
}

}  // namespace nibble::onnx
