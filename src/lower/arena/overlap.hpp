#pragma once
#include <vector>

#include "lower/arena/schedule.hpp"
#include "lower/arena/traffic.hpp"

/// Which buffers may lie over each other though both live.
namespace nibble::lower {

/// The buffers' leads when each step runs as `Options::order` says of its kernel. A buffer for each step's scratch is put
/// behind the others: `scratch[step]` is its number, or -1.
///
/// A step that reads `a`, where nothing is read any more but by it and the steps behind, may write `b` over what it has
/// read: with w[i] the end of what block i of its items writes into b, r[j] the beginning of what block j reads of a, both
/// counted from where the buffers begin,
///
///     lead = max over i and j > i of w[i] - r[j]          j >= i where a's elements are read between writes
///
/// and b written from `lead` bytes before a, or earlier, stays behind the reads. The same over all steps that run while
/// both live. Source: diagonal memory (TensorFlow Lite for Microcontrollers), worked out block by block.
struct Overlap {
  std::vector<Lead> leads;
  std::vector<int> scratch;
};

/// A step's kernel on its way through memory.
struct Walk {
  nibble_order order;
  Traffic traffic;
};
std::vector<Walk> walks_of(const std::vector<Draft>& drafts, const Options& options);

Overlap find_overlap(Schedule& schedule, const std::vector<Walk>& walks);

/// What b may begin before a does by what this step alone reads of a and writes of b; nothing where that is not known.
std::optional<int64_t> lead_within(const Draft& draft, const Walk& walk, int a, int64_t bytes, int b);

}  // namespace nibble::lower
