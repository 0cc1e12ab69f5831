#pragma once
#include <memory>

#include "passes/quantise/observe.hpp"
#include "passes/quantise/output_noise.hpp"
#include "passes/quantise/plan.hpp"

namespace nibble::passes {

/// What the steps of quantise hand on. Each leaves the graph tidy, so that the plan's places and values stay where they
/// are until the quantisers are placed.
struct Quantising {
  QuantiseOptions options;
  std::vector<TakenInput> taken = {};
  QuantiserPlan plan = {};
  Observed seen = {};
  std::vector<Grid> grids = {};           ///< one a point
  bool corrects = true;                   ///< biases
  bool judges = false;                    ///< whether `judge` is wanted
  std::optional<OutputNoise> judge = {};  ///< on examples that chose nothing
};

/// The names of nodes and inputs: what a policy may call a layer.
std::vector<std::string> layers_of(const graph::Graph& graph);

/// What every network goes through: canonicalise, fold_input_format, `before`, plan_quantisers, then `grids`, the steps
/// that give each point of the plan its grid, and place_quantisers. `layers`: of the network as it was given.
Pipeline steps_of_quantising(const std::shared_ptr<Quantising>& work, const std::vector<std::string>& layers,
                             const Pipeline& before, const Pipeline& grids);

}  // namespace nibble::passes
