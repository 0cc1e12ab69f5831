#include "passes/quantise/cut.hpp"

#include <algorithm>

namespace nibble::passes {
namespace {

/// Of layers whose weights are within this share of the largest, the first is cut: the last decide more.
constexpr double margin = 0.05;

/// The layer whose weights algorithm 2 cuts next.
std::optional<size_t> heaviest(const MemoryTable& table) {
  const auto total = static_cast<double>(table.weight_bytes());
  const auto share = [&](size_t i) { return static_cast<double>(table.layers[i].weight_bytes()) / total; };
  const auto can = [&](size_t i) { return table.layers[i].weight_bits > 0 && narrower(table.layers[i].weight_bits); };
  double most = 0;
  for (size_t i = 0; i < table.layers.size(); ++i)
    if (can(i)) most = std::max(most, share(i));
  for (size_t i = 0; i < table.layers.size(); ++i)
    if (can(i) && share(i) > most - margin) return i;
  return std::nullopt;
}

}  // namespace

std::optional<int> narrower(int bits) {
  for (int lower : {8, 4, 2})
    if (lower < bits) return lower;
  return std::nullopt;
}

std::vector<WeightCut> cut_weights(MemoryTable& table, int64_t budget) {
  std::vector<WeightCut> cuts;
  while (table.weight_bytes() > budget) {
    const auto index = heaviest(table);
    if (!index) break;
    const MemoryLayer& layer = table.layers[*index];
    const graph::ValueId weights = layer.weights;
    const int to = *narrower(layer.weight_bits);
    cuts.push_back({*index, layer.weight_bits, to, layer.weight_bytes(), table.weight_bytes()});
    for (MemoryLayer& other : table.layers)
      if (other.weights == weights) other.weight_bits = to;
  }
  return cuts;
}

}  // namespace nibble::passes
