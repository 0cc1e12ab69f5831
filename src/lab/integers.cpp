#include <cmath>

#include "base/error.hpp"
#include "lab/metrics.hpp"

namespace nibble::lab {
namespace {

/// Calls use(element, channel) for every element; `channel` walks the grid's axis.
template <class Use>
void walk(const Grid& grid, const Shape& shape, size_t count, Use&& use) {
  if (!grid.per_channel()) {
    for (size_t i = 0; i < count; ++i) use(i, size_t{0});
    return;
  }
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(grid.axis) + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
  const auto channels = static_cast<size_t>(shape.at(static_cast<size_t>(grid.axis)));
  for (size_t i = 0; i < count;)
    for (size_t channel = 0; channel < channels; ++channel)
      for (size_t k = 0; k < inner; ++k, ++i) use(i, channel);
}

}  // namespace

std::vector<int64_t> integers_of(const graph::Value& value, const Tensor& tensor) {
  if (!is_real(tensor.type())) return tensor.to_integers();
  ensure(value.grid.has_value(), "only reals on a grid have integers");
  const Grid& grid = *value.grid;
  const std::vector<double> reals = tensor.to_reals();
  std::vector<int64_t> integers(reals.size());
  walk(grid, tensor.shape(), reals.size(), [&](size_t i, size_t channel) {
    integers[i] = std::llrint(reals[i] / grid.scale_of(channel)) + grid.zero_point;
  });
  return integers;
}

std::vector<double> reals_of(const graph::Value& value, const Tensor& tensor) {
  std::vector<double> reals = tensor.to_reals();
  if (is_real(tensor.type()) || !value.grid) return reals;
  const Grid& grid = *value.grid;
  walk(grid, tensor.shape(), reals.size(), [&](size_t i, size_t channel) {
    reals[i] = grid.scale_of(channel) * (reals[i] - static_cast<double>(grid.zero_point));
  });
  return reals;
}

std::vector<double> scores_of(const graph::Value& value, const Tensor& tensor) {
  std::vector<double> scores = reals_of(value, tensor);
  if (!is_real(tensor.type()) || !value.grid) return scores;
  const Grid& grid = *value.grid;
  walk(grid, tensor.shape(), scores.size(), [&](size_t i, size_t channel) {
    const double scale = grid.scale_of(channel);
    scores[i] = scale * std::nearbyint(scores[i] / scale);
  });
  return scores;
}

}  // namespace nibble::lab
