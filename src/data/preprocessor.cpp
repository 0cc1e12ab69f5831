#include "data/preprocessor.hpp"

#include <algorithm>
#include <cmath>

#include "base/transposed.hpp"

namespace nibble::data {
namespace {

/// Where output index `at` lies between two input indices: half-pixel centres, held at the borders, no antialiasing.
struct Between {
  int64_t low, high;
  double part;
};
Between between(int64_t at, int64_t from, int64_t to) {
  const double centre = (static_cast<double>(at) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
  const double held = std::clamp(centre, 0.0, static_cast<double>(from - 1));
  const auto low = static_cast<int64_t>(std::floor(held));
  return {low, std::min(low + 1, from - 1), held - static_cast<double>(low)};
}

/// An image read at the resized resolution, one pixel at a time.
struct Resized {
  const uint8_t* pixels;
  int64_t height, width, channels, out_height, out_width;

  double at(int64_t row, int64_t column, int64_t channel) const {
    const auto pixel = [&](int64_t y, int64_t x) {
      return static_cast<double>(pixels[(y * width + x) * channels + channel]);
    };
    if (out_height == height && out_width == width) return pixel(row, column);
    const Between y = between(row, height, out_height), x = between(column, width, out_width);
    const double above = pixel(y.low, x.low) * (1 - x.part) + pixel(y.low, x.high) * x.part;
    const double below = pixel(y.high, x.low) * (1 - x.part) + pixel(y.high, x.high) * x.part;
    return above * (1 - y.part) + below * y.part;
  }
};

}  // namespace

Preprocessor::Preprocessor(const Preprocess& preprocess) : steps_(preprocess), tables_(channels()) {
  if (steps_.sound) sound_.emplace(*steps_.sound);
  for (const auto* list : {&steps_.mean, &steps_.standard_deviation})
    if (!list->empty() && list->size() != 1 && list->size() != channels())
      fail("data", "preprocess", std::to_string(list->size()) + " values of mean or std",
           "one, or one for each of " + std::to_string(channels()) + " channels");
  for (size_t channel = 0; channel < tables_.size(); ++channel)
    for (size_t pixel = 0; pixel < 256; ++pixel) tables_[channel][pixel] = value(static_cast<double>(pixel), channel);
}

float Preprocessor::value(double pixel, size_t channel) const {
  const auto of = [&](const std::vector<double>& list, double absent) {
    return list.empty() ? absent : list[list.size() == 1 ? 0 : channel];
  };
  return static_cast<float>((pixel * steps_.scale - of(steps_.mean, 0)) / of(steps_.standard_deviation, 1));
}

Tensor Preprocessor::look_up(const Tensor& image, int64_t top, int64_t left, Shape shape) const {
  const int64_t stored = image.shape()[2], width = image.shape()[1];
  Tensor result(ElementType::Float32, shape);
  float* out = result.as<float>().data();
  for (int64_t channel = 0; channel < shape[0]; ++channel) {
    const auto& table = tables_[static_cast<size_t>(channel)];
    const int64_t from = stored == 1 ? 0 : steps_.channels == "BGR" ? 2 - channel : channel;
    for (int64_t row = 0; row < shape[1]; ++row) {
      const uint8_t* in = image.as<uint8_t>().data() + ((top + row) * width + left) * stored + from;
      for (int64_t column = 0; column < shape[2]; ++column) *out++ = table[in[column * stored]];
    }
  }
  return result;
}

Tensor Preprocessor::compute(const Tensor& image, int64_t top, int64_t left, Shape shape) const {
  const int64_t height = image.shape()[0], width = image.shape()[1], stored = image.shape()[2];
  const auto [out_height, out_width] = steps_.resize.value_or(std::pair{height, width});
  const Resized resized{image.as<uint8_t>().data(), height, width, stored, out_height, out_width};
  Tensor result(ElementType::Float32, shape);
  float* out = result.as<float>().data();
  for (int64_t channel = 0; channel < shape[0]; ++channel)
    for (int64_t row = 0; row < shape[1]; ++row)
      for (int64_t column = 0; column < shape[2]; ++column) {
        const auto pixel = [&](int64_t from) { return resized.at(top + row, left + column, from); };
        double mixed = 0;
        if (stored == 1)
          mixed = pixel(0);
        else if (steps_.channels == "gray")
          mixed = 0.299 * pixel(0) + 0.587 * pixel(1) + 0.114 * pixel(2);
        else
          mixed = pixel(steps_.channels == "BGR" ? 2 - channel : channel);
        *out++ = value(mixed, static_cast<size_t>(channel));
      }
  return result;
}

Tensor Preprocessor::operator()(const Tensor& x, int64_t rate) const {
  if (rate != 0) {
    if (!sound_) fail("data", "sound", "no features in the preprocessing", "its key 'sound'");
    return (*sound_)(x.as<float>(), rate, "sound");
  }
  if (x.type() != ElementType::UInt8) return x.cast(ElementType::Float32);
  if (sound_) fail("data", "preprocess: sound", "an image", "a sound, or its features");
  if (x.rank() != 3 || (x.shape()[2] != 1 && x.shape()[2] != 3) || x.size() == 0)
    fail("data", "image", "shape " + to_string(x.shape()), "[H, W, 1 or 3]");
  const auto [height, width] = steps_.resize.value_or(std::pair{x.shape()[0], x.shape()[1]});
  const auto [rows, columns] = steps_.crop.value_or(std::pair{height, width});
  if (rows > height || columns > width)
    fail("data", "preprocess: crop", to_string({rows, columns}), "at most the image's " + to_string({height, width}));
  const int64_t top = (height - rows) / 2, left = (width - columns) / 2;
  const Shape shape{static_cast<int64_t>(channels()), rows, columns};
  const bool mixes = x.shape()[2] == 3 && steps_.channels == "gray";
  const Tensor planes = steps_.resize || mixes ? compute(x, top, left, shape) : look_up(x, top, left, shape);
  if (!steps_.channels_last) return planes;
  return transposed(planes.reshaped({shape[0], rows * columns})).reshaped({rows, columns, shape[0]});
}

Tensor apply(const Preprocess& preprocess, const Tensor& x, int64_t rate) {
  return Preprocessor(preprocess)(x, rate);
}

}  // namespace nibble::data
