#include "graph/windows.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"

namespace nibble::graph {

int64_t window_count(int64_t extent, const Window& window) {
  const int64_t reach = window.dilation * (window.kernel - 1) + 1;
  const int64_t room = extent + window.pad_begin + window.pad_end - reach;
  if (room < 0) return 0;
  if (!window.ceil_mode) return room / window.stride + 1;
  const int64_t count = (room + window.stride - 1) / window.stride + 1;
  const bool last_starts_outside = (count - 1) * window.stride >= extent + window.pad_begin;
  return last_starts_outside ? count - 1 : count;
}

Window window_of(const Ints& kernel, const Ints& strides, const Ints& pads, const Ints& dilations, bool ceil_mode,
                 size_t axis) {
  Window window;
  window.kernel = kernel.at(axis);
  if (!strides.empty()) window.stride = strides.at(axis);
  if (!dilations.empty()) window.dilation = dilations.at(axis);
  if (!pads.empty()) {
    window.pad_begin = pads.at(axis);
    window.pad_end = pads.at(axis + pads.size() / 2);
  }
  window.ceil_mode = ceil_mode;
  return window;
}

int64_t widened_extent(int64_t extent, const Window& window, const Ints& output_pads, size_t axis) {
  const int64_t reach = window.dilation * (window.kernel - 1) + 1;
  const int64_t added = output_pads.empty() ? 0 : output_pads.at(axis);
  return (extent - 1) * window.stride + reach - window.pad_begin - window.pad_end + added;
}

Cut slice_of(int64_t start, int64_t end, int64_t step, int64_t extent) {
  const auto resolve = [&](int64_t index, int64_t least, int64_t most) {
    if (index < 0) index = index < -extent ? least : index + extent;
    return std::clamp(index, least, most);
  };
  Cut cut;
  cut.step = step;
  if (step > 0) {
    cut.begin = resolve(start, 0, extent);
    const int64_t stop = resolve(end, 0, extent);
    // One less, divided, one more: no overflow whatever the step.
    cut.count = stop > cut.begin ? (stop - cut.begin - 1) / step + 1 : 0;
  } else {
    cut.begin = resolve(start, -1, extent - 1);
    const int64_t stop = resolve(end, -1, extent - 1);
    const int64_t down = step == INT64_MIN ? INT64_MAX : -step;
    cut.count = cut.begin > stop ? (cut.begin - stop - 1) / down + 1 : 0;
  }
  return cut;
}

Shape reshaped(const Shape& from, const Reshape& op) {
  Shape to = op.shape;
  int64_t free = -1;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == 0 && !op.allow_zero) {
      if (i >= from.size())
        fail("graph", "reshape", "0 at axis " + std::to_string(i) + " of " + to_string(from),
             "an axis that the input has");
      to[i] = from[i];
    } else if (to[i] == -1) {
      if (free >= 0) fail("graph", "reshape", "two -1", "at most one");
      free = static_cast<int64_t>(i);
    } else if (to[i] < 0) {
      fail("graph", "reshape", "extent " + std::to_string(to[i]), "at least -1");
    }
  }
  const auto batches = [](const Shape& shape, int64_t skip) {
    int64_t count = 0;
    for (size_t i = 0; i < shape.size(); ++i) count += static_cast<int64_t>(i) != skip && shape[i] == any;
    return count;
  };
  const auto rest = [](const Shape& shape, int64_t skip) {
    Shape known;
    for (size_t i = 0; i < shape.size(); ++i)
      if (shape[i] != any && static_cast<int64_t>(i) != skip) known.push_back(shape[i]);
    return element_count(known);
  };
  const int64_t have = rest(from, -1);
  const int64_t want = rest(to, free);
  const int64_t open = batches(from, -1) - batches(to, free);
  const bool divides = want != 0 ? have % want == 0 : have == 0;
  const auto misfit = [&] { fail("graph", "reshape", to_string(from), "as many elements as " + to_string(op.shape)); };
  if (free < 0) {
    if (open != 0 || have != want) misfit();
  } else if (open == 0) {
    if (!divides || want == 0) misfit();
    to[static_cast<size_t>(free)] = have / want;
  } else {
    // The batch is what remains, or on the first axis a multiple of it, or of which it is one.
    const bool fits = want > 0 && have > 0 && (have % want == 0 || want % have == 0);
    if (open != 1 || (free == 0 ? !fits : have != want)) misfit();
    to[static_cast<size_t>(free)] = any;
  }
  return to;
}

int64_t resized(const Resize& op, size_t axis, int64_t extent) {
  if (!op.sizes.empty()) return op.sizes.at(axis) == any ? extent : op.sizes.at(axis);
  const double scale = op.scales.at(axis);
  if (extent == any) return any;
  return static_cast<int64_t>(std::floor(static_cast<double>(extent) * scale));
}

Ints normalised_axes(const Ints& axes, size_t rank, bool empty_is_all) {
  Ints result = axes;
  if (axes.empty() && empty_is_all) {
    result.resize(rank);
    std::iota(result.begin(), result.end(), 0);
  }
  for (int64_t& axis : result) axis = normalise_axis(axis, rank);
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) != result.end())
    fail("graph", "axes", "an axis named twice", "each axis once");
  return result;
}

}  // namespace nibble::graph
