#pragma once
#include <memory>

#include <arm_compute/runtime/NEON/functions/NEPoolingLayer.h>
#include "backends/acl/depthwise.hpp"
#include "kernels/kernels.h"

namespace nibble::backends {

/// The maximum of each window, of bytes that lie side by side.
class Maximum {
 public:
  /// Throws Refusal.
  explicit Maximum(const nibble_pool& pool);
  /// One thread at a time.
  void run(const void* x, void* y);

  static const char* refusal(const nibble_pool& pool);

 private:
  std::mutex running_;
  View x_, y_;
  arm_compute::NEPoolingLayer layer_;
};

/// Sums of windows as a depthwise convolution by ones; then the step's own stage.
class Sum {
 public:
  /// y: strides of batch, height, width and channel. Throws Refusal.
  Sum(const Planes& planes, const nibble_stage& stage, bool stage_of_channels, int32_t y_type, const int64_t* y_stride);

  size_t scratch() const;
  /// A nibble_fault. One thread at a time.
  int run(const void* x, void* scratch, void* y);

 private:
  Planes planes_;
  nibble_stage stage_;
  bool stage_of_channels_;
  int32_t y_type_;
  int64_t y_stride_[4];
  Depthwise sums_;
};

}  // namespace nibble::backends
