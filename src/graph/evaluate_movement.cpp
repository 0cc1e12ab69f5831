#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/arrays.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {
namespace {

/// y where element `at` (an index along each axis of y) is x's element at the index that `source` gives, or `outside`.
template <class T, class Source>
Tensor gathered(const Tensor& x, Shape shape, Source&& source, T outside = T{0}) {
  Tensor y = zeros<T>(std::move(shape));
  const auto from = x.as<T>();
  const auto to = y.template as<T>();
  const auto strides = strides_of(x.shape());
  std::vector<int64_t> at(y.rank(), 0), index(x.rank(), 0);
  for (T& value : to) {
    if (source(at, index)) {
      int64_t offset = 0;
      for (size_t i = 0; i < index.size(); ++i) offset += index[i] * strides[i];
      value = from[static_cast<size_t>(offset)];
    } else {
      value = outside;
    }
    for (size_t axis = y.rank(); axis-- > 0;) {
      if (++at[axis] < y.shape()[axis]) break;
      at[axis] = 0;
    }
  }
  return y;
}

template <class Source>
Tensors moved(const Call& call, const Shape& shape, Source&& source) {
  return by_kind(call, [&](auto kind) { return gathered<decltype(kind)>(call[0], shape, source); });
}

Tensors concat(const Call& call, const Concat& op) {
  Shape shape = call[0].shape();
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, shape.size()));
  shape[axis] = 0;
  for (const Tensor* x : call.inputs) shape[axis] += x->shape()[axis];
  return by_kind(call, [&](auto kind) {
    using T = decltype(kind);
    Tensor y = zeros<T>(shape);
    const int64_t inner = element_count(Shape(shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, shape.end()));
    const int64_t outer = element_count(Shape(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis)));
    int64_t begin = 0;
    for (const Tensor* x : call.inputs) {
      const int64_t run = x->shape()[axis] * inner;
      for (int64_t i = 0; i < outer; ++i)
        std::copy_n(x->as<T>().begin() + i * run, run, y.template as<T>().begin() + i * shape[axis] * inner + begin);
      begin += run;
    }
    return y;
  });
}

Tensors slice(const Call& call, const Ints& axes, const std::vector<Cut>& cuts) {
  Shape shape = call[0].shape();
  std::vector<Cut> all(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) all[i] = {0, 1, shape[i]};
  for (size_t i = 0; i < axes.size(); ++i) all[static_cast<size_t>(normalise_axis(axes[i], shape.size()))] = cuts[i];
  for (size_t i = 0; i < shape.size(); ++i) shape[i] = all[i].count;
  return moved(call, shape, [&](const auto& at, auto& index) {
    for (size_t i = 0; i < at.size(); ++i) index[i] = all[i].begin + at[i] * all[i].step;
    return true;
  });
}

Tensors slice(const Call& call, const Slice& op) {
  std::vector<Cut> cuts;
  for (size_t i = 0; i < op.axes.size(); ++i) {
    const auto axis = static_cast<size_t>(normalise_axis(op.axes[i], call[0].rank()));
    cuts.push_back(slice_of(op.starts[i], op.ends[i], op.steps[i], call[0].shape()[axis]));
  }
  return slice(call, op.axes, cuts);
}

Tensors split(const Call& call, const Split& op) {
  Tensors pieces;
  int64_t begin = 0;
  for (int64_t size : op.sizes) {
    pieces.push_back(slice(call, {op.axis}, {{begin, 1, size}}).front());
    begin += size;
  }
  return pieces;
}

Tensors pad(const Call& call, const Pad& op) {
  const Shape& x = call[0].shape();
  Shape shape = x;
  for (size_t i = 0; i < x.size(); ++i) shape[i] += op.pads[i] + op.pads[i + x.size()];
  const auto source = [&](const auto& at, auto& index) {
    for (size_t i = 0; i < at.size(); ++i) {
      int64_t from = at[i] - op.pads[i];
      if (op.mode == PadMode::Edge) from = std::clamp<int64_t>(from, 0, x[i] - 1);
      if (op.mode == PadMode::Reflect && from < 0) from = -from;
      if (op.mode == PadMode::Reflect && from >= x[i]) from = 2 * (x[i] - 1) - from;
      if (from < 0 || from >= x[i]) return false;
      index[i] = from;
    }
    return true;
  };
  return by_kind(call, [&](auto kind) {
    using T = decltype(kind);
    return gathered<T>(call[0], shape, source, static_cast<T>(op.value));
  });
}

Tensors transpose(const Call& call, const Transpose& op) {
  Shape shape;
  for (int64_t axis : op.perm)
    shape.push_back(call[0].shape()[static_cast<size_t>(normalise_axis(axis, op.perm.size()))]);
  return moved(call, shape, [&](const auto& at, auto& index) {
    for (size_t i = 0; i < at.size(); ++i) index[static_cast<size_t>(normalise_axis(op.perm[i], at.size()))] = at[i];
    return true;
  });
}

Tensors gather(const Call& call, const Gather& op) {
  const Shape& x = call[0].shape();
  const Shape& taken = call[1].shape();
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, x.size()));
  Shape shape(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(axis));
  shape.insert(shape.end(), taken.begin(), taken.end());
  shape.insert(shape.end(), x.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.end());
  const auto indices = call[1].as<int64_t>();
  const auto strides = strides_of(taken);
  return moved(call, shape, [&](const auto& at, auto& index) {
    int64_t offset = 0;
    for (size_t i = 0; i < taken.size(); ++i) offset += at[axis + i] * strides[i];
    int64_t chosen = indices[static_cast<size_t>(offset)];
    if (chosen < 0) chosen += x[axis];
    if (chosen < 0 || chosen >= x[axis])
      fail("graph", call.place(), "index " + std::to_string(indices[static_cast<size_t>(offset)]),
           "one of " + std::to_string(x[axis]));
    for (size_t i = 0; i < x.size(); ++i) index[i] = i < axis ? at[i] : i == axis ? chosen : at[i + taken.size() - 1];
    return true;
  });
}

// ---- resize
// -----------------------------------------------------------------------------------------------------------

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

Tensors resize(const Call& call, const Resize& op) {
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

Shape flattened(const Shape& x, const Flatten& op) {
  const int64_t axis = op.axis < 0 ? op.axis + static_cast<int64_t>(x.size()) : op.axis;
  return {element_count(Shape(x.begin(), x.begin() + axis)), element_count(Shape(x.begin() + axis, x.end()))};
}

Shape squeezed(const Shape& x, const Squeeze& op) {
  const Ints axes = normalised_axes(op.axes, x.size(), false);
  Shape y;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool named = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(i));
    if (!named && !(axes.empty() && x[i] == 1)) y.push_back(x[i]);
  }
  return y;
}

Shape unsqueezed(const Shape& x, const Unsqueeze& op) {
  Shape y = x;
  for (int64_t axis : normalised_axes(op.axes, x.size() + op.axes.size(), false)) y.insert(y.begin() + axis, 1);
  return y;
}

}  // namespace

Tensors evaluate_movement(const Call& call) {
  const Op& op = call.node.op;
  const Shape& x = call[0].shape();
  if (const auto* o = std::get_if<Concat>(&op)) return concat(call, *o);
  if (const auto* o = std::get_if<Split>(&op)) return split(call, *o);
  if (const auto* o = std::get_if<Slice>(&op)) return slice(call, *o);
  if (const auto* o = std::get_if<Pad>(&op)) return pad(call, *o);
  if (const auto* o = std::get_if<Transpose>(&op)) return transpose(call, *o);
  if (const auto* o = std::get_if<Gather>(&op)) return gather(call, *o);
  if (const auto* o = std::get_if<Resize>(&op)) return resize(call, *o);
  if (const auto* o = std::get_if<Flatten>(&op)) return {call[0].reshaped(flattened(x, *o))};
  if (const auto* o = std::get_if<Reshape>(&op)) return {call[0].reshaped(reshaped(x, *o))};
  if (const auto* o = std::get_if<Squeeze>(&op)) return {call[0].reshaped(squeezed(x, *o))};
  if (const auto* o = std::get_if<Unsqueeze>(&op)) return {call[0].reshaped(unsqueezed(x, *o))};
  throw InternalError("a movement op has its meaning");
}

}  // namespace nibble::graph
