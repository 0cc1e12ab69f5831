#include "lower/loops.hpp"

namespace nibble::lower {

Loops loops_of(const std::vector<View>& views, int64_t keep) {
  Loops loops;
  loops.strides.resize(views.size());
  for (size_t axis : order_of(views[0])) {
    const int64_t extent = views[0].extents[axis];
    if (extent == 1) continue;
    const bool kept = static_cast<int64_t>(axis) == keep;
    bool joins = loops.rank() > 0 && !kept && loops.channel != static_cast<int>(loops.rank()) - 1;
    for (size_t i = 0; joins && i < views.size(); ++i)
      joins = loops.strides[i].back() == views[i].strides[axis] * extent;
    if (joins) {
      loops.extents.back() *= extent;
      for (size_t i = 0; i < views.size(); ++i) loops.strides[i].back() = views[i].strides[axis];
      continue;
    }
    if (kept) loops.channel = static_cast<int>(loops.rank());
    loops.extents.push_back(extent);
    for (size_t i = 0; i < views.size(); ++i) loops.strides[i].push_back(views[i].strides[axis]);
  }
  return loops;
}

View broadcast_to(const View& view, const Shape& extents) {
  View result = view;
  result.extents = extents;
  result.strides.assign(extents.size(), 0);
  for (size_t i = 0; i < view.rank(); ++i) {
    const size_t to = extents.size() - view.rank() + i;
    if (view.extents[i] != 1) result.strides[to] = view.strides[i];
  }
  return result;
}

}  // namespace nibble::lower
