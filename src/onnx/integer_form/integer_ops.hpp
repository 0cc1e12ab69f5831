#pragma once
#include "onnx/integer_form/steps.hpp"
#include "onnx/standard/node_reader.hpp"

/// What the readers of integer ops share: the standard's requantisation, made of ours without a change of one integer.
namespace nibble::onnx {

/// One channel's accumulator: y = clip(round_half_even(ratio * (a + offset)) + zero point), a in `reachable`.
struct Rescaling {
  Ratio ratio;
  int64_t offset = 0;
  Interval reachable;
};

/// The node's output, y of grid `to`: one rescaling, or one for each channel of axis 1. A Requantise where (a m + b) >>
/// d has every step, else a Threshold (ties to even).
void emit_requantised(NodeReader& node, graph::ValueId accumulator, const std::vector<Rescaling>& channels,
                      const Grid& to);
/// As emit_requantised, of staircases that are known; `slopes` are levels per unit of the accumulator.
void emit_staircases(NodeReader& node, graph::ValueId accumulator, const std::vector<Staircase>& staircases,
                     const std::vector<double>& slopes, const Grid& to);

/// scale * (q - zero point) as float32.
Tensor dequantised(const NodeReader& node, const Tensor& integers, const Grid& grid);

}  // namespace nibble::onnx
