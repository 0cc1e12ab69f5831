#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "graph/ops.hpp"

/// The quantisation ops, element by element, exact on integers carried as floats. `type` is the result's: kFloat or
/// kDouble.
namespace nibble::train {

/// Levels, or with `fake` scale * (level - zero point). Decided in double, as Grid::quantise does: a float32 quotient
/// may fall on the other side of a tie.
at::Tensor quantise(const graph::Quantise& op, const at::Tensor& x, at::ScalarType type, bool fake);
/// In double.
at::Tensor dequantise(const graph::Dequantise& op, const at::Tensor& x);
/// Exact on the doubles kappa and lambda. Inputs within +-2^53, levels within +-2^24.
at::Tensor rescale(const graph::Rescale& op, const std::vector<at::Tensor>& inputs, at::ScalarType type);
/// |x * multiplier + addend| < 2^63 for every x: the caller has proved it.
at::Tensor requantise(const graph::Requantise& op, const at::Tensor& x, at::ScalarType type);
/// thresholds: [rows, T], row after row.
at::Tensor threshold(const graph::Threshold& op, const at::Tensor& x, const std::vector<int64_t>& thresholds,
                     size_t rows, at::ScalarType type);
/// x - op.first in [0, table.size()): the caller has proved it.
at::Tensor look_up(const graph::Table& op, const at::Tensor& x, const std::vector<int64_t>& table, at::ScalarType type);

}  // namespace nibble::train
