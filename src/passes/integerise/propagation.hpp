#pragma once
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/graph.hpp"
#include "passes/integerise/approximation.hpp"
#include "passes/rewrite.hpp"

/// The walk of propagate_scales: what each real value of FQ is in integers. Source: docs/design/fake_to_true.md.
namespace nibble::passes {

/// Integers of a grid: real = scale (q - zero_point). A constant of the new graph where a quantiser of one made it:
/// then there may be a scale for each channel.
struct OnGrid {
  graph::ValueId id;  ///< in the new graph, as all of these
  Grid grid;
};

/// A real value as a clipped affine function of integers:
///
///     real = clip(scale[c] * (q - zero) + shift[c], low[c], high[c])        c: index of axis 1, or 0 where there is one
///
/// `others`: further integers of a sum on several grids, scale * (q - zero) of each added before the clip.
struct Sum {
  struct Term {
    graph::ValueId id;
    std::vector<double> scale;
    int64_t zero;
  };

  graph::ValueId id = graph::absent;
  std::vector<double> scale{1.0};
  std::vector<double> shift{0.0};
  int64_t zero = 0;
  std::vector<Term> others{};
  std::vector<double> low{-std::numeric_limits<double>::infinity()};
  std::vector<double> high{std::numeric_limits<double>::infinity()};

  /// One affine function for the whole tensor.
  bool uniform() const;
  bool clipped() const;
  bool shifted() const;
  /// One number for all channels, and nothing else: real = scale (q - zero).
  bool is_scaled() const { return uniform() && !shifted() && !clipped(); }
};

/// Reals, between a Dequantise and its Quantise.
struct RealValue {
  graph::ValueId id;
};

/// Integers that stand for themselves: places.
struct Index {
  graph::ValueId id;
};

/// The result of an integer algorithm whose levels the quantiser after it gives: nothing is emitted yet.
struct Pending {
  const graph::Node* function;
};

/// What a value of FQ is in the new graph.
using Carried = std::variant<OnGrid, Sum, RealValue, Index, Pending>;

/// Integers as the function that a quantiser takes them by; an index is the number that it is. Nothing where there are
/// none: reals, and what is pending.
std::optional<Sum> sum_of(const Carried& value);

/// The integers of the new graph that a value is made of: a sum's first, then its others'. None where it is pending.
std::vector<graph::ValueId> terms_of(const Carried& value);

inline double element(const std::vector<double>& values, size_t channel) {
  return values[values.size() == 1 ? 0 : channel];
}

struct Propagation {
  explicit Propagation(const graph::Graph& source) : from(source), uses(source), carried(source.values.size()) {}

  const graph::Graph& from;
  const graph::Uses uses;  ///< of from
  graph::Graph to;
  std::vector<std::optional<Carried>> carried;
  std::set<std::string> node_names;
  std::vector<Approximation> approximations;

  /// Appends a node with one output.
  graph::ValueId emit(std::string node_name, graph::Op op, std::vector<graph::ValueId> inputs, std::string value_name);
  /// What a value is; nullptr for a constant without a quantiser.
  const Carried* find(graph::ValueId id) const;
  /// The constant of a quantiser that a value is; nullptr where it is none.
  const OnGrid* find_constant(graph::ValueId id) const;
  /// What input `slot` of a node is; throws UserError where it is a constant or a real that no quantiser explains.
  const Carried& input(const graph::Node& node, size_t slot) const;
  /// As input, exactly on the grid of a quantiser; throws UserError naming the missing one.
  const OnGrid& on_grid(const graph::Node& node, size_t slot) const;
  /// As on_grid, where a constant with a quantiser will do as well.
  const OnGrid& integers(const graph::Node& node, size_t slot) const;
  /// As on_grid, where a sum of one positive scale will do as well.
  Sum scaled(const graph::Node& node, size_t slot) const;
  /// The quantiser that every reader of the value is (the first of them), where all are alike and the network does not
  /// return the value; nullptr otherwise.
  const graph::Node* quantiser_after(graph::ValueId id) const;
  /// "conv1_q" for what is on a grid, "conv1_acc" for what is not.
  std::string name_for(graph::ValueId id, const Carried& value) const;
  void set(graph::ValueId id, Carried value);
  bool is_input_with_grid(graph::ValueId id) const;  ///< id: in the new graph
  /// Writes down what a sum's integers stand for, scale * (q - zero), where a grid can hold it: for the reader.
  void annotate(const Sum& sum);
};

/// The integers that the quantiser makes of `x`, written as value `name`: a Rescale, clipped to the levels that a Relu
/// or Clip leaves.
graph::ValueId requantise(Propagation& p, const graph::Node& node, const Sum& x, const graph::Quantise& quantiser,
                          const std::string& node_name, const std::string& name);

[[noreturn]] void refuse(const graph::Node& node, std::string_view found, std::string_view expected);

/// A graph input becomes the integers of the one quantiser that reads it; throws UserError where there is none.
void carry_graph_input(Propagation& p, graph::ValueId id);
/// What a node gives. Throws UserError naming it where it has no integers; nodes that it emitted by then are there.
void carry(Propagation& p, const graph::Node& node);

// One function a class of ops (graph/op_traits.hpp).
void carry_linear(Propagation& p, const graph::Node& node);
void carry_affine(Propagation& p, const graph::Node& node, graph::ValueId x, const Affine& affine);
void carry_arithmetic(Propagation& p, const graph::Node& node);
void carry_clip(Propagation& p, const graph::Node& node);
void carry_mean(Propagation& p, const graph::Node& node);
void carry_movement(Propagation& p, const graph::Node& node);
void carry_concat(Propagation& p, const graph::Node& node);
void carry_function(Propagation& p, const graph::Node& node);
void carry_quantise(Propagation& p, const graph::Node& node);
void carry_algorithm(Propagation& p, const graph::Node& node);
void carry_addend(Propagation& p, const graph::Node& node);
void carry_choice(Propagation& p, const graph::Node& node);
void carry_index(Propagation& p, const graph::Node& node);
void carry_embedding(Propagation& p, const graph::Node& node);

/// The integer algorithm of `function`, its result on the quantiser's grid; returns the new value.
graph::ValueId emit_algorithm(Propagation& p, const graph::Node& function, const graph::Quantise& quantiser,
                              const std::string& name);
/// A linear Resize as products of the integers with small matrices; the sum's scale.
Carried emit_resize(Propagation& p, const graph::Node& node, const graph::Resize& op, const OnGrid& x);

}  // namespace nibble::passes
