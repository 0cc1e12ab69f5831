#pragma once
#include "graph/windows.hpp"
#include "lower/view.hpp"

/// Three spatial axes of a kernel's struct, depth, height and width, from an op that has up to three.
namespace nibble::lower {

/// A view's strides along batch, depth, height, width.
inline void set_strides(int64_t (&to)[4], const View& view) {
  const size_t spatial = view.rank() - 2;
  to[0] = view.strides[0];
  for (size_t k = 0; k < 3; ++k) to[k + 1] = k + spatial < 3 ? 0 : view.strides[k + spatial - 3 + 2];
}

/// Extents and windows; those that the op lacks are 1.
template <class Parameters, class Op>
void set_windows(Parameters& p, const Op& op, const graph::Ints& kernel, const Shape& x, const Shape& y,
                 bool ceil_mode = false) {
  const size_t spatial = kernel.size();
  for (size_t k = 0; k < 3; ++k) {
    p.in[k] = p.out[k] = p.kernel[k] = p.stride[k] = p.dilation[k] = 1;
    p.pad[k] = 0;
    if (k + spatial < 3) continue;
    const size_t axis = k + spatial - 3;
    const graph::Window window = graph::window_of(kernel, op.strides, op.pads, op.dilations, ceil_mode, axis);
    p.in[k] = static_cast<int32_t>(x[axis + 2]);
    p.out[k] = static_cast<int32_t>(y[axis + 2]);
    p.kernel[k] = static_cast<int32_t>(window.kernel);
    p.stride[k] = static_cast<int32_t>(window.stride);
    p.pad[k] = static_cast<int32_t>(window.pad_begin);
    p.dilation[k] = static_cast<int32_t>(window.dilation);
  }
}

}  // namespace nibble::lower
