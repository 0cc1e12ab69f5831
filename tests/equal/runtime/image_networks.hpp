#pragma once
#include "equal/runtime/integer_net.hpp"

namespace nibble::tests {

/// Integer networks over one image, of activations of 4 and 2 bits and a few of 8: convolutions, depthwise and in groups,
/// pools, residuals, sums over the image; odd channels, widths, strides and pads.
class ImageNetwork {
 public:
  explicit ImageNetwork(uint64_t seed) : random_(seed) {}

  graph::Graph make() {
    graph::ValueId x = net_.input({1, between(1, 4), between(5, 15), between(2, 9)}, chance(2) ? bytes : levels());
    const int64_t count = between(3, 8);
    for (int64_t i = 0; i < count; ++i) x = step(x);
    if (chance(2)) return net_.give({reduced(x)});
    return net_.give({requantised(convolution(x, between(1, 6), false), bytes)});
  }

 private:
  static constexpr Interval bytes{0, 255};

  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_.below(static_cast<uint64_t>(high - low + 1)));
  }
  bool chance(uint64_t of) { return random_.below(of) == 0; }
  Interval levels() {
    constexpr Interval all[] = {{0, 15}, {-8, 7}, {0, 3}, {-2, 1}, {0, 10}, {-128, 127}};
    return all[random_.below(std::size(all))];
  }
  const Shape& shape(graph::ValueId x) const { return net_.graph[x].shape; }

  graph::ValueId requantised(graph::ValueId x, Interval to) {
    return net_.requantise(x, between(1, 5), between(-300, 1 << 10), between(4, 9), to);
  }
  graph::ValueId convolution(graph::ValueId x, int64_t outputs, bool keeps_extents) {
    const int64_t in = shape(x)[1], k = 2 * between(0, 2) + 1, other = 2 * between(0, 1) + 1;
    const bool depthwise = in > 1 && chance(3);
    const int64_t groups = depthwise ? in : in % 2 == 0 && outputs % 2 == 0 && chance(5) ? 2 : 1;
    const bool whole = keeps_extents || chance(2) || shape(x)[2] < 5 || shape(x)[3] < 3;
    const graph::ValueId w = net_.constant({depthwise ? in : outputs, in / groups, k, other}, Interval{-7, 8});
    const graph::ValueId bias = net_.constant({depthwise ? in : outputs}, Interval{-99, 99});
    const graph::Ints pads = whole ? graph::Ints{k / 2, other / 2, k / 2, other / 2}
                                   : graph::Ints{between(0, k / 2), between(0, 1), k / 2, 1};
    const graph::Ints strides = whole ? graph::Ints{1, 1} : graph::Ints{between(1, 2), between(1, 3)};
    return net_.node(graph::Conv{strides, pads, {1, 1}, groups, between(-2, 3)}, {x, w, bias});
  }
  graph::ValueId pool(graph::ValueId x) {
    const graph::Ints kernel{between(1, 3), between(1, 2)}, strides{between(1, 2), 1},
        pads{between(0, 1) % kernel[0], 0, 0, 0};
    if (chance(2)) return net_.node(graph::MaxPool{kernel, strides, pads, {1, 1}, false}, {x});
    return requantised(net_.node(graph::SumPool{kernel, strides, pads, {1, 1}, false, between(0, 2)}, {x}), levels());
  }
  graph::ValueId reduced(graph::ValueId x) {
    return chance(2) ? net_.node(graph::ReduceSum{{2, 3}, chance(2), 1}, {x})
                     : net_.node(graph::ReduceMax{{3}, true}, {x});
  }
  graph::ValueId residual(graph::ValueId x) {
    const Interval to = levels();
    const int64_t channels = between(1, 20);
    const graph::ValueId y = requantised(convolution(x, channels, true), to);
    const graph::ValueId z = requantised(convolution(y, shape(y)[1], true), to);
    return net_.requantise(net_.node(graph::Add{}, {y, z}), 1, 0, 1, to);
  }
  graph::ValueId step(graph::ValueId x) {
    if (shape(x)[2] < 4 || shape(x)[3] < 2 || chance(3)) return residual(x);
    if (chance(5)) return pool(x);
    return requantised(convolution(x, between(1, 20), false), levels());
  }

  IntegerNet net_;
  Random random_;
};

}  // namespace nibble::tests
