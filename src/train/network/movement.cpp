#include "train/network/movement.hpp"

#include <algorithm>
#include <cmath>

#include "base/shape.hpp"

namespace nibble::train {
namespace {

using graph::Ints;

at::Tensor take(const at::Tensor& x, int64_t axis, const Ints& indices) {
  return x.index_select(axis, at::tensor(at::IntArrayRef(indices), at::kLong));
}

/// Where position i - begin of a padded axis lies inside [0, extent).
int64_t source(graph::PadMode mode, int64_t at, int64_t extent) {
  if (mode == graph::PadMode::Edge || extent == 1) return std::clamp<int64_t>(at, 0, extent - 1);
  const int64_t period = 2 * (extent - 1), folded = ((at % period) + period) % period;
  return folded < extent ? folded : period - folded;
}

/// The position in x, in elements, that output element i is made from.
double coordinate(const graph::Resize& op, int64_t i, int64_t from, int64_t to, double scale) {
  const double at = static_cast<double>(i);
  switch (op.coordinates) {
    case graph::ResizeCoordinates::HalfPixel: return (at + 0.5) / scale - 0.5;
    case graph::ResizeCoordinates::PytorchHalfPixel: return to > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case graph::ResizeCoordinates::AlignCorners:
      return to > 1 ? at * static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0;
    case graph::ResizeCoordinates::Asymmetric: return at / scale;
  }
  return 0;
}

int64_t nearest(graph::ResizeNearest rule, double at) {
  switch (rule) {
    case graph::ResizeNearest::RoundPreferFloor: return static_cast<int64_t>(std::ceil(at - 0.5));
    case graph::ResizeNearest::RoundPreferCeil: return static_cast<int64_t>(std::floor(at + 0.5));
    case graph::ResizeNearest::Floor: return static_cast<int64_t>(std::floor(at));
    case graph::ResizeNearest::Ceil: return static_cast<int64_t>(std::ceil(at));
  }
  return 0;
}

at::Tensor resize_axis(const graph::Resize& op, const at::Tensor& x, int64_t axis, int64_t to, double scale) {
  const int64_t from = x.size(axis);
  Ints low, high;
  std::vector<double> share;
  for (int64_t i = 0; i < to; ++i) {
    const double at = coordinate(op, i, from, to, scale);
    if (op.mode == graph::ResizeMode::Nearest) {
      low.push_back(std::clamp<int64_t>(nearest(op.nearest, at), 0, from - 1));
      continue;
    }
    const double inside = std::clamp(at, 0.0, static_cast<double>(from - 1));
    low.push_back(static_cast<int64_t>(inside));
    high.push_back(std::min(low.back() + 1, from - 1));
    share.push_back(inside - static_cast<double>(low.back()));
  }
  if (op.mode == graph::ResizeMode::Nearest) return take(x, axis, low);
  Ints shape(static_cast<size_t>(x.dim()), 1);
  shape[static_cast<size_t>(axis)] = to;
  const at::Tensor weight = at::tensor(at::ArrayRef<double>(share), at::kDouble).to(x.scalar_type()).reshape(shape);
  const at::Tensor below = take(x, axis, low);
  return below + (take(x, axis, high) - below) * weight;
}

}  // namespace

at::Tensor slice(const graph::Slice& op, at::Tensor x) {
  for (size_t i = 0; i < op.starts.size(); ++i) {
    const int64_t axis =
        op.axes.empty() ? static_cast<int64_t>(i) : normalise_axis(op.axes[i], static_cast<size_t>(x.dim()));
    const int64_t step = op.steps.empty() ? 1 : op.steps[i], extent = x.size(axis);
    const auto inside = [&](int64_t at) {
      at = at < 0 ? std::max(at, -extent - 1) + extent : at;
      return step > 0 ? std::clamp<int64_t>(at, 0, extent) : std::clamp<int64_t>(at, -1, extent - 1);
    };
    const int64_t start = inside(op.starts[i]), end = inside(op.ends[i]);
    if (step > 0) {
      x = x.slice(axis, start, std::max(start, end), step);
      continue;
    }
    Ints indices;
    for (int64_t at = start; at > end; at += step) indices.push_back(at);
    x = take(x, axis, indices);
  }
  return x;
}

at::Tensor pad(const graph::Pad& op, at::Tensor x) {
  const size_t rank = static_cast<size_t>(x.dim());
  if (op.mode == graph::PadMode::Constant) {
    Ints pads;
    for (size_t i = rank; i-- > 0;) pads.insert(pads.end(), {op.pads[i], op.pads[rank + i]});
    return at::constant_pad_nd(x, pads, op.value);
  }
  for (size_t i = 0; i < rank; ++i) {
    if (op.pads[i] == 0 && op.pads[rank + i] == 0) continue;
    const int64_t axis = static_cast<int64_t>(i), extent = x.size(axis);
    Ints indices;
    for (int64_t at = -op.pads[i]; at < extent + op.pads[rank + i]; ++at)
      indices.push_back(source(op.mode, at, extent));
    x = take(x, axis, indices);
  }
  return x;
}

at::Tensor reshape(const graph::Reshape& op, const at::Tensor& x) {
  Ints shape = op.shape;
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == 0 && !op.allow_zero) shape[i] = x.size(static_cast<int64_t>(i));
  return x.reshape(shape);
}

at::Tensor flatten(const graph::Flatten& op, const at::Tensor& x) {
  const int64_t axis = op.axis < 0 ? op.axis + x.dim() : op.axis;
  int64_t before = 1, after = 1;
  for (int64_t i = 0; i < x.dim(); ++i) (i < axis ? before : after) *= x.size(i);
  return x.reshape({before, after});
}

at::Tensor squeeze(const graph::Squeeze& op, const at::Tensor& x) {
  Ints shape;
  for (int64_t i = 0; i < x.dim(); ++i) {
    const bool named = std::any_of(op.axes.begin(), op.axes.end(),
                                   [&](int64_t axis) { return (axis < 0 ? axis + x.dim() : axis) == i; });
    if (op.axes.empty() ? x.size(i) != 1 : !named) shape.push_back(x.size(i));
  }
  return x.reshape(shape);
}

at::Tensor unsqueeze(const graph::Unsqueeze& op, at::Tensor x) {
  const int64_t rank = x.dim() + static_cast<int64_t>(op.axes.size());
  Ints axes;
  for (int64_t axis : op.axes) axes.push_back(axis < 0 ? axis + rank : axis);
  std::sort(axes.begin(), axes.end());
  for (int64_t axis : axes) x = x.unsqueeze(axis);
  return x;
}

at::Tensor gather(const graph::Gather& op, const at::Tensor& x, const at::Tensor& indices) {
  const int64_t axis = normalise_axis(op.axis, static_cast<size_t>(x.dim()));
  const at::Tensor whole = indices.to(at::kLong);
  const at::Tensor taken = x.index_select(axis, at::where(whole < 0, whole + x.size(axis), whole).reshape({-1}));
  Ints shape(x.sizes().begin(), x.sizes().begin() + axis);
  shape.insert(shape.end(), indices.sizes().begin(), indices.sizes().end());
  shape.insert(shape.end(), x.sizes().begin() + axis + 1, x.sizes().end());
  return taken.reshape(shape);
}

at::Tensor resize(const graph::Resize& op, at::Tensor x) {
  for (int64_t axis = 0; axis < x.dim(); ++axis) {
    const size_t i = static_cast<size_t>(axis);
    const double extent = static_cast<double>(x.size(axis));
    if (!op.sizes.empty() && (op.sizes[i] == any || op.sizes[i] == x.size(axis))) continue;
    if (op.sizes.empty() && op.scales[i] == 1) continue;
    const int64_t to = op.sizes.empty() ? static_cast<int64_t>(std::floor(extent * op.scales[i])) : op.sizes[i];
    const double scale = op.sizes.empty() ? op.scales[i] : static_cast<double>(to) / extent;
    x = resize_axis(op, x, axis, to, scale);
  }
  return x;
}

}  // namespace nibble::train
