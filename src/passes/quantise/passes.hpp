#pragma once
#include <vector>

#include "graph/evaluate/evaluate.hpp"
#include "passes/quantise/plan.hpp"

/// FP to FQ: every pass of quantise with its contract. File = function.
/// A pass returns how much it changed; the runner (pipeline.hpp) repeats it, tidies and verifies. "Equal" below means:
/// the graph computes the same function.
namespace nibble::passes {

/// Decides where quantisers stand; changes nothing. The rules are in docs/design/passes.md. Throws UserError naming a
/// node that cannot be quantised.
QuantiserPlan plan_quantisers(const graph::Graph& graph, const QuantiseOptions& options);

/// Runs the network on the batches and gives each point of the plan its grid; a group's covers the union of its
/// members' ranges. Throws UserError on an empty set and on NaN, naming the value.
Calibration calibrate(const graph::Graph& graph, const QuantiserPlan& plan, const graph::EngineMaker& engine,
                      const Batches& batches);

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

/// How a point's quantiser rounds: by its policy, but for what the network is given, which is read to the nearest
/// level.
Rounding rounding_of(const graph::Graph& graph, const Point& point);

/// The grid of a linear op's weights (times its gain, where training will fold one), by its policy.
Grid weight_grid(const graph::Graph& graph, const LinearPoint& linear);

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
