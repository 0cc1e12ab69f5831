#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/grid.hpp"
#include "base/tensor.hpp"
#include "graph/op.hpp"

namespace nibble::graph {

using nibble::to_string;

/// The four representations (docs/design/house.md): full precision, fake-quantised, quantised-deployable,
/// integer-deployable.
enum class Stage : uint8_t { FP, FQ, QD, ID };
std::string_view to_string(Stage stage);
Stage stage_named(std::string_view name);

/// Index into Graph::values. Stable until prune().
using ValueId = int32_t;
inline constexpr ValueId absent = -1;  ///< an optional input that is not there

/// What flows along an edge, or a constant.
struct Value {
  std::string name;  ///< unique in the graph; kept by passes where the value keeps its meaning
  ElementType type = ElementType::Float32;
  Shape shape;                     ///< `any` only as the batch
  std::optional<Tensor> constant;  ///< weights, biases, tables: what training changes or files hold
  std::optional<Grid> grid;        ///< FQ: reals on this grid; QD, ID: what the stored integers stand for
  std::vector<Interval> bounds;    ///< QD, ID: proven range of the stored integers, one or one per channel (axis 1)
};

struct Node {
  std::string name;  ///< unique in the graph; the name it had in the file it came from, where there is one
  Op op;
  std::vector<ValueId> inputs;  ///< `absent` for an optional input that is not given
  std::vector<ValueId> outputs;
};

/// A network. Nodes stand in an order in which every value is written before it is read (the verifier checks).
/// Cheap to look at, simple to rewrite: passes append nodes, redirect readers, then call `tidy`.
struct Graph {
  std::string name;
  Stage stage = Stage::FP;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::map<std::string, std::string> metadata;  ///< travels with the file: preprocessing, class names, provenance

  // Once, in graph.cpp: a file that copies a graph does not compile how.
  Graph();
  Graph(const Graph&);
  Graph(Graph&&) noexcept;
  Graph& operator=(const Graph&);
  Graph& operator=(Graph&&) noexcept;
  ~Graph();

  Value& operator[](ValueId id) { return values.at(static_cast<size_t>(id)); }
  const Value& operator[](ValueId id) const { return values.at(static_cast<size_t>(id)); }

  /// Adds a value; a name that is taken (or empty) gets a number behind it.
  ValueId add_value(std::string name, ElementType type = ElementType::Float32, Shape shape = {});
  ValueId add_constant(std::string name, Tensor tensor);
  /// Adds a node with one new output value named after it; returns that value. Type and shape follow from tidy().
  ValueId add_node(std::string name, Op op, std::vector<ValueId> node_inputs);
  /// The value of that name, or `absent`.
  ValueId find(std::string_view value_name) const;
  /// The constant behind an input of a node, or nullptr (absent, or not a constant).
  const Tensor* constant(ValueId id) const;
  /// Redirects every reader of `from`, and the graph's outputs, to `to`.
  void replace(ValueId from, ValueId to);
  /// Exchanges the names of two values.
  void swap_names(ValueId a, ValueId b);
};

/// Who writes and who reads each value, as indices into graph.nodes. A snapshot: make a new one after an edit.
struct Uses {
  explicit Uses(const Graph& graph);
  std::vector<int> writer;                ///< -1: a graph input or a constant
  std::vector<std::vector<int>> readers;  ///< one entry an occurrence
  std::vector<bool> is_output;
  /// The only node that reads the value, or -1 when there are more, none, or the value is a graph output.
  int only_reader(ValueId id) const;
};

/// Removes nodes whose outputs nobody reads and values that nothing names, sorts nodes by dependence (keeping their
/// order where it is free), infers every type and shape. Throws UserError naming a node on a cycle, or one whose inputs
/// do not fit. Returns how many nodes went.
int tidy(Graph& graph);

/// Only the sorting: UserError naming a node on the cycle.
void sort(Graph& graph);

}  // namespace nibble::graph
