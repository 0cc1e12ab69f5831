#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/int128.hpp"
#include "base/interval.hpp"

/// Arithmetic of closed ranges of integers. Ends beyond 64 bits become the ends of 64 bits.
namespace nibble::graph {

inline int64_t saturated(int128 x) {
  using Limits = std::numeric_limits<int64_t>;
  return static_cast<int64_t>(std::clamp<int128>(x, Limits::min(), Limits::max()));
}

inline Interval sum(Interval a, Interval b) {
  return {saturated(static_cast<int128>(a.low) + b.low), saturated(static_cast<int128>(a.high) + b.high)};
}

inline Interval negated(Interval x) {
  return {saturated(-static_cast<int128>(x.high)), saturated(-static_cast<int128>(x.low))};
}

/// x - by
inline Interval shifted_down(Interval x, int64_t by) {
  return {saturated(static_cast<int128>(x.low) - by), saturated(static_cast<int128>(x.high) - by)};
}

inline Interval product(Interval a, Interval b) {
  const auto ends = {static_cast<int128>(a.low) * b.low, static_cast<int128>(a.low) * b.high,
                     static_cast<int128>(a.high) * b.low, static_cast<int128>(a.high) * b.high};
  return {saturated(std::min(ends)), saturated(std::max(ends))};
}

inline int64_t largest_magnitude(Interval x) {
  return saturated(std::max(-static_cast<int128>(x.low), static_cast<int128>(x.high)));
}

/// What min(max(x, low), high) holds integers within. Where no integer lies between the bounds, both ends are the one below
/// the upper; a bound from 2^62 on is the end of 64 bits.
inline Interval integers_within(double low, double high) {
  using Limits = std::numeric_limits<int64_t>;
  const auto saturated_bound = [](double bound) {
    return bound >= 0x1p62 ? Limits::max() : bound <= -0x1p62 ? Limits::min() : static_cast<int64_t>(bound);
  };
  const int64_t end = saturated_bound(std::floor(high));
  return {std::min(saturated_bound(std::ceil(low)), end), end};
}

}  // namespace nibble::graph
