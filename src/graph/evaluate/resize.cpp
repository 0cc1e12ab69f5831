#include <algorithm>
#include <cmath>

#include "graph/evaluate/gathered.hpp"
#include "graph/evaluate/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {
namespace {

/// Where along an axis of x (in elements) the output element `at` lies.
double source_of(const Resize& op, double scale, int64_t at, int64_t from, int64_t to) {
  const auto x = static_cast<double>(at);
  switch (op.coordinates) {
    case ResizeCoordinates::HalfPixel: return (x + 0.5) / scale - 0.5;
    case ResizeCoordinates::PytorchHalfPixel: return to > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case ResizeCoordinates::AlignCorners:
      return to > 1 ? x * static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0;
    case ResizeCoordinates::Asymmetric: return x / scale;
  }
  throw InternalError("a coordinate mode is one of the enumeration");
}

int64_t nearest_of(const Resize& op, double at, int64_t extent) {
  double index = 0;
  switch (op.nearest) {
    case ResizeNearest::RoundPreferFloor: index = std::ceil(at - 0.5); break;
    case ResizeNearest::RoundPreferCeil: index = std::floor(at + 0.5); break;
    case ResizeNearest::Floor: index = std::floor(at); break;
    case ResizeNearest::Ceil: index = std::ceil(at); break;
  }
  return std::clamp(static_cast<int64_t>(index), int64_t{0}, extent - 1);
}

/// y along one axis: each element a blend of two neighbours of x.
Tensor blended(const Tensor& x, const Resize& op, size_t axis, double scale, int64_t to) {
  const int64_t from = x.shape()[axis];
  Shape shape = x.shape();
  shape[axis] = to;
  Tensor y = zeros<double>(shape);
  const int64_t inner = strides_of(x.shape())[axis];
  const int64_t outer = element_count(Shape(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis)));
  for (int64_t i = 0; i < to; ++i) {
    const double at = std::clamp(source_of(op, scale, i, from, to), 0.0, static_cast<double>(from - 1));
    const auto low = static_cast<int64_t>(at);
    const int64_t high = std::min(low + 1, from - 1);
    const double weight = at - static_cast<double>(low);
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t k = 0; k < inner; ++k) {
        const double* row = x.as<double>().data() + o * from * inner + k;
        y.as<double>()[static_cast<size_t>((o * to + i) * inner + k)] =
            (1 - weight) * row[low * inner] + weight * row[high * inner];
      }
  }
  return y;
}

}  // namespace

Tensors meaning(const Call& call, const Resize& op) {
  const Shape& x = call[0].shape();
  Shape shape = x;
  std::vector<double> scales;
  for (size_t i = 0; i < x.size(); ++i) {
    shape[i] = resized(op, i, x[i]);
    scales.push_back(op.scales.empty() ? static_cast<double>(shape[i]) / static_cast<double>(x[i]) : op.scales[i]);
  }
  if (op.mode == ResizeMode::Nearest)
    return moved(call, shape, [&](const auto& at, auto& index) {
      for (size_t i = 0; i < at.size(); ++i)
        index[i] = x[i] == shape[i] && scales[i] == 1
                       ? at[i]
                       : nearest_of(op, source_of(op, scales[i], at[i], x[i], shape[i]), x[i]);
      return true;
    });
  Tensor y = call[0];
  for (size_t axis = 0; axis < x.size(); ++axis)
    if (shape[axis] != x[axis] || scales[axis] != 1) y = blended(y, op, axis, scales[axis], shape[axis]);
  return {y};
}

}  // namespace nibble::graph
