#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/evaluate/evaluate.hpp"
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

/// An input that is made of 8-bit pixels: value of channel c = gain[c] * pixel + shift[c].
struct InputFormat {
  std::string input;
  std::vector<double> gain, shift;  ///< one, or one for each channel of axis 1; gain > 0
};

struct QuantiseOptions {
  Policy policy;
  std::vector<InputGrid> inputs;     ///< inputs with an exact grid of their own
  std::vector<InputFormat> formats;  ///< inputs whose network shall take the pixels themselves
  bool bias_correction = true;       ///< correct_biases, with a second run over the batches
  bool rounds_weights = true;        ///< round_weights where the policy says so, with one more run
  bool trains_folded = false;        ///< weights get the ranges that they have times their batch-norm's gain
  std::filesystem::path dump;
};

/// An Add, Sub or Concat that one scale for all its branches costs accuracy: {"add": "branches"} in the policy avoids
/// it.
struct HarmonisationCost {
  std::string node;
  double decibels = 0;  ///< by how much the signal to quantisation noise ratio falls against a scale for each branch
};

/// A measured range, of one quantiser or of those that share a grid.
struct RangeChoice {
  std::string layers;  ///< with commas between
  std::string rule;
  double gain = 0;  ///< dB against min_max, at what reads them
};

/// Fewer levels than the policy asks for, so that a sum of products fits an accumulator of 32 bits.
struct Narrowed {
  std::string layer;
  std::string what;    ///< "activations" or "weights"
  int64_t levels = 0;  ///< that are left
  std::string reason;  ///< the node whose sums they are
  int bits = 0;        ///< of its sums, as the policy asks
};

/// How a network takes its pixels: the input holds pixel - zero, the rest is in the network.
struct TakenInput {
  std::string input;
  int64_t zero = 0;   ///< the pixel that stands for real zero
  std::string where;  ///< the nodes that hold the rest of the format, or the requantisation behind the input
  bool exact = true;  ///< false: requantised to the input's own grid (an input table), to the nearest level
};

/// Weights that are not all at their nearest levels, and what the outputs' noise says of them.
struct RoundedWeights {
  int layers = 0;                                ///< that have such weights; 0: they are all at the nearest
  std::optional<double> nearest_db, rounded_db;  ///< signal to quantisation noise at the outputs; none: not tried
};

struct QuantiseReport {
  std::vector<HarmonisationCost> costs;      ///< more than 3 dB, on one scale all the same
  std::vector<HarmonisationCost> separated;  ///< more than 1 dB: nodes whose branches got scales of their own
  std::vector<Narrowed> narrowed;
  std::vector<RangeChoice> ranges;
  bool corrects_biases = true;                  ///< false: it would have cost more than it gains
  std::optional<double> min_max_db, chosen_db;  ///< signal to quantisation noise at the outputs, of examples that chose
                                                ///< nothing, by min_max on common grids and by what was taken
  RoundedWeights weights;
  std::vector<TakenInput> inputs;  ///< one for each of options.formats
};

/// FP to FQ: canonicalises, runs `engine` on the batches to see the range of every value that gets a quantiser, puts
/// quantisers on weights, on each activation that a linear op, pool, add or concat reads, and on the inputs; harmonises
/// Add and Concat. Every quantiser is an explicit Quantise node; the value it writes is named after the layer whose
/// result it holds. A bias keeps its real value where a quantiser follows (it folds into lambda exactly) and is put on
/// the accumulator's grid (32 bits) where the linear op writes a graph output; such a last layer has one weight scale,
/// so that its integers compare. Throws UserError on an empty set, NaN (naming the tensor), an unknown layer in the
/// policy, an op that cannot be quantised (naming the node).
///
/// A network that has some quantisers (FQ) keeps them and their scales, and gets those that it lacks.
///
/// The batches hold what the network that is given takes. An input with a format takes pixels minus `zero` afterwards.
QuantiseReport quantise(graph::Graph& graph, const QuantiseOptions& options, const graph::EngineMaker& engine,
                        const Batches& batches);

/// The steps of quantise, in order: what every network goes through, then its quantisers. They tell `report`. `layers`:
/// of the network as it was given, which the policy may name beside the canonical one's.
Pipeline float_to_fake(const QuantiseOptions& options, const graph::EngineMaker& engine, const Batches& batches,
                       const std::vector<std::string>& layers, QuantiseReport& report);

}  // namespace nibble::passes
