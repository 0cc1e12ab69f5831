#pragma once
#include <optional>
#include <string>

#include "graph/ranges.hpp"
#include "kernels/kernels.h"
#include "lower/constants.hpp"

/// Output stages: what requantises an accumulator, in the fastest arithmetic that gives the same staircase.
namespace nibble::lower {

/// A stage, how it computes (for people), and the channels it tells apart.
struct Stage {
  nibble_stage fields{};
  std::string form = "none";
};

/// Clip to every integer of 64 bits.
Stage no_stage();

/// What the node, a function of its first input alone, does to integers of `range` (one, or one a channel): Requantise,
/// FloorDivide, Threshold, Table, InterpolatedTable, Clip or Relu with constant operands. Nothing for any other.
/// `floats`: FLOAT where it is certified to step where the integers do.
std::optional<Stage> stage_of(const graph::Graph& graph, const graph::Node& node, const graph::Ranges& range,
                              bool floats, Constants& constants);

/// A later Clip or Relu, folded into the stage's own clip. False where the stage has none.
bool clip_further(Stage& stage, const graph::Op& op);

/// Floats f with rint(fma((float)q, f[0], fma((float)r, f[1], f[2]))) clipped = clip((q * a + r * b + c) >> d) for every q and
/// r: at most 2^17 pairs are tried, each. Nothing where there are none, or more.
struct IntegerSum {
  int64_t a, b, c, shift;
  Interval levels;
};
std::optional<std::array<float, 3>> certified_sum(const IntegerSum& sum, Interval q, Interval r);

}  // namespace nibble::lower
