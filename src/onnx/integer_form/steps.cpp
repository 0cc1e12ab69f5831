#include "onnx/integer_form/steps.hpp"

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>

#include "base/error.hpp"
#include "base/int128.hpp"

namespace nibble::onnx {
namespace {

using Big = boost::multiprecision::cpp_int;

/// numerator / denominator, both positive but for a numerator of any sign.
struct Fraction {
  Big numerator = 1, denominator = 1;
};

void multiply(Big& product, int& exponent, double factor) {
  int own = 0;
  const double mantissa = std::frexp(factor, &own);
  product *= static_cast<int64_t>(std::ldexp(mantissa, 53));
  exponent += own - 53;
}

Fraction fraction_of(const Ratio& ratio) {
  Fraction f;
  int exponent = 0, under = 0;
  for (double factor : ratio.over) multiply(f.numerator, exponent, factor);
  for (double factor : ratio.under) multiply(f.denominator, under, factor);
  exponent -= under;
  if (exponent >= 0)
    f.numerator <<= static_cast<unsigned>(exponent);
  else
    f.denominator <<= static_cast<unsigned>(-exponent);
  return f;
}

/// The smallest integer at or above numerator / denominator, denominator > 0.
Big ceiling(const Big& numerator, const Big& denominator) {
  Big quotient = numerator / denominator;
  if (quotient * denominator < numerator) ++quotient;
  return quotient;
}

Big rounded_even(const Big& numerator, const Big& denominator) {
  const Big twice = 2 * numerator + denominator;
  Big up = twice / (2 * denominator);
  if (up * 2 * denominator > twice) --up;
  const bool tie = up * 2 * denominator == twice;
  return tie && up % 2 != 0 ? up - 1 : up;
}

int64_t clamped(const Big& number, Interval range) {
  if (number < range.low) return range.low;
  if (number > range.high) return range.high;
  return static_cast<int64_t>(number);
}

}  // namespace

Staircase searched_staircase(Interval levels, Interval reachable, const std::function<int64_t(int64_t)>& level) {
  Staircase result{reachable, levels.low, {}};
  int64_t from = reachable.low;
  for (int64_t wanted = levels.low + 1; wanted <= levels.high; ++wanted) {
    int64_t low = from, high = reachable.high + 1;  // the first argument at the level lies in [low, high]
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (level(middle) >= wanted)
        high = middle;
      else
        low = middle + 1;
    }
    result.steps.push_back({low - 1, low});
    from = low;
  }
  return result;
}

double Ratio::value() const {
  double product = 1;
  for (double factor : over) product *= factor;
  for (double factor : under) product /= factor;
  return product;
}

int64_t Staircase::level(int64_t a) const {
  const auto taken =
      std::upper_bound(steps.begin(), steps.end(), a, [](int64_t x, const Step& step) { return x < step.at; });
  return low + (taken - steps.begin());
}

bool Staircase::operator==(const Staircase& other) const {
  return reachable == other.reachable && differing(*this, other) == 0;
}

Staircase standard_staircase(const Ratio& ratio, int64_t offset, const Grid& grid, Interval reachable) {
  const Fraction kappa = fraction_of(ratio);
  Staircase result{reachable, grid.low, {}};
  const Interval ends{reachable.low, reachable.high + 1};
  for (int64_t level = grid.low + 1; level <= grid.high; ++level) {
    // round(kappa a) >= j where kappa a > j - 1/2, or is it and j is even.
    const int64_t j = level - grid.zero_point;
    const Big numerator = (2 * Big(j) - 1) * kappa.denominator, denominator = 2 * kappa.numerator;
    Big first = ceiling(numerator, denominator);
    if (j % 2 != 0 && first * denominator == numerator) ++first;
    const int64_t at = clamped(first - offset, ends);
    result.steps.push_back({at - 1, at});
  }
  return result;
}

std::optional<ShiftedLine> line_through(const Staircase& staircase, double slope) {
  const auto [first, last] = staircase.reachable;
  const int64_t bottom = staircase.level(first), top = staircase.level(last);
  constexpr int64_t widest_multiplier = (int64_t{1} << 31) - 1;
  constexpr int128 widest_product = int128{1} << 62;
  for (int shift = 0; shift <= 62; ++shift) {
    const double scaled = std::ldexp(slope, shift);
    if (scaled > static_cast<double>(widest_multiplier)) break;
    for (const double near : {std::floor(scaled), std::ceil(scaled)}) {
      const auto m = static_cast<int128>(near);
      if (m > widest_multiplier) continue;
      const int128 unit = int128{1} << shift;
      int128 least = -widest_product, most = widest_product;
      if (bottom > staircase.low) least = std::max(least, bottom * unit - m * first);
      if (top < staircase.high()) most = std::min(most, (top + 1) * unit - 1 - m * last);
      for (int64_t level = bottom + 1; level <= top && least <= most; ++level) {
        const Step& step = staircase.steps[static_cast<size_t>(level - staircase.low - 1)];
        least = std::max(least, level * unit - m * step.at);
        most = std::min(most, level * unit - 1 - m * step.below);
      }
      if (least > most) continue;
      // The middle of the choice, or its end where only one side is bounded.
      const int128 addend = least == -widest_product ? most
                            : most == widest_product ? least
                                                     : least + (most - least) / 2;
      const int128 ends[] = {addend, m * first + addend, m * last + addend};
      if (std::any_of(std::begin(ends), std::end(ends),
                      [&](int128 end) { return end > widest_product || end < -widest_product; }))
        continue;
      return ShiftedLine{static_cast<int64_t>(m), static_cast<int64_t>(addend), shift};
    }
  }
  return std::nullopt;
}

int64_t differing(const Staircase& a, const Staircase& b) {
  std::vector<int64_t> at{a.reachable.low};
  for (const Staircase* each : {&a, &b})
    for (const Step& step : each->steps)
      if (a.reachable.contains(step.at)) at.push_back(step.at);
  std::sort(at.begin(), at.end());
  at.erase(std::unique(at.begin(), at.end()), at.end());
  int64_t count = 0;
  for (size_t i = 0; i < at.size(); ++i) {
    const int64_t next = i + 1 < at.size() ? at[i + 1] : a.reachable.high + 1;
    if (a.level(at[i]) != b.level(at[i])) count += next - at[i];
  }
  return count;
}

std::vector<int64_t> rounded_sums(const Ratio& a, Interval x, const Ratio& b, Interval y) {
  const Fraction of_a = fraction_of(a), of_b = fraction_of(b);
  const Big unit_a = of_a.numerator * of_b.denominator, unit_b = of_b.numerator * of_a.denominator;
  const Big denominator = of_a.denominator * of_b.denominator;
  std::vector<int64_t> sums;
  for (int64_t i = x.low; i <= x.high; ++i) {
    const Big term = unit_a * i;
    for (int64_t j = y.low; j <= y.high; ++j)
      sums.push_back(clamped(rounded_even(term + unit_b * j, denominator), {INT32_MIN, INT32_MAX}));
  }
  return sums;
}

}  // namespace nibble::onnx
