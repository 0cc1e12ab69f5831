#include "quant/sum_requantisation.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "base/int128.hpp"
#include "base/rescale.hpp"

namespace nibble::quant {
namespace {

/// Combinations of one half of the operands that are listed; two halves make all.
constexpr int64_t most_listed = int64_t{1} << 18;
/// Combinations near a step that a search at one shift looks at, and that the final count does.
constexpr double most_tried = 0x1p15, most_counted = 0x1p22;

/// Some operands' values with what they add to the real sum.
struct Part {
  double fraction;  ///< of the real sum, in [0, 1)
  std::vector<int64_t> a;
};

double fraction_of(double x) {
  return x - std::floor(x);
}

/// Every combination of operands [first, last) with the fraction of `offset` + its real sum.
std::vector<Part> list(const SumStep& step, const std::vector<Interval>& operands, size_t first, size_t last,
                       double offset) {
  std::vector<Part> parts{{offset, {}}};
  for (size_t i = first; i < last; ++i) {
    std::vector<Part> longer;
    for (const Part& part : parts)
      for (int64_t value = operands[i].low; value <= operands[i].high; ++value) {
        Part next{fraction_of(part.fraction + step.kappa[i] * static_cast<double>(value)), part.a};
        next.a.push_back(value);
        longer.push_back(std::move(next));
      }
    parts = std::move(longer);
  }
  return parts;
}

/// Integer parameters with a bound on how far y' 2^-shift can lie from the real sum.
struct Trial {
  SumRequantisation parameters;
  int64_t slack = 0;  ///< the addend may move by so much
  double error = 0;   ///< |(sum of a m + b) 2^-shift - real sum| with any of those addends
};

class Solver {
 public:
  Solver(const SumStep& step, const std::vector<Interval>& operands, Widths widths, std::string_view place)
      : step_(step), operands_(operands), widths_(widths), place_(place) {
    half_ = step.rounding == Rounding::Floor ? 0 : 0.5;
    magnitude_ = std::abs(step.lambda) + 1;
    combinations_ = 1;
    for (size_t i = 0; i < operands.size(); ++i) {
      magnitude_ += std::abs(step.kappa[i]) * reach(i);
      combinations_ *= static_cast<double>(operands[i].high - operands[i].low + 1);
    }
    split();
  }

  SumRequantisation solve() {
    for (int shift = 0; shift <= widths_.shift; ++shift) {
      Trial trial = trial_at(shift);
      if (!fits(trial)) break;
      if (2 * trial.error * combinations_ > most_tried || trial.error > 0.25) continue;
      if (settle(trial)) return trial.parameters;
    }
    return nearest();
  }

 private:
  double reach(size_t i) const {
    return static_cast<double>(std::max(std::abs(operands_[i].low), std::abs(operands_[i].high)));
  }

  /// The operands in two halves, each short enough to be listed; the second sorted by fraction.
  void split() {
    size_t cut = 0;
    int64_t count = 1;
    const auto levels = [&](size_t i) { return operands_[i].high - operands_[i].low + 1; };
    while (cut + 1 < operands_.size() && count * levels(cut) <= most_listed) count *= levels(cut++);
    int64_t rest = 1;
    for (size_t i = cut; i < operands_.size() && rest <= most_listed; ++i) rest *= levels(i);
    if (cut == 0 || rest > most_listed)
      fail("quant", place_, "its branches have too many combinations to go through",
           "two branches of 16 bits or four of 8, or {\"add\": \"common\"} for this layer in the policy");
    left_ = list(step_, operands_, 0, cut, fraction_of(step_.lambda + half_));
    right_ = list(step_, operands_, cut, operands_.size(), 0);
    std::sort(right_.begin(), right_.end(), [](const Part& a, const Part& b) { return a.fraction < b.fraction; });
  }

  Trial trial_at(int shift) const {
    Trial trial;
    trial.parameters.shift = shift;
    double centre = std::ldexp(step_.lambda + half_ + static_cast<double>(step_.zero_point), shift), spread = 1;
    for (size_t i = 0; i < operands_.size(); ++i) {
      const double scaled = std::ldexp(step_.kappa[i], shift);
      const double multiplier = std::nearbyint(scaled), missing = multiplier - scaled;
      const double middle = (static_cast<double>(operands_[i].low) + static_cast<double>(operands_[i].high)) / 2;
      trial.parameters.multiplier.push_back(std::abs(multiplier) < 0x1p62 ? static_cast<int64_t>(multiplier)
                                                                          : INT64_MAX);
      centre -= missing * middle;
      spread += std::abs(missing) * (static_cast<double>(operands_[i].high) - middle);
    }
    const double addend = std::nearbyint(centre);
    trial.parameters.addend = std::abs(addend) < 0x1p62 ? static_cast<int64_t>(addend) : INT64_MAX;
    trial.slack = static_cast<int64_t>(std::ceil(std::min(spread, 0x1p40)));
    // The doubles above are off by less than 2^-48 of what they are.
    trial.error = std::ldexp(2 * spread + 2, -shift) + magnitude_ * 0x1p-48;
    return trial;
  }

  /// Every product and sum within the widths.
  bool fits(const Trial& trial) const {
    const auto most = static_cast<int128>(1) << (widths_.product - 1);
    const int64_t widest = int64_t{1} << (widths_.multiplier - 1);
    const int128 addend = trial.parameters.addend;
    int128 sum = (addend < 0 ? -addend : addend) + trial.slack;
    for (size_t i = 0; i < operands_.size(); ++i) {
      const int64_t multiplier = trial.parameters.multiplier[i];
      if (multiplier >= widest || multiplier < -widest) return false;
      sum += static_cast<int128>(std::abs(multiplier)) * static_cast<int64_t>(reach(i));
    }
    return sum < most;
  }

  /// Calls use(a) with every combination whose real sum lies within `error` of a step.
  template <class F>
  void each_near(double error, F&& use) const {
    const double width = error + magnitude_ * 0x1p-48;
    std::vector<int64_t> a;
    const auto from = [&](double fraction) {
      return std::lower_bound(right_.begin(), right_.end(), fraction,
                              [](const Part& part, double value) { return part.fraction < value; });
    };
    const auto range = [&](const Part& left, double low, double high) {
      for (auto right = from(low); right != right_.end() && right->fraction <= high; ++right) {
        a = left.a;
        a.insert(a.end(), right->a.begin(), right->a.end());
        use(a);
      }
    };
    for (const Part& left : left_) {
      if (width >= 0.5) {
        range(left, 0, 1);
        continue;
      }
      const double low = fraction_of(1 - left.fraction - width), high = low + 2 * width;
      range(left, low, std::min(high, 1.0));
      if (high >= 1) range(left, 0, high - 1);
    }
  }

  int128 scaled_sum(const SumRequantisation& parameters, const std::vector<int64_t>& a) const {
    int128 sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += static_cast<int128>(parameters.multiplier[i]) * a[i];
    return sum;
  }

  /// The addends that every combination near a step allows, within the slack.
  struct Addends {
    int128 low, high;
  };
  Addends addends(const Trial& trial) const {
    Addends allowed{static_cast<int128>(trial.parameters.addend) - trial.slack,
                    static_cast<int128>(trial.parameters.addend) + trial.slack};
    each_near(trial.error, [&](const std::vector<int64_t>& a) {
      const int64_t y = apply(step_, a);
      const int128 sum = scaled_sum(trial.parameters, a);
      const int128 one = static_cast<int128>(1) << trial.parameters.shift;
      if (y > step_.levels.low) allowed.low = std::max(allowed.low, y * one - sum);
      if (y < step_.levels.high) allowed.high = std::min(allowed.high, (y + 1) * one - 1 - sum);
    });
    return allowed;
  }

  /// The middle of the addends that give y everywhere, where there are any.
  bool settle(Trial& trial) const {
    const Addends allowed = addends(trial);
    if (allowed.low > allowed.high) return false;
    trial.parameters.addend = static_cast<int64_t>(allowed.low + (allowed.high - allowed.low) / 2);
    return true;
  }

  /// The widest parameters that the widths hold, their differences counted.
  SumRequantisation nearest() const {
    int shift = widths_.shift;
    while (shift > 0 && !fits(trial_at(shift))) --shift;
    Trial trial = trial_at(shift);
    if (!fits(trial) || 2 * trial.error * combinations_ > std::max(most_counted, 1.0))
      fail("quant", place_, "its branches have no multipliers of so few bits",
           "wider multipliers, or {\"add\": \"common\"} for this layer in the policy");
    const Addends allowed = addends(trial);
    const int128 middle = allowed.high + (allowed.low - allowed.high) / 2;
    const int128 least = static_cast<int128>(trial.parameters.addend) - trial.slack;
    const int128 most = static_cast<int128>(trial.parameters.addend) + trial.slack;
    trial.parameters.addend = static_cast<int64_t>(std::clamp(middle, least, most));
    each_near(trial.error, [&](const std::vector<int64_t>& a) {
      const int64_t off = std::abs(apply(step_, a) - apply(trial.parameters, step_.levels, a));
      trial.parameters.differing += off != 0;
      trial.parameters.worst = std::max(trial.parameters.worst, off);
    });
    return trial.parameters;
  }

  const SumStep& step_;
  const std::vector<Interval>& operands_;
  Widths widths_;
  std::string_view place_;
  double half_ = 0, magnitude_ = 0, combinations_ = 1;
  std::vector<Part> left_, right_;
};

}  // namespace

int64_t apply(const SumStep& step, const std::vector<int64_t>& a) {
  const int64_t rounded = rescaled(step.kappa, step.lambda, a, step.rounding);
  return std::clamp(rounded + step.zero_point, step.levels.low, step.levels.high);
}

int64_t apply(const SumRequantisation& requantisation, Interval levels, const std::vector<int64_t>& a) {
  int128 sum = requantisation.addend;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<int128>(requantisation.multiplier[i]) * a[i];
  ensure(sum == static_cast<int64_t>(sum), "a requantised sum fits into 64 bits");
  return std::clamp(static_cast<int64_t>(sum) >> requantisation.shift, levels.low, levels.high);
}

SumRequantisation solve_sum(const SumStep& step, const std::vector<Interval>& operands, Widths widths,
                            std::string_view place) {
  ensure(step.kappa.size() == operands.size() && operands.size() > 1, "a sum has an operand for each kappa");
  for (double kappa : step.kappa)
    if (!std::isfinite(kappa) || !std::isfinite(step.lambda))
      fail("quant", place, "kappa or lambda is not finite", "finite numbers");
  return Solver(step, operands, widths, place).solve();
}

}  // namespace nibble::quant
