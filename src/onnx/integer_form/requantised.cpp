#include "onnx/integer_form/requantised.hpp"

#include <algorithm>
#include <cmath>

#include "base/int128.hpp"
#include "quant/ratio.hpp"

namespace nibble::onnx {

using quant::Staircase;

Requantised::Requantised(const graph::Graph& graph, const graph::Node& node) : graph_(graph), node_(node) {
  if (const auto* op = get_if<graph::Requantise>(&node.op)) {
    channels_ = op->multiplier.size();
    levels_ = {op->low, op->high};
  } else if (const auto* rescale = get_if<graph::Rescale>(&node.op)) {
    channels_ = rescale->channels();
    levels_ = {rescale->low, rescale->high};
  } else if (const auto* clip = get_if<graph::Clip>(&node.op)) {
    levels_ = {static_cast<int64_t>(clip->low), static_cast<int64_t>(clip->high)};
  } else {
    const Shape& shape = graph[node.inputs[1]].shape;
    const int64_t low = get<graph::Threshold>(node.op).low;
    channels_ = static_cast<size_t>(shape[0]);
    levels_ = {low, low + shape[1]};
  }
}

int64_t Requantised::level(size_t channel, int64_t a) const {
  if (const auto* op = get_if<graph::Requantise>(&node_.op)) {
    const int128 y = (static_cast<int128>(a) * op->multiplier[channel] + op->addend[channel]) >> op->shift[channel];
    return static_cast<int64_t>(std::clamp<int128>(y, op->low, op->high));
  }
  if (const auto* op = get_if<graph::Rescale>(&node_.op)) {
    return quant::apply(
        {op->kappa_of(channel), op->lambda_of(channel), op->rounding, op->zero_point, levels_, op->divisor_of(channel)},
        a);
  }
  if (holds_alternative<graph::Clip>(node_.op)) return std::clamp(a, levels_.low, levels_.high);
  const auto& op = get<graph::Threshold>(node_.op);
  const auto steps = static_cast<size_t>(levels_.high - levels_.low);
  const auto row = graph_.constant(node_.inputs[1])->as<int64_t>().subspan(channel * steps, steps);
  const bool falling = !op.falling.empty() && op.falling[channel] != 0;
  return op.low + std::count_if(row.begin(), row.end(), [&](int64_t t) { return falling ? a <= t : a >= t; });
}

Staircase Requantised::staircase(size_t channel, Interval reachable) const {
  return quant::staircase([&](int64_t a) { return level(channel, a); }, reachable);
}

namespace {

/// Levels a unit of the argument of the line through the steps, which are at least one.
double slope_of(const Staircase& s) {
  if (s.at.size() == 1) return 1;
  const double first = static_cast<double>(s.at.front()) - 0.5, last = static_cast<double>(s.at.back()) - 0.5;
  return static_cast<double>(s.at.size() - 1) / (last - first);
}

double float_of(double x) {
  return static_cast<double>(static_cast<float>(x));
}

/// Whole offsets that put the standard's steps where the staircase has them, as near as whole numbers come.
std::vector<int64_t> offsets_of(const Staircase& s, double kappa, int64_t zero_point) {
  double sum = 0;
  for (size_t i = 0; i < s.at.size(); ++i) {
    const int64_t level = s.first + static_cast<int64_t>(i) + 1;
    sum += (static_cast<double>(level - zero_point) - 0.5) / kappa - static_cast<double>(s.at[i]) + 0.5;
  }
  const auto nearest = static_cast<int64_t>(std::llround(sum / static_cast<double>(s.at.size())));
  return {nearest, nearest + 1, nearest - 1};
}

}  // namespace

Fit Requantised::fit(size_t channel, Interval reachable, double x_scale, double given, const Grid& y) const {
  const int64_t at_low = level(channel, reachable.low), at_high = level(channel, reachable.high);
  const double y_scale = y.scale[0];
  if (at_low == at_high)
    return {float_of(y_scale / x_scale), at_low - y.zero_point, false, true,
            at_low - y.zero_point > 100000 ? reachable.high - reachable.low + 1 : 0};
  Fit best;
  best.flipped = at_low > at_high;
  best.differing = INT64_MAX;
  const int64_t sign = best.flipped ? -1 : 1;
  const Interval mirrored = best.flipped ? Interval{-reachable.high, -reachable.low} : reachable;
  const Staircase wanted = quant::staircase([&](int64_t a) { return level(channel, sign * a); }, mirrored);
  std::vector<double> scales;
  if (given > 0) scales.push_back(given);
  double slope = slope_of(wanted);
  if (const auto* op = get_if<graph::Requantise>(&node_.op))
    slope = std::ldexp(std::abs(static_cast<double>(op->multiplier[channel])), static_cast<int>(-op->shift[channel]));
  const auto near = static_cast<float>(slope * y_scale / x_scale);
  for (float scale : {near, std::nextafter(near, 0.0f), std::nextafter(near, HUGE_VALF)})
    if (scale > 0 && std::isfinite(scale)) scales.push_back(static_cast<double>(scale));
  for (double scale : scales) {
    const quant::Ratio ratio{{x_scale, scale}, {y_scale}};
    for (int64_t offset : offsets_of(wanted, ratio.value(), y.zero_point)) {
      const int64_t count = difference(wanted, quant::staircase(ratio, offset, y, mirrored), mirrored).count;
      if (count < best.differing) best.weight_scale = scale, best.offset = offset, best.differing = count;
      if (count == 0) return best;
    }
  }
  return best;
}

}  // namespace nibble::onnx
