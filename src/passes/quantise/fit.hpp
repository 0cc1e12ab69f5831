#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "passes/quantise/memory.hpp"
#include "passes/quantise/quantise.hpp"

/// The memory-driven choice of bits. Source: Rusci et al. 2019 (arXiv 1905.13082), algorithms 1 and 2;
/// docs/design/memory.md.
namespace nibble::passes {

/// Bytes; an absent one binds nothing.
struct Budgets {
  std::optional<int64_t> activations;  ///< of each layer's input + output
  std::optional<int64_t> weights;      ///< of all layers' weights together
};

/// "activations=400KB,weights=1MB", either alone; a whole number of B, KB = 1024 B or MB = 1024 KB. Throws UserError.
Budgets budgets_from_text(std::string_view text, std::string_view place);

/// One layer before and after.
struct FittedLayer {
  std::string name, op;
  std::vector<int> input_bits, output_bits, fitted_input_bits, fitted_output_bits;
  int weight_bits = 0, fitted_weight_bits = 0;  ///< 0: no weights
  int64_t bytes = 0, fitted_bytes = 0;          ///< of input + output
  int64_t weight_bytes = 0, fitted_weight_bytes = 0;
  std::vector<std::string> reasons;  ///< what was cut because of this layer, in order
};

struct Fit {
  Budgets budgets;
  std::vector<FittedLayer> layers;
  int64_t peak = 0, fitted_peak = 0;  ///< of live tensors in the graph's order
  int64_t weight_bytes = 0, fitted_weight_bytes = 0;
  std::vector<std::pair<std::string, Json>>
      overrides;  ///< what the policy gets: {"weights": bits, "activations": bits}
};

/// Cuts the bits of a float network's policy (8, 4, 2, never more than it asks for) until every layer's input + output
/// and the sum of the weights fit their budgets. Runs before calibration; the policy with `overrides` behind its own is
/// the one that fits. What networks are given and return keeps its bits. Throws UserError where no bits fit, naming the
/// least memory that can be reached and the layer that stops it.
Fit fit_policy(graph::Graph graph, const QuantiseOptions& options, const Budgets& budgets);

/// {"budgets", "layers": [{"name", "op", "weights": [8, 4], "inputs": [[8], [4]], "outputs", "bytes": [before, after],
/// "weight_bytes", "reasons"}], "peak": [before, after], "weight_bytes": [before, after]}
Json to_json(const Fit& fit);

}  // namespace nibble::passes
