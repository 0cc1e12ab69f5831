#pragma once
#include "train/network/forward.hpp"

namespace nibble::train {

/// normalise_by_batch of a batch whose parts are on several ranks: mean and variance are those of all its examples
/// (Chan, Golub, LeVeque 1979, (2.1)), and the gradient to x is through them on every rank. Those to gamma and beta are
/// of this rank's part alone, as all that ranks add up.
Normalised normalise_by_shared_batch(double epsilon, const std::vector<at::Tensor>& inputs, const Share& share,
                                     double momentum);

}  // namespace nibble::train
