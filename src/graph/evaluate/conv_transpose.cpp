#include "graph/evaluate/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {
namespace {

/// Where along each spatial axis the products of one tap land.
struct Landing {
  Shape x, y;
  std::vector<int64_t> y_strides;  ///< of the spatial axes
  std::vector<Window> windows;

  /// Offset in a channel of y, or -1 outside.
  int64_t at(int64_t position, int64_t tap) const {
    int64_t offset = 0;
    for (size_t axis = windows.size(); axis-- > 0;) {
      const Window& w = windows[axis];
      const int64_t to = position % x[axis + 2] * w.stride - w.pad_begin + tap % w.kernel * w.dilation;
      if (to < 0 || to >= y[axis + 2]) return -1;
      offset += to * y_strides[axis];
      position /= x[axis + 2], tap /= w.kernel;
    }
    return offset;
  }
};

template <class T>
Tensor transposed_convolution(const Call& call, const ConvTranspose& op) {
  const Shape &x = call[0].shape(), &w = call[1].shape();
  const Ints kernel(w.begin() + 2, w.end());
  const int64_t outputs = w[1] * op.group, inputs = x[1] / op.group;
  Landing landing{x, {x[0], outputs}, {}, {}};
  for (size_t axis = 0; axis < kernel.size(); ++axis) {
    landing.windows.push_back(window_of(kernel, op.strides, op.pads, op.dilations, false, axis));
    landing.y.push_back(widened_extent(x[axis + 2], landing.windows.back(), op.output_pads, axis));
  }
  Tensor y = zeros<T>(landing.y);
  const auto strides = strides_of(landing.y);
  landing.y_strides.assign(strides.begin() + 2, strides.end());
  // Without images or channels there are no products, however many positions their shape has.
  const int64_t positions = call[0].size() == 0 ? 0 : element_count(Shape(x.begin() + 2, x.end()));
  const int64_t taps = element_count(kernel);
  const auto zero = static_cast<T>(op.zero_point);
  const T *in = call[0].as<T>().data(), *weights = call[1].as<T>().data();
  for (int64_t position = 0; position < positions; ++position)
    for (int64_t tap = 0; tap < taps; ++tap) {
      const int64_t to = landing.at(position, tap);
      if (to < 0) continue;
      for (int64_t n = 0; n < x[0]; ++n)
        for (int64_t c = 0; c < x[1]; ++c) {
          const T value = difference_of(in[(n * x[1] + c) * positions + position], zero);
          for (int64_t o = 0; o < w[1]; ++o) {
            T& sum = y.as<T>()[static_cast<size_t>((n * outputs + c / inputs * w[1] + o) * strides[1] + to)];
            sum = sum_of(sum, product_of(value, weights[(c * w[1] + o) * taps + tap]));
          }
        }
    }
  if (!call.has(2)) return y;
  const auto values = y.template as<T>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = sum_of(values[i], call[2].as<T>()[i / static_cast<size_t>(strides[1]) % static_cast<size_t>(outputs)]);
  return y;
}

}  // namespace

Tensors meaning(const Call& call, const ConvTranspose& op) {
  return by_kind(call, [&](auto kind) { return transposed_convolution<decltype(kind)>(call, op); });
}

}  // namespace nibble::graph
