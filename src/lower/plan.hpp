#pragma once
#include <cstdint>
#include <vector>

#include "lower/lowering.hpp"

namespace nibble::lower {

/// Where each buffer stands in the arena (bytes, multiples of 64), -1 for one that nothing uses.
struct Plan {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  int64_t lower_bound = 0;  ///< the most that lives at once
};

/// Buffers that live at the same time do not meet. The best of several orders of first fit and of a search from there.
Plan plan(const std::vector<Buffer>& buffers);

}  // namespace nibble::lower
