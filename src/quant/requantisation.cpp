#include "quant/requantisation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/int128.hpp"
#include "base/rescale.hpp"
#include "quant/staircase.hpp"

namespace nibble::quant {
namespace {

constexpr int128 floor_divide(int128 a, int128 b) {
  const int128 quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}
constexpr int128 ceil_divide(int128 a, int128 b) {
  return -floor_divide(-a, b);
}

/// What y' must do at a point of the accumulator: reach a level there, or not yet.
struct Corner {
  int64_t at;
  int64_t level;
};

/// reach: a*m + b >= level * 2^d at each; miss: a*m + b <= level * 2^d - 1 at each.
struct Corners {
  std::vector<Corner> reach, miss;
};

Corners corners_of(const Staircase& steps, Interval accumulator, Interval levels) {
  Corners corners;
  if (steps.first > levels.low) corners.reach.push_back({accumulator.low, steps.first});
  for (size_t i = 0; i < steps.at.size(); ++i) {
    const int64_t level = steps.first + static_cast<int64_t>(i) + 1;
    corners.reach.push_back({steps.at[i], level});
    corners.miss.push_back({steps.at[i] - 1, level});
  }
  const int64_t last = steps.first + static_cast<int64_t>(steps.at.size());
  if (last < levels.high) corners.miss.push_back({accumulator.high, last + 1});
  return corners;
}

/// The corners that can ever bind: for `reach` (sign -1) the upper hull of (at, level), for `miss` the lower one. A
/// corner below the chord of its neighbours is met wherever they are.
std::vector<Corner> hull(const std::vector<Corner>& corners, int sign) {
  std::vector<Corner> kept;
  for (const Corner& corner : corners) {
    // Of two corners at one point only the harder binds: the higher level to reach, the lower one to miss.
    if (!kept.empty() && kept.back().at == corner.at) {
      if (sign > 0) continue;
      kept.pop_back();
    }
    while (kept.size() >= 2) {
      const Corner& a = kept[kept.size() - 2];
      const Corner& b = kept.back();
      const int128 turn = static_cast<int128>(b.at - a.at) * (corner.level - a.level) -
                          static_cast<int128>(b.level - a.level) * (corner.at - a.at);
      if (sign * turn > 0) break;
      kept.pop_back();
    }
    kept.push_back(corner);
  }
  return kept;
}

/// For one shift: the integers m, b that meet every corner, if there are any.
class Feasibility {
 public:
  Feasibility(const Corners& corners, int shift) : corners_(corners), unit_(int128{1} << shift) {}

  /// A multiplier in [low, high] near `guess` with an addend, or nothing. Cuts the interval of multipliers with the
  /// pair of corners that binds until one meets all or none is left.
  bool find(int128 guess, int128 low, int128 high) {
    int128 m = std::clamp(guess, low, high);
    while (low <= high) {
      const Corner& lower = binding_reach(m);
      const Corner& upper = binding_miss(m);
      least = unit_ * lower.level - m * lower.at;
      most = unit_ * upper.level - 1 - m * upper.at;
      if (least <= most) {
        multiplier = m;
        return true;
      }
      // unit*lower.level - m*lower.at <= unit*upper.level - 1 - m*upper.at
      const int128 slope = static_cast<int128>(lower.at) - upper.at;
      const int128 needed = unit_ * (lower.level - upper.level) + 1;
      if (slope == 0) return false;
      if (slope > 0)
        m = low = ceil_divide(needed, slope);
      else
        m = high = floor_divide(needed, slope);
    }
    return false;
  }

  int128 multiplier = 0, least = 0, most = 0;

 private:
  const Corner& binding_reach(int128 m) const {
    const Corner* binding = &corners_.reach.front();
    for (const Corner& corner : corners_.reach)
      if (unit_ * corner.level - m * corner.at > unit_ * binding->level - m * binding->at) binding = &corner;
    return *binding;
  }
  const Corner& binding_miss(int128 m) const {
    const Corner* binding = &corners_.miss.front();
    for (const Corner& corner : corners_.miss)
      if (unit_ * corner.level - m * corner.at < unit_ * binding->level - m * binding->at) binding = &corner;
    return *binding;
  }

  const Corners& corners_;
  int128 unit_;
};

/// kappa * 2^shift to the nearest integer, at most 2^62.
int128 scaled(double kappa, int shift) {
  return std::llround(std::min(std::ldexp(kappa, shift), 0x1p62));
}

bool fits(int128 value, int bits) {
  const int128 limit = int128{1} << (bits - 1);
  return value >= -limit && value < limit;
}

bool product_fits(int128 m, int128 b, Interval accumulator, const Widths& widths) {
  return fits(m, widths.multiplier) && fits(m * accumulator.low + b, widths.product) &&
         fits(m * accumulator.high + b, widths.product) && fits(m * accumulator.low, widths.product) &&
         fits(m * accumulator.high, widths.product) && fits(b, widths.product);
}

/// The largest shift for which kappa * 2^shift is a multiplier of that width.
int largest_shift(double kappa, const Widths& widths) {
  int exponent = 0;
  std::frexp(kappa, &exponent);  // kappa < 2^exponent
  return std::clamp(widths.multiplier - 1 - exponent, -1, widths.shift);
}

Requantisation constant(const RealStep& step, Interval accumulator) {
  Requantisation result{0, apply(step, accumulator.low), 0};
  return result;
}

/// The smallest shift with a solution, by bisection: (m, b) at d gives (2m, 2b) at d + 1.
bool solve_exactly(const RealStep& step, const Corners& corners, Interval accumulator, const Widths& widths,
                   Requantisation& result) {
  const int highest = largest_shift(step.kappa, widths);
  const int128 limit = int128{1} << (widths.multiplier - 1);
  const auto attempt = [&](int shift) {
    Feasibility at(corners, shift);
    if (!at.find(scaled(step.kappa, shift), -limit, limit - 1)) return false;
    // The middle of the addends leaves the widest margin; the product decides whether it is allowed.
    const int128 middle = at.least + (at.most - at.least) / 2;
    for (int128 addend : {middle, at.least, at.most})
      if (product_fits(at.multiplier, addend, accumulator, widths)) {
        result = {static_cast<int64_t>(at.multiplier), static_cast<int64_t>(addend), shift};
        return true;
      }
    return false;
  };
  int low = 0, high = std::min(highest + 1, widths.shift);
  if (high < 0 || !attempt(high)) {
    // The widest shift may overflow the product where a smaller one does not: walk down.
    while (--high >= 0 && !attempt(high)) {
    }
    if (high < 0) return false;
  }
  while (low < high) {
    const int middle = (low + high) / 2;
    if (attempt(middle))
      high = middle;
    else
      low = middle + 1;
  }
  return attempt(high);
}

/// The best of a few multipliers and addends around kappa and lambda, at the shifts that the widths allow.
Requantisation solve_nearly(const RealStep& step, const Corners& corners, Interval accumulator, const Widths& widths) {
  Requantisation best;
  best.differing = std::numeric_limits<int64_t>::max();
  const auto consider = [&](int128 m, int128 b, int shift) {
    if (!product_fits(m, b, accumulator, widths)) return false;
    Requantisation candidate{static_cast<int64_t>(m), static_cast<int64_t>(b), shift};
    certify(candidate, step, accumulator);
    if (std::pair(candidate.differing, candidate.worst) < std::pair(best.differing, best.worst)) best = candidate;
    return true;
  };
  // A narrow product may rule out the highest shifts that the multiplier allows: three that it does not.
  int tried = 0;
  for (int shift = std::max(0, largest_shift(step.kappa, widths)); shift >= 0 && tried < 3; --shift) {
    bool fitting = false;
    const int128 unit = int128{1} << shift;
    const int128 centre = scaled(step.kappa, shift);
    for (int128 m = std::max<int128>(0, centre - 1); m <= centre + 1; ++m) {
      int128 least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
      for (const Corner& corner : corners.reach) least = std::max(least, unit * corner.level - m * corner.at);
      for (const Corner& corner : corners.miss) most = std::min(most, unit * corner.level - 1 - m * corner.at);
      for (int part = 0; part <= 8; ++part) fitting |= consider(m, most + (least - most) * part / 8, shift);
    }
    tried += fitting;
  }
  // Nothing fits (a width of one bit, say): the constant that is right most often in the middle.
  if (best.differing == std::numeric_limits<int64_t>::max())
    consider(0, apply(step, accumulator.low + (accumulator.high - accumulator.low) / 2), 0);
  return best;
}

RealStep mirrored(RealStep step) {
  step.kappa = -step.kappa;
  return step;
}

void check(const RealStep& step, Interval accumulator) {
  if (!std::isfinite(step.kappa) || !std::isfinite(step.lambda))
    fail("quant", "requantisation", "kappa " + std::to_string(step.kappa) + ", lambda " + std::to_string(step.lambda),
         "finite numbers");
  ensure(accumulator.low <= accumulator.high && step.levels.low <= step.levels.high, "an interval is not empty");
  constexpr int64_t widest = int64_t{1} << 61;
  ensure(accumulator.low > -widest && accumulator.high < widest, "an accumulator has at most 61 bits");
}

}  // namespace

int64_t apply(const RealStep& step, int64_t a) {
  const int64_t y = rescaled(step.kappa, step.lambda, a, step.rounding) + step.zero_point;
  return std::clamp(y, step.levels.low, step.levels.high);
}

int64_t apply(const Requantisation& r, Interval levels, int64_t a) {
  const int128 sum = static_cast<int128>(a) * r.multiplier + r.addend;
  if (!fits(sum, 64)) throw InternalError("a requantisation's product fits into 64 bits");
  return static_cast<int64_t>(std::clamp<int128>(sum >> r.shift, levels.low, levels.high));
}

Requantisation solve_requantisation(const RealStep& step, Interval accumulator, Widths widths) {
  check(step, accumulator);
  if (step.kappa < 0) {
    Requantisation result = solve_requantisation(mirrored(step), {-accumulator.high, -accumulator.low}, widths);
    result.multiplier = -result.multiplier;
    return result;
  }
  const Staircase steps = staircase(step, accumulator);
  if (steps.at.empty()) return constant(step, accumulator);
  const Corners all = corners_of(steps, accumulator, step.levels);
  const Corners binding{hull(all.reach, -1), hull(all.miss, 1)};
  Requantisation result;
  if (solve_exactly(step, binding, accumulator, widths, result)) return result;
  return solve_nearly(step, binding, accumulator, widths);
}

Requantisation nemo_requantisation(const RealStep& step, Interval accumulator, double factor) {
  check(step, accumulator);
  if (step.kappa == 0) return constant(step, accumulator);
  Requantisation result;
  result.shift = std::clamp(static_cast<int>(std::ceil(std::log2(factor / std::abs(step.kappa)))), 0, 62);
  const double half = step.rounding == Rounding::Floor ? 0 : 0.5;
  const double offset = step.lambda + half + static_cast<double>(step.zero_point);
  result.multiplier = static_cast<int64_t>(std::floor(std::ldexp(step.kappa, result.shift)));
  result.addend = static_cast<int64_t>(std::floor(std::ldexp(offset, result.shift)));
  certify(result, step, accumulator);
  return result;
}

}  // namespace nibble::quant
