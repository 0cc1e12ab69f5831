#pragma once
#include <vector>

#include "graph/evaluate/evaluate.hpp"
#include "passes/quantise/plan.hpp"

namespace nibble::passes {

/// What quantisers add to a network's outputs, on a few examples.
class OutputNoise {
 public:
  /// Runs the network without quantisers. `examples`: batches of its inputs.
  OutputNoise(const graph::Graph& network, graph::EngineMaker maker, std::vector<std::vector<Tensor>> examples);

  /// Power of the noise as a part of the signal's, summed over the outputs. `fake`: the network with quantisers, which
  /// takes the same inputs.
  double of(const graph::Graph& fake) const;
  const std::vector<std::vector<Tensor>>& examples() const { return examples_; }

 private:
  graph::EngineMaker maker_;
  std::vector<std::vector<Tensor>> examples_;
  std::vector<std::vector<std::vector<double>>> wanted_;  ///< of a batch, of an output
};

/// The noise of the judge's network with the plan's quantisers on such grids, its biases corrected on the batches
/// `biases`, or as they are where there are none.
double noise_of(const OutputNoise& judge, const graph::Graph& graph, const QuantiserPlan& plan,
                const std::vector<Grid>& grids, const graph::EngineMaker& maker,
                const std::vector<std::vector<Tensor>>& biases);

/// dB of a ratio of powers; 0 of none.
double decibels(double ratio);

}  // namespace nibble::passes
