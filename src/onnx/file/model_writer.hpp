#pragma once
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <unordered_set>

#include "base/json.hpp"
#include "graph/graph.hpp"
#include "onnx/file/proto.hpp"

namespace nibble::onnx {

/// Builds a ModelProto from a graph: what every dialect that we write has in common. Names of values are the graph's.
class ModelWriter {
 public:
  ModelWriter(const graph::Graph& graph, int64_t opset, int64_t ir_version);

  const graph::Graph& graph() const { return graph_; }
  int64_t opset() const { return opset_; }
  const std::string& name(graph::ValueId id) const;
  /// A name that no value has yet.
  std::string free_name(const std::string& name);
  /// A node of the standard (or of `domain`) with no attributes yet.
  pb::NodeProto& add_node(const std::string& name, std::string_view op, std::string_view domain = {});
  /// An initializer; returns its name, made free.
  std::string add_constant(const std::string& name, const Tensor& tensor);
  std::string add_packed(const std::string& name, const Tensor& integers, int data_type);
  void add_value_constant(graph::ValueId id);
  void add_initializer(const std::string& name, const Tensor& tensor);
  void add_input(graph::ValueId id);
  void add_input(graph::ValueId id, ElementType type);
  void add_output(graph::ValueId id, ElementType type);
  void add_value_info(graph::ValueId id, ElementType type);
  void add_metadata(const std::string& key, const std::string& text);
  /// Throws UserError where the message is larger than the format allows.
  std::string bytes();

 private:
  void describe(graph::ValueId id, ElementType type, pb::ValueInfoProto& info) const;

  const graph::Graph& graph_;
  int64_t opset_;
  pb::ModelProto model_;
  std::unordered_set<std::string> names_;
  std::set<std::string> domains_;  ///< beside the standard's
};

// Attributes of a node.
void set_integer(pb::NodeProto& node, const std::string& name, int64_t value);
void set_integers(pb::NodeProto& node, const std::string& name, const graph::Ints& values);
void set_real(pb::NodeProto& node, const std::string& name, double value);
void set_text(pb::NodeProto& node, const std::string& name, std::string_view value);

/// The first opset in which the standard has an op with these fields, by the table of ops that are read; no_opset where
/// it has no such op.
int64_t opset_of(const graph::Op& op);
/// Beyond every opset.
inline constexpr int64_t no_opset = std::numeric_limits<int64_t>::max();

/// Inputs, shapes and outputs of one of our nodes under a standard op of the same meaning; the attributes follow. False
/// (and nothing written) where the standard cannot say the op on these types and fields, or not at the file's opset.
bool write_standard(ModelWriter& writer, const graph::Node& node);

/// Why write_standard said false: "Swish's alpha 1.7020000000001 is no float32 number", else that the standard has no
/// such op.
std::string standard_lacks(const graph::Op& op);

/// A number that float holds and that a reader takes back as the same double.
bool survives_float(double number);

}  // namespace nibble::onnx
