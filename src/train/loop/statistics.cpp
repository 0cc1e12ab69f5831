#include "train/loop/statistics.hpp"

#include <ATen/Parallel.h>

namespace nibble::train {
namespace {

ChannelMoments moments_of(const Network& network, size_t batch_norm, const InputBatches& batches) {
  ChannelMoments moments;
  batches([&](const at::Tensor& x) { moments.add(network.normalised_by(batch_norm, x)); });
  return moments;
}

void set(at::Tensor statistic, const std::vector<double>& values) {
  statistic.copy_(at::tensor(at::ArrayRef<double>(values), at::kDouble));
}

}  // namespace

void ChannelMoments::add(const at::Tensor& x) {
  const at::Tensor dense = x.detach().contiguous();
  const int64_t examples = dense.size(0), channels = dense.size(1);
  if (dense.numel() == 0) return;
  const int64_t inner = dense.numel() / examples / channels;
  mean_.resize(static_cast<size_t>(channels)), squares_.resize(static_cast<size_t>(channels));
  const auto added = static_cast<double>(examples * inner), all = count_ + added;
  at::parallel_for(0, channels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const auto sum = [&](auto&& of) {
        double total = 0;
        for (int64_t b = 0; b < examples; ++b) {
          const float* row = dense.data_ptr<float>() + (b * channels + c) * inner;
          for (int64_t i = 0; i < inner; ++i) total += of(static_cast<double>(row[i]));
        }
        return total;
      };
      const double mean = sum([](double value) { return value; }) / added;
      const double squares = sum([mean](double value) { return (value - mean) * (value - mean); });
      const auto at = static_cast<size_t>(c);
      const double apart = mean - mean_[at];
      squares_[at] += squares + apart * apart * count_ * added / all;
      mean_[at] += apart * added / all;
    }
  });
  count_ = all;
}

std::vector<double> ChannelMoments::variance() const {
  std::vector<double> all = squares_;
  for (double& each : all) each /= count_;
  return all;
}

void reestimate_statistics(Network& network, const InputBatches& batches) {
  for (size_t batch_norm : network.batch_norms()) {
    const ChannelMoments moments = moments_of(network, batch_norm, batches);
    set(network.mean_of(batch_norm), moments.mean());
    set(network.variance_of(batch_norm), moments.variance());
    if (network.is_folded(batch_norm))
      set(network.mean_of(batch_norm), moments_of(network, batch_norm, batches).mean());
  }
}

}  // namespace nibble::train
