#pragma once
#include <vector>

#include "graph/evaluate/evaluate.hpp"
#include "passes/quantise/observe.hpp"
#include "passes/quantise/plan.hpp"

/// FP to FQ: every pass of quantise with its contract. File = function.
/// A pass returns how much it changed; the runner (pipeline.hpp) repeats it, tidies and verifies. "Equal" below means:
/// the graph computes the same function.
namespace nibble::passes {

/// Decides where quantisers stand; changes nothing. The rules are in docs/design/passes.md. Throws UserError naming a
/// node that cannot be quantised.
QuantiserPlan plan_quantisers(const graph::Graph& graph, const QuantiseOptions& options);

/// The range of each point of the plan, by the rule of its policy (Measured: MinMax).
std::vector<quant::RealRange> ranges_by_rule(const graph::Graph& graph, const QuantiserPlan& plan,
                                             const Observed& seen);

/// The grid of each point over its range; a group's covers the union of its members'.
std::vector<Grid> grids_over(const graph::Graph& graph, const QuantiserPlan& plan,
                             const std::vector<quant::RealRange>& ranges);

/// What one scale for all branches of a node costs, measured on the first batch: of more than `least` dB, in order of
/// nodes.
std::vector<HarmonisationCost> harmonisation_costs(const graph::Graph& graph, const QuantiserPlan& plan,
                                                   const Observed& seen, double least);

/// Gives each point whose range is Measured the candidate (min_max, percentiles, mse, least error behind the function
/// that reads it) that adds the least to what the next quantisers take, on a few examples; points of a group choose
/// together. The whole network decides whether all of these choices are taken, those of more than 1 dB, or none: never
/// worse than min_max at the outputs on these examples. It also says whether correct_biases, which `corrects` says will
/// follow, is worth it.
ChosenRanges choose_ranges(const graph::Graph& graph, const QuantiserPlan& plan, const Observed& seen,
                           const graph::EngineMaker& engine, bool corrects);

/// Keeps what divides off zero, and what is under a root above it: the grid gives up the levels that its readers have no
/// number for, so that no integers make a NaN. Throws UserError naming a divisor of both signs.
void keep_domains(const graph::Graph& graph, const QuantiserPlan& plan, std::vector<Grid>& grids);

/// Makes an input take pixels: what its format does to them moves into the network.
///
///     before   y = conv(x, w, b)               x = gain p + shift, p a pixel
///     after    y = conv(p - zero, w gain, b + sum w (shift + gain zero))
///
/// Where the input is read by linear ops alone and, if they pad, one whole pixel `zero` is real zero in every channel.
/// Elsewhere the format is a Mul and an Add behind the input, whose result gets a quantiser of its own. Throws
/// UserError where the input is not there or has other channels than the format.
std::vector<TakenInput> fold_input_format(graph::Graph& graph, const std::vector<InputFormat>& formats);

/// Gives the channels between linear ops one range, so that the one grid of all channels serves each.
///
///     before   y = f(conv(x, w, b)),            z = conv(y, v)         f(s y) = s f(y): Relu, pools, sums of such, ...
///     after    y = f(conv(x, s w, s b)),        z = conv(y, v / s)     s[c] = (range of all / range of c)^part
///
/// `part` is 0, 1/4, ... or 1, whichever has the least rounding noise at z: of the integers of y, and of the weights v / s,
/// whose output channels have one scale each. A Clip at 0 and h stays as it is and then cuts channel c at h / s[c], a
/// quarter above what was seen of it. Values that are scaled get names of their own, so that no comparison by name takes
/// them for the float network's. A graph input without a `given` grid that linear ops alone read is multiplied by powers
/// of two: its quantiser behind them is one of a scale for each channel (input_factors.hpp). Only where ranges are Measured. Equal but for roundings and such cuts. Returns how many
/// families of layers it changed. Source: Nagel et al. 2019, section 4.1; Xiao et al. 2023 (SmoothQuant), the part.
int equalise_channels(graph::Graph& graph, const Policy& policy, const std::vector<InputGrid>& given,
                      const graph::EngineMaker& engine, const Batches& batches);

/// How a point's quantiser rounds: by its policy, but for what the network is given, which is read to the nearest
/// level.
Rounding rounding_of(const Point& point);

/// The grid of a linear op's weights (times its gain, where training will fold one), by its policy.
Grid weight_grid(const graph::Graph& graph, const LinearPoint& linear);

/// Rounds the weights of linear ops for what they do to the sums and not each to its nearest level; grids stay.
///
///     before   y = conv(x, w, b)
///     after    y = conv(x, w', b),   w' on the grid of w,   E |conv(q, w' - w)|^2 small       q = quantised x
///
/// over calibration examples but those that judge, at drawn positions; x is the float network's. Where the whole
/// network, biases corrected or not as `corrects` says, has less noise at its outputs on the examples that judge, all
/// weights are taken, else none. The plan's linear ops keep their grids. Skips layers whose policy rounds to the nearest,
/// weights of more than 2^10 levels, those that two ops read, and MatMul by more than a matrix. Inputs of a sum beyond
/// 1,152 are parted into blocks that know nothing of each other. Runs the network once over the batches, on one thread:
/// a layer of K inputs a sum and O outputs costs about 2^11 K^2 + 2 O K^2 products and 4 K^2 bytes, K at most 1,152 a
/// block. Source: docs/design/passes.md, quant/rounding/quadratic_rounding.hpp.
RoundedWeights round_weights(graph::Graph& graph, QuantiserPlan& plan, const std::vector<Grid>& grids,
                             const Observed& seen, const graph::EngineMaker& engine, const Batches& batches,
                             bool corrects);

/// Makes the mean of what each linear op gives what it was before its weights and its input were quantised.
///
///     before   y = conv(x, w, b)
///     after    y = conv(x, w, b + mean over examples and positions of conv(x, w) - conv(quantised x, quantised w))
///
/// x is the float network's, so that each op answers for its own error. Skips MatMul, which has no bias, and what
/// training will fold a batch-norm into: its statistics correct the mean. Runs the network and the twins of its linear
/// ops on the batches. Returns how many biases it set. Source: Nagel et al. 2019, Data-free quantization, section 4.2,
/// the empirical form.
int correct_biases(graph::Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids,
                   const graph::EngineMaker& engine, const Batches& batches);

/// Writes the quantisers of a plan into the graph: stage FQ afterwards. `grids` has one grid a point. Returns how many.
int place_quantisers(graph::Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids);

}  // namespace nibble::passes
