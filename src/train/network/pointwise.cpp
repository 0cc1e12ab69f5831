#include "train/network/pointwise.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/rescale.hpp"
#include "train/network/channels.hpp"
#include "train/network/quantise_gradient.hpp"

namespace nibble::train {
namespace {

/// Without SSE4.1 std::floor is a call. |u| < 2^62.
double floor_inside(double u) {
  const auto whole = static_cast<double>(static_cast<int64_t>(u));
  return whole > u ? whole - 1 : whole;
}

template <Rounding rounding>
double round_inside(double u) {
  if constexpr (rounding == Rounding::HalfEven) return std::nearbyint(u);
  const double down = floor_inside(u);
  return rounding == Rounding::HalfUp && u - down >= 0.5 ? down + 1 : down;
}

/// clip(round(u), low, high) = round(clip(u, low, high)) for whole low and high.
template <Rounding rounding>
at::Tensor quantise_by(const Grid& grid, const at::Tensor& x, at::ScalarType type, bool fake) {
  const auto zero = static_cast<double>(grid.zero_point);
  const double low = static_cast<double>(grid.low) - zero, high = static_cast<double>(grid.high) - zero;
  return map_channels(x, grid.axis, type, [&](size_t channel) {
    const double scale = grid.scale_of(channel), gain = fake ? scale : 1, shift = fake ? 0 : zero;
    return [=](auto value) {
      const double level = round_inside<rounding>(std::clamp(static_cast<double>(value) / scale, low, high));
      return gain * level + shift;
    };
  });
}

/// clip(round((kappa * a + lambda) / divisor) + zero_point, low, high): in double where its rounding errors cannot
/// reach a step, else exactly.
template <Rounding rounding>
int64_t rescale_one(double kappa, double lambda, int64_t divisor, double a, const graph::Rescale& op) {
  const double product = kappa * a, u = (product + lambda) / static_cast<double>(divisor);
  const double step = rounding == Rounding::Floor ? u : u + 0.5,
               error = 0x1p-50 * (std::abs(product) + std::abs(u) + 1);
  int64_t rounded = 0;
  if (std::abs(u) < 0x1p40 && error < 0.25) {
    const double down = floor_inside(step), beyond = step - down;
    rounded = beyond > error && beyond < 1 - error
                  ? static_cast<int64_t>(down)
                  : rescaled(kappa, lambda, static_cast<int64_t>(a), rounding, divisor);
  } else {
    rounded = rescaled(kappa, lambda, static_cast<int64_t>(a), rounding, divisor);
  }
  return std::clamp(rounded + op.zero_point, op.low, op.high);
}

template <Rounding rounding>
at::Tensor rescale_by(const graph::Rescale& op, const at::Tensor& x, at::ScalarType type) {
  return map_channels(x, op.channels() == 1 ? -1 : 1, type, [&](size_t channel) {
    const double kappa = op.kappa_of(channel), lambda = op.lambda_of(channel);
    const int64_t divisor = op.divisor_of(channel);
    return
        [=, &op](auto value) { return rescale_one<rounding>(kappa, lambda, divisor, static_cast<double>(value), op); };
  });
}

}  // namespace

at::Tensor quantise(const graph::Quantise& op, const at::Tensor& x, at::ScalarType type, bool fake) {
  const auto common = [](double scale) { return scale > 0x1p-96 && scale < 0x1p96; };
  if (fake && type == at::kFloat && x.scalar_type() == at::kFloat && op.grid.levels() < 2048 &&
      std::all_of(op.grid.scale.begin(), op.grid.scale.end(), common)) {
    StepsAlong along{{}, op.grid.axis};
    for (size_t c = 0; c < op.grid.scale.size(); ++c) along.steps.push_back(quant::steps_of(op.grid, op.rounding, c));
    return fake_quantise(x, along);
  }
  switch (op.rounding) {
    case Rounding::Floor: return quantise_by<Rounding::Floor>(op.grid, x, type, fake);
    case Rounding::HalfUp: return quantise_by<Rounding::HalfUp>(op.grid, x, type, fake);
    case Rounding::HalfEven: return quantise_by<Rounding::HalfEven>(op.grid, x, type, fake);
  }
  throw InternalError("a rounding is one of the enumeration");
}

at::Tensor dequantise(const graph::Dequantise& op, const at::Tensor& x) {
  return map_channels(x, op.grid.axis, at::kDouble, [&](size_t channel) {
    return [scale = op.grid.scale_of(channel), zero = static_cast<double>(op.grid.zero_point)](auto value) {
      return scale * (static_cast<double>(value) - zero);
    };
  });
}

at::Tensor rescale(const graph::Rescale& op, const at::Tensor& x, at::ScalarType type) {
  switch (op.rounding) {
    case Rounding::Floor: return rescale_by<Rounding::Floor>(op, x, type);
    case Rounding::HalfUp: return rescale_by<Rounding::HalfUp>(op, x, type);
    case Rounding::HalfEven: return rescale_by<Rounding::HalfEven>(op, x, type);
  }
  throw InternalError("a rounding is one of the enumeration");
}

at::Tensor requantise(const graph::Requantise& op, const at::Tensor& x, at::ScalarType type) {
  const auto at = [](const graph::Ints& values, size_t channel) { return values[values.size() == 1 ? 0 : channel]; };
  const bool single = op.multiplier.size() == 1 && op.addend.size() == 1 && op.shift.size() == 1;
  return map_channels(x, single ? -1 : 1, type, [&](size_t channel) {
    return [m = at(op.multiplier, channel), b = at(op.addend, channel), d = at(op.shift, channel), low = op.low,
            high = op.high](auto value) { return std::clamp((static_cast<int64_t>(value) * m + b) >> d, low, high); };
  });
}

at::Tensor threshold(const graph::Threshold& op, const at::Tensor& x, const std::vector<int64_t>& thresholds,
                     size_t rows, at::ScalarType type) {
  const size_t count = rows == 0 ? 0 : thresholds.size() / rows;
  std::vector<int64_t> sorted = thresholds;
  for (size_t row = 0; row < rows; ++row)
    std::sort(sorted.begin() + static_cast<ptrdiff_t>(row * count),
              sorted.begin() + static_cast<ptrdiff_t>((row + 1) * count));
  return map_channels(x, rows == 1 ? -1 : 1, type, [&](size_t channel) {
    const int64_t* begin = sorted.data() + (rows == 1 ? 0 : channel * count);
    const bool falls = !op.falling.empty() && op.falling[rows == 1 ? 0 : channel] != 0;
    return [=, end = begin + count, low = op.low](auto value) {
      const auto a = static_cast<int64_t>(value);
      return low + (falls ? end - std::lower_bound(begin, end, a) : std::upper_bound(begin, end, a) - begin);
    };
  });
}

at::Tensor look_up(const graph::Table& op, const at::Tensor& x, const std::vector<int64_t>& table,
                   at::ScalarType type) {
  return map_channels(x, -1, type, [&](size_t) {
    return
        [first = op.first, entries = table.data()](auto value) { return entries[static_cast<int64_t>(value) - first]; };
  });
}

}  // namespace nibble::train
