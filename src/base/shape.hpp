#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nibble {

/// Extents, outermost first. `any` stands for the one symbolic extent a network may have, its batch N.
using Shape = std::vector<int64_t>;
inline constexpr int64_t any = -1;

/// The largest tensor that Nibble allocates, in elements (2^33): a shape beyond it is refused before any allocation.
inline constexpr int64_t largest_tensor = int64_t{1} << 33;

/// Product of the extents; 1 for a scalar. Throws UserError on a negative extent (`any` included), and where the
/// extents that are not 0 multiply beyond `largest_tensor`.
int64_t element_count(const Shape& shape);

/// As element_count, with `any` counted as `batch`.
int64_t element_count(const Shape& shape, int64_t batch);

bool is_static(const Shape& shape);

/// "[N, 3, 224, 224]"; "[]" for a scalar.
std::string to_string(const Shape& shape);

/// Elements between neighbours along each axis, row-major. The shape must be static.
std::vector<int64_t> strides_of(const Shape& shape);

/// The shape that a and b broadcast to (numpy's rule; `any` with 1 or `any` gives `any`, with another extent that
/// extent). Throws UserError where they do not.
Shape broadcast(const Shape& a, const Shape& b);

/// `axis` made non-negative. Throws UserError outside [-rank, rank - 1].
int64_t normalise_axis(int64_t axis, size_t rank);

}  // namespace nibble
