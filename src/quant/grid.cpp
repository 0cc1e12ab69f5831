#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include "base/channels.hpp"
#include "base/error.hpp"
#include "quant/level_reals.hpp"
#include "quant/range.hpp"

namespace nibble::quant {
namespace {

/// The smallest float32 number that is at least x and positive.
double float_above(double x) {
  constexpr auto least = std::numeric_limits<float>::min();
  constexpr auto most = std::numeric_limits<float>::max();
  if (x >= static_cast<double>(most)) return most;
  auto scale = std::max(static_cast<float>(x), least);
  if (static_cast<double>(scale) < x) scale = std::nextafter(scale, most);
  return scale;
}

Grid levels_of(const GridSpec& spec) {
  Grid grid;
  const int64_t n = spec.levels;
  switch (spec.symmetry) {
    case Symmetry::Symmetric:
      grid.low = n % 2 == 0 ? -n / 2 : -(n - 1) / 2;
      grid.high = grid.low + n - 1;
      break;
    case Symmetry::Narrow:
      grid.high = n % 2 == 0 ? std::max<int64_t>(n / 2 - 1, 0) : (n - 1) / 2;
      grid.low = n == 2 ? -1 : -grid.high;
      break;
    case Symmetry::Unsigned:
    case Symmetry::Asymmetric:
      grid.low = 0;
      grid.high = n - 1;
      break;
  }
  return grid;
}

void check_spec(const GridSpec& spec, std::string_view place) {
  if (spec.levels < 2 || spec.levels > 65536)
    fail("quant", place, std::to_string(spec.levels) + " levels", "2 to 65536");
}

/// Scale and zero point for real zero exact and both ends covered.
void fit_asymmetric(Grid& grid, RealRange range) {
  const auto steps = static_cast<double>(grid.high - grid.low);
  const double scale = float_above((range.high - range.low) / steps);
  grid.scale = {scale};
  const auto zero_point = static_cast<int64_t>(std::floor(-range.low / scale + 0.5));
  grid.zero_point = std::clamp(grid.low + zero_point, grid.low, grid.high);
}

}  // namespace

Grid grid_over(RealRange range, const GridSpec& spec, std::string_view place) {
  check_spec(spec, place);
  if (!std::isfinite(range.low) || !std::isfinite(range.high))
    fail("quant", place, "range " + std::to_string(range.low) + " to " + std::to_string(range.high), "finite numbers");
  range = {std::min(range.low, 0.0), std::max(range.high, 0.0)};
  Grid grid = levels_of(spec);
  if (range.low == 0 && range.high == 0) return grid;
  if (spec.symmetry == Symmetry::Asymmetric) {
    fit_asymmetric(grid, range);
    return grid;
  }
  double scale = grid.high > 0 ? range.high / static_cast<double>(grid.high) : 0;
  if (grid.low < 0) scale = std::max(scale, range.low / static_cast<double>(grid.low));
  // A grid without a level on the side where the range lies (binary's {-1, 0}, unsigned below zero).
  if (scale == 0) scale = std::max(range.high, -range.low) / static_cast<double>(std::max<int64_t>(1, spec.levels - 1));
  grid.scale = {float_above(scale)};
  return grid;
}

Tensor quantise(const Tensor& reals, const Grid& grid, Rounding rounding) {
  Tensor integers(grid.container(), reals.shape());
  const std::vector<double> values = reals.to_reals();
  const ChannelOf channel(reals.shape(), grid.axis);
  std::vector<double> levels(values.size());
  channel.each_run(0, values.size(), [&](size_t begin, size_t end, size_t c) {
    levels_of_reals(levels_on(grid, rounding, c), values.data() + begin, end - begin, levels.data() + begin);
  });
  with_element_type(integers.type(), [&](auto element) {
    using Integer = decltype(element);
    if constexpr (std::is_integral_v<Integer>) {
      const std::span<Integer> to = integers.as<Integer>();
      for (size_t i = 0; i < levels.size(); ++i) to[i] = static_cast<Integer>(levels[i]);
    }
  });
  return integers;
}

Tensor dequantise(const Tensor& integers, const Grid& grid) {
  Tensor reals(ElementType::Float32, integers.shape());
  const std::vector<int64_t> values = integers.to_integers();
  const auto out = reals.as<float>();
  size_t inner = std::max<size_t>(1, values.size()), channels = 1;
  if (grid.per_channel()) {
    channels = grid.scale.size();
    inner = static_cast<size_t>(strides_of(integers.shape()).at(static_cast<size_t>(grid.axis)));
  }
  for (size_t i = 0; i < values.size(); ++i) out[i] = static_cast<float>(grid.real(values[i], i / inner % channels));
  return reals;
}

}  // namespace nibble::quant
