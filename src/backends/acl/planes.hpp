#pragma once
#include <cstdint>

#include <arm_compute/core/TensorShape.h>
#include <arm_compute/core/Types.h>
#include "kernels/kernels.h"

namespace nibble::backends {

/// Windows over a plane of bytes, channel by channel: those of a depthwise convolution, or of a pool.
struct Planes {
  int32_t x_type;
  int64_t batch, channels, multiplier, zero_point;
  int64_t in[2], out[2], kernel[2], stride[2], pad[2], dilation[2];
  int64_t x_stride[4];  ///< batch, height, width, channel
};

/// The windows of a depthwise convolution, or of a pool; with no channels where they are none of a plane.
Planes planes_of(const nibble_conv& conv);
Planes planes_of(const nibble_pool& pool);
/// Those of a reduction over one or two axes of which channels are kept, side by side: one window a plane.
Planes planes_of(const nibble_reduce& reduce);

/// What is padded behind x so that `out` windows are there; negative where no window meets the end of x.
int64_t behind(const Planes& planes, int axis);

/// As the library says it: an image of NHWC of the extents `in` or `out`, and what is padded.
arm_compute::TensorShape image(const Planes& planes, int64_t channels, const int64_t* extents);
arm_compute::PadStrideInfo pads(const Planes& planes);

}  // namespace nibble::backends
