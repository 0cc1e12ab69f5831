#pragma once
#include <cstdint>

#include "graph/graph.hpp"

namespace nibble::graph {

/// What a node costs, for one example (a symbolic batch counts as 1).
struct Counts {
  int64_t parameters = 0;            ///< elements of the constants that it reads, quantised ones included
  int64_t bits = 0;                  ///< of these, packed at their own widths
  int64_t multiply_accumulates = 0;  ///< of Conv, Gemm and MatMul
};
Counts counts(const Graph& graph, const Uses& uses, const Node& node);

/// Bits of one element of a constant: its quantiser's or grid's where it has one, else its element type's. 0 where the
/// value is not a constant and no quantised one.
int64_t constant_bits(const Graph& graph, const Uses& uses, ValueId id);

}  // namespace nibble::graph
