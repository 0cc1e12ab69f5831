#include "backends/acl/depthwise.hpp"

#include <algorithm>
#include <cstring>

namespace nibble::backends {
namespace {

using arm_compute::DataLayout;
using arm_compute::DataType;
using arm_compute::TensorShape;

constexpr int64_t most_elements = int64_t{1} << 26;
constexpr int64_t most_taps = 512;  // 512 * 255 * 128 < 2^24

/// Rows and columns that no window meets are left out.
Planes trimmed(Planes p) {
  for (int axis = 0; axis < 2; ++axis) p.in[axis] += std::min<int64_t>(0, behind(p, axis));
  return p;
}

int64_t elements(const Planes& p, const int64_t* extents) {
  return p.batch * extents[0] * extents[1] * p.channels * p.multiplier;
}

}  // namespace

const char* Depthwise::refusal(const Planes& planes) {
  if (planes.channels == 0) return "no windows of a plane, channel by channel";
  if (planes.x_type != NIBBLE_U8 && planes.x_type != NIBBLE_I8) return "activations wider than 8 bits";
  const int64_t low = planes.x_type == NIBBLE_U8 ? 0 : INT8_MIN;
  if (planes.zero_point < low || planes.zero_point > low + UINT8_MAX) return "a zero point beyond 8 bits";
  for (int axis = 0; axis < 2; ++axis) {
    if (planes.in[axis] < 1 || planes.out[axis] < 1 || planes.kernel[axis] < 1) return "an empty axis";
    if (planes.pad[axis] >= planes.kernel[axis] || behind(planes, axis) >= planes.kernel[axis])
      return "a window that lies outside";
  }
  const Planes p = trimmed(planes);
  if (p.batch < 1 || p.in[0] < 1 || p.in[1] < 1) return "an empty tensor";
  if (p.kernel[0] * p.kernel[1] > most_taps) return "sums beyond 2^24, which floats round";
  if (elements(p, p.in) > most_elements || elements(p, p.out) > most_elements)
    return "more floats than memory should hold";
  return "";
}

Depthwise::Depthwise(const Planes& planes, const Weights& weights)
    : planes_(trimmed(planes)),
      x_(image(planes_, planes_.channels, planes_.in), DataType::F32, DataLayout::NHWC),
      y_(image(planes_, planes_.channels * planes_.multiplier, planes_.out), DataType::F32, DataLayout::NHWC) {
  use_one_thread();
  arm_compute::TensorInfo info(TensorShape(static_cast<size_t>(weights.outs), static_cast<size_t>(planes_.kernel[1]),
                                           static_cast<size_t>(planes_.kernel[0])),
                               1, DataType::F32);
  info.set_data_layout(DataLayout::NHWC);
  w_.allocator()->init(info);
  const auto multiplier = static_cast<unsigned>(planes_.multiplier);
  const arm_compute::Size2D dilation(static_cast<size_t>(planes_.dilation[1]),
                                     static_cast<size_t>(planes_.dilation[0]));
  require(arm_compute::NEDepthwiseConvolutionLayer::validate(x_.info(), w_.info(), nullptr, y_.info(), pads(planes_),
                                                             multiplier, {}, dilation),
          "windows that it does not convolve");
  layer_.configure(&x_, &w_, nullptr, &y_, pads(planes_), multiplier, {}, dilation);
  if (!x_.is_dense() || !y_.is_dense()) throw Refusal{"an image with gaps between rows"};
  w_.allocator()->allocate();
  const auto& strides = w_.info()->strides_in_bytes();
  for (int64_t tap = 0; tap < weights.taps; ++tap) {
    const auto row = static_cast<size_t>(tap / planes_.kernel[1]),
               column = static_cast<size_t>(tap % planes_.kernel[1]);
    auto* to = reinterpret_cast<float*>(w_.buffer() + w_.info()->offset_first_element_in_bytes() + row * strides[2] +
                                        column * strides[1]);
    for (int64_t out = 0; out < weights.outs; ++out) to[out] = static_cast<float>(weights.at(out, tap, 0));
  }
  layer_.prepare();
  if (!agrees(weights)) throw Refusal{"the library's sums are others than the definition's"};
}

/// Whether the sums of drawn activations are the definition's.
bool Depthwise::agrees(const Weights& weights) {
  const Planes& p = planes_;
  int64_t span = NIBBLE_SLACK + 1;
  for (int axis = 0; axis < 2; ++axis) span += (p.in[axis] - 1) * p.x_stride[axis + 1];
  span += (p.batch - 1) * p.x_stride[0] + (p.channels - 1) * p.x_stride[3];
  std::vector<uint8_t> x(static_cast<size_t>(span));
  uint32_t state = 1;
  for (uint8_t& byte : x) byte = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  std::vector<float> floats(scratch() / sizeof(float));
  std::vector<int32_t> v(static_cast<size_t>(elements(p, p.out)) + NIBBLE_SLACK);
  run(x.data(), floats.data(), v.data());
  gather(x.data(), floats.data());
  const int32_t* sum = v.data();
  for (int64_t n = 0; n < p.batch; ++n)
    for (int64_t i = 0; i < p.out[0]; ++i)
      for (int64_t k = 0; k < p.out[1]; ++k)
        for (int64_t out = 0; out < weights.outs; ++out, ++sum) {
          int64_t wanted = 0;
          for (int64_t tap = 0; tap < weights.taps; ++tap) {
            const int64_t row = i * p.stride[0] - p.pad[0] + tap / p.kernel[1] * p.dilation[0];
            const int64_t column = k * p.stride[1] - p.pad[1] + tap % p.kernel[1] * p.dilation[1];
            if (row < 0 || row >= p.in[0] || column < 0 || column >= p.in[1]) continue;
            const int64_t at = ((n * p.in[0] + row) * p.in[1] + column) * p.channels + out / p.multiplier;
            wanted += weights.at(out, tap, 0) * static_cast<int64_t>(floats[static_cast<size_t>(at)]);
          }
          if (*sum != wanted) return false;
        }
  return true;
}

size_t Depthwise::scratch() const {
  return static_cast<size_t>(4 * planes_.batch * planes_.in[0] * planes_.in[1] * planes_.channels) + NIBBLE_SLACK;
}

/// x - zero_point, so that 0 is what stands outside.
void Depthwise::gather(const void* x, float* to) const {
  const auto each = [&](const auto* from) {
    const auto zero = static_cast<float>(planes_.zero_point);
    for (int64_t n = 0; n < planes_.batch; ++n)
      for (int64_t i = 0; i < planes_.in[0]; ++i)
        for (int64_t k = 0; k < planes_.in[1]; ++k, to += planes_.channels) {
          const auto* pixel = from + n * planes_.x_stride[0] + i * planes_.x_stride[1] + k * planes_.x_stride[2];
          for (int64_t c = 0; c < planes_.channels; ++c)
            to[c] = static_cast<float>(pixel[c * planes_.x_stride[3]]) - zero;
        }
  };
  if (planes_.x_type == NIBBLE_U8)
    each(static_cast<const uint8_t*>(x));
  else
    each(static_cast<const int8_t*>(x));
}

void Depthwise::run(const void* x, void* scratch, int32_t* v) {
  gather(x, static_cast<float*>(scratch));
  {
    const std::lock_guard<std::mutex> lock(running_);
    x_.look_at(scratch);
    y_.look_at(v);
    layer_.run();
  }
  const int64_t count = elements(planes_, planes_.out);
  for (int64_t k = 0; k < count; ++k) {
    float sum;
    std::memcpy(&sum, v + k, sizeof sum);
    v[k] = static_cast<int32_t>(sum);
  }
}

}  // namespace nibble::backends
