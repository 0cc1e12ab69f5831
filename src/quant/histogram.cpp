#include "quant/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace nibble::quant {
namespace {

/// Bounds what is counted, so that the width stays finite however often it doubles.
constexpr double largest = 0x1p1000;

}  // namespace

void Histogram::add(double value) {
  value = std::clamp(value, -largest, largest);
  if (counts_.empty()) {
    if (value == 0) {
      // Zeros say nothing about the range: the smallest one that may have to be doubled to.
      width_ = 0x1p-60;
    } else {
      int exponent = 0;
      std::frexp(value, &exponent);
      width_ = std::ldexp(1.0, std::clamp(exponent, -1000, 1000));
    }
    counts_.assign(bins, 0);
  }
  while (value < -width_ || value >= width_) widen();
  const double at = (value + width_) / bin_width();
  ++counts_[std::min(static_cast<size_t>(at), static_cast<size_t>(bins - 1))];
}

void Histogram::widen() {
  std::vector<int64_t> wider(bins, 0);
  for (size_t i = 0; i < bins; ++i) wider[bins / 4 + i / 2] += counts_[i];
  counts_ = std::move(wider);
  width_ *= 2;
}

}  // namespace nibble::quant
