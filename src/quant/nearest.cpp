#include "quant/nearest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/division.hpp"
#include "base/error.hpp"

namespace nibble::quant {
namespace {

constexpr int128 exact = int128{1} << 52;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Terms of sums that one channel's search may cost: some 15 ms, for few levels. Beyond it the answer is good, not
/// proven best.
constexpr int64_t most_terms = int64_t{1} << 23;

/// std::ceil of a positive number, which the base instruction set has no instruction for.
double rounded_up(double x) {
  const auto whole = static_cast<double>(static_cast<int64_t>(x));
  return whole < x ? whole + 1 : whole;
}

/// The thresholds of y, and what each can cost: where y' reaches level i at T_i + D, it differs on min(D, right)
/// accumulators of the run above, or min(-D, left) of the run below. The runs' parts never overlap, so the sum over i
/// is the count (8).
struct Costs {
  std::vector<int64_t> at, level;
  std::vector<double> left, right;

  void add(int64_t threshold, int64_t reached, int64_t below, int64_t above) {
    at.push_back(threshold);
    level.push_back(reached);
    left.push_back(static_cast<double>(threshold - below));
    right.push_back(static_cast<double>(above - threshold));
  }
  size_t size() const { return at.size(); }
};

Costs costs_of(const Staircase& steps, Interval accumulator, Interval levels) {
  Costs costs;
  const int64_t end = accumulator.high + 1;
  const auto threshold = [&](size_t i) { return i < steps.at.size() ? steps.at[i] : end; };
  if (steps.first > levels.low) costs.add(accumulator.low, steps.first, accumulator.low, threshold(0));
  int64_t below = accumulator.low;
  for (size_t i = 0; i < steps.at.size(); ++i) {
    costs.add(steps.at[i], steps.first + static_cast<int64_t>(i) + 1, below, threshold(i + 1));
    below = steps.at[i];
  }
  const int64_t last = steps.first + static_cast<int64_t>(steps.at.size());
  if (last < levels.high) costs.add(end, last + 1, below, end);
  return costs;
}

class Search {
 public:
  Search(Costs costs, double kappa, const Limits& limits)
      : costs_(std::move(costs)), kappa_(kappa), limits_(limits), most_(limits.most_multiplier()) {
    const size_t n = costs_.size();
    left_ = std::max(most_terms, 64 * static_cast<int64_t>(n));
    pivot_ = costs_.at[n / 2];
    pivot_level_ = costs_.level[n / 2];
    for (size_t i = 0; i < n; ++i) {
      from_pivot_.push_back(static_cast<double>(costs_.at[i] - pivot_));
      levels_.push_back(static_cast<double>(costs_.level[i] - pivot_level_));
    }
    whole_.resize(n), rest_.resize(n), order_.resize(n);
  }

  /// Nothing that differs on as many as `known` is of interest.
  Requantisation run(Requantisation known) {
    best_ = known;
    if (most_ < 1) return best_;
    const int start = natural_shift();
    for (int shift = start; shift >= limits_.least_shift; --shift) {
      const Explored explored = explore(shift);
      // (m, b) at d is (2m, 2b) at d + 1: what is left below was seen above, but for what did not fit there.
      if (explored.pruned_above && !explored.limited) break;
    }
    for (int shift = start + 1; shift <= limits_.shift; ++shift) {
      bool limited = false;
      if (scaled(shift) >= static_cast<double>(most_) && pruned(most_, shift, -1, limited)) break;
      explore(shift);
    }
    best_.fewest = left_ > 0;
    return best_;
  }

 private:
  struct Explored {
    bool pruned_above = false;  ///< no multiplier above those seen is of interest, at any shift
    bool limited = false;       ///< an addend of interest did not fit
  };

  double scaled(int shift) const { return std::ldexp(kappa_, shift); }

  /// The largest shift at which the nearest multiplier is not cut off.
  int natural_shift() const {
    int shift = limits_.shift;
    while (shift > limits_.least_shift && scaled(shift) > static_cast<double>(most_) + 0.5) --shift;
    return shift;
  }

  Explored explore(int shift) {
    Explored explored;
    const auto centre = static_cast<int128>(std::clamp(std::nearbyint(scaled(shift)), 1.0, static_cast<double>(most_)));
    explored.limited |= try_multiplier(centre, shift);
    for (int128 m = centre + 1; m <= most_ && left_ > 0; ++m) {
      if (pruned(m, shift, 1, explored.limited)) {
        explored.pruned_above = true;
        break;
      }
      explored.limited |= try_multiplier(m, shift);
    }
    for (int128 m = centre - 1; m >= 1 && left_ > 0 && !pruned(m, shift, -1, explored.limited); --m)
      explored.limited |= try_multiplier(m, shift);
    return explored;
  }

  // ---- one multiplier: the best addend ------------------------------------------------------------------------------
  // b = base + m*B + rho, 0 <= rho < m, gives D_i = whole_i - B + (rest_i > rho).

  /// Whether addends of interest did not fit.
  bool try_multiplier(int128 m, int shift) {
    const size_t n = costs_.size();
    const auto corner = [&](size_t i) {
      return (static_cast<int128>(costs_.level[i]) << shift) - m * static_cast<int128>(costs_.at[i]);
    };
    const int128 base = corner(n / 2);
    left_ -= 4 * static_cast<int64_t>(n);
    int64_t least = 0, most = 0;
    for (size_t i = 0; i < n; ++i) {
      const int128 c = corner(i) - base;
      // Beyond the exact integers of a double nothing is proved.
      if (c > exact * m || c < -exact * m) {
        left_ = 0;
        return false;
      }
      const bool narrow = c == static_cast<int64_t>(c);
      const auto by = static_cast<int64_t>(m);
      const auto whole = narrow ? static_cast<int64_t>(c) / by : static_cast<int64_t>(c / m);
      const auto rest = narrow ? static_cast<int64_t>(c) % by : static_cast<int64_t>(c % m);
      whole_[i] = static_cast<double>(whole - (rest < 0));
      rest_[i] = rest < 0 ? rest + static_cast<int64_t>(m) : rest;
      least = std::min(least, whole - 1), most = std::max(most, whole + 1);
    }
    m_ = m, base_ = base, shift_ = shift, ordered_ = false;
    allowed_ = limits_.addends(m);
    const auto whole_of = [&](int128 b) {
      return std::clamp<int128>(floor_divide(b - base, m), least - int128{1}, most + int128{1});
    };
    const auto low = static_cast<int64_t>(whole_of(allowed_.low)), high = static_cast<int64_t>(whole_of(allowed_.high));
    const bool limited = low >= least || high <= most;
    const int64_t from = std::max(low, least), to = std::min(high, most);
    if (allowed_.low <= allowed_.high && from <= to) descend(from, to, bound(from, to));
    return limited;
  }

  /// A lower bound of the count for B in [from, to].
  double bound(int64_t from, int64_t to) {
    left_ -= static_cast<int64_t>(costs_.size());
    const auto first = static_cast<double>(from), last = static_cast<double>(to);
    double sum = 0;
    for (size_t i = 0; i < costs_.size(); ++i) {
      const double least = whole_[i] - last, most = whole_[i] - first + 1;
      sum += std::min(std::max(least, 0.0), costs_.right[i]) + std::min(std::max(-most, 0.0), costs_.left[i]);
    }
    return sum;
  }

  void descend(int64_t from, int64_t to, double bound_here) {
    if (bound_here >= static_cast<double>(best_.differing) || left_ <= 0) return;
    if (from == to) return sweep(from);
    const int64_t middle = from + (to - from) / 2;
    const double below = bound(from, middle), above = bound(middle + 1, to);
    if (below <= above) descend(from, middle, below);
    descend(middle + 1, to, above);
    if (below > above) descend(from, middle, below);
  }

  double cost(size_t i, double distance) const {
    return std::min(std::max(distance, 0.0), costs_.right[i]) + std::min(std::max(-distance, 0.0), costs_.left[i]);
  }

  /// All addends of one B: from the largest rho down, each threshold moves up once.
  void sweep(int64_t whole) {
    const size_t n = costs_.size();
    left_ -= 2 * static_cast<int64_t>(n);
    if (!ordered_) {
      left_ -= 16 * static_cast<int64_t>(n);
      std::iota(order_.begin(), order_.end(), size_t{0});
      std::sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return rest_[a] > rest_[b]; });
      ordered_ = true;
    }
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += cost(i, whole_[i] - static_cast<double>(whole));
    int64_t high = static_cast<int64_t>(m_) - 1;  // of the rho that give this sum
    for (size_t k = 0;; ++k) {
      const int64_t low = k < n ? rest_[order_[k]] : 0;
      if (low <= high && sum < static_cast<double>(best_.differing)) accept(whole, low, high, sum);
      if (k == n || low == 0) return;
      const size_t i = order_[k];
      const double distance = whole_[i] - static_cast<double>(whole);
      sum += cost(i, distance + 1) - cost(i, distance);
      high = low - 1;
    }
  }

  void accept(int64_t whole, int64_t low, int64_t high, double sum) {
    const int128 origin = base_ + m_ * whole;
    const int128 least = std::max(origin + low, allowed_.low), most = std::min(origin + high, allowed_.high);
    if (least > most) return;
    best_ = {static_cast<int64_t>(m_), static_cast<int64_t>(least + (most - least) / 2), shift_,
             static_cast<int64_t>(sum)};
  }

  // ---- all multipliers on one side ----------------------------------------------------------------------------------
  // With v = m*pivot + b the threshold of level i is pivot + ceil((i 2^d - v)/m): for all m' >= m (or <= m) and v in an
  // interval it lies between what the ends of the interval give at m and 0 (or infinity).

  /// Whether every multiplier from m on (up: side 1, down: -1), with any addend that fits at this shift, differs on as
  /// many accumulators as the best one. What that says of other shifts: of smaller ones as much, unless the product cut
  /// off addends (`limited`), which a smaller one may allow; of larger ones as much for side -1.
  bool pruned(int128 m, int shift, int side, bool& limited) {
    const double unit = std::ldexp(1.0, shift), slope = static_cast<double>(m);
    const Range values = values_beside(slope, unit, side);
    Range range{(levels_.front() - 1) * unit, (levels_.back() + 1) * unit, unit, slope, side};
    limited |= values.low > range.low || values.high < range.high;
    if (values.low < range.low && !worse(bound({-infinity, range.low, unit, slope, side}))) return false;
    if (values.high > range.high && !worse(bound({range.high, infinity, unit, slope, side}))) return false;
    range.low = std::max(range.low, values.low), range.high = std::min(range.high, values.high);
    return range.low > range.high || all_worse(range, bound(range));
  }

  /// An interval of v, and the multipliers on one side of `slope`.
  struct Range {
    double low, high, unit, slope;
    int side;
  };

  /// What v can be where m*a + b fits at both ends of the interval and b alone is not asked: it narrows as m grows.
  Range values_beside(double slope, double unit, int side) const {
    const double most = std::ldexp(1.0, limits_.product - 1), origin = static_cast<double>(pivot_level_) * unit;
    const double above = std::max<double>(0, static_cast<double>(limits_.accumulator.high - pivot_));
    const double below = std::max<double>(0, static_cast<double>(pivot_ - limits_.accumulator.low));
    const double taken = side > 0 ? slope : 0;
    return {taken * below - most - origin, most - taken * above - origin, unit, slope, side};
  }

  bool worse(double bound) const { return bound >= static_cast<double>(best_.differing); }

  bool all_worse(const Range& range, double bound_here) {
    if (worse(bound_here)) return true;
    if (range.high - range.low < range.slope / 32 || left_ <= 0) return false;
    Range first = range, second = range;
    first.high = second.low = range.low + (range.high - range.low) / 2;
    double least = bound(first), other = bound(second);
    if (least > other) std::swap(first, second), std::swap(least, other);
    return all_worse(first, least) && all_worse(second, other);
  }

  double bound(const Range& range) {
    const auto [low, high, unit, slope, side] = range;
    left_ -= 2 * static_cast<int64_t>(costs_.size());
    // A difference of exact numbers and its product round by 2^-53 each.
    constexpr double slack = 0x1p-50;
    const double inverse = 1 / slope;
    double sum = 0;
    for (size_t i = 0; i < costs_.size(); ++i) {
      const double x_low = levels_[i] * unit - high, x_high = levels_[i] * unit - low;
      double least = std::min(x_low * inverse, 0.0), most = std::max(x_high * inverse, 0.0);
      if (side < 0) {
        least = x_low >= 0 ? x_low * inverse : -infinity;
        most = x_high <= 0 ? x_high * inverse : infinity;
      }
      const double late = std::min(least - slack * std::abs(least) - from_pivot_[i], costs_.right[i]);
      const double early = std::min(from_pivot_[i] - most - slack * std::abs(most), costs_.left[i]);
      sum += (late > 0 ? rounded_up(late) : 0.0) + (early > 0 ? static_cast<double>(static_cast<int64_t>(early)) : 0.0);
    }
    return sum;
  }

  Costs costs_;
  double kappa_;
  Limits limits_;
  int128 most_;
  int64_t pivot_ = 0, pivot_level_ = 0;
  std::vector<double> from_pivot_, levels_;

  std::vector<double> whole_;
  std::vector<int64_t> rest_;
  std::vector<size_t> order_;
  int128 m_ = 0, base_ = 0;
  int shift_ = 0;
  bool ordered_ = false;
  Limits::Addends allowed_{};

  Requantisation best_;
  int64_t left_;
};

/// The level that y has most often among those that fit; level 0 always does.
Requantisation nearest_constant(const Staircase& steps, const Limits& limits) {
  Requantisation best{0, 0, limits.least_shift, std::numeric_limits<int64_t>::max()};
  const int64_t total = limits.accumulator.high - limits.accumulator.low + 1;
  int64_t from = limits.accumulator.low;
  for (size_t i = 0; i <= steps.at.size(); ++i) {
    const int64_t to = i < steps.at.size() ? steps.at[i] : limits.accumulator.high + 1;
    const int128 addend = static_cast<int128>(steps.first + static_cast<int64_t>(i)) << limits.least_shift;
    const int64_t differing = total - (to - from);
    if (limits.fits(0, addend) && differing < best.differing) {
      best.addend = static_cast<int64_t>(addend);
      best.differing = differing;
    }
    from = to;
  }
  return best;
}

}  // namespace

bool Limits::fits(int128 m, int128 b) const {
  const Addends allowed = addends(m);
  return m <= multiplier && allowed.low <= b && b <= allowed.high;
}

int128 Limits::most_multiplier() const {
  const int128 most = (int128{1} << (product - 1)) - 1;
  const int128 farthest = std::max<int128>({1, accumulator.high, -static_cast<int128>(accumulator.low)});
  return std::min(multiplier, most / farthest);
}

Limits::Addends Limits::addends(int128 m) const {
  const int128 most = (int128{1} << (product - 1)) - 1, least = -most - 1;
  const int128 at_low = m * accumulator.low, at_high = m * accumulator.high;
  if (at_low < least || at_high > most) return {0, -1};
  return {std::max(least, least - at_low), std::min(most, most - at_high)};
}

Requantisation nearest_requantisation(const Staircase& steps, double kappa, Interval levels, const Limits& limits) {
  const Requantisation constant = nearest_constant(steps, limits);
  if (limits.accumulator.high - limits.accumulator.low > exact) {
    Requantisation unproven = constant;
    unproven.fewest = false;
    return unproven;
  }
  Costs costs = costs_of(steps, limits.accumulator, levels);
  return Search(std::move(costs), kappa, limits).run(constant);
}

}  // namespace nibble::quant
