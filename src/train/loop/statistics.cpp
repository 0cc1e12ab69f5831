#include "train/loop/statistics.hpp"

#include <ATen/Parallel.h>

namespace nibble::train {
namespace {

/// The batches' runs as far as they go, in a bounded memory.
class Runs {
 public:
  Runs(const Network& network, const InputBatches& batches, int64_t memory)
      : network_(network), batches_(batches), free_(memory), begun_(batches.count) {}

  ChannelMoments moments_before(size_t batch_norm) {
    ChannelMoments moments;
    for (size_t b = 0; b < begun_.size(); ++b) {
      if (batches_.before_each) batches_.before_each();
      Begun run = std::move(begun_[b]);
      begun_[b] = {};
      free_ += bytes(run);
      if (run.values.empty()) run = network_.begin(batches_.at(b));
      moments.add(network_.normalised_by(batch_norm, run));
      if (bytes(run) > free_) continue;
      free_ -= bytes(run);
      begun_[b] = std::move(run);
    }
    return moments;
  }

 private:
  static int64_t bytes(const Begun& run) {
    int64_t all = 0;
    for (const auto& [id, value] : run.values) all += static_cast<int64_t>(value.nbytes());
    return all;
  }

  const Network& network_;
  const InputBatches& batches_;
  int64_t free_;
  std::vector<Begun> begun_;  ///< by batch; without values: it begins anew
};

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

void reestimate_statistics(Network& network, const InputBatches& batches, int64_t memory) {
  Runs runs(network, batches, memory);
  for (size_t batch_norm : network.batch_norms()) {
    const ChannelMoments moments = runs.moments_before(batch_norm);
    set(network.mean_of(batch_norm), moments.mean());
    set(network.variance_of(batch_norm), moments.variance());
    if (network.is_folded(batch_norm)) set(network.mean_of(batch_norm), runs.moments_before(batch_norm).mean());
  }
}

}  // namespace nibble::train
