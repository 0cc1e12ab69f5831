#pragma once
#include "lower/lower.hpp"

namespace nibble::lower {

/// Holds 8-bit activations in the sign that a machine's products want, 128 above or below what the network says:
///
///     before   x in [-128, 127], z = w (x - zero_point)
///     after    x' = x + 128 in [0, 255], z = w (x' - (zero_point + 128))        (Unsigned; Signed: the other way)
///
/// What writes x adds 128 to its addend and its clip; what reads x subtracts it again: linear ops and sums in their zero
/// point, requantisations in their addend, an Add by a Requantise before it. Leaves values that are outputs, and those
/// that some reader has no place to subtract in. Returns how many values changed.
int hold_bytes(graph::Graph& graph, Bytes bytes);

}  // namespace nibble::lower
