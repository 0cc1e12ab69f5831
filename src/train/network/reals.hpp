#pragma once
#include <ATen/ATen.h>

#include <vector>

#include "quant/level_reals.hpp"

namespace nibble::train {

/// What whole numbers stand for, Float32 of the operands' broadcast shape: `how` has one a channel, c the index of
/// `axis`, or one for all.
at::Tensor reals_of(const std::vector<quant::LevelReals>& how, const std::vector<at::Tensor>& operands, int64_t axis);

/// The same over the numbers of `y`, of that shape; its history stays.
void write_reals(const at::Tensor& y, const std::vector<quant::LevelReals>& how,
                 const std::vector<at::Tensor>& operands, int64_t axis);

}  // namespace nibble::train
