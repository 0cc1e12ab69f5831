#pragma once

namespace nibble {

/// The double next to the shortest decimal that float32 tells from its neighbours: 0.1 of 0.1f. What is written as a
/// float32 and read back is this number, so a network that shall survive a file holds it from the start.
double decimal_of(float number);

}  // namespace nibble
