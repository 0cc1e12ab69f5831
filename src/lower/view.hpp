#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "base/grid.hpp"
#include "base/shape.hpp"
#include "kernels/kernels.h"

/// Where a value stands: strided views of buffers.
namespace nibble::lower {

/// A value's elements: extents in the graph's order of axes, a stride each and an offset, in elements. Buffers are
/// numbered; a constant's offset counts from its beginning among the program's constants.
struct View {
  static constexpr int none = -1, constants = -2;
  int buffer = none;
  int64_t offset = 0;
  Shape extents;
  std::vector<int64_t> strides;
  int32_t type = 0;  ///< nibble_type

  size_t rank() const { return extents.size(); }
  int64_t count() const { return element_count(extents); }
  bool exists() const { return buffer != none; }
};

int64_t bytes_of(int32_t type);
/// Bytes of so many elements; of packed ones, of whole words of them.
int64_t bytes_to(int32_t type, int64_t elements);
/// The narrowest type for [low, high].
int32_t narrowest(Interval range);

/// Strides of a dense tensor whose axes stand in memory in the given order, outermost first.
std::vector<int64_t> dense_strides(const Shape& extents, const std::vector<size_t>& order);
/// 0, 1, 2, ..
std::vector<size_t> in_order(size_t rank);
/// 0, 2, .., 1; of fewer than three axes, in order.
std::vector<size_t> channels_last(size_t rank);
/// The order of a view's axes in memory.
std::vector<size_t> order_of(const View& view);
/// Axis 1's elements lie side by side.
bool has_channels_last(const View& view);
/// The elements lie in row-major order, without gaps.
bool is_plain(const View& view);

/// The same elements under another shape, in row-major order of both, or nothing where strides cannot say it.
std::optional<View> reshaped(const View& view, const Shape& shape);

}  // namespace nibble::lower
