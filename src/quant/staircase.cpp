#include "quant/staircase.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/int128.hpp"
#include "base/rescale.hpp"

namespace nibble::quant {
namespace {

/// Smallest a of (low, high] with y(a) >= level, given that y(low) < level <= y(high). `guess` is near it.
int64_t first_reaching(const RealStep& step, int64_t level, int64_t guess, Interval range) {
  int64_t below = range.low, above = range.high;
  const auto reaches = [&](int64_t a) {
    return rescaled(step.kappa, step.lambda, a, step.rounding, step.divisor) + step.zero_point >= level;
  };
  int64_t probe = std::clamp(guess, below + 1, above);
  for (int64_t reach = 1; below + 1 < above; reach *= 2) {
    if (probe <= below || probe >= above) probe = below + (above - below) / 2;
    if (reaches(probe)) {
      above = probe;
      probe = above - reach;
    } else {
      below = probe;
      probe = below + reach;
    }
  }
  return above;
}

/// The smallest a with y(a) >= level where double arithmetic leaves no doubt of it. a solves kappa a + lambda + 1/2 =
/// level - zero_point; each of six roundings moves it by 2^-53 of its largest operand.
struct Estimate {
  int64_t a;
  bool certain;
};

class Estimator {
 public:
  explicit Estimator(const RealStep& step)
      : inverse_(1 / step.slope()),
        offset_(static_cast<double>(step.zero_point) + (step.rounding == Rounding::Floor ? 0 : 0.5) + step.offset()),
        error_(0x1p-50 * std::abs(inverse_) *
               (std::abs(step.offset()) + std::abs(static_cast<double>(step.zero_point)) + 1)) {}

  Estimate of(int64_t level) const {
    const auto wanted = static_cast<double>(level);
    const double a = (wanted - offset_) * inverse_;
    if (!(std::abs(a) < 0x1p52)) return {a < 0 ? -widest : widest, false};
    const auto down = static_cast<int64_t>(a);  // toward zero
    const double part = a - static_cast<double>(down);
    const double error = error_ + 0x1p-50 * (std::abs(wanted * inverse_) + std::abs(a));
    const int64_t up = part > 0 ? down + 1 : down;
    return {up, std::abs(part) > error && 1 - std::abs(part) > error};
  }

 private:
  static constexpr int64_t widest = int64_t{1} << 61;
  double inverse_, offset_, error_;
};

}  // namespace

Staircase staircase(const RealStep& step, Interval accumulator) {
  ensure(step.kappa >= 0, "a staircase rises");
  Staircase result;
  result.first = apply(step, accumulator.low);
  const int64_t last = apply(step, accumulator.high);
  int64_t below = accumulator.low;
  result.at.reserve(static_cast<size_t>(last - result.first));
  const Estimator estimator(step);
  for (int64_t level = result.first + 1; level <= last; ++level) {
    const Estimate estimate = estimator.of(level);
    if (estimate.certain && accumulator.low < estimate.a && estimate.a <= accumulator.high) {
      result.at.push_back(estimate.a);
    } else if (!result.at.empty() && apply(step, result.at.back()) >= level) {
      result.at.push_back(result.at.back());  // `below` itself reaches this level when several share a step
    } else {
      result.at.push_back(first_reaching(step, level, estimate.a, {below, accumulator.high}));
    }
    below = result.at.back();
  }
  return result;
}

Staircase staircase(const Requantisation& r, Interval levels, Interval accumulator) {
  ensure(r.multiplier >= 0, "a staircase rises");
  Staircase result;
  result.first = apply(r, levels, accumulator.low);
  const int64_t last = apply(r, levels, accumulator.high);
  result.at.reserve(static_cast<size_t>(last - result.first));
  for (int64_t level = result.first + 1; level <= last; ++level) {
    // a*m + b >= level * 2^d
    const int128 needed = (static_cast<int128>(level) << r.shift) - r.addend;
    const auto narrow = static_cast<int64_t>(needed);
    const auto quotient = narrow == needed ? narrow / r.multiplier : static_cast<int64_t>(needed / r.multiplier);
    const bool exact = static_cast<int128>(quotient) * r.multiplier == needed;
    result.at.push_back(needed > 0 && !exact ? quotient + 1 : quotient);
  }
  return result;
}

Staircase staircase(const std::function<int64_t(int64_t)>& level, Interval arguments) {
  Staircase result{level(arguments.low), {}, {}};
  const int64_t last = level(arguments.high);
  ensure(result.first <= last, "a staircase does not fall");
  int64_t from = arguments.low;
  for (int64_t wanted = result.first + 1; wanted <= last; ++wanted) {
    int64_t low = from, high = arguments.high;  // the first argument at the level lies in [low, high]
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (level(middle) >= wanted)
        high = middle;
      else
        low = middle + 1;
    }
    result.at.push_back(low);
    from = low;
  }
  return result;
}

int64_t Staircase::level(int64_t a) const {
  return first + (std::upper_bound(at.begin(), at.end(), a) - at.begin());
}

std::vector<int64_t> thresholds(const Staircase& steps, Interval arguments, Interval levels) {
  ensure(levels.low <= steps.first && steps.last() <= levels.high, "a staircase keeps to its levels");
  std::vector<int64_t> all(static_cast<size_t>(steps.first - levels.low), arguments.low);
  all.insert(all.end(), steps.at.begin(), steps.at.end());
  all.resize(static_cast<size_t>(levels.high - levels.low), arguments.high + 1);
  return all;
}

Difference difference(const Staircase& a, const Staircase& b, Interval accumulator) {
  Difference result;
  size_t i = 0, j = 0;
  int64_t at = accumulator.low;
  for (;;) {
    while (i < a.at.size() && a.at[i] <= at) ++i;
    while (j < b.at.size() && b.at[j] <= at) ++j;
    int64_t next = accumulator.high + 1;
    if (i < a.at.size()) next = std::min(next, a.at[i]);
    if (j < b.at.size()) next = std::min(next, b.at[j]);
    const int64_t distance = std::abs(a.first + static_cast<int64_t>(i) - b.first - static_cast<int64_t>(j));
    if (distance != 0) result.count += next - at;
    result.worst = std::max(result.worst, distance);
    if (next > accumulator.high) return result;
    at = next;
  }
}

std::vector<int64_t> thresholds(const RealStep& step, Interval accumulator) {
  RealStep rising = step;
  if (step.kappa < 0) {
    rising.kappa = -step.kappa;
    accumulator = {-accumulator.high, -accumulator.low};
  }
  return staircase(rising, accumulator).at;
}

void certify(Requantisation& requantisation, const RealStep& step, Interval accumulator) {
  RealStep rising = step;
  Requantisation mirrored = requantisation;
  if (step.kappa < 0) {
    rising.kappa = -step.kappa;
    mirrored.multiplier = -requantisation.multiplier;
    accumulator = {-accumulator.high, -accumulator.low};
  }
  ensure(mirrored.multiplier >= 0, "a certified multiplier has kappa's sign");
  const Difference found =
      difference(staircase(rising, accumulator), staircase(mirrored, step.levels, accumulator), accumulator);
  requantisation.differing = found.count;
  requantisation.worst = found.worst;
}

}  // namespace nibble::quant
