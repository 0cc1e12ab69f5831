#pragma once
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/json.hpp"
#include "onnx/onnx.hpp"
#include "onnx/standard/node_reader.hpp"

namespace nibble::onnx {

/// How a dialect of integers reads the nodes of its files. The graph is at stage ID.
class Importer {
 public:
  virtual ~Importer() = default;
  /// Inputs and initialisers are known.
  virtual void begin(GraphReader& reader) = 0;
  /// What is known of a node's inputs only so far becomes values of the graph: a node of the tail reads them next.
  virtual void settle_inputs(NodeReader&) {}
  /// Reads one node of the standard domain, its inputs read before it.
  virtual void read(NodeReader& node) = 0;
  /// All nodes are read, outputs are not.
  virtual void end(GraphReader& reader) = 0;
};

/// What a dialect reads otherwise than the standard; by itself the standard.
struct DialectRules {
  /// Reals of the file hold integers: inputs of reals are int32, constants of reals the narrowest integers, and the
  /// stage is ID.
  bool integers = false;
  /// Reads a node, of any domain but ours, that the dialect has its own form of; false: it is the standard's.
  bool (*read_node)(NodeReader&) = nullptr;
  /// Reads every node of the standard domain, where one depends on others.
  Importer* importer = nullptr;
};

/// Reads one model into a graph, node after node; NodeReader is its view of one of them.
class GraphReader {
 public:
  GraphReader(const pb::ModelProto& model, std::string place, const ReadOptions& options, TensorRules rules,
              DialectRules dialect = {});
  graph::Graph run();
  /// Names of the file's outputs.
  std::vector<std::string> output_names() const;

  const std::string& place() const { return place_; }
  int64_t opset() const { return opset_; }
  /// Written by write_native: values carry types and grids, and nothing is folded or rearranged.
  bool native() const { return native_; }
  /// The file computes with integers (QLinearConv and its kin): QuantizeLinear gives integers, not a fake quantiser.
  bool integer_form() const { return integer_form_; }
  /// Whether every node that reads the name is of this op, and one is.
  bool read_only_by(const std::string& name, std::string_view op) const;
  /// All that is done to the integers of an input is a Cast to reals, perhaps once they have moved: what is given stands
  /// for itself.
  bool is_cast_to_reals(const std::string& input) const;
  /// One node reads the name, and it is no output of the network.
  bool read_once(const std::string& name) const;
  /// A node of this op reads `input` first and writes `output` first.
  bool writes(std::string_view op, const std::string& input, const std::string& output) const;
  const TensorRules& rules() const { return rules_; }
  const ReadOptions& options() const { return options_; }
  graph::Graph& graph() { return graph_; }

  /// Throws UserError where no name of the file is so.
  Item& item(const std::string& name, const std::string& node_place);
  void define(const std::string& name, Item item);
  bool is_defined(const std::string& name) const { return items_.contains(name); }
  graph::ValueId value_of(Item& item, const std::string& name, const std::string& node_place);
  /// The value as reals in a file of integers: integers of the graph by a Dequantise, on the grid that the file gives
  /// them, else as they are. Constants of integers stay: they count and point.
  graph::ValueId reals_of(Item& item, const std::string& name, const std::string& node_place);
  /// A name that no value of the graph and none of the file has.
  std::string free_value_name(std::string name);
  std::string free_node_name(std::string name);
  graph::ValueId add_value(std::string name, ElementType type, Shape shape);
  /// Appends a node, infers its outputs' types and shapes. Returns its outputs, named `names`.
  std::vector<graph::ValueId> add_node(std::string name, graph::Op op, std::vector<graph::ValueId> inputs,
                                       const std::vector<std::string>& names);
  /// What our own metadata say of a value, or null.
  const Json* metadata_of(const std::string& value) const;
  /// Renames the value to a name of the file.
  void rename(graph::ValueId id, const std::string& name) { graph_[id].name = name; }

 private:
  void read_metadata();
  void read_initialisers();
  void read_inputs();
  void read_nodes();
  void read_node(NodeReader& node);
  void read_outputs();
  void finish();
  std::vector<int> order_of_nodes() const;
  /// The integers behind the reals that are a graph output: an integer network's output, under its name.
  graph::ValueId give_integers(const Item& item, const std::string& name);

  const pb::ModelProto& model_;
  std::string place_;
  ReadOptions options_;
  TensorRules rules_;
  DialectRules dialect_;
  int64_t opset_ = 0;
  bool native_ = false;
  bool integer_form_ = false;
  Json metadata_;
  graph::Graph graph_;
  std::unordered_map<std::string, Item> items_;
  std::unordered_map<std::string, graph::ValueId> reals_;  ///< what reals_of gave, by name
  std::unordered_set<std::string> value_names_, file_node_names_, node_names_;
  std::unordered_map<std::string, int> numbers_;
};

/// The message without the room that it came from, and without the node that the caller names itself.
std::string_view found_part(std::string_view message);

/// Calls f; a UserError of another room is told again as one of this file.
template <class F>
decltype(auto) as_error_of(const std::string& place, F&& f) {
  try {
    return f();
  } catch (const UserError& error) {
    const std::string_view message = error.what();
    if (message.starts_with("onnx: ")) throw;
    throw UserError("onnx: " + place + ": " + std::string(found_part(message)));
  }
}

}  // namespace nibble::onnx
