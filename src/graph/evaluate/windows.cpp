#include <algorithm>
#include <limits>

#include "graph/evaluate/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {
namespace {

/// The windows of a pool over each channel of x.
class Windows {
 public:
  template <class Pool>
  Windows(const Shape& x, const Pool& op) : x_(x), strides_(strides_of(x)), shape_{x[0], x[1]} {
    for (size_t axis = 0; axis + 2 < x.size(); ++axis) {
      windows_.push_back(window_of(op.kernel, op.strides, op.pads, op.dilations, op.ceil_mode, axis));
      shape_.push_back(window_count(x[axis + 2], windows_.back()));
    }
    taps_ = element_count(op.kernel);
  }

  /// Each element of the result is value(channel, inside, whole): the channel's elements, the offsets in it of those
  /// that the window covers, and how many positions of the window lie inside x and its pads.
  template <class T, class Value>
  Tensor pool(const Tensor& x, Value&& value) {
    Tensor y = zeros<T>(shape_);
    const auto out = y.template as<T>();
    const auto in = x.as<T>();
    const auto channels = static_cast<size_t>(x_[0] * x_[1]);
    if (out.empty()) return y;
    const size_t positions = out.size() / channels, elements = in.size() / channels;
    for (size_t position = 0; position < positions; ++position) {
      place(static_cast<int64_t>(position));
      for (size_t channel = 0; channel < channels; ++channel)
        out[channel * positions + position] = value(in.data() + channel * elements, inside_, whole_);
    }
    return y;
  }

 private:
  /// Which positions of the window at an output position lie inside x.
  void place(int64_t position) {
    inside_.clear();
    whole_ = 0;
    for (int64_t tap = 0; tap < taps_; ++tap) {
      int64_t p = position, t = tap, offset = 0;
      bool in_x = true, in_pads = true;
      for (size_t axis = windows_.size(); axis-- > 0;) {
        const Window& w = windows_[axis];
        const int64_t extent = x_[axis + 2];
        const int64_t at = p % shape_[axis + 2] * w.stride - w.pad_begin + t % w.kernel * w.dilation;
        in_x &= at >= 0 && at < extent;
        in_pads &= at < extent + w.pad_end;
        offset += at * strides_[axis + 2];
        p /= shape_[axis + 2];
        t /= w.kernel;
      }
      whole_ += in_pads;
      if (in_x) inside_.push_back(offset);
    }
  }

  const Shape& x_;
  std::vector<int64_t> strides_;
  Shape shape_;
  std::vector<Window> windows_;
  std::vector<int64_t> inside_;
  int64_t taps_ = 1, whole_ = 0;
};

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

/// Calls f(element, the one of the result that it belongs to).
template <class F>
void each_reduced(const Shape& x, const Shape& kept, size_t elements, F&& f) {
  const auto to = strides_of(kept);
  for (size_t i = 0; i < elements; ++i) {
    int64_t rest = static_cast<int64_t>(i), offset = 0;
    for (size_t axis = x.size(); axis-- > 0;) {
      if (kept[axis] != 1) offset += rest % x[axis] * to[axis];
      rest /= x[axis];
    }
    f(i, static_cast<size_t>(offset));
  }
}

/// Sums of x - zero_point over the axes.
template <class T>
Tensor reduce(const Call& call, const Ints& axes, bool keep_dims, T zero_point) {
  const Shape& x = call[0].shape();
  const Reduction r = reduction_of(x, axes, keep_dims);
  Tensor y = zeros<T>(r.shape);
  const auto out = y.template as<T>();
  const auto values = call[0].as<T>();
  each_reduced(x, r.kept, values.size(),
               [&](size_t i, size_t to) { out[to] = sum_of(out[to], difference_of(values[i], zero_point)); });
  return y;
}

template <class T>
Tensor maxima(const Call& call, const ReduceMax& op) {
  const Shape& x = call[0].shape();
  const Reduction r = reduction_of(x, op.axes, op.keep_dims);
  Tensor y = zeros<T>(r.shape);
  const auto out = y.template as<T>();
  const auto values = call[0].as<T>();
  std::vector<bool> seen(out.size());
  each_reduced(x, r.kept, values.size(), [&](size_t i, size_t to) {
    out[to] = seen[to] ? std::max(out[to], values[i]) : values[i];
    seen[to] = true;
  });
  return y;
}

template <class T>
Tensor places_of_maxima(const Call& call, const ArgMax& op) {
  const Shape& x = call[0].shape();
  const Reduction r = reduction_of(x, {op.axis}, op.keep_dims);
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, x.size()));
  const auto stride = static_cast<size_t>(strides_of(x)[axis]), extent = static_cast<size_t>(x[axis]);
  Tensor y = zeros<int64_t>(r.shape);
  const auto places = y.as<int64_t>();
  const auto values = call[0].as<T>();
  std::vector<T> most(places.size());
  each_reduced(x, r.kept, values.size(), [&](size_t i, size_t to) {
    const size_t place = i / stride % extent;
    if (place != 0 && (op.last ? values[i] < most[to] : values[i] <= most[to])) return;
    most[to] = values[i];
    places[to] = static_cast<int64_t>(place);
  });
  return y;
}

Tensors mean(const Call& call, const Ints& axes, bool keep_dims) {
  Tensor y = reduce(call, axes, keep_dims, 0.0);
  const auto count = static_cast<double>(reduction_of(call[0].shape(), axes, keep_dims).count);
  for (double& each : y.as<double>()) each /= count;
  return {y};
}

}  // namespace

Tensors meaning(const Call& call, const MaxPool& op) {
  return by_kind(call, [&](auto kind) {
    using T = decltype(kind);
    using Limits = std::numeric_limits<T>;
    constexpr T outside = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    return Windows(call[0].shape(), op).pool<T>(call[0], [](const T* x, const Ints& inside, int64_t) {
      T most = outside;
      for (int64_t offset : inside) most = std::max(most, x[offset]);
      return most;
    });
  });
}

Tensors meaning(const Call& call, const AveragePool& op) {
  return {Windows(call[0].shape(), op).pool<double>(call[0], [&](const double* x, const Ints& inside, int64_t whole) {
    double sum = 0;
    for (int64_t offset : inside) sum += x[offset];
    return sum / static_cast<double>(op.count_include_pad ? whole : static_cast<int64_t>(inside.size()));
  })};
}

Tensors meaning(const Call& call, const SumPool& op) {
  return by_kind(call, [&](auto kind) {
    using T = decltype(kind);
    const auto zero_point = static_cast<T>(op.zero_point);
    return Windows(call[0].shape(), op).pool<T>(call[0], [&](const T* x, const Ints& inside, int64_t) {
      T sum = 0;
      for (int64_t offset : inside) sum = sum_of(sum, difference_of(x[offset], zero_point));
      return sum;
    });
  });
}

Tensors meaning(const Call& call, const GlobalAveragePool&) {
  Ints axes;
  for (size_t i = 2; i < call[0].rank(); ++i) axes.push_back(static_cast<int64_t>(i));
  return axes.empty() ? Tensors{call[0]} : mean(call, axes, true);
}

Tensors meaning(const Call& call, const ReduceMean& op) {
  return mean(call, op.axes, op.keep_dims);
}

Tensors meaning(const Call& call, const ReduceSum& op) {
  return by_kind(
      call, [&](auto kind) { return reduce(call, op.axes, op.keep_dims, static_cast<decltype(kind)>(op.zero_point)); });
}

Tensors meaning(const Call& call, const ReduceMax& op) {
  return by_kind(call, [&](auto kind) { return maxima<decltype(kind)>(call, op); });
}

Tensors meaning(const Call& call, const ArgMax& op) {
  return by_kind(call, [&](auto kind) { return places_of_maxima<decltype(kind)>(call, op); });
}

}  // namespace nibble::graph
