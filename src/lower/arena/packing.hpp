#pragma once
#include "lower/arena/schedule.hpp"

/// Activations of 4 and 2 bits that stand packed in the arena, and the steps on them.
namespace nibble::lower {

/// A buffer whose integers fit the packed type, rows of one image that only convolutions and pools work on.
struct Packable {
  int buffer = 0;
  Packed as;
};
/// `held`: the integers that stand in a buffer, of those that hold values. Neither the network's inputs nor its outputs.
std::vector<Packable> packable_buffers(const Schedule& schedule, const std::map<int, Interval>& held);

/// The buffer packed; the steps on it are computed one row of their result at a time.
void pack(Schedule& schedule, const Packable& buffer);

/// A view of the whole buffer's rows as it is once that is packed.
View packed_view(View view, const Packed& as);

/// How a step with packed operands goes through memory: a part's rows are read where they are unpacked, and written when
/// the part is done.
nibble_order packed_order(const Draft& draft, const Options& options);

/// Where in such a step's scratch its tiles stand: behind what the kernel asks for of any part.
int64_t tiles_of(const Draft& draft, const Options& options);
/// All of its scratch.
int64_t packed_scratch(const Draft& draft, const Options& options);

}  // namespace nibble::lower
