#include "backends/onednn/border.hpp"

#include <algorithm>

namespace nibble::backends {
namespace {

/// Taps of an axis inside x for the window at an output index.
std::array<int64_t, 2> taps_inside(const nibble_conv& conv, int axis, int64_t index) {
  const int64_t begin = index * conv.stride[axis] - conv.pad[axis], dilation = conv.dilation[axis];
  const int64_t kernel = conv.kernel[axis], extent = conv.in[axis];
  const int64_t first = begin >= 0 ? 0 : (-begin + dilation - 1) / dilation;
  const int64_t last = extent - begin <= 0 ? 0 : (extent - begin + dilation - 1) / dilation;
  return {std::min(first, kernel), std::clamp(last, std::min(first, kernel), kernel)};
}

}  // namespace

Border::Axis Border::axis_of(const nibble_conv& conv, int axis) {
  Axis result;
  for (int64_t index = 0; index < conv.out[axis]; ++index) {
    const auto reach = taps_inside(conv, axis, index);
    if (reach[0] == 0 && reach[1] == conv.kernel[axis]) {
      result.reach_at.push_back(-1);
      continue;
    }
    const auto known = std::find(result.reaches.begin(), result.reaches.end(), reach);
    result.reach_at.push_back(static_cast<int32_t>(known - result.reaches.begin()));
    if (known == result.reaches.end()) result.reaches.push_back(reach);
  }
  return result;
}

int64_t Border::bytes(const nibble_conv& conv) {
  int64_t count = 4 * int64_t{conv.out_channels};
  for (int axis = 0; axis < 3; ++axis) count *= static_cast<int64_t>(axis_of(conv, axis).reaches.size()) + 1;
  return count;
}

Border::Border(const nibble_conv& conv, const Weights& weights, int64_t zero_point) {
  for (int axis = 0; axis < 3; ++axis) axes_[static_cast<size_t>(axis)] = axis_of(conv, axis);
  const bool inside = std::all_of(axes_.begin(), axes_.end(), [](const Axis& axis) { return axis.reaches.empty(); });
  if (zero_point == 0 || inside) return;
  batch_ = conv.batch;
  channels_ = conv.out_channels;
  std::array<std::vector<std::array<int64_t, 2>>, 3> reaches;
  for (size_t axis = 0; axis < 3; ++axis) {
    reaches[axis] = axes_[axis].reaches;
    reaches[axis].insert(reaches[axis].begin(), {0, conv.kernel[axis]});
  }
  std::vector<int64_t> sums;  // [out channel][tap]
  for (int64_t out = 0; out < channels_; ++out)
    for (int64_t tap = 0; tap < weights.taps; ++tap) sums.push_back(weights.sum(out, tap));
  for (const auto& depth : reaches[0])
    for (const auto& height : reaches[1])
      for (const auto& width : reaches[2])
        for (int64_t out = 0; out < channels_; ++out) {
          const int64_t* sum = sums.data() + out * weights.taps;
          int64_t outside = 0;
          for (int64_t i = 0; i < conv.kernel[0]; ++i)
            for (int64_t j = 0; j < conv.kernel[1]; ++j)
              for (int64_t k = 0; k < conv.kernel[2]; ++k, ++sum)
                if (i < depth[0] || i >= depth[1] || j < height[0] || j >= height[1] || k < width[0] || k >= width[1])
                  outside += *sum;
          missing_.push_back(static_cast<int32_t>(static_cast<uint32_t>(outside * zero_point)));
        }
}

const int32_t* Border::missing(const std::array<int32_t, 3>& reach) const {
  int64_t at = 0;
  for (size_t axis = 0; axis < 3; ++axis)
    at = at * (static_cast<int64_t>(axes_[axis].reaches.size()) + 1) + reach[axis] + 1;
  return missing_.data() + at * channels_;
}

void Border::add_to(int32_t* v, int64_t first, int64_t last) const {
  if (missing_.empty()) return;
  for (int64_t image = 0; image < batch_; ++image)
    for (int32_t depth : axes_[0].reach_at)
      for (int64_t row = first; row < last; ++row)
        for (int32_t width : axes_[2].reach_at) {
          const int32_t height = axes_[1].reach_at[static_cast<size_t>(row)];
          if (depth >= 0 || height >= 0 || width >= 0) {
            const int32_t* more = missing({depth, height, width});
            for (int64_t c = 0; c < channels_; ++c)
              v[c] = static_cast<int32_t>(static_cast<uint32_t>(v[c]) + static_cast<uint32_t>(more[c]));
          }
          v += channels_;
        }
}

}  // namespace nibble::backends
