#include "lower/view.hpp"

#include <algorithm>
#include <numeric>

#include "kernels/packed/packed.h"

namespace nibble::lower {

int64_t bytes_of(int32_t type) {
  return type <= NIBBLE_U8 ? 1 : type <= NIBBLE_U16 ? 2 : type == NIBBLE_I32 ? 4 : 8;
}

int64_t bytes_to(int32_t type, int64_t elements) {
  return nibble_bytes_to(type, elements);
}

int32_t narrowest(Interval range) {
  const auto fits = [&](int64_t low, int64_t high) { return range.low >= low && range.high <= high; };
  if (fits(0, 255)) return NIBBLE_U8;
  if (fits(-128, 127)) return NIBBLE_I8;
  if (fits(0, 65535)) return NIBBLE_U16;
  if (fits(-32768, 32767)) return NIBBLE_I16;
  return fits(INT32_MIN, INT32_MAX) ? NIBBLE_I32 : NIBBLE_I64;
}

std::vector<int64_t> dense_strides(const Shape& extents, const std::vector<size_t>& order) {
  std::vector<int64_t> strides(extents.size());
  int64_t stride = 1;
  for (size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = stride;
    stride *= std::max<int64_t>(extents[order[i]], 1);
  }
  return strides;
}

std::vector<size_t> in_order(size_t rank) {
  std::vector<size_t> order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

std::vector<size_t> channels_last(size_t rank) {
  std::vector<size_t> order = in_order(rank);
  if (rank > 2) std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return order;
}

std::vector<size_t> order_of(const View& view) {
  std::vector<size_t> order = in_order(view.rank());
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return std::abs(view.strides[a]) > std::abs(view.strides[b]); });
  return order;
}

bool has_channels_last(const View& view) {
  return view.rank() < 2 || view.extents[1] == 1 || view.strides[1] == 1;
}

bool is_plain(const View& view) {
  int64_t stride = 1;
  for (size_t i = view.rank(); i-- > 0;) {
    if (view.extents[i] != 1 && view.strides[i] != stride) return false;
    stride *= view.extents[i];
  }
  return true;
}

std::optional<View> reshaped(const View& view, const Shape& shape) {
  View result = view;
  result.extents = shape;
  result.strides.assign(shape.size(), 0);
  if (element_count(shape) <= 1) {
    for (int64_t& stride : result.strides) stride = 1;
    return result;
  }
  // The view as runs of memory, axes of extent 1 left out: the result's axes must divide them.
  std::vector<std::pair<int64_t, int64_t>> runs;
  for (size_t i = view.rank(); i-- > 0;) {
    const int64_t extent = view.extents[i], stride = view.strides[i];
    if (extent == 1) continue;
    if (!runs.empty() && stride == runs.back().first * runs.back().second)
      runs.back().first *= extent;
    else
      runs.emplace_back(extent, stride);
  }
  size_t next = 0;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) {
      result.strides[i] = 1;
      continue;
    }
    while (next < runs.size() && runs[next].first == 1) ++next;
    if (next == runs.size()) return std::nullopt;
    auto& [extent, stride] = runs[next];
    if (extent % shape[i] != 0) return std::nullopt;
    result.strides[i] = stride;
    stride *= shape[i];
    extent /= shape[i];
  }
  return result;
}

}  // namespace nibble::lower
