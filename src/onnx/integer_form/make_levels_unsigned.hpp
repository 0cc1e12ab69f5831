#pragma once
#include "graph/graph.hpp"

namespace nibble::onnx {

/// The integer network with activations below zero raised above it, for a dialect that has none below:
///
///     before   x = clip(f, low, high)          low < 0
///     after    x = clip(f - low, 0, high - low), and whatever reads x takes -low off again: a requantisation, of x or
///              of a sum of x, in its addend, a linear op or pool in its zero point
///
/// MaxPool and what reshapes pass it on. Leaves x as it is where it is an output, where a linear op or sum pads it
/// (with its zero), and where anything else reads it. Equal exactly, but for the raised values themselves.
graph::Graph make_levels_unsigned(const graph::Graph& graph);

/// Its output holds integers of its input, and none other.
bool passes_on(const graph::Op& op);

}  // namespace nibble::onnx
