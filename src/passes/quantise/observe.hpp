#pragma once
#include <map>
#include <utility>
#include <vector>

#include "passes/quantise/plan.hpp"
#include "quant/range.hpp"

namespace nibble::passes {

/// What one run of the float network over the calibration data sees of the values that get quantisers.
struct Observed {
  struct OfRule {
    quant::RangeRule rule;
    quant::RangeObserver observer;
  };
  std::map<graph::ValueId, std::vector<OfRule>> observers;  ///< of a value, one for each rule that looks at it
  std::map<graph::ValueId, std::vector<double>> samples;    ///< first elements of what may share a grid
  std::vector<std::vector<Tensor>> examples;                ///< batches of a few examples, spread over the data
  std::vector<std::vector<Tensor>> others;                  ///< of as many between these; none of little data
  std::vector<std::vector<Tensor>> halves;                  ///< of little data: every other of the examples
  int64_t count = 0;                                        ///< of all examples
  int64_t judges_apart = 2;                                 ///< every so many of them there is one that judges

  const quant::RangeObserver& of(const Point& point) const;
  /// Batches to judge what is fitted to the data but for them: others, or halves. None of a single example.
  const std::vector<std::vector<Tensor>>& judges() const { return others.empty() ? halves : others; }
  /// Whether that example of the data is one of them.
  bool is_judge(int64_t example) const { return example % judges_apart == judges_apart / 2; }
};

/// Runs the network on the batches and looks at every value that one of the plans quantises. Throws UserError on an
/// empty set and on NaN, naming the value.
Observed observe(const graph::Graph& graph, const std::vector<const QuantiserPlan*>& plans,
                 const graph::EngineMaker& engine, const Batches& batches);

/// What the point's quantiser shall look like.
quant::GridSpec spec_of(const Point& point);
/// "value 'conv1'": where an error is.
std::string place_of(const graph::Graph& graph, const Point& point);

}  // namespace nibble::passes
