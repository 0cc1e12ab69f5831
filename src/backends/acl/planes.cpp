#include "backends/acl/planes.hpp"

namespace nibble::backends {
namespace {

/// Of a step with extents of depth, height and width.
template <class Step>
Planes planes_over(const Step& step, int64_t channels, int64_t multiplier) {
  if (step.in[0] != 1 || step.out[0] != 1 || step.kernel[0] != 1 || step.pad[0] != 0) return {};
  Planes p{};
  p.x_type = step.x_type, p.batch = step.batch, p.zero_point = step.zero_point;
  p.channels = channels, p.multiplier = multiplier;
  for (int axis = 0; axis < 2; ++axis) {
    p.in[axis] = step.in[axis + 1];
    p.out[axis] = step.out[axis + 1];
    p.kernel[axis] = step.kernel[axis + 1];
    p.stride[axis] = step.stride[axis + 1];
    p.pad[axis] = step.pad[axis + 1];
    p.dilation[axis] = step.dilation[axis + 1];
    p.x_stride[axis + 1] = step.x_stride[axis + 2];
  }
  p.x_stride[0] = step.x_stride[0], p.x_stride[3] = 1;
  return p;
}

}  // namespace

Planes planes_of(const nibble_conv& conv) {
  const bool each = conv.groups == conv.in_channels && conv.in_channels > 0;
  if (!each || conv.acc_type != NIBBLE_I32) return {};
  return planes_over(conv, conv.in_channels, conv.out_channels / conv.in_channels);
}

Planes planes_of(const nibble_pool& pool) {
  return planes_over(pool, pool.channels, 1);
}

Planes planes_of(const nibble_reduce& reduce) {
  const int last = reduce.rank - 1;
  if (reduce.op != 0 || reduce.rank < 1 || reduce.rank > 2 || reduce.reduced_rank < 1 || reduce.reduced_rank > 2)
    return {};
  if (reduce.x_stride[last] != 1) return {};
  const bool two = reduce.reduced_rank == 2;
  const int64_t height = two ? reduce.reduced[0] : 1, width = reduce.reduced[two ? 1 : 0];
  return {
      reduce.x_type,
      last > 0 ? reduce.extent[0] : 1,
      reduce.extent[last],
      1,
      reduce.zero_point,
      {height, width},
      {1, 1},
      {height, width},
      {1, 1},
      {0, 0},
      {1, 1},
      {last > 0 ? reduce.x_stride[0] : 0, two ? reduce.reduced_stride[0] : 0, reduce.reduced_stride[two ? 1 : 0], 1}};
}

int64_t behind(const Planes& p, int axis) {
  return (p.out[axis] - 1) * p.stride[axis] + (p.kernel[axis] - 1) * p.dilation[axis] + 1 - p.in[axis] - p.pad[axis];
}

arm_compute::TensorShape image(const Planes& p, int64_t channels, const int64_t* extents) {
  // Channels move fastest.
  return {static_cast<size_t>(channels), static_cast<size_t>(extents[1]), static_cast<size_t>(extents[0]),
          static_cast<size_t>(p.batch)};
}

arm_compute::PadStrideInfo pads(const Planes& p) {
  const auto number = [](int64_t n) { return static_cast<unsigned>(n); };
  return {number(p.stride[1]),
          number(p.stride[0]),
          number(p.pad[1]),
          number(behind(p, 1)),
          number(p.pad[0]),
          number(behind(p, 0)),
          arm_compute::DimensionRoundingType::FLOOR};
}

}  // namespace nibble::backends
