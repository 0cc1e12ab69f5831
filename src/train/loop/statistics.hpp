#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "train/network/network.hpp"

namespace nibble::train {

/// Mean and variance of each channel over all that was added, in double: the same on any number of threads.
/// Source: Chan, Golub, LeVeque 1979, (2.1), for what is added together.
class ChannelMoments {
 public:
  /// x Float32 [B, C, ...], of as many channels each time.
  void add(const at::Tensor& x);
  const std::vector<double>& mean() const { return mean_; }
  /// Of the population: the squares' sum over the count.
  std::vector<double> variance() const;

 private:
  double count_ = 0;
  std::vector<double> mean_, squares_;  ///< squares of differences from the mean
};

/// What statistics are of: network inputs [B, ...], each batch the same whenever it is asked for.
struct InputBatches {
  size_t count;
  std::function<at::Tensor(size_t batch)> at;
  std::function<void()> before_each{};  ///< before each batch's turn, loaded or kept; may throw
};

/// Every batch-norm's running mean and variance become those of what it normalises over the batches in the network as
/// it then is: one batch-norm after the other in the graph's order, each behind new ones. A folded one's variance
/// decides weights; its mean is then of what those give. What comes before a batch-norm is kept for the next one as far
/// as `memory` bytes hold it, and computed again beyond; the statistics are the same.
void reestimate_statistics(Network& network, const InputBatches& batches, int64_t memory = int64_t{1} << 30);

}  // namespace nibble::train
