#pragma once
#include <algorithm>
#include <vector>

#include "lower/view.hpp"

namespace nibble::lower {

/// A walk over views of the same extents in the order of the first one's memory: axes of extent 1 left out, axes that
/// are one run in every view joined.
struct Loops {
  Shape extents;
  std::vector<std::vector<int64_t>> strides;  ///< of each view
  int channel = -1;                           ///< which of the axes is the one that was asked to stay

  size_t rank() const { return extents.size(); }
  bool fit() const { return rank() <= NIBBLE_MAX_RANK; }
  /// Into a kernel's arrays.
  void write(int32_t* extent, const std::vector<int64_t*>& stride) const {
    std::transform(extents.begin(), extents.end(), extent, [](int64_t e) { return static_cast<int32_t>(e); });
    for (size_t i = 0; i < stride.size(); ++i) std::copy(strides[i].begin(), strides[i].end(), stride[i]);
  }
};

/// `keep`: an axis that is joined with no other, -1 for none.
Loops loops_of(const std::vector<View>& views, int64_t keep = -1);

/// The walk over the elements of y and of operands that broadcast to it, into the struct of a pointwise kernel. False where
/// six axes are not enough.
template <class Parameters>
bool set_elements(Parameters& p, const View& y, const std::vector<View>& operands, int64_t channel_axis);

/// The view as it broadcasts to `extents`: repeated axes have stride 0.
View broadcast_to(const View& view, const Shape& extents);

template <class Parameters>
bool set_elements(Parameters& p, const View& y, const std::vector<View>& operands, int64_t channel_axis) {
  std::vector<View> views{y};
  for (const View& x : operands) views.push_back(broadcast_to(x, y.extents));
  const Loops loops = loops_of(views, channel_axis);
  if (!loops.fit()) return false;
  p.rank = static_cast<int32_t>(loops.rank());
  std::vector<int64_t*> strides{p.y_stride};
  for (size_t i = 0; i < operands.size(); ++i) {
    strides.push_back(p.x_stride + i * NIBBLE_MAX_RANK);
    p.x_type[i] = operands[i].type;
  }
  loops.write(p.extent, strides);
  p.channel_axis = loops.channel;
  return true;
}

}  // namespace nibble::lower
