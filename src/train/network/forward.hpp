#pragma once
#include <ATen/ATen.h>

#include <vector>

#include "graph/graph.hpp"
#include "train/ranks.hpp"

namespace nibble::train {

/// How a node is computed; the default is inference.
struct Mode {
  bool training = false;           ///< batch statistics, dropout, gradients
  at::Generator random;            ///< dropout's; training only
  int64_t step = 0;                ///< of the run: what quantisers draw from; training only
  bool frozen_statistics = false;  ///< batch-norms use their running statistics in training, too
  Share share{};                   ///< of the batch; what is random or of the batch is the same for any number of ranks
};

/// The outputs of a node from its inputs (undefined: absent) in floats of the inputs' own precision. The same code
/// computes integers that are carried as floats, for every op that graph/ops.hpp allows on them but Div, Rescale,
/// Requantise, FloorDivide, Threshold, Table and a Quantise that gives integers (train/network/pointwise.hpp). Differentiable, but
/// for Quantise, which Network trains.
std::vector<at::Tensor> forward(const graph::Node& node, const std::vector<at::Tensor>& inputs, const Mode& mode = {});

/// How far a batch moves a batch-norm's running statistics.
constexpr double batch_norm_momentum = 0.1;

/// A batch-norm by the statistics of the batch, the whole of it, which move the running ones: y, the means and the
/// inverse deviations, [C]. Inputs as the node's.
struct Normalised {
  at::Tensor y, mean, inverse;
};
/// Throws UserError where that is one value a channel, which has no variance.
Normalised normalise_by_batch(const graph::Node& norm, const std::vector<at::Tensor>& inputs, const Share& share = {});

}  // namespace nibble::train
