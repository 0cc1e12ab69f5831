#pragma once
#include <array>

#include "data/dataset.hpp"

namespace nibble::data {

/// A Preprocess made ready once for many examples: without resize and with no channels mixed, a pixel is looked up in a
/// table of its 256 values; a sound's features have theirs.
class Preprocessor {
 public:
  explicit Preprocessor(const Preprocess& preprocess);
  /// As data::apply.
  Tensor operator()(const Tensor& x, int64_t rate = 0) const;

 private:
  size_t channels() const { return steps_.channels == "gray" ? 1 : 3; }
  float value(double pixel, size_t channel) const;
  Tensor look_up(const Tensor& image, int64_t top, int64_t left, Shape shape) const;
  Tensor compute(const Tensor& image, int64_t top, int64_t left, Shape shape) const;

  Preprocess steps_;
  std::vector<std::array<float, 256>> tables_;
  std::optional<SoundFeatures> sound_;
};

}  // namespace nibble::data
