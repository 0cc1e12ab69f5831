#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/shape.hpp"
#include "graph/ops.hpp"

/// The arithmetic of extents that shape inference and every executor share.
namespace nibble::graph {

/// One spatial axis of a convolution or pool.
struct Window {
  int64_t kernel = 1, stride = 1, pad_begin = 0, pad_end = 0, dilation = 1;
  bool ceil_mode = false;
};

/// Number of windows along an axis of `extent` (0 where none fits). With ceil_mode, a last window may hang over the
/// end, but it starts inside x or its left pad.
int64_t window_count(int64_t extent, const Window& window);

/// The window of spatial axis `axis` out of an op's fields; empty strides and dilations mean 1, empty pads 0.
Window window_of(const Ints& kernel, const Ints& strides, const Ints& pads, const Ints& dilations, bool ceil_mode,
                 size_t axis);

/// Extent of a transposed convolution's output along spatial axis `axis`; empty output_pads mean 0.
int64_t widened_extent(int64_t extent, const Window& window, const Ints& output_pads, size_t axis);

/// What a Slice takes of an axis: element begin + i * step for i in [0, count).
struct Cut {
  int64_t begin = 0, step = 1, count = 0;
};
/// numpy's start:end:step on an axis of `extent`; step is not 0.
Cut slice_of(int64_t start, int64_t end, int64_t step, int64_t extent);

/// The shape that Reshape gives: 0 copies (unless allow_zero), -1 takes what remains, or stands for the batch where the
/// batch is what remains. Throws UserError "graph: reshape: ..." where the elements do not fit.
Shape reshaped(const Shape& from, const Reshape& op);

/// Resize's output extent along `axis`.
int64_t resized(const Resize& op, size_t axis, int64_t extent);

/// Axes made non-negative and sorted; empty gives all when `empty_is_all`.
Ints normalised_axes(const Ints& axes, size_t rank, bool empty_is_all);

}  // namespace nibble::graph
