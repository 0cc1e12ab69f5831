#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "onnx/file/attributes.hpp"
#include "onnx/file/tensors.hpp"
#include "onnx/standard/folded.hpp"

namespace nibble::onnx {

class GraphReader;

/// Reals that are nothing but integers of the graph times a scale.
struct RealsOf {
  graph::ValueId integers = graph::absent;
  Grid grid;
};

/// Integers of the file that are levels of a quantiser: of a type that quantised tensors have, but int32, in which
/// shapes are computed too.
bool is_levels(const FileTensor& tensor);

/// What a name of the file leads to: a value of the graph, or something known that becomes one when a node reads it.
struct Item {
  graph::ValueId id = graph::absent;
  std::optional<FileTensor> constant;
  std::optional<Folded> folded;
  std::optional<Grid> integers_of;  ///< the integers that a QuantizeLinear gives; id is the fake-quantised value
  std::optional<size_t> quantise;   ///< the quantiser that writes it, in the graph; none where they were moved since
  bool renamed = false;             ///< it has a DequantizeLinear's name
  std::optional<Interval> cut;      ///< levels that a Clip left of a constant's integers
  std::optional<RealsOf> reals_of;  ///< of an integer network; id follows where something reads the reals
  bool zeros = false;               ///< nothing but zeros, as many as the batch decides: `folded` is not its shape
  std::string refusal;              ///< why nothing may read it
};

/// One node of the file as the import functions see it: its inputs and attributes checked, and ways to put nodes into
/// the graph. All errors are UserErrors "onnx: <file>: node '<name>' (<op>): <found> (expected <what>)".
class NodeReader {
 public:
  NodeReader(GraphReader& reader, const pb::NodeProto& node, std::string name);

  /// "<file>: node '<name>' (<op>)".
  const std::string& place() const { return place_; }
  [[noreturn]] void fail(std::string_view found, std::string_view expected = {}) const;
  int64_t opset() const;
  const std::string& name() const { return name_; }
  std::string op_type() const { return node_.op_type(); }
  const std::string& domain() const { return node_.domain(); }
  bool native() const;
  const Attributes& attributes() const { return attributes_; }

  size_t input_count() const { return static_cast<size_t>(node_.input_size()); }
  size_t output_count() const { return static_cast<size_t>(node_.output_size()); }
  /// Empty where there is none.
  std::string input_name(size_t index) const {
    return index < input_count() ? node_.input(static_cast<int>(index)) : std::string();
  }
  std::string output_name(size_t index) const {
    return index < output_count() ? node_.output(static_cast<int>(index)) : std::string();
  }
  /// The input is there and not empty.
  bool has(size_t index) const;
  void expect_inputs(size_t least, size_t most) const;
  Item& item(size_t index) const;
  /// The input as a value of the graph; what is known becomes a constant.
  graph::ValueId value(size_t index) const;
  /// As value, or `absent`.
  graph::ValueId optional_value(size_t index) const;
  const graph::Value& typed(graph::ValueId id) const;
  const Shape& shape(graph::ValueId id) const { return typed(id).shape; }
  /// The levels of a constant, in the grid's container; fails on NaN.
  Tensor quantised(const Tensor& reals, const Grid& grid, Rounding rounding) const;
  /// Makes the integers that a QuantizeLinear gives of a constant a constant themselves, for what moves them.
  void hold_levels(size_t index) const;
  /// A constant behind a quantiser of its own.
  bool is_quantised_constant(graph::ValueId id) const;
  /// Of an input, whatever it leads to.
  Shape shape_of_input(size_t index) const;
  /// The extent `axis` of a value, which must not be the batch.
  int64_t fixed_extent(graph::ValueId id, size_t axis) const;
  /// The input where it is known (a constant, or folded), else nothing.
  std::optional<Folded> known(size_t index) const;
  /// The constant behind an input as it is in the file; fails when it is not one.
  const FileTensor& constant(size_t index, std::string_view what) const;
  /// A known input of integers, rank 0 or 1; the batch as `any`. `batches` tells which are how many times the batch, 0
  /// for numbers.
  graph::Ints integers(size_t index, std::string_view what, graph::Ints* batches = nullptr) const;
  /// A known input of one real number.
  double real(size_t index, std::string_view what) const;
  std::vector<double> reals(size_t index, std::string_view what) const;
  /// `axis` in [0, rank).
  int64_t axis(int64_t axis, size_t rank) const;
  FileTensor tensor_attribute(std::string_view attribute) const;

  /// The node itself: its outputs are the file's. What moves constant levels alone is computed at once.
  void emit(graph::Op op, std::vector<graph::ValueId> inputs, size_t outputs = 1);
  /// A node before it, named <node>.<suffix>; returns its output.
  graph::ValueId step(std::string_view suffix, graph::Op op, std::vector<graph::ValueId> inputs);
  graph::ValueId add_constant(std::string_view suffix, Tensor tensor);
  /// The output is a value that is there already.
  void alias(graph::ValueId id, size_t output = 0);
  /// The output is known.
  void give(Folded folded, size_t output = 0);
  void give(FileTensor constant);
  /// The outputs are zeros of a shape with the batch in it.
  void give_zeros(ElementType type);
  /// From here on the integers of a QuantizeLinear on this grid are read as what they stand for, and the outputs are
  /// integers of the same grid: the op only moves elements.
  void move_levels(Grid grid) { moved_ = std::move(grid); }
  const std::optional<Grid>& moved() const { return moved_; }
  /// An input is a value of reals that the graph computes.
  bool reads_reals() const;
  /// From here on integers of the graph are read as the reals that they stand for, and constants of reals as they are.
  void take_reals() { takes_reals_ = true; }
  /// The graph's own reader, for what concerns more than one node.
  GraphReader& reader() const { return reader_; }

 private:
  void give_moved(const graph::Op& op, const std::vector<graph::ValueId>& inputs, size_t outputs);

  GraphReader& reader_;
  const pb::NodeProto& node_;
  std::string name_;
  std::string place_;
  Attributes attributes_;
  std::optional<Grid> moved_;
  bool takes_reals_ = false;
};

}  // namespace nibble::onnx
