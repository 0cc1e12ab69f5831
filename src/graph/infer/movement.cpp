#include <algorithm>
#include <cmath>

#include "graph/infer/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {

/// How many elements the axes have together. On the `first` axis of the result a multiple of the batch is `any` too.
static int64_t product(const Shape& shape, size_t from, size_t to, bool first, const Context& c) {
  int64_t result = 1;
  int batches = 0;
  for (size_t i = from; i < to; ++i) {
    if (shape[i] == any)
      ++batches;
    else
      result *= shape[i];
  }
  c.check(batches == 0 || (batches == 1 && (result == 1 || (first && result > 0))), "shape " + to_string(shape),
          "the batch on its own, or a fixed batch");
  return batches ? any : result;
}

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
  c.check(!std::isnan(op.value), "a pad with NaN", "a number");
  c.check(is_real(c.type(0)) || (std::abs(op.value) <= 0x1p53 && op.value == std::floor(op.value)),
          "a pad of integers with " + std::to_string(op.value), "a whole number");
  c.check(op.pads.size() == 2 * y.size(), std::to_string(op.pads.size()) + " pads", std::to_string(2 * y.size()));
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t begin = op.pads[i], end = op.pads[i + y.size()];
    c.check(std::abs(begin) <= largest_tensor && std::abs(end) <= largest_tensor, "absurd pads", "small ones");
    if (begin == 0 && end == 0) continue;
    c.check(y[i] != any, "a pad of the symbolic batch", "another axis");
    if (op.mode == PadMode::Reflect)
      c.check(begin < y[i] && end < y[i], "a reflection of " + std::to_string(std::max(begin, end)),
              "less than the extent");
    c.check(op.mode != PadMode::Edge || y[i] > 0, "the edge of an axis without elements", "at least one");
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
  return {{c.type(0), {product(x, 0, axis, true, c), product(x, axis, x.size(), false, c)}}};
}

Types rule(const Context& c, const Reshape& op) {
  c.count_inputs(1, 1);
  return {{c.type(0), reshaped(c.shape(0), op)}};
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
  c.check(!op.axes.empty() || is_static(x), "no axes with a symbolic batch", "axes, for the batch may be 1");
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
    const bool kept = op.sizes.empty() ? op.scales[i] == 1 : op.sizes[i] == any;
    c.check(y[i] != any || kept, "a resized batch", "another axis");
    c.check(y[i] != 0, "an axis without elements", "at least one");
    y[i] = resized(op, i, y[i]);
    c.check(y[i] == any || y[i] >= 1, "an extent of " + std::to_string(y[i]), "at least 1");
  }
  return {{c.type(0), y}};
}

}  // namespace nibble::graph
