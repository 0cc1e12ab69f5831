#pragma once
#include <optional>

#include "passes/quantise/memory.hpp"

/// What bits become where memory is short. Source: Rusci et al. 2019 (arXiv 1905.13082), algorithm 2.
namespace nibble::passes {

/// The next of 8, 4, 2 below; nothing below 2.
std::optional<int> narrower(int bits);

/// A layer's weights that became narrower.
struct WeightCut {
  size_t layer = 0;
  int from = 0, to = 0;
  int64_t bytes = 0, total = 0;  ///< of the layer's weights and of all, before
};

/// Makes the weights with the largest share narrower, the first of those within a twentieth of it, until all take at most
/// the budget or none can be cut. Layers that share weights share the cut. Returns the cuts in order.
std::vector<WeightCut> cut_weights(MemoryTable& table, int64_t budget);

}  // namespace nibble::passes
