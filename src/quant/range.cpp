#include "quant/range.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "base/channels.hpp"
#include "base/error.hpp"
#include "quant/histogram.hpp"
#include "quant/sawb.hpp"
#include "quant/search.hpp"

namespace nibble::quant {
namespace {

struct RuleRow {
  std::string_view name;
  RangeMethod method;
  double parameter;  ///< default; NaN: none is taken
};
constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr std::array<RuleRow, 8> rules{{{"min_max", RangeMethod::MinMax, none},
                                        {"moving_average", RangeMethod::MovingAverage, 0.9},
                                        {"percentile", RangeMethod::Percentile, 99.9},
                                        {"sigma", RangeMethod::Sigma, 3},
                                        {"mse", RangeMethod::MeanSquareError, none},
                                        {"kl", RangeMethod::KullbackLeibler, none},
                                        {"sawb", RangeMethod::Sawb, none},
                                        {"measured", RangeMethod::Measured, none}}};

[[noreturn]] void complain(std::string_view text) {
  fail("quant", "range", "'" + std::string(text) + "'",
       "min_max, moving_average[=m], percentile[=P], sigma[=K], mse, kl, sawb or measured");
}

void check_finite(double value, size_t index, std::string_view place) {
  if (!std::isfinite(value))
    fail("quant", place, std::string(std::isnan(value) ? "NaN" : "infinity") + " at index " + std::to_string(index),
         "finite numbers");
}

/// The value below which `part` of the weight lies; values are sorted.
double quantile(std::span<const Weighted> sorted, double part) {
  double total = 0;
  for (const Weighted& each : sorted) total += each.weight;
  double sum = 0;
  for (const Weighted& each : sorted) {
    sum += each.weight;
    if (sum >= part * total) return each.value;
  }
  return sorted.empty() ? 0 : sorted.back().value;
}

/// What a rule needs to know of the values.
struct Summary {
  RealRange whole;
  RealRange average;  ///< of batches' ranges
  double mean = 0, deviation = 0;
  std::vector<Weighted> sorted;
};

RealRange sawb_range(const Summary& summary, const GridSpec& spec, std::string_view place) {
  double squares = 0, sizes = 0, count = 0;
  for (const Weighted& each : summary.sorted) {
    squares += each.weight * each.value * each.value;
    sizes += each.weight * std::abs(each.value);
    count += each.weight;
  }
  if (spec.symmetry != Symmetry::Symmetric && spec.symmetry != Symmetry::Narrow)
    fail("quant", place, "sawb for a quantiser that is not symmetric", "another range rule");
  const int64_t levels = spec.symmetry == Symmetry::Narrow && spec.levels % 2 == 0 ? spec.levels - 1 : spec.levels;
  return almost_symmetric(sawb_clip(squares / count, sizes / count, levels, true, place), levels);
}

RealRange range_of(const Summary& summary, RangeRule rule, const GridSpec& spec, std::string_view place) {
  const RealRange& whole = summary.whole;
  const auto within = [&](double low, double high) {
    return RealRange{std::max(whole.low, low), std::min(whole.high, high)};
  };
  switch (rule.method) {
    case RangeMethod::Measured:
    case RangeMethod::MinMax: return whole;
    case RangeMethod::MovingAverage: return summary.average;
    case RangeMethod::Percentile: {
      const double tail = (100 - rule.parameter) / 100;
      return within(quantile(summary.sorted, tail), quantile(summary.sorted, 1 - tail));
    }
    case RangeMethod::Sigma:
      return within(summary.mean - rule.parameter * summary.deviation,
                    summary.mean + rule.parameter * summary.deviation);
    case RangeMethod::MeanSquareError: return least_squares(summary.sorted, whole, spec);
    case RangeMethod::KullbackLeibler: return least_divergence(summary.sorted, whole, spec);
    case RangeMethod::Sawb: return sawb_range(summary, spec, place);
  }
  throw InternalError("a range method is one of the enumeration");
}

Summary summary_of(std::vector<double>& values) {
  Summary summary;
  std::sort(values.begin(), values.end());
  summary.whole = summary.average = {values.front(), values.back()};
  for (double value : values) {
    summary.mean += value;
    summary.sorted.push_back({value, 1});
  }
  summary.mean /= static_cast<double>(values.size());
  for (double value : values) summary.deviation += (value - summary.mean) * (value - summary.mean);
  summary.deviation = std::sqrt(summary.deviation / static_cast<double>(values.size()));
  return summary;
}

}  // namespace

RangeRule range_rule_named(std::string_view text) {
  const size_t equals = text.find('=');
  for (const RuleRow& row : rules) {
    if (row.name != text.substr(0, equals)) continue;
    RangeRule rule{row.method, std::isnan(row.parameter) ? 0 : row.parameter};
    if (equals == std::string_view::npos) return rule;
    const std::string_view number = text.substr(equals + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), rule.parameter);
    const bool whole = error == std::errc() && end == number.data() + number.size();
    const bool sane = rule.method == RangeMethod::Percentile      ? rule.parameter > 50 && rule.parameter <= 100
                      : rule.method == RangeMethod::MovingAverage ? rule.parameter >= 0 && rule.parameter < 1
                                                                  : rule.parameter > 0;
    if (std::isnan(row.parameter) || !whole || !sane) complain(text);
    return rule;
  }
  complain(text);
}

std::string to_string(RangeRule rule) {
  for (const RuleRow& row : rules)
    if (row.method == rule.method)
      return std::string(row.name) + (std::isnan(row.parameter) ? "" : fmt::format("={}", rule.parameter));
  throw InternalError("a range method is one of the enumeration");
}

/// So many values of one call are enough for a histogram that only proposes ranges.
constexpr size_t most_counted = size_t{1} << 17;

struct RangeObserver::Impl {
  RangeRule rule;
  Histogram histogram;
  RealRange whole{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  RealRange average;
  int64_t count = 0;
  double mean = 0, squares = 0;  ///< Welford

  bool wants_histogram() const {
    return rule.method == RangeMethod::Percentile || rule.method == RangeMethod::MeanSquareError ||
           rule.method == RangeMethod::KullbackLeibler || rule.method == RangeMethod::Sawb ||
           rule.method == RangeMethod::Measured;
  }

  template <class T>
  void observe(std::span<const T> values, std::string_view place) {
    if (values.empty()) return;
    RealRange batch{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
    for (size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<double>(values[i]);
      check_finite(value, i, place);
      batch = {std::min(batch.low, value), std::max(batch.high, value)};
    }
    if (rule.method == RangeMethod::Sigma) {
      int64_t seen = count;
      for (T each : values) {
        const double step = static_cast<double>(each) - mean;
        mean += step / static_cast<double>(++seen);
        squares += step * (static_cast<double>(each) - mean);
      }
    }
    // An odd step meets every channel and position.
    const size_t step = rule.method == RangeMethod::Measured ? values.size() / most_counted | 1 : 1;
    if (wants_histogram())
      for (size_t i = 0; i < values.size(); i += step) histogram.add(static_cast<double>(values[i]));
    const double keep = count == 0 ? 0 : rule.parameter;
    average = {keep * average.low + (1 - keep) * batch.low, keep * average.high + (1 - keep) * batch.high};
    whole = {std::min(whole.low, batch.low), std::max(whole.high, batch.high)};
    count += static_cast<int64_t>(values.size());
  }
};

RangeObserver::RangeObserver(RangeRule rule) : impl_(std::make_unique<Impl>()) {
  impl_->rule = rule;
}
RangeObserver::~RangeObserver() = default;
RangeObserver::RangeObserver(RangeObserver&&) noexcept = default;
RangeObserver& RangeObserver::operator=(RangeObserver&&) noexcept = default;

void RangeObserver::observe(std::span<const float> values, std::string_view place) {
  impl_->observe(values, place);
}
void RangeObserver::observe(std::span<const double> values, std::string_view place) {
  impl_->observe(values, place);
}

RealRange RangeObserver::range(const GridSpec& spec, std::string_view place) const {
  return range_by(impl_->rule, spec, place);
}

RealRange RangeObserver::range_by(RangeRule rule, const GridSpec& spec, std::string_view place) const {
  Summary summary;
  summary.whole = impl_->whole;
  summary.average = impl_->average;
  summary.mean = impl_->mean;
  summary.deviation = impl_->count ? std::sqrt(impl_->squares / static_cast<double>(impl_->count)) : 0;
  summary.sorted = values();
  return range_of(summary, rule, spec, place);
}

std::vector<Weighted> RangeObserver::values() const {
  std::vector<Weighted> values;
  const auto& counts = impl_->histogram.counts();
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0)
      values.push_back({std::clamp(impl_->histogram.centre(i), impl_->whole.low, impl_->whole.high),
                        static_cast<double>(counts[i])});
  return values;
}

Grid RangeObserver::grid(const GridSpec& spec, std::string_view place) const {
  if (impl_->count == 0) fail("quant", place, "no values were seen", "at least one batch of calibration data");
  return grid_over(range(spec, place), spec, place);
}

double RangeObserver::least() const {
  return impl_->whole.low;
}
double RangeObserver::greatest() const {
  return impl_->whole.high;
}
int64_t RangeObserver::count() const {
  return impl_->count;
}

Grid grid_of_weights(const Tensor& weights, int axis, const GridSpec& spec, RangeRule rule, std::string_view place) {
  const std::vector<double> values = weights.to_reals();
  for (size_t i = 0; i < values.size(); ++i) check_finite(values[i], i, place);
  const ChannelOf channel(weights.shape(), axis);
  std::vector<std::vector<double>> of_channel(channel.count());
  for (size_t i = 0; i < values.size(); ++i) of_channel[channel(i)].push_back(values[i]);
  Grid result;
  std::vector<double> scales;
  for (std::vector<double>& own : of_channel) {
    const RealRange range = own.empty() ? RealRange{} : range_of(summary_of(own), rule, spec, place);
    result = grid_over(range, spec, place);
    scales.push_back(result.scale.front());
  }
  ensure(axis < 0 || spec.symmetry != Symmetry::Asymmetric, "weights per channel share one zero point");
  result.scale = scales;
  result.axis = axis;
  return result;
}

}  // namespace nibble::quant
