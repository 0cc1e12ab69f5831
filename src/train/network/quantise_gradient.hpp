#pragma once
#include <ATen/ATen.h>

#include <vector>

#include "quant/learning/learning.hpp"

/// The fused quantisers of room `quant` as operations of libtorch, over fixed parts of a tensor: the same bits on any
/// number of threads.
namespace nibble::train {

/// What a tensor is quantised with: one Steps, or one for each index of `axis`.
struct StepsAlong {
  std::vector<quant::Steps> steps;
  int64_t axis = -1;
};

/// x Float32 to its quantised values, without gradients.
at::Tensor fake_quantise(const at::Tensor& x, const StepsAlong& along);

/// What the learned numbers of a quantiser get from backward.
struct LearnedGradient {
  quant::Learning learning;
  at::Tensor high;      ///< what is learned, [channels]; undefined: nothing
  at::Tensor low;       ///< PACT with both bounds: the lower one, else undefined
  at::Tensor variance;  ///< TQT's moving variance, Float64 [channels, 2], moved by backward
  bool leaf = false;    ///< x is kept anyway (weights): sums come exactly from it, else from a byte an element
};

/// The same with gradients to x and to what is learned.
at::Tensor fake_quantise(const at::Tensor& x, const StepsAlong& along, const LearnedGradient& learned);

/// ANA: noise on the staircase; draws follow from `key`. With gradients to x, which it keeps.
at::Tensor anneal(const at::Tensor& x, const StepsAlong& along, const quant::Annealed& noise, uint64_t key);

}  // namespace nibble::train
