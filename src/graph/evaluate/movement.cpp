#include <algorithm>

#include "graph/evaluate/gathered.hpp"
#include "graph/evaluate/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {
namespace {

Tensors cut(const Call& call, const Ints& axes, const std::vector<Cut>& cuts) {
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

Tensors meaning(const Call& call, const Concat& op) {
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

Tensors meaning(const Call& call, const Slice& op) {
  std::vector<Cut> cuts;
  for (size_t i = 0; i < op.axes.size(); ++i) {
    const auto axis = static_cast<size_t>(normalise_axis(op.axes[i], call[0].rank()));
    cuts.push_back(slice_of(op.starts[i], op.ends[i], op.steps[i], call[0].shape()[axis]));
  }
  return cut(call, op.axes, cuts);
}

Tensors meaning(const Call& call, const Split& op) {
  Tensors pieces;
  int64_t begin = 0;
  for (int64_t size : op.sizes) {
    pieces.push_back(cut(call, {op.axis}, {{begin, 1, size}}).front());
    begin += size;
  }
  return pieces;
}

Tensors meaning(const Call& call, const Pad& op) {
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

Tensors meaning(const Call& call, const Transpose& op) {
  Shape shape;
  for (int64_t axis : op.perm)
    shape.push_back(call[0].shape()[static_cast<size_t>(normalise_axis(axis, op.perm.size()))]);
  return moved(call, shape, [&](const auto& at, auto& index) {
    for (size_t i = 0; i < at.size(); ++i) index[static_cast<size_t>(normalise_axis(op.perm[i], at.size()))] = at[i];
    return true;
  });
}

Tensors meaning(const Call& call, const Gather& op) {
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
           std::to_string(-x[axis]) + " to " + std::to_string(x[axis] - 1));
    for (size_t i = 0; i < x.size(); ++i) index[i] = i < axis ? at[i] : i == axis ? chosen : at[i + taken.size() - 1];
    return true;
  });
}

Tensors meaning(const Call& call, const Flatten& op) {
  return {call[0].reshaped(flattened(call[0].shape(), op))};
}
Tensors meaning(const Call& call, const Reshape& op) {
  return {call[0].reshaped(reshaped(call[0].shape(), op))};
}
Tensors meaning(const Call& call, const Squeeze& op) {
  return {call[0].reshaped(squeezed(call[0].shape(), op))};
}
Tensors meaning(const Call& call, const Unsqueeze& op) {
  return {call[0].reshaped(unsqueezed(call[0].shape(), op))};
}

}  // namespace nibble::graph
