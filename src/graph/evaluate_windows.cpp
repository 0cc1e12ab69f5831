#include <algorithm>
#include <limits>

#include "graph/arrays.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {
namespace {

/// Visits every window of a pool: `use(first, inside, whole)` for each output element, with the offsets of the elements
/// inside x relative to `first`, the start of the channel, and how many positions lie inside x and its pads.
template <class Pool, class Use>
Shape walk_windows(const Call& call, const Pool& op, bool ceil_mode, Use&& use) {
  const Shape& x = call[0].shape();
  const size_t spatial = x.size() - 2;
  const auto strides = strides_of(x);
  std::vector<Window> windows;
  Shape y{x[0], x[1]};
  for (size_t axis = 0; axis < spatial; ++axis) {
    windows.push_back(window_of(op.kernel, op.strides, op.pads, op.dilations, ceil_mode, axis));
    y.push_back(window_count(x[axis + 2], windows.back()));
  }
  const int64_t positions = element_count(Shape(y.begin() + 2, y.end()));
  const int64_t taps = element_count(op.kernel);
  std::vector<int64_t> inside;
  for (int64_t position = 0; position < positions; ++position) {
    inside.clear();
    int64_t whole = 0;
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t p = position, t = tap, offset = 0;
      bool in_x = true, in_pads = true;
      for (size_t axis = spatial; axis-- > 0;) {
        const Window& w = windows[axis];
        const int64_t extent = x[axis + 2];
        const int64_t at = p % y[axis + 2] * w.stride - w.pad_begin + t % w.kernel * w.dilation;
        in_x &= at >= 0 && at < extent;
        in_pads &= at < extent + w.pad_end;
        offset += at * strides[axis + 2];
        p /= y[axis + 2];
        t /= w.kernel;
      }
      whole += in_pads;
      if (in_x) inside.push_back(offset);
    }
    for (int64_t channel = 0; channel < x[0] * x[1]; ++channel)
      use(channel * positions + position, channel * strides[1], inside, whole);
  }
  return y;
}

template <class T, class Pool, class Value>
Tensor pool(const Call& call, const Pool& op, bool ceil_mode, Value&& value) {
  std::vector<T> out;
  const auto x = call[0].as<T>();
  const Shape shape = walk_windows(call, op, ceil_mode,
                                   [&](int64_t at, int64_t first, const std::vector<int64_t>& inside, int64_t whole) {
                                     if (out.size() <= static_cast<size_t>(at)) out.resize(static_cast<size_t>(at) + 1);
                                     out[static_cast<size_t>(at)] = value(x.data() + first, inside, whole);
                                   });
  return Tensor(shape, out);
}

/// Where axis extents are kept as 1, the offset of an element's sum.
struct Reduction {
  Shape kept;  ///< with 1 for each reduced axis
  Shape shape;
  int64_t count = 1;  ///< elements in each sum
};

Reduction reduction_of(const Shape& x, const Ints& axes, bool keep_dims) {
  const Ints reduced = normalised_axes(axes, x.size(), true);
  Reduction r;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool gone = std::binary_search(reduced.begin(), reduced.end(), static_cast<int64_t>(i));
    r.kept.push_back(gone ? 1 : x[i]);
    if (gone) r.count *= x[i];
    if (!gone || keep_dims) r.shape.push_back(gone ? 1 : x[i]);
  }
  return r;
}

template <class T>
Tensor reduce(const Call& call, const Ints& axes, bool keep_dims, bool mean, int64_t zero_point) {
  const Shape& x = call[0].shape();
  const Reduction r = reduction_of(x, axes, keep_dims);
  Tensor y = zeros<T>(r.shape);
  const auto out = y.template as<T>();
  const auto values = call[0].as<T>();
  const auto to = strides_of(r.kept);
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t rest = static_cast<int64_t>(i), offset = 0;
    for (size_t axis = x.size(); axis-- > 0;) {
      if (r.kept[axis] != 1) offset += rest % x[axis] * to[axis];
      rest /= x[axis];
    }
    multiply_add(out[static_cast<size_t>(offset)], static_cast<T>(values[i] - static_cast<T>(zero_point)), T{1});
  }
  if constexpr (std::is_same_v<T, double>)
    if (mean)
      for (double& each : out) each /= static_cast<double>(r.count);
  return y;
}

}  // namespace

Tensors evaluate_window(const Call& call, const MaxPool& op) {
  return by_kind(call, [&](auto kind) {
    using T = decltype(kind);
    return pool<T>(call, op, op.ceil_mode, [](const T* x, const std::vector<int64_t>& inside, int64_t) {
      T most = std::numeric_limits<T>::lowest();
      for (int64_t offset : inside) most = std::max(most, x[offset]);
      return most;
    });
  });
}

Tensors evaluate_window(const Call& call, const AveragePool& op) {
  return {pool<double>(call, op, op.ceil_mode, [&](const double* x, const std::vector<int64_t>& inside, int64_t whole) {
    double sum = 0;
    for (int64_t offset : inside) sum += x[offset];
    return sum / static_cast<double>(op.count_include_pad ? whole : static_cast<int64_t>(inside.size()));
  })};
}

Tensors evaluate_window(const Call& call, const SumPool& op) {
  return by_kind(call, [&](auto kind) {
    using T = decltype(kind);
    return pool<T>(call, op, op.ceil_mode, [&](const T* x, const std::vector<int64_t>& inside, int64_t) {
      T sum = 0;
      for (int64_t offset : inside) multiply_add(sum, static_cast<T>(x[offset] - static_cast<T>(op.zero_point)), T{1});
      return sum;
    });
  });
}

Tensors evaluate_reduction(const Call& call, const Ints& axes, bool keep_dims, bool mean, int64_t zero_point) {
  return by_kind(call, [&](auto kind) { return reduce<decltype(kind)>(call, axes, keep_dims, mean, zero_point); });
}

}  // namespace nibble::graph
