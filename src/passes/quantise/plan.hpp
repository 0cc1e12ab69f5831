#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "passes/policy.hpp"
#include "passes/quantise/quantise.hpp"

/// Where quantisers will stand, and on which grids: what the passes of quantise hand on.
namespace nibble::passes {

/// One quantiser that an activation gets: every node that needs its integers reads it.
struct Point {
  graph::ValueId source;  ///< what it quantises: an activation, or a constant that meets one (a position, a table)
  std::string layer;      ///< its value's name is this with "_q" behind
  LayerPolicy policy;
  bool given = false;                   ///< a graph input, or one times its factors
  bool non_negative = false;            ///< provably: the grid is unsigned
  int behind = -1;                      ///< reads that point's quantised value instead of the source
  bool divides = false;                 ///< a divisor: real zero is none of its levels
  bool rooted = false;                  ///< under a root or logarithm: no level is below zero
  bool feeds_output_layer = false;      ///< read by a linear op that writes a graph output: its scale has 12 bits
  std::optional<Grid> fixed;            ///< known without calibration
  int group = -1;                       ///< points of one group share one grid (Add, Sub, Concat); -1: alone
  int piece = -1;                       ///< of a group whose pieces have scales of their own, powers of two apart
  graph::ValueId kept = graph::absent;  ///< what a quantiser writes that the network had before, on `fixed`
};

/// Input `slot` of node `node` reads the quantiser `point`.
struct Reading {
  size_t node;
  size_t slot;
  int point;
};

/// Of products of levels, in an accumulator of 32 bits: a bias has the rest.
constexpr double most_of_a_sum = 0x1p31 * 0.98;

/// A linear op with constant weights; `point` quantises its input where that is known directly.
struct LinearPoint {
  size_t node;
  size_t slot;         ///< of the weights
  int point;           ///< root quantiser of its activation, -1 where there is none
  bool writes_output;  ///< its accumulator is a graph output: one weight scale, bias on the accumulator's grid
  LayerPolicy policy;
  std::vector<double> gain;  ///< of the batch-norm that training will fold into the weights, one a channel; else none
  std::optional<Grid> kept;  ///< the weights have their quantiser already
  std::optional<Grid> rounded;  ///< the constant lies on this grid already (round_weights)
};

/// A constant that is added to what is a sum of integers already: on the sum's own grid.
struct Addend {
  size_t node;
  size_t slot;
  int linear;  ///< a bias: of this linear op's accumulator; -1: a mask
  int point;   ///< a mask: beside this point's integers, below which nothing is left of an exponential
};

/// An Add, Sub or Concat on one scale, and the quantisers of its branches.
struct Harmonised {
  size_t node;
  std::vector<int> points;
};

struct QuantiserPlan {
  std::vector<Narrowed> narrowed;
  std::vector<Point> points;
  std::vector<Harmonised> harmonised;
  std::vector<Reading> readings;
  std::vector<LinearPoint> linears;
  std::vector<Addend> addends;
  std::vector<std::pair<size_t, int>> outputs;  ///< graph output, point: outputs that get a quantiser
};

/// Grids by measurement, and what they gain.
struct ChosenRanges {
  std::vector<Grid> grids;           ///< one a point
  std::vector<RangeChoice> choices;  ///< of measured ranges
  bool corrects = true;              ///< whether correct_biases is worth it
};

}  // namespace nibble::passes
