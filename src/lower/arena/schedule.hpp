#pragma once
#include <vector>

#include "lower/arena/plan.hpp"

/// Steps and the buffers that they work on, while order and places are still open. What is said here holds where
/// `Options::order` is given.
namespace nibble::lower {

/// How a packed buffer holds a tensor (kernels/packed/packed.h).
struct Packed {
  int32_t type = 0;
  int64_t row = 0, padded = 0;  ///< elements of a row: bytes side by side, and packed
};

struct Schedule {
  std::vector<Draft> drafts;
  std::vector<Buffer> buffers;     ///< the network's inputs first = -1, its outputs last = the number of steps
  std::map<int, Packed> packed{};  ///< by the buffer's number
};

/// When each buffer lives, by the steps as they stand now; there were `before` of them when that was last right.
void find_lifetimes(Schedule& schedule, size_t before);

/// Where everything stands.
struct Arena {
  Plan plan;
  std::vector<int> scratch;  ///< of each step the number of its scratch's buffer, or -1
};
/// Adds a buffer for each step's scratch, finds what may overlap and plans. `thorough`: with the whole search.
Arena arranged(Schedule& schedule, const Options& options, bool thorough = true);

/// Puts the steps into an order in which less must stand in memory at once, where there is one. Every order, where there
/// are few; else the best of those that lead there step by step (a beam), the same each time.
void order_steps(Schedule& schedule, const Options& options);

/// Cuts runs of convolutions and pools into strips of rows. A strip computes the rows that the next step's strip needs,
/// those at the border twice:
///
///     before   y = f(x); z = g(y)                               y whole
///     after    y0 = f(x, rows a0..b0); z[r0..r1] = g(y0); ..    one strip of y at a time
///
/// Returns how many runs were cut.
int cut_into_strips(Schedule& schedule, const Options& options);

/// Orders, packs and cuts the steps as the options say, and places what they work on. `held`: the integers that stand in a
/// buffer, of those that hold values of the network.
Arena settled(Schedule& schedule, const Options& options, const std::map<int, Interval>& held);

}  // namespace nibble::lower
