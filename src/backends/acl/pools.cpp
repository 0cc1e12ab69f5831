#include "backends/acl/pools.hpp"

#include <algorithm>

#include "kernels/element.h"

namespace nibble::backends {
namespace {

using arm_compute::DataLayout;
using arm_compute::DataType;

Weights ones(const Planes& planes) {
  const int64_t taps = planes.kernel[0] * planes.kernel[1];
  return {planes.channels, taps, 1, std::vector<int32_t>(static_cast<size_t>(planes.channels * taps), 1)};
}

int64_t sums_of(const Planes& planes) {
  return planes.batch * planes.out[0] * planes.out[1] * planes.channels;
}

size_t rounded(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// Whether extents of batch, height and width lie end to end behind channels that do.
bool is_dense(int64_t channels, const int64_t* extents, const int64_t* strides, int64_t batch) {
  return strides[2] == channels && strides[1] == channels * extents[1] &&
         (batch == 1 || strides[0] == channels * extents[1] * extents[0]);
}

DataType bytes_of(int32_t type) {
  return type == NIBBLE_U8 ? DataType::QASYMM8 : DataType::QASYMM8_SIGNED;
}

}  // namespace

const char* Maximum::refusal(const nibble_pool& pool) {
  const Planes p = planes_of(pool);
  if (const char* why = Depthwise::refusal(p); *why != 0) return why;
  if (pool.y_type != pool.x_type) return "a maximum of another type";
  if (p.dilation[0] != 1 || p.dilation[1] != 1) return "a maximum with gaps in its windows";
  if (behind(p, 0) < 0 || behind(p, 1) < 0) return "an image whose end no window meets";
  if (!is_dense(p.channels, p.in, p.x_stride, p.batch)) return "an image with gaps between rows";
  const int64_t y_stride[] = {pool.y_stride[0], pool.y_stride[2], pool.y_stride[3]};
  return is_dense(p.channels, p.out, y_stride, p.batch) ? "" : "a result with gaps between rows";
}

Maximum::Maximum(const nibble_pool& pool)
    : x_(image(planes_of(pool), pool.channels, planes_of(pool).in), bytes_of(pool.x_type), DataLayout::NHWC),
      y_(image(planes_of(pool), pool.channels, planes_of(pool).out), bytes_of(pool.x_type), DataLayout::NHWC) {
  use_one_thread();
  const Planes p = planes_of(pool);
  const arm_compute::PoolingLayerInfo about(
      arm_compute::PoolingType::MAX,
      arm_compute::Size2D(static_cast<size_t>(p.kernel[1]), static_cast<size_t>(p.kernel[0])), DataLayout::NHWC,
      pads(p));
  require(arm_compute::NEPoolingLayer::validate(x_.info(), y_.info(), about), "windows that it does not pool");
  layer_.configure(&x_, &y_, about);
  if (!x_.is_dense() || !y_.is_dense()) throw Refusal{"channels of which it takes 16 at a time"};
}

void Maximum::run(const void* x, void* y) {
  const std::lock_guard<std::mutex> lock(running_);
  x_.look_at(x);
  y_.look_at(y);
  layer_.run();
}

Sum::Sum(const Planes& planes, const nibble_stage& stage, bool stage_of_channels, int32_t y_type,
         const int64_t* y_stride)
    : planes_(planes),
      stage_(stage),
      stage_of_channels_(stage_of_channels),
      y_type_(y_type),
      sums_(planes, ones(planes)) {
  std::copy_n(y_stride, 4, y_stride_);
}

size_t Sum::scratch() const {
  return rounded(sums_.scratch()) + rounded(static_cast<size_t>(4 * sums_of(planes_)) + NIBBLE_SLACK);
}

int Sum::run(const void* x, void* scratch, void* y) {
  int fault = NIBBLE_FINE;
  auto* v = reinterpret_cast<int32_t*>(static_cast<uint8_t*>(scratch) + rounded(sums_.scratch()));
  sums_.run(x, scratch, v);
  for (int64_t n = 0; n < planes_.batch; ++n)
    for (int64_t i = 0; i < planes_.out[0]; ++i)
      for (int64_t k = 0; k < planes_.out[1]; ++k)
        for (int64_t c = 0; c < planes_.channels; ++c, ++v) {
          const int64_t at = n * y_stride_[0] + i * y_stride_[1] + k * y_stride_[2] + c * y_stride_[3];
          nibble_store(y, y_type_, at, nibble_staged(&stage_, *v, stage_of_channels_ ? c : 0, &fault));
        }
  return fault;
}

}  // namespace nibble::backends
