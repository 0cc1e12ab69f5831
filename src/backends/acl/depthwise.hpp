#pragma once
#include <cstdint>
#include <mutex>
#include <vector>

#include <arm_compute/runtime/NEON/functions/NEDepthwiseConvolutionLayer.h>
#include <arm_compute/runtime/Tensor.h>
#include "backends/acl/planes.hpp"
#include "backends/acl/view.hpp"
#include "backends/weights.hpp"

namespace nibble::backends {

/// Sums of a window's products, channel by channel, by the library's depthwise convolution of floats: the one of bytes
/// rounds its sums itself, and hands out none. Every sum of products of x - zero_point and w stays below 2^24, in any order,
/// so each float is the integer. The library (20.08) is wrong on some planes of one row: each step is tried, on drawn
/// activations against the definition, and left where the sums are others.
class Depthwise {
 public:
  /// `weights` of channels * multiplier output channels, one channel each. Throws Refusal.
  Depthwise(const Planes& planes, const Weights& weights);

  size_t scratch() const;
  /// v[position][channel * multiplier + m] = sum of w * (x - zero_point); nothing is added outside x. One thread at a time.
  void run(const void* x, void* scratch, int32_t* v);

  static const char* refusal(const Planes& planes);

 private:
  void gather(const void* x, float* to) const;
  bool agrees(const Weights& weights);

  Planes planes_;
  std::mutex running_;
  View x_, y_;
  arm_compute::Tensor w_;
  arm_compute::NEDepthwiseConvolutionLayer layer_;
};

}  // namespace nibble::backends
