#include "quant/requantisation.hpp"

#include <algorithm>
#include <cmath>

#include "base/division.hpp"
#include "base/error.hpp"
#include "base/rescale.hpp"
#include "quant/corners.hpp"
#include "quant/lattice.hpp"
#include "quant/nearest.hpp"

namespace nibble::quant {
namespace {

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

/// The largest shift for which kappa * 2^shift is a multiplier of that width.
int largest_shift(double kappa, const Widths& widths) {
  int exponent = 0;
  std::frexp(kappa, &exponent);  // kappa < 2^exponent
  return std::clamp(widths.multiplier - 1 - exponent, widths.least_shift - 1, widths.shift);
}

/// A channel with kappa >= 0.
struct Problem {
  const RealStep& step;
  Limits limits;
  Widths widths;

  Staircase steps() const { return staircase(step, limits.accumulator); }
};

/// The smallest shift with a solution, by bisection: (m, b) at d gives (2m, 2b) at d + 1.
std::optional<Requantisation> smallest_shift(const Problem& problem, const Corners& corners) {
  const RealStep& step = problem.step;
  const Widths& widths = problem.widths;
  const auto attempt = [&](int shift) -> std::optional<Requantisation> {
    Feasibility at(corners, shift);
    if (!at.find(scaled(step.slope(), shift), 0, problem.limits.multiplier)) return std::nullopt;
    // The middle of the addends leaves the widest margin; the product decides whether it is allowed.
    const Limits::Addends allowed = problem.limits.addends(at.multiplier);
    const int128 least = std::max(at.least, allowed.low), most = std::min(at.most, allowed.high);
    if (least > most) return std::nullopt;
    const int128 addend = std::clamp(at.least + (at.most - at.least) / 2, least, most);
    return Requantisation{static_cast<int64_t>(at.multiplier), static_cast<int64_t>(addend), shift};
  };
  int low = widths.least_shift, high = std::min(largest_shift(step.slope(), widths) + 1, widths.shift);
  std::optional<Requantisation> found;
  // The widest shift may overflow the product where a smaller one does not: walk down.
  while (high >= low && !(found = attempt(high))) --high;
  while (found && low < high) {
    const int middle = (low + high) / 2;
    if (auto smaller = attempt(middle)) {
      found = smaller;
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return found;
}

std::optional<Requantisation> solve_exactly(const Problem& problem, const Staircase& steps) {
  if (!steps.at.empty()) {
    const Corners all = corners_of(steps, problem.limits.accumulator, problem.step.levels);
    return smallest_shift(problem, {hull(all.reach, -1), hull(all.miss, 1)});
  }
  const int128 addend = static_cast<int128>(steps.first) << problem.widths.least_shift;
  if (!problem.limits.fits(0, addend)) return std::nullopt;
  return Requantisation{0, static_cast<int64_t>(addend), problem.widths.least_shift};
}

/// From so many levels on a staircase is taken as the rounded line that it is.
constexpr int64_t many_levels = 512;

/// Nothing where its steps have to be gone through.
std::optional<Line> line_of(const Problem& problem) {
  const Interval levels = problem.step.levels, accumulator = problem.limits.accumulator;
  if (levels.high - levels.low < many_levels) return std::nullopt;
  const std::optional<Line> line = line_of(problem.step, accumulator);
  if (!line || line->level(accumulator.high) <= levels.low || line->level(accumulator.low) >= levels.high)
    return std::nullopt;
  return apply(problem.step, accumulator.low) < apply(problem.step, accumulator.high) ? line : std::nullopt;
}

/// Of a multiplier at a shift: the addend with which no accumulator is below its level, or the one with which none is
/// above, whichever differs on fewer; at most a level off, or nothing. The sum of the differences is their number then.
std::optional<Requantisation> one_sided(const Problem& problem, const Line& line, const Corners& corners, int128 m,
                                        int shift) {
  const int128 unit = int128{1} << shift;
  const auto addend = [&](const Corner& corner) { return unit * corner.level - m * corner.at; };
  int128 least = addend(corners.reach.front()), most = addend(corners.miss.front()) - 1;
  for (const Corner& corner : corners.reach) least = std::max(least, addend(corner));
  for (const Corner& corner : corners.miss) most = std::min(most, addend(corner) - 1);
  if (least > most + unit) return std::nullopt;  // two levels somewhere
  const int128 wanted = clipped_sum(line, problem.limits.accumulator, problem.step.levels);
  std::optional<Requantisation> best;
  for (const int128 b : {least, most}) {
    if (m < 1 || !problem.limits.fits(m, b)) continue;
    const int128 sum = clipped_sum({m, b, unit}, problem.limits.accumulator, problem.step.levels);
    const auto differing = static_cast<int64_t>(sum < wanted ? wanted - sum : sum - wanted);
    if (!best || differing < best->differing)
      best = {static_cast<int64_t>(m), static_cast<int64_t>(b), shift, differing, differing > 0, differing == 0};
  }
  return best;
}

/// The multipliers next to the slope at the widest shifts that fit.
std::optional<Requantisation> nearest_to_line(const Problem& problem, const Line& line, const Corners& corners) {
  const double slope = problem.step.slope();
  std::optional<Requantisation> best;
  const int widest = largest_shift(slope, problem.widths) + 1, least = std::max(problem.widths.least_shift, widest - 8);
  for (int shift = std::min(widest, problem.widths.shift); shift >= least && !best; --shift)
    for (const int128 m : {scaled(slope, shift), scaled(slope, shift) - 1, scaled(slope, shift) + 1}) {
      const auto found = one_sided(problem, line, corners, m, shift);
      if (found && (!best || found->differing < best->differing)) best = found;
    }
  return best;
}

/// Exact where that is possible, else near the line; nothing where neither is.
std::optional<Requantisation> solve_line(const Problem& problem, const Line& line) {
  const Corners corners = corners_of(line, problem.limits.accumulator, problem.step.levels);
  if (const auto exact = smallest_shift(problem, corners)) return exact;
  return nearest_to_line(problem, line, corners);
}

RealStep mirrored(RealStep step) {
  step.kappa = -step.kappa;
  return step;
}

void check(const Widths& widths) {
  const auto within = [](int value, int low, int high) { return low <= value && value <= high; };
  if (!within(widths.multiplier, 2, 32))
    fail("quant", "requantisation", std::to_string(widths.multiplier) + " multiplier bits", "2 to 32");
  if (!within(widths.product, 8, 64))
    fail("quant", "requantisation", std::to_string(widths.product) + " product bits", "8 to 64");
  if (!within(widths.least_shift, 0, 62) || !within(widths.shift, widths.least_shift, 62))
    fail("quant", "requantisation",
         "shifts from " + std::to_string(widths.least_shift) + " to " + std::to_string(widths.shift),
         "a range within 0 to 62");
}

void check(const RealStep& step, Interval accumulator) {
  if (!std::isfinite(step.kappa) || !std::isfinite(step.lambda))
    fail("quant", "requantisation", "kappa " + std::to_string(step.kappa) + ", lambda " + std::to_string(step.lambda),
         "finite numbers");
  ensure(accumulator.low <= accumulator.high && step.levels.low <= step.levels.high, "an interval is not empty");
  constexpr int64_t widest = int64_t{1} << 61;
  ensure(accumulator.low > -widest && accumulator.high < widest, "an accumulator has at most 61 bits");
}

/// A falling function is the mirror image of a rising one, whose multiplier it takes with the other sign.
template <class Solve>
std::optional<Requantisation> solve_by(const RealStep& step, Interval accumulator, const Widths& widths,
                                       Solve&& solve) {
  check(widths);
  check(step, accumulator);
  const bool falling = step.kappa < 0;
  const RealStep rising = falling ? mirrored(step) : step;
  if (falling) accumulator = {-accumulator.high, -accumulator.low};
  const int128 most = (int128{1} << (widths.multiplier - 1)) - !falling;
  std::optional<Requantisation> result =
      solve(Problem{rising, {accumulator, most, widths.least_shift, widths.shift, widths.product}, widths});
  if (result && falling) result->multiplier = -result->multiplier;
  return result;
}

}  // namespace

int64_t apply(const RealStep& step, int64_t a) {
  const int64_t y = rescaled(step.kappa, step.lambda, a, step.rounding, step.divisor) + step.zero_point;
  return std::clamp(y, step.levels.low, step.levels.high);
}

int64_t apply(const Requantisation& r, Interval levels, int64_t a) {
  const int128 sum = static_cast<int128>(a) * r.multiplier + r.addend;
  if (sum != static_cast<int64_t>(sum)) throw InternalError("a requantisation's product fits into 64 bits");
  return static_cast<int64_t>(std::clamp<int128>(sum >> r.shift, levels.low, levels.high));
}

std::optional<Requantisation> solve_exactly(const RealStep& step, Interval accumulator, Widths widths) {
  return solve_by(step, accumulator, widths, [](const Problem& problem) {
    if (const auto line = line_of(problem))
      return smallest_shift(problem, corners_of(*line, problem.limits.accumulator, problem.step.levels));
    return solve_exactly(problem, problem.steps());
  });
}

Requantisation solve_requantisation(const RealStep& step, Interval accumulator, Widths widths) {
  return *solve_by(step, accumulator, widths, [](const Problem& problem) {
    if (const auto line = line_of(problem))
      if (const auto found = solve_line(problem, *line)) return found;
    const Staircase steps = problem.steps();
    if (const auto exact = solve_exactly(problem, steps)) return exact;
    Requantisation nearest = nearest_requantisation(steps, problem.step.slope(), problem.step.levels, problem.limits);
    certify(nearest, problem.step, problem.limits.accumulator);
    return std::optional(nearest);
  });
}

Requantisation nemo_requantisation(const RealStep& step, Interval accumulator, double factor) {
  check(step, accumulator);
  const double half = step.rounding == Rounding::Floor ? 0 : 0.5;
  const double offset = step.offset() + half + static_cast<double>(step.zero_point);
  Requantisation result;
  result.shift = std::clamp(static_cast<int>(std::ceil(std::log2(factor / std::abs(step.slope())))), 0, 62);
  const auto floored = [&](double x) { return std::floor(std::ldexp(x, result.shift)); };
  const double reach = static_cast<double>(std::max(std::abs(accumulator.low), std::abs(accumulator.high)));
  // NEMO computes on 64 bits; a shift beyond them would say nothing of its rule.
  while (result.shift > 0 && std::abs(floored(step.slope())) * reach + std::abs(floored(offset)) >= 0x1p62)
    --result.shift;
  if (std::abs(floored(step.slope())) * reach + std::abs(floored(offset)) >= 0x1p62)
    fail("quant", "requantisation", "NEMO's rule needs more than 64 bits", "the exact rule");
  result.multiplier = static_cast<int64_t>(floored(step.slope()));
  result.addend = static_cast<int64_t>(floored(offset));
  certify(result, step, accumulator);
  result.fewest = result.differing == 0;
  return result;
}

}  // namespace nibble::quant
