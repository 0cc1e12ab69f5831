#pragma once
#include <ATen/ATen.h>

#include <vector>

#include "passes/integerise/propagation.hpp"
#include "train/network/quantise_gradient.hpp"

/// A batch-norm by its batch's statistics and the quantiser behind it, straight from an accumulator's integers: no value
/// between them is written (docs/design/qat.md).
namespace nibble::train {

/// What an accumulator `a` [N, C, ...] stands for: z = scale[c] * a + shift[c], c the index of axis 1, or one number.
struct Accumulated {
  at::Tensor a;  ///< Float32, integers below 2^24 in size, contiguous; undefined: none
  std::vector<double> scale, shift;
};

/// Of the batch, of all ranks, by channel; of z.
struct BatchMoments {
  double count = 0;  ///< values of a channel
  std::vector<double> mean, variance;
  std::vector<double> inverse;  ///< 1 / sqrt(variance + epsilon)
};
BatchMoments moments_of(const Accumulated& z, double epsilon, const Share& share = {});

/// gain and shift of a batch-norm with these numbers, one a channel; `inverse`: of the deviation.
passes::Affine affine_of(const at::Tensor& gamma, const at::Tensor& beta, const std::vector<double>& mean,
                         const std::vector<double>& inverse);

/// The running statistics, Float32 [C], as libtorch moves them.
void move_statistics(const BatchMoments& moments, double momentum, at::Tensor mean, at::Tensor variance);

/// The batch-norm's own numbers. z: for its gradient alone, as gamma and beta.
struct Norm {
  at::Tensor z, gamma, beta;
  bool relu;  ///< what is below zero is clipped behind it, and zero is the quantiser's lowest level
};

/// The quantised values, of one grid; unset, as fake_quantise leaves them Elsewhere. Gradients to z, gamma, beta and
/// what is learned are those of the ops one by one.
at::Tensor quantise_normed(const Norm& norm, const Accumulated& z, const BatchMoments& moments, const StepsAlong& along,
                           const LearnedGradient& learned, const Share& share = {});

}  // namespace nibble::train
