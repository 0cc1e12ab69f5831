#pragma once
#include "graph/op_traits.hpp"

namespace nibble::onnx {

/// What the writers of the standard's integer forms move as integers. All that moves data but a Dropout, which is gone
/// by then, and a Resize and a ReduceMax, which they refuse.
inline bool moves_integers(const graph::Op& op) {
  return moves_data(op) && !holds_alternative<graph::Dropout>(op) && !holds_alternative<graph::Resize>(op) &&
         !holds_alternative<graph::ReduceMax>(op);
}

}  // namespace nibble::onnx
