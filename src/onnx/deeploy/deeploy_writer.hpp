#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "onnx/file/model_writer.hpp"

namespace nibble::onnx {

/// A file of the dialect deeploy as it grows: tensors of float32 that hold integers, or int64 where float32 does not
/// hold them. Nodes of the file are made of names; a constant of the graph is written when it is first named.
class DeeployWriter {
 public:
  DeeployWriter(const graph::Graph& graph, int64_t opset, int64_t ir_version)
      : writer_(graph, opset, ir_version), uses_(graph) {}

  const graph::Graph& graph() const { return writer_.graph(); }
  const graph::Uses& uses() const { return uses_; }
  /// The file's name for a value; "" for `absent`.
  std::string name(graph::ValueId id);
  /// A node with one output: the name `output`, or a free one where it is empty. Returns the name.
  std::string add(const std::string& node_name, std::string_view op, const std::vector<std::string>& inputs,
                  const std::string& output = "");
  /// A node on reals, as the standard has it. False where it has no such op.
  bool add_standard(const graph::Node& node);
  /// The node added last, for its attributes.
  pb::NodeProto& last() { return *last_; }
  /// The attribute of the node added last as a tensor of one number.
  void set_number(const std::string& attribute, int64_t value);
  /// A constant of integers; returns its name.
  std::string constant(const std::string& wanted, const Tensor& integers);
  /// A constant of int64, as parameters of movement are; returns its name.
  std::string indices(const std::string& wanted, const Tensor& integers);
  /// A constant of the graph as int64.
  std::string indices(graph::ValueId id);
  /// The bytes, after the last node.
  std::string finish();

 private:
  ModelWriter writer_;
  graph::Uses uses_;
  pb::NodeProto* last_ = nullptr;
  std::map<graph::ValueId, std::string> constants_;
};

/// Why the dialect cannot say a node; nothing where it is written.
using Refusal = std::optional<std::string>;

/// Writes a node, perhaps as several that give the same integers.
Refusal write_deeploy_node(DeeployWriter& writer, const graph::Node& node);

/// The clip of x to [low, high].
Refusal add_deeploy_clip(DeeployWriter& writer, const std::string& name, const std::string& x, Interval range,
                         const std::string& output);

// One function an op that takes more than a line.
Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Conv& op);
Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Gemm& op);
Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::MatMul& op);
Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::SumPool& op);
Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::ReduceSum& op);
Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Requantise& op);
Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::FloorDivide& op);
Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Threshold& op);
Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Table& op);

}  // namespace nibble::onnx
