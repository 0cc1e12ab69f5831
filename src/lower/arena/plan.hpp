#pragma once
#include <cstdint>
#include <vector>

#include "lower/lowering.hpp"

namespace nibble::lower {

/// Where each buffer stands in the arena (bytes, multiples of the alignment), -1 for one that nothing uses.
struct Plan {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  int64_t lower_bound = 0;  ///< no plan takes less
};

/// Two buffers that live at the same time and may yet meet: `after` may begin `bytes` before `before` does, or earlier.
struct Lead {
  int before, after;
  int64_t bytes;
};

/// Buffers that live at the same time do not meet, but as leads allow. The best of several orders of first fit and of a
/// search from there (a short one unless `thorough`).
Plan plan(const std::vector<Buffer>& buffers, const std::vector<Lead>& leads = {}, int64_t alignment = 64,
          bool thorough = true);

}  // namespace nibble::lower
