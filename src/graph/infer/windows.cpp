#include <algorithm>

#include "graph/infer/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {

static void check_window(const Context& c, const Window& w) {
  c.check(w.kernel >= 1 && w.stride >= 1 && w.dilation >= 1 && w.kernel < (1 << 20) && w.stride < (1 << 20) &&
              w.dilation < (1 << 20),
          "kernel " + std::to_string(w.kernel) + ", stride " + std::to_string(w.stride) + ", dilation " +
              std::to_string(w.dilation),
          "at least 1 each");
  c.check(w.pad_begin >= 0 && w.pad_end >= 0 && w.pad_begin < (1 << 20) && w.pad_end < (1 << 20),
          "pads " + std::to_string(w.pad_begin) + " and " + std::to_string(w.pad_end), "at least 0");
}

/// [N, channels, windows...] of an op with a kernel.
static Shape slid(const Context& c, int64_t channels, const Ints& kernel, const Ints& strides, const Ints& pads,
                  const Ints& dilations, bool ceil_mode) {
  const Shape& x = c.shape(0);
  const size_t spatial = x.size() - 2;
  const auto fits = [&](const Ints& field, size_t size) { return field.empty() || field.size() == size; };
  c.check(kernel.size() == spatial && fits(strides, spatial) && fits(dilations, spatial) && fits(pads, 2 * spatial),
          "kernel, strides, pads or dilations of another rank", std::to_string(spatial) + " spatial axes");
  Shape y{x[0], channels};
  for (size_t axis = 0; axis < spatial; ++axis) {
    const Window window = window_of(kernel, strides, pads, dilations, ceil_mode, axis);
    check_window(c, window);
    c.check(x[axis + 2] != any, "a symbolic spatial extent", "only the batch to be symbolic");
    const int64_t count = window_count(x[axis + 2], window);
    c.check(count > 0, "input " + to_string(x) + " smaller than the window", "room for one window");
    y.push_back(count);
  }
  return y;
}

template <class Pool>
static Types pooled(const Context& c, const Pool& op, ElementType type, bool ceil_mode) {
  c.check(c.shape(0).size() >= 3, "input " + to_string(c.shape(0)), "[N, C, spatial]");
  return {{type, slid(c, c.shape(0)[1], op.kernel, op.strides, op.pads, op.dilations, ceil_mode)}};
}

Types rule(const Context& c, const Conv& op) {
  c.count_inputs(2, 3);
  const Shape& x = c.shape(0);
  const Shape& w = c.shape(1);
  c.check(x.size() >= 3 && w.size() == x.size(), "input " + to_string(x) + ", weights " + to_string(w),
          "[N, C, spatial] and [O, C/group, kernel]");
  c.check(is_static(w), "weights " + to_string(w), "fixed extents");
  c.check(op.group >= 1 && x[1] != any && x[1] % op.group == 0,
          "group " + std::to_string(op.group) + " with " + std::to_string(x[1]) + " input channels",
          "a divisor of the channels");
  c.check(w[1] == x[1] / op.group && w[0] >= 1 && w[0] % op.group == 0,
          "weights " + to_string(w) + " with input " + to_string(x) + " and group " + std::to_string(op.group),
          "[O, C/group, kernel], O a multiple of group");
  if (c.has(2)) c.like_first(2);
  if (c.has(2)) c.check(c.shape(2) == Shape{w[0]}, "bias " + to_string(c.shape(2)), to_string(Shape{w[0]}));
  const Ints kernel(w.begin() + 2, w.end());
  return {{accumulated(c, {0, 1}), slid(c, w[0], kernel, op.strides, op.pads, op.dilations, false)}};
}

Types rule(const Context& c, const ConvTranspose& op) {
  c.count_inputs(2, 3);
  const Shape& x = c.shape(0);
  const Shape& w = c.shape(1);
  c.check(x.size() >= 3 && w.size() == x.size(), "input " + to_string(x) + ", weights " + to_string(w),
          "[N, C, spatial] and [C, O/group, kernel]");
  c.check(is_static(w) && w[0] == x[1] && w[1] >= 1, "weights " + to_string(w) + " with input " + to_string(x),
          "[C, O/group, kernel]");
  c.check(op.group >= 1 && x[1] % op.group == 0,
          "group " + std::to_string(op.group) + " with " + std::to_string(x[1]) + " input channels",
          "a divisor of the channels");
  const size_t spatial = x.size() - 2;
  const auto fits = [&](const Ints& field, size_t size) { return field.empty() || field.size() == size; };
  c.check(fits(op.strides, spatial) && fits(op.dilations, spatial) && fits(op.pads, 2 * spatial) &&
              fits(op.output_pads, spatial),
          "strides, pads, dilations or output_pads of another rank", std::to_string(spatial) + " spatial axes");
  Shape y{x[0], w[1] * op.group};
  if (c.has(2)) c.like_first(2);
  if (c.has(2)) c.check(c.shape(2) == Shape{y[1]}, "bias " + to_string(c.shape(2)), to_string(Shape{y[1]}));
  for (size_t axis = 0; axis < spatial; ++axis) {
    const Window window = window_of(Ints(w.begin() + 2, w.end()), op.strides, op.pads, op.dilations, false, axis);
    check_window(c, window);
    c.check(x[axis + 2] != any, "a symbolic spatial extent", "only the batch to be symbolic");
    const int64_t added = op.output_pads.empty() ? 0 : op.output_pads[axis];
    c.check(added >= 0 && added < std::max(window.stride, window.dilation), "output pad " + std::to_string(added),
            "less than the stride or the dilation");
    y.push_back(widened_extent(x[axis + 2], window, op.output_pads, axis));
    c.check(y.back() > 0, "pads that leave " + std::to_string(y.back()) + " of " + to_string(x), "at least 1");
  }
  return {{accumulated(c, {0, 1}), y}};
}

Types rule(const Context& c, const MaxPool& op) {
  c.count_inputs(1, 1);
  return pooled(c, op, c.type(0), op.ceil_mode);
}
Types rule(const Context& c, const AveragePool& op) {
  c.count_inputs(1, 1);
  c.reals(0);
  return pooled(c, op, c.type(0), op.ceil_mode);
}
Types rule(const Context& c, const SumPool& op) {
  c.count_inputs(1, 1);
  return pooled(c, op, accumulated(c, {0}), op.ceil_mode);
}

Types rule(const Context& c, const GlobalAveragePool&) {
  c.count_inputs(1, 1);
  c.reals(0);
  Shape y = c.shape(0);
  c.check(y.size() >= 2, "input " + to_string(y), "[N, C, spatial]");
  std::fill(y.begin() + 2, y.end(), 1);
  return {{c.type(0), y}};
}

template <class Reduce>
static Shape reduced(const Context& c, const Reduce& op) {
  const Shape& x = c.shape(0);
  const Ints axes = normalised_axes(op.axes, x.size(), true);
  Shape y;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool gone = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(i));
    if (!gone) y.push_back(x[i]);
    if (gone && op.keep_dims) y.push_back(1);
  }
  return y;
}
Types rule(const Context& c, const ReduceMean& op) {
  c.count_inputs(1, 1);
  c.reals(0);
  return {{c.type(0), reduced(c, op)}};
}
Types rule(const Context& c, const ReduceMax& op) {
  c.count_inputs(1, 1);
  for (int64_t axis : normalised_axes(op.axes, c.shape(0).size(), true))
    c.check(c.shape(0)[static_cast<size_t>(axis)] != 0, "a maximum of nothing", "at least one element");
  return {{c.type(0), reduced(c, op)}};
}
Types rule(const Context& c, const ArgMax& op) {
  c.count_inputs(1, 1);
  ReduceMax over;
  over.axes = {op.axis}, over.keep_dims = op.keep_dims;
  c.check(c.shape(0).at(static_cast<size_t>(normalise_axis(op.axis, c.shape(0).size()))) != 0, "a maximum of nothing",
          "at least one element");
  return {{ElementType::Int64, reduced(c, over)}};
}
Types rule(const Context& c, const ReduceSum& op) {
  c.count_inputs(1, 1);
  return {{accumulated(c, {0}), reduced(c, op)}};
}

}  // namespace nibble::graph
