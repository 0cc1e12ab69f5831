#include "quant/lattice.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace nibble::quant {
namespace {

constexpr int128 floor_divide(int128 a, int128 b) {
  const int128 quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

/// mantissa * 2^exponent, the mantissa odd or 0.
struct Dyadic {
  int64_t mantissa = 0;
  int exponent = 0;
};
Dyadic dyadic(double x) {
  if (x == 0) return {};
  int exponent = 0;
  auto mantissa = static_cast<int64_t>(std::ldexp(std::frexp(x, &exponent), 53));
  exponent -= 53;
  while (mantissa % 2 == 0) mantissa /= 2, ++exponent;
  return {mantissa, exponent};
}

/// A vector of the lattice and how much further above the line (`rise` > 0) or below it (< 0) it leads, times the unit.
struct Vector {
  int128 across, up, rise;

  Vector plus(int128 times, const Vector& other) const {
    return {across + times * other.across, up + times * other.up, rise + times * other.rise};
  }
};

/// The steepest vector from a point `below` (times the unit) the line that stays below it and is at most `most` across.
/// Vectors above the line come the steeper the further they rise, along the Stern-Brocot tree: the first of them that
/// `below` allows is the steepest; where it is too long, the steepest below the line is.
Vector steepest(const Line& line, int128 below, int128 most) {
  Vector high{0, 1, line.unit}, low{1, 0, -line.slope};
  for (;;) {
    if (low.rise == 0) return low;  // along the line
    // The fewest times `low` that let `high` fit, unless it crosses the line before.
    const int128 crossing = high.rise / -low.rise, wanted = (high.rise - below + -low.rise - 1) / -low.rise;
    if (wanted <= crossing) {
      const Vector found = high.plus(std::max<int128>(wanted, 0), low);
      if (found.across <= most) return found;
    }
    const int128 times = std::min(crossing, (most - high.across) / low.across);
    high = high.plus(times, low);
    if (times < crossing || high.across + low.across > most) {
      // No other vector above the line is short enough: what is left is below.
      if (high.across == 0 || high.rise == 0) return low;
      return low.plus(std::min(-low.rise / high.rise, (most - low.across) / high.across), high);
    }
    if (high.rise == 0) return high.across <= most ? high : low;
    const int128 back = std::min(-low.rise / high.rise, (most - low.across) / high.across);
    low = low.plus(back, high);
    if (low.across + high.across > most) return low;
  }
}

/// Sum of floor((slope a + offset)/unit) over 0 <= a < count, all not negative: Euclid's algorithm on the two numbers.
int128 floor_sum(int128 count, int128 slope, int128 offset, int128 unit) {
  int128 sum = 0;
  while (count > 0) {
    sum += count * (count - 1) / 2 * (slope / unit) + count * (offset / unit);
    slope %= unit, offset %= unit;
    const int128 last = slope * count + offset;
    if (last < unit) break;
    count = last / unit;
    offset = last % unit;
    std::swap(unit, slope);
  }
  return sum;
}

}  // namespace

int64_t Line::level(int64_t a) const {
  return static_cast<int64_t>(floor_divide(slope * a + offset, unit));
}

int64_t Line::first(int64_t wanted) const {
  return static_cast<int64_t>(-floor_divide(offset - unit * wanted, slope));
}

std::optional<Line> line_of(const RealStep& step, Interval accumulator) {
  if (step.rounding == Rounding::HalfEven || !(step.slope() > 0) || !(step.slope() < 1)) return std::nullopt;
  const Dyadic kappa = dyadic(step.kappa), lambda = dyadic(step.lambda);
  const int scale = std::max({0, -kappa.exponent, -lambda.exponent});
  const double reach = static_cast<double>(std::max(std::abs(accumulator.low), std::abs(accumulator.high)));
  const double most = std::abs(step.kappa) * reach + std::abs(step.lambda) +
                      static_cast<double>(step.divisor) * (std::abs(static_cast<double>(step.zero_point)) + 2);
  if (!(std::ldexp(most, scale + 1) < 0x1p124)) return std::nullopt;
  const auto twice = [&](const Dyadic& x) {
    return static_cast<int128>(x.mantissa) << (x.mantissa == 0 ? 0 : scale + x.exponent + 1);
  };
  Line line{twice(kappa), twice(lambda), static_cast<int128>(step.divisor) << (scale + 1)};
  line.offset += line.unit * step.zero_point + (step.rounding == Rounding::HalfUp ? line.unit / 2 : 0);
  return line;
}

std::vector<Corner> upper_hull(const Line& line, Interval interval) {
  int128 a = interval.low, level = line.level(interval.low);
  int128 below = line.slope * a + line.offset - line.unit * level;
  std::vector<Corner> corners{{interval.low, static_cast<int64_t>(level)}};
  while (a < interval.high) {
    const Vector next = steepest(line, below, interval.high - a);
    int128 times = (interval.high - a) / next.across;
    if (next.rise > 0) times = std::min(times, below / next.rise);
    a += times * next.across, level += times * next.up, below -= times * next.rise;
    corners.push_back({static_cast<int64_t>(a), static_cast<int64_t>(level)});
  }
  return corners;
}

Corners corners_of(const Line& line, Interval accumulator, Interval levels) {
  ensure(line.level(accumulator.high) > levels.low && line.level(accumulator.low) < levels.high,
         "a line with corners changes its level");
  const auto within = [&](int64_t a) { return std::clamp(a, accumulator.low, accumulator.high); };
  const int64_t first = within(line.first(levels.low + 1)), last = within(line.first(levels.high));
  Corners corners;
  corners.reach = upper_hull(line, {first, last});
  // What must be missed: the points (a, level(a) + 1), which the mirror image of the line has below it.
  const int64_t from = line.level(accumulator.low) > levels.low ? accumulator.low : within(first - 1);
  const int64_t to = line.level(accumulator.high) < levels.high ? accumulator.high : last - 1;
  const Line mirrored{line.slope, -line.offset - 1, line.unit};
  for (const Corner& corner : upper_hull(mirrored, {-to, -from})) corners.miss.push_back({-corner.at, -corner.level});
  std::reverse(corners.miss.begin(), corners.miss.end());
  return corners;
}

int128 clipped_sum(const Line& line, Interval interval, Interval levels) {
  const int128 all = static_cast<int128>(interval.high) - interval.low + 1;
  if (line.slope == 0) return all * std::clamp(line.level(interval.low), levels.low, levels.high);
  // [low, from) lies below the levels, [from, to) between them, [to, high] on the highest or above.
  const auto within = [&](int64_t a) { return std::clamp(a, interval.low, interval.high + 1); };
  const int64_t from = within(line.first(levels.low)), to = std::max(from, within(line.first(levels.high)));
  const int128 offset = line.slope * from + line.offset - line.unit * levels.low, count = to - from;
  return (static_cast<int128>(from) - interval.low + count) * levels.low +
         floor_sum(count, line.slope, count > 0 ? offset : 0, line.unit) +
         (static_cast<int128>(interval.high) + 1 - to) * levels.high;
}

}  // namespace nibble::quant
