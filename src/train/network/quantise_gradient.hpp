#pragma once
#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "quant/learning/fake.hpp"
#include "quant/learning/learning.hpp"
#include "train/ranks.hpp"

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
  at::Tensor high;    ///< what is learned, [channels]; undefined: nothing
  at::Tensor low;     ///< with both bounds the lower one, else undefined
  at::Tensor state;   ///< what the gradient keeps from step to step, Float64 [channels, ...], moved by backward
  bool leaf = false;  ///< x is kept anyway (weights): sums come exactly from it, else from a byte an element
  Collective* ranks = nullptr;  ///< whose sums a gradient that keeps a state is of, all together
};

/// dL/dhigh and dL/dlow of the sums, one a Steps; undefined where none is asked for. `count`: of elements that share
/// one. Sums become those of all ranks where that is what a gradient needs.
std::pair<at::Tensor, at::Tensor> gradients_of_learned(const LearnedGradient& learned, const StepsAlong& along,
                                                       double count, std::vector<quant::GradientSums>& sums);

/// Who writes the quantised values.
enum class Values { Here, Elsewhere };

/// The same with gradients to x and to what is learned. Values written Elsewhere are not set here: the caller knows
/// what they are, and may never need them.
at::Tensor fake_quantise(const at::Tensor& x, const StepsAlong& along, const LearnedGradient& learned,
                         Values values = Values::Here);

}  // namespace nibble::train
