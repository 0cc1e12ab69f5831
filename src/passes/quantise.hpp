#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "graph/evaluate.hpp"
#include "passes/pipeline.hpp"
#include "passes/policy.hpp"

namespace nibble::passes {

/// Calls its argument with one batch of network inputs after the other (in the order of graph.inputs).
using Batches = std::function<void(const std::function<void(const std::vector<Tensor>&)>&)>;

/// What the input's values are, when known from its preprocessing: 8-bit pixels times scale need no calibration.
struct InputGrid {
  std::string input;  ///< name of the graph input
  Grid grid;
};

struct QuantiseOptions {
  Policy policy;
  std::vector<InputGrid> inputs;  ///< inputs with an exact grid of their own
  bool bias_correction = true;    ///< correct_biases, with a second run over the batches
  std::filesystem::path dump;
};

/// FP to FQ: canonicalises, runs `engine` on the batches to see the range of every value that gets a quantiser, puts
/// quantisers on weights, on each activation that a linear op, pool, add or concat reads, and on the inputs; harmonises
/// Add and Concat. Every quantiser is an explicit Quantise node; the value it writes is named after the layer whose
/// result it holds. A bias keeps its real value where a quantiser follows (it folds into lambda exactly) and is put on
/// the accumulator's grid (32 bits) where the linear op writes a graph output; such a last layer has one weight scale,
/// so that its integers compare. Throws UserError on an empty set, NaN (naming the tensor), an unknown layer in the
/// policy, an op that cannot be quantised (naming the node).
void quantise(graph::Graph& graph, const QuantiseOptions& options, const graph::EngineMaker& engine,
              const Batches& batches);

/// The passes before calibration: what every network goes through. Batch-norms that the policy wants integer or in
/// thresholds stay nodes.
Pipeline canonicalise(const Policy& policy = {});

}  // namespace nibble::passes
