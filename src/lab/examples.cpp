#include "lab/examples.hpp"

#include <cmath>

#include "base/error.hpp"
#include "lab/metrics.hpp"

namespace nibble::lab {
namespace {

/// A sum over the examples, in their order.
struct Channel {
  double sum = 0, squares = 0;
};

void add(std::vector<Channel>& channels, const Tensor& x) {
  const Shape& shape = x.shape();  // [B, C, H, W]
  channels.resize(static_cast<size_t>(shape[1]));
  const std::span<const float> values = x.as<float>();
  const auto plane = static_cast<size_t>(shape[2] * shape[3]);
  for (size_t i = 0; i < values.size(); ++i) {
    Channel& channel = channels[i / plane % channels.size()];
    channel.sum += values[i];
    channel.squares += static_cast<double>(values[i]) * values[i];
  }
}

}  // namespace

std::shared_ptr<const data::Dataset> training_set(const Experiment& experiment) {
  std::shared_ptr<const data::Dataset> whole = data::open_dataset(experiment.train_data);
  return experiment.fold ? data::subset(std::move(whole), experiment.fold->train) : whole;
}

std::shared_ptr<const data::Dataset> test_set(const Experiment& experiment) {
  std::shared_ptr<const data::Dataset> whole = data::open_dataset(experiment.test_data);
  return experiment.fold ? data::subset(std::move(whole), experiment.fold->test) : whole;
}

Experiment normalised(Experiment experiment) {
  if (!experiment.normalise) return experiment;
  Feed feed;
  feed.set = training_set(experiment);
  feed.preprocess = experiment.preprocess;
  feed.threads = experiment.recipe.threads;
  std::vector<Channel> channels;
  double count = 0;  // values of a channel
  feed.each([&](const data::Batch& batch) {
    const Shape& shape = batch.x.shape();
    if (shape.size() != 4)
      fail("lab", "data: normalise", "examples of shape " + to_string(shape),
           "images, [batch, channels, height, width]");
    add(channels, batch.x);
    count += static_cast<double>(shape[0] * shape[2] * shape[3]);
  });
  for (const Channel& channel : channels) {
    const double mean = channel.sum / count, variance = channel.squares / count - mean * mean;
    if (!(variance > 1e-12 * mean * mean))
      fail("lab", "data: normalise", "a channel that is " + std::to_string(mean) + " everywhere", "one that varies");
    const auto rounded = [](double value) { return static_cast<double>(static_cast<float>(value)); };
    experiment.preprocess.mean.push_back(rounded(mean));
    experiment.preprocess.standard_deviation.push_back(rounded(std::sqrt(variance)));
  }
  experiment.normalise = false;
  return experiment;
}

}  // namespace nibble::lab
