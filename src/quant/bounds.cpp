#include "quant/bounds.hpp"

#include <algorithm>
#include <bit>

#include "base/error.hpp"
#include "base/int128.hpp"

namespace nibble::quant {
namespace {

int64_t narrowed(int128 sum) {
  if (sum != static_cast<int64_t>(sum)) throw InternalError("an accumulator's bound fits into 64 bits");
  return static_cast<int64_t>(sum);
}

}  // namespace

std::vector<Interval> linear_bounds(const Tensor& weights, Interval inputs, int64_t zero_point) {
  return linear_bounds(weights, std::vector<Interval>{inputs}, zero_point, 1);
}

std::vector<Interval> linear_bounds(const Tensor& weights, const std::vector<Interval>& inputs, int64_t zero_point,
                                    int64_t group) {
  ensure(weights.rank() >= 2 && !inputs.empty() && group >= 1, "weights are [channels, inputs, ...]");
  const std::vector<int64_t> w = weights.to_integers();
  const auto channels = static_cast<size_t>(weights.shape()[0]), depth = static_cast<size_t>(weights.shape()[1]);
  const size_t taps = channels * depth == 0 ? 0 : w.size() / (channels * depth);
  std::vector<Interval> bounds(channels);
  for (size_t channel = 0; channel < channels; ++channel) {
    const size_t first = channel / (channels / static_cast<size_t>(group)) * depth;
    int128 low = 0, high = 0;
    for (size_t c = 0; c < depth; ++c) {
      const Interval& x = inputs[inputs.size() == 1 ? 0 : first + c];
      // A padded element adds 0.
      const int64_t least = std::min<int64_t>(x.low - zero_point, 0), most = std::max<int64_t>(x.high - zero_point, 0);
      for (size_t k = 0; k < taps; ++k) {
        const int64_t each = w[(channel * depth + c) * taps + k];
        low += static_cast<int128>(each) * (each < 0 ? most : least);
        high += static_cast<int128>(each) * (each < 0 ? least : most);
      }
    }
    bounds[channel] = {narrowed(low), narrowed(high)};
  }
  return bounds;
}

int signed_bits(Interval interval) {
  const auto bits = [](int64_t x) {
    return static_cast<int>(std::bit_width(static_cast<uint64_t>(x < 0 ? ~x : x))) + 1;
  };
  return std::max(bits(interval.low), bits(interval.high));
}

}  // namespace nibble::quant
