#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "graph/ranges.hpp"
#include "lower/constants.hpp"
#include "lower/lower.hpp"
#include "lower/stages.hpp"
#include "lower/view.hpp"

/// What lowering one op after another shares: where each value stands, which nodes are done, the steps so far.
namespace nibble::lower {

/// A step before its buffers have places.
struct Draft {
  int kind = 0;
  std::string name, op;
  std::vector<int64_t> numbers;
  std::vector<View> in;
  View out;
  std::vector<graph::ValueId> completes;
  int64_t operations = 0;
  std::string requantisation;
  int32_t rows = 0;  ///< program::Step's
};

/// Bytes that live from the step that writes them first to the one that reads them last.
struct Buffer {
  int64_t bytes = 0;
  int first = -1, last = -1;  ///< steps; -1 is before them all
};

/// A value behind a node and the stages that its only readers add to it.
struct Chain {
  graph::ValueId result;
  Stage stage;
};

class Lowering {
 public:
  Lowering(const graph::Graph& graph, const Options& options);

  const graph::Graph& graph;
  const Options options;
  const graph::Uses uses;
  Constants constants;
  std::vector<Buffer> buffers;
  std::vector<Draft> drafts;

  [[noreturn]] void refuse(const graph::Node& node, const std::string& found, const std::string& expected) const;

  // ---- values ----
  const graph::Ranges& range(graph::ValueId id) const { return ranges_[static_cast<size_t>(id)]; }
  Interval hull_of(graph::ValueId id) const;
  const Shape& shape(graph::ValueId id) const { return graph[id].shape; }
  bool real(graph::ValueId id) const { return is_real(graph[id].type); }
  /// The type in which a value is stored.
  int32_t type_of(graph::ValueId id) const;
  /// Where a value stands; a constant is put among the constants, plain, when first asked for.
  const View& view(graph::ValueId id);
  void alias(graph::ValueId id, View view) { views_[static_cast<size_t>(id)] = std::move(view); }
  bool placed(graph::ValueId id) const { return parts_.contains(id); }
  graph::ValueId part_of(graph::ValueId id) const { return parts_.at(id).whole; }
  bool written(graph::ValueId id) const { return views_[static_cast<size_t>(id)].has_value(); }
  /// Room for a value that a step is about to write: in a Concat's buffer where it is one of its parts, else a buffer of
  /// its own with the axes in this order.
  View fresh(graph::ValueId id, const std::vector<size_t>& order);
  View temporary(const Shape& extents, int32_t type, const std::vector<size_t>& order);
  View constant(const std::vector<int64_t>& values, int32_t type, const Shape& extents);
  /// The same as the field of a kernel's struct (Constants::field).
  const void* constant_field(const std::vector<int64_t>& values, int32_t type) {
    const View at = constant(values, type, {static_cast<int64_t>(values.size())});
    return program::field_at(at.offset * bytes_of(type));
  }

  // ---- steps ----
  void add(Draft draft);
  template <class Parameters>
  void add(int kind, const Parameters& parameters, const graph::Node& node, std::vector<View> in, View out,
           std::vector<graph::ValueId> completes, int64_t operations = 0, std::string requantisation = {}) {
    add({kind, node.name, std::string(name_of(node.op)), encoded(kind, &parameters), std::move(in), std::move(out),
         std::move(completes), operations, std::move(requantisation)});
  }
  /// Copies a view into another of the same extents.
  void copy(const graph::Node& node, const View& from, const View& to, std::vector<graph::ValueId> completes = {});
  /// The view itself where channels (or all elements) lie as asked, else a copy.
  View with_channels_last(const graph::Node& node, const View& view);
  View plain(const graph::Node& node, const View& view);

  // ---- nodes ----
  void claim(int node) { claimed_.insert(node); }
  bool claimed(int node) const { return claimed_.contains(node); }
  /// The stage that the only reader of a value is, and those after it. `channels_at`: the axis of the value whose index
  /// a stage may tell apart, -1 for none; a stage of more channels elsewhere is left.
  Chain absorb(graph::ValueId id, int64_t channels_at);
  /// The clips behind a stage that is there.
  void extend(Chain& chain);
  /// A copy of a channels-last value that a fully connected layer alone reads, spared: its weights are turned.
  std::map<graph::ValueId, View> turned;
  /// A linear node whose result a sum takes in: lowered with it.
  std::map<graph::ValueId, int> deferred;

 private:
  std::vector<int64_t> encoded(int kind, const void* parameters) const;
  void find_ranges();
  void find_parts();
  View part(graph::ValueId id);

  std::vector<graph::Ranges> ranges_;
  std::vector<std::optional<View>> views_;
  struct Part {
    graph::ValueId whole;
    size_t axis;
    int64_t begin;
  };
  std::map<graph::ValueId, Part> parts_;  ///< values that are written where a Concat wants them
  std::set<int> claimed_;
};

/// A node's own lowering; each file has some. Throws UserError where no step computes the op.
void lower_node(Lowering& lowering, int index);

/// A step over elements: the op and its scalars are filled in, extents, strides, types and the stage are not.
void add_pointwise(Lowering& lowering, const graph::Node& node, const nibble_pointwise& p, std::vector<View> operands,
                   const Chain& chain);
/// A Gemm or MatMul whose rows meet a constant matrix, as lower_linear takes it.
bool multiplies_rows(const Lowering& lowering, const graph::Node& node);
/// A Requantise that is a branch of a sum, and done with it.
bool waits_for_sum(const Lowering& lowering, int index);

/// Each lowers the ops that are its own, and says whether the node was one.
bool lower_linear(Lowering& lowering, int index);
bool lower_sum(Lowering& lowering, int index);
bool lower_pool(Lowering& lowering, const graph::Node& node);
/// A ReduceSum's step, from x to y, without a stage.
void add_sum(Lowering& lowering, const graph::Node& node, const View& x, const View& y);
bool lower_reduction(Lowering& lowering, const graph::Node& node);
/// What is left: functions of elements. Refuses any other.
void lower_pointwise(Lowering& lowering, const graph::Node& node);
bool lower_movement(Lowering& lowering, const graph::Node& node);
bool lower_rows(Lowering& lowering, const graph::Node& node);
bool lower_product(Lowering& lowering, const graph::Node& node);
void lower_real(Lowering& lowering, const graph::Node& node);

}  // namespace nibble::lower
