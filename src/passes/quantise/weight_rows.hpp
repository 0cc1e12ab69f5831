#pragma once
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.hpp"

/// The weights of a linear op as rows, and the rows of inputs that they meet.
namespace nibble::passes {

/// The weights of a linear op as rows: output `o` of group `g` is the sum over i < inputs of weight(g, o, i) times input
/// i of that group.
struct WeightRows {
  size_t groups = 1, outputs = 1, inputs = 1;    ///< outputs of a group
  size_t of_group = 0, of_output = 0;            ///< distance of weights in memory
  size_t inner = 1, of_inner = 1, of_outer = 0;  ///< of input i: i / inner * of_outer + i % inner * of_inner

  size_t place(size_t group, size_t output, size_t input) const {
    return group * of_group + output * of_output + input / inner * of_outer + input % inner * of_inner;
  }
};

/// Nothing for an op whose weights are no such rows: a MatMul by more than a matrix, a Gemm that transposes its input.
std::optional<WeightRows> weight_rows(const graph::Node& node, const Shape& weights);

/// Finds the inputs of single sums of an op: borders are zero.
class Patches {
 public:
  /// `x`: the shape of the input that came, [N, ...].
  Patches(const graph::Graph& graph, const graph::Node& node, const Shape& x, const WeightRows& rows);

  /// Sums of one output channel.
  int64_t count() const { return examples_ * positions_; }
  /// The inputs of sum `index` in a group, WeightRows::inputs of them. Sums of one example lie behind each other.
  void take(std::span<const float> x, int64_t index, size_t group, float* row) const;

 private:
  void add_taps(const graph::Graph& graph, const graph::Node& node, const Shape& x);

  int64_t examples_ = 0, positions_ = 1;
  size_t channels_ = 0, of_group_ = 0, taps_ = 1, extent_ = 1;
  std::vector<int64_t> places_;  ///< of a position, of a tap: where in a channel, -1 outside
};

}  // namespace nibble::passes
