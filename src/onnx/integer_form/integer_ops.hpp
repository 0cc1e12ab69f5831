#pragma once
#include "onnx/standard/node_reader.hpp"
#include "quant/ratio.hpp"

/// What the readers of integer ops share: the standard's requantisation, made of ours without a change of one integer.
namespace nibble::onnx {

/// One channel's accumulator: y = clip(round_half_even(ratio * (a + offset)) + zero point), a in `reachable`.
struct Rescaling {
  quant::Ratio ratio;
  int64_t offset = 0;
  Interval reachable;
};

/// The node's output, y of grid `to`: one rescaling, or one for each channel of axis 1. A Requantise where (a m + b) >>
/// d has every step, else a Threshold (ties to even).
void emit_requantised(NodeReader& node, graph::ValueId accumulator, const std::vector<Rescaling>& channels,
                      const Grid& to);

/// One channel's accumulator, a in `reachable`: y has the steps, `slope` levels per unit of a.
struct Stepped {
  quant::Staircase steps;
  Interval reachable;
  double slope = 1;
};
/// As emit_requantised, of staircases that are known.
void emit_staircases(NodeReader& node, graph::ValueId accumulator, const std::vector<Stepped>& channels,
                     const Grid& to);

/// scale * (q - zero point) as float32.
Tensor dequantised(const NodeReader& node, const Tensor& integers, const Grid& grid);

}  // namespace nibble::onnx
