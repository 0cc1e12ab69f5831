#include "graph/infer.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {
namespace {

using Types = std::vector<TypedShape>;

/// What a rule sees of its node: inputs, constants, and a way to complain that names it.
struct Context {
  const Node& node;
  const std::vector<const TypedShape*>& inputs;
  const std::vector<const Tensor*>& constants;

  [[noreturn]] void complain(const std::string& found, const std::string& expected = {}) const {
    fail("graph", "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")", found, expected);
  }
  void check(bool holds, const std::string& found, const std::string& expected = {}) const {
    if (!holds) complain(found, expected);
  }
  bool has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  const TypedShape& input(size_t i) const {
    check(has(i), "input " + std::to_string(i) + " is absent", "it to be there");
    return *inputs[i];
  }
  const Shape& shape(size_t i) const { return input(i).shape; }
  ElementType type(size_t i) const { return input(i).type; }
  void count_inputs(size_t least, size_t most) const {
    check(inputs.size() >= least && inputs.size() <= most, std::to_string(inputs.size()) + " inputs",
          least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most));
    for (size_t i = 0; i < least; ++i) input(i);
  }
  void reals(size_t i) const {
    check(is_real(type(i)), "input " + std::to_string(i) + " of " + std::string(to_string(type(i))), "reals");
  }
  void integers(size_t i) const {
    check(!is_real(type(i)), "input " + std::to_string(i) + " of " + std::string(to_string(type(i))), "integers");
  }
};

/// The type of a sum or product of these inputs.
ElementType accumulated(const Context& c, std::initializer_list<size_t> inputs) {
  bool real = false, wide_real = false, wide = false;
  for (size_t i : inputs) {
    if (!c.has(i)) continue;
    const ElementType type = c.type(i);
    real |= is_real(type);
    wide_real |= type == ElementType::Float64;
    wide |= type == ElementType::Int64;
  }
  for (size_t i : inputs)
    if (c.has(i)) c.check(is_real(c.type(i)) == real, "reals and integers mixed", "inputs of one kind");
  if (real) return wide_real ? ElementType::Float64 : ElementType::Float32;
  return wide ? ElementType::Int64 : ElementType::Int32;
}

ElementType container(int64_t low, int64_t high) {
  return Grid{.low = low, .high = high}.container();
}

int64_t product(const Shape& shape, size_t from, size_t to, const Context& c) {
  int64_t result = 1;
  int batches = 0;
  for (size_t i = from; i < to; ++i) {
    if (shape[i] == any)
      ++batches;
    else
      result *= shape[i];
  }
  c.check(batches == 0 || (batches == 1 && result == 1), "shape " + to_string(shape),
          "the batch on its own, or a fixed batch");
  return batches ? any : result;
}

bool same_extent(int64_t a, int64_t b) {
  return a == b || a == any || b == any;
}

Shape broadcast_of(const Context& c, const Shape& a, const Shape& b) {
  try {
    return broadcast(a, b);
  } catch (const UserError&) {
    c.complain("shapes " + to_string(a) + " and " + to_string(b), "shapes that broadcast");
  }
}

// ---- windows --------------------------------------------------------------------------------------------------------

void check_window(const Context& c, const Window& w) {
  c.check(w.kernel >= 1 && w.stride >= 1 && w.dilation >= 1 && w.kernel < (1 << 20) && w.stride < (1 << 20) &&
              w.dilation < (1 << 20),
          "kernel " + std::to_string(w.kernel) + ", stride " + std::to_string(w.stride) + ", dilation " +
              std::to_string(w.dilation),
          "at least 1 each");
  c.check(w.pad_begin >= 0 && w.pad_end >= 0 && w.pad_begin < (1 << 20) && w.pad_end < (1 << 20),
          "pads " + std::to_string(w.pad_begin) + " and " + std::to_string(w.pad_end), "at least 0");
}

/// [N, channels, windows...] of an op with a kernel.
Shape slid(const Context& c, int64_t channels, const Ints& kernel, const Ints& strides, const Ints& pads,
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
Types pooled(const Context& c, const Pool& op, ElementType type, bool ceil_mode) {
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
  if (c.has(2)) c.check(c.shape(2) == Shape{w[0]}, "bias " + to_string(c.shape(2)), to_string(Shape{w[0]}));
  const Ints kernel(w.begin() + 2, w.end());
  return {{accumulated(c, {0, 1}), slid(c, w[0], kernel, op.strides, op.pads, op.dilations, false)}};
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
Shape reduced(const Context& c, const Reduce& op) {
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
Types rule(const Context& c, const ReduceSum& op) {
  c.count_inputs(1, 1);
  return {{accumulated(c, {0}), reduced(c, op)}};
}

// ---- linear
// -----------------------------------------------------------------------------------------------------------

Types rule(const Context& c, const Gemm& op) {
  c.count_inputs(2, 3);
  Shape a = c.shape(0), b = c.shape(1);
  c.check(a.size() == 2 && b.size() == 2, "inputs " + to_string(a) + " and " + to_string(b), "two matrices");
  if (op.transpose_a) std::swap(a[0], a[1]);
  if (op.transpose_b) std::swap(b[0], b[1]);
  c.check(same_extent(a[1], b[0]), to_string(a) + " times " + to_string(b), "equal inner extents");
  const Shape y{a[0], b[1]};
  if (c.has(2))
    c.check(broadcast_of(c, c.shape(2), y) == y, "bias " + to_string(c.shape(2)),
            "one that broadcasts to " + to_string(y));
  return {{accumulated(c, {0, 1}), y}};
}

Types rule(const Context& c, const MatMul&) {
  c.count_inputs(2, 2);
  Shape a = c.shape(0), b = c.shape(1);
  c.check(!a.empty() && !b.empty(), "a scalar", "vectors or matrices");
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  c.check(same_extent(a.back(), b[b.size() - 2]), to_string(c.shape(0)) + " times " + to_string(c.shape(1)),
          "equal inner extents");
  Shape y = broadcast_of(c, Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!row) y.push_back(a[a.size() - 2]);
  if (!column) y.push_back(b.back());
  return {{accumulated(c, {0, 1}), y}};
}

Types rule(const Context& c, const BatchNormalization&) {
  c.count_inputs(5, 5);
  const Shape& x = c.shape(0);
  c.reals(0);
  c.check(x.size() >= 2, "input " + to_string(x), "[N, C, ...]");
  for (size_t i = 1; i < 5; ++i)
    c.check(c.shape(i) == Shape{x[1]}, "input " + std::to_string(i) + " " + to_string(c.shape(i)),
            to_string(Shape{x[1]}));
  return {{c.type(0), x}};
}

Types rule(const Context& c, const LayerNormalization& op) {
  c.count_inputs(2, 3);
  c.reals(0);
  const Shape& x = c.shape(0);
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, x.size()));
  const Shape tail(x.begin() + static_cast<std::ptrdiff_t>(axis), x.end());
  for (size_t i = 1; i < 3; ++i)
    if (c.has(i))
      c.check(broadcast_of(c, c.shape(i), tail) == tail, "input " + std::to_string(i) + " " + to_string(c.shape(i)),
              "one that broadcasts to " + to_string(tail));
  return {{c.type(0), x}};
}

// ---- pointwise
// ----------------------------------------------------------------------------------------------------------

Types same_as_input(const Context& c, bool reals_only) {
  c.count_inputs(1, 1);
  if (reals_only) c.reals(0);
  return {{c.type(0), c.shape(0)}};
}
Types rule(const Context& c, const Identity&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const Dropout&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const Relu&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const Abs&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const Neg&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const HardSwish&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Sigmoid&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Tanh&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Erf&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Exp&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Log&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Sqrt&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Reciprocal&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Softplus&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const LeakyRelu&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const HardSigmoid&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Gelu&) {
  return same_as_input(c, true);
}
Types rule(const Context& c, const Clip& op) {
  c.check(!(op.low > op.high), "bounds " + std::to_string(op.low) + " and " + std::to_string(op.high), "low <= high");
  return same_as_input(c, false);
}
Types rule(const Context& c, const Softmax& op) {
  Types types = same_as_input(c, true);
  normalise_axis(op.axis, c.shape(0).size());
  return types;
}

Types two_operands(const Context& c) {
  c.count_inputs(2, 2);
  return {{accumulated(c, {0, 1}), broadcast_of(c, c.shape(0), c.shape(1))}};
}
Types rule(const Context& c, const Add&) {
  return two_operands(c);
}
Types rule(const Context& c, const Sub&) {
  return two_operands(c);
}
Types rule(const Context& c, const Mul&) {
  return two_operands(c);
}
Types rule(const Context& c, const Div&) {
  return two_operands(c);
}
Types rule(const Context& c, const Pow&) {
  c.count_inputs(2, 2);
  c.reals(0), c.reals(1);
  return two_operands(c);
}

// ---- data movement
// --------------------------------------------------------------------------------------------------------

Types rule(const Context& c, const Concat& op) {
  c.check(!c.inputs.empty(), "no inputs", "at least one");
  Shape y = c.shape(0);
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, y.size()));
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    const Shape& x = c.shape(i);
    c.check(c.type(i) == c.type(0),
            "types " + std::string(to_string(c.type(0))) + " and " + std::string(to_string(c.type(i))), "one type");
    c.check(x.size() == y.size(), "shapes " + to_string(y) + " and " + to_string(x), "one rank");
    for (size_t a = 0; a < y.size(); ++a) {
      if (a == axis) {
        c.check(x[a] != any && y[a] != any, "a symbolic extent along the axis", "another axis than the batch");
        y[a] += x[a];
      } else {
        c.check(same_extent(x[a], y[a]), "shapes " + to_string(c.shape(0)) + " and " + to_string(x),
                "equal extents but along axis " + std::to_string(axis));
        if (y[a] == any) y[a] = x[a];
      }
    }
  }
  return {{c.type(0), y}};
}

Types rule(const Context& c, const Split& op) {
  c.count_inputs(1, 1);
  const Shape& x = c.shape(0);
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, x.size()));
  int64_t sum = 0;
  Types types;
  for (int64_t size : op.sizes) {
    c.check(size >= 0 && size <= largest_tensor, "size " + std::to_string(size), "at least 0");
    sum += size;
    Shape y = x;
    y[axis] = size;
    types.push_back({c.type(0), y});
  }
  c.check(x[axis] == sum, "sizes that sum to " + std::to_string(sum), std::to_string(x[axis]));
  c.check(c.node.outputs.size() == op.sizes.size(), std::to_string(c.node.outputs.size()) + " outputs",
          std::to_string(op.sizes.size()));
  return types;
}

Types rule(const Context& c, const Slice& op) {
  c.count_inputs(1, 1);
  Shape y = c.shape(0);
  c.check(op.starts.size() == op.axes.size() && op.ends.size() == op.axes.size() && op.steps.size() == op.axes.size(),
          "starts, ends, axes and steps of unlike lengths", "equal lengths");
  for (size_t i = 0; i < op.axes.size(); ++i) {
    const auto axis = static_cast<size_t>(normalise_axis(op.axes[i], y.size()));
    c.check(op.steps[i] != 0, "step 0", "another step");
    const bool whole = op.starts[i] == 0 && op.ends[i] >= largest_tensor && op.steps[i] == 1;
    c.check(y[axis] != any || whole, "a cut of the symbolic batch", "another axis, or a fixed batch");
    if (y[axis] != any) y[axis] = slice_of(op.starts[i], op.ends[i], op.steps[i], y[axis]).count;
  }
  return {{c.type(0), y}};
}

Types rule(const Context& c, const Pad& op) {
  c.count_inputs(1, 1);
  Shape y = c.shape(0);
  c.check(op.pads.size() == 2 * y.size(), std::to_string(op.pads.size()) + " pads", std::to_string(2 * y.size()));
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t begin = op.pads[i], end = op.pads[i + y.size()];
    c.check(std::abs(begin) <= largest_tensor && std::abs(end) <= largest_tensor, "absurd pads", "small ones");
    if (begin == 0 && end == 0) continue;
    c.check(y[i] != any, "a pad of the symbolic batch", "another axis");
    if (op.mode == PadMode::Reflect)
      c.check(begin < y[i] && end < y[i], "a reflection of " + std::to_string(std::max(begin, end)),
              "less than the extent");
    y[i] += begin + end;
    c.check(y[i] >= 0, "pads that cut more than there is", "at most the extent");
  }
  return {{c.type(0), y}};
}

Types rule(const Context& c, const Flatten& op) {
  c.count_inputs(1, 1);
  const Shape& x = c.shape(0);
  const auto rank = static_cast<int64_t>(x.size());
  c.check(op.axis >= -rank && op.axis <= rank, "axis " + std::to_string(op.axis), "an axis of " + to_string(x));
  const auto axis = static_cast<size_t>(op.axis < 0 ? op.axis + rank : op.axis);
  return {{c.type(0), {product(x, 0, axis, c), product(x, axis, x.size(), c)}}};
}

Types rule(const Context& c, const Reshape& op) {
  c.count_inputs(1, 1);
  try {
    return {{c.type(0), reshaped(c.shape(0), op)}};
  } catch (const UserError&) {
    c.complain("input " + to_string(c.shape(0)), "as many elements as " + to_string(op.shape));
  }
}

Types rule(const Context& c, const Transpose& op) {
  c.count_inputs(1, 1);
  const Shape& x = c.shape(0);
  c.check(op.perm.size() == x.size() && normalised_axes(op.perm, x.size(), false).size() == x.size(),
          "a permutation of " + std::to_string(op.perm.size()) + " axes", std::to_string(x.size()));
  Shape y;
  for (int64_t axis : op.perm) y.push_back(x[static_cast<size_t>(normalise_axis(axis, x.size()))]);
  return {{c.type(0), y}};
}

Types rule(const Context& c, const Squeeze& op) {
  c.count_inputs(1, 1);
  const Shape& x = c.shape(0);
  const Ints axes = normalised_axes(op.axes, x.size(), false);
  Shape y;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool named = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(i));
    c.check(!named || x[i] == 1, "axis " + std::to_string(i) + " of " + to_string(x), "an extent of 1");
    if (!(named || (axes.empty() && x[i] == 1))) y.push_back(x[i]);
  }
  return {{c.type(0), y}};
}

Types rule(const Context& c, const Unsqueeze& op) {
  c.count_inputs(1, 1);
  const Shape& x = c.shape(0);
  const Ints axes = normalised_axes(op.axes, x.size() + op.axes.size(), false);
  Shape y = x;
  for (int64_t axis : axes) y.insert(y.begin() + axis, 1);
  return {{c.type(0), y}};
}

Types rule(const Context& c, const Gather& op) {
  c.count_inputs(2, 2);
  c.integers(1);
  const Shape& x = c.shape(0);
  const auto axis = normalise_axis(op.axis, x.size());
  Shape y(x.begin(), x.begin() + axis);
  y.insert(y.end(), c.shape(1).begin(), c.shape(1).end());
  y.insert(y.end(), x.begin() + axis + 1, x.end());
  return {{c.type(0), y}};
}

Types rule(const Context& c, const Resize& op) {
  c.count_inputs(1, 1);
  Shape y = c.shape(0);
  c.check(op.scales.empty() != op.sizes.empty(), "both or neither of scales and sizes", "one of them");
  c.check(op.scales.size() + op.sizes.size() == y.size(), "scales or sizes of another rank", std::to_string(y.size()));
  if (op.mode == ResizeMode::Linear) c.reals(0);
  for (double scale : op.scales)
    c.check(scale > 0 && scale < 1 << 20, "scale " + std::to_string(scale), "a positive number");
  for (size_t i = 0; i < y.size(); ++i) {
    c.check(
        y[i] != any || op.sizes.empty() ? op.scales.empty() || y[i] != any || op.scales[i] == 1 : op.sizes[i] == any,
        "a resized batch", "another axis");
    y[i] = resized(op, i, y[i]);
    c.check(y[i] == any || y[i] >= 1, "an extent of " + std::to_string(y[i]), "at least 1");
  }
  return {{c.type(0), y}};
}

// ---- quantisation
// -----------------------------------------------------------------------------------------------------------

void check_scales(const Context& c, const Grid& grid) {
  if (!grid.per_channel()) return;
  const Shape& x = c.shape(0);
  c.check(static_cast<size_t>(grid.axis) < x.size() &&
              x[static_cast<size_t>(grid.axis)] == static_cast<int64_t>(grid.scale.size()),
          std::to_string(grid.scale.size()) + " scales along axis " + std::to_string(grid.axis) + " of " + to_string(x),
          "one for each channel");
}

void check_channels(const Context& c, size_t count, std::string_view what) {
  const Shape& x = c.shape(0);
  c.check(count == 1 || (x.size() >= 2 && x[1] == static_cast<int64_t>(count)),
          std::to_string(count) + " " + std::string(what) + " with input " + to_string(x),
          "one, or one for each channel of axis 1");
}

Types rule(const Context& c, const Quantise& op) {
  c.count_inputs(1, 1);
  c.reals(0);
  check_scales(c, op.grid);
  return {{c.type(0), c.shape(0)}};
}
Types rule(const Context& c, const Dequantise& op) {
  c.count_inputs(1, 1);
  c.integers(0);
  check_scales(c, op.grid);
  return {{ElementType::Float32, c.shape(0)}};
}
Types rule(const Context& c, const Rescale& op) {
  c.count_inputs(1, 1);
  c.integers(0);
  check_channels(c, op.kappa.size(), "kappa");
  check_channels(c, op.lambda.size(), "lambda");
  return {{container(op.low, op.high), c.shape(0)}};
}
Types rule(const Context& c, const Requantise& op) {
  c.count_inputs(1, 1);
  c.integers(0);
  check_channels(c, op.multiplier.size(), "multipliers");
  c.check(op.addend.size() == op.multiplier.size() && op.shift.size() == op.multiplier.size(),
          std::to_string(op.multiplier.size()) + " multipliers, " + std::to_string(op.addend.size()) + " addends, " +
              std::to_string(op.shift.size()) + " shifts",
          "as many of each");
  for (int64_t shift : op.shift) c.check(shift >= 0 && shift <= 63, "shift " + std::to_string(shift), "0 to 63");
  return {{container(op.low, op.high), c.shape(0)}};
}
Types rule(const Context& c, const Threshold& op) {
  c.count_inputs(2, 2);
  c.integers(0), c.integers(1);
  const Shape& t = c.shape(1);
  c.check(t.size() == 2, "thresholds " + to_string(t), "[1 or C, T]");
  check_channels(c, static_cast<size_t>(t[0]), "rows of thresholds");
  c.check(op.falling.empty() || static_cast<int64_t>(op.falling.size()) == t[0],
          std::to_string(op.falling.size()) + " flags of falling", "none, or one a row");
  return {{container(op.low, op.low + t[1]), c.shape(0)}};
}
Types rule(const Context& c, const Table&) {
  c.count_inputs(2, 2);
  c.integers(0);
  c.check(c.shape(1).size() == 1, "table " + to_string(c.shape(1)), "[n]");
  return {{c.type(1), c.shape(0)}};
}

}  // namespace

std::vector<TypedShape> infer(const Node& node, const std::vector<const TypedShape*>& inputs,
                              const std::vector<const Tensor*>& constants) {
  const Context context{node, inputs, constants};
  try {
    return std::visit([&](const auto& op) { return rule(context, op); }, node.op);
  } catch (const UserError& error) {
    const std::string_view message = error.what();
    if (!message.starts_with("base: ")) throw;
    throw UserError("graph: node '" + node.name + "' (" + std::string(name_of(node.op)) +
                    "): " + std::string(message.substr(6)));
  }
}

void infer_shapes(Graph& graph) {
  for (const Node& node : graph.nodes) {
    std::vector<TypedShape> held;
    std::vector<const TypedShape*> inputs;
    std::vector<const Tensor*> constants;
    held.reserve(node.inputs.size());
    for (ValueId id : node.inputs) {
      if (id != absent) held.push_back({graph[id].type, graph[id].shape});
      inputs.push_back(id == absent ? nullptr : &held.back());
      constants.push_back(graph.constant(id));
    }
    const std::vector<TypedShape> types = infer(node, inputs, constants);
    if (types.size() != node.outputs.size())
      fail("graph", "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")",
           std::to_string(node.outputs.size()) + " outputs", std::to_string(types.size()));
    const bool quantiser = std::holds_alternative<Quantise>(node.op);
    for (size_t i = 0; i < types.size(); ++i) {
      Value& value = graph[node.outputs[i]];
      value.shape = types[i].shape;
      if (!(quantiser && !is_real(value.type))) value.type = types[i].type;
    }
  }
}

}  // namespace nibble::graph
