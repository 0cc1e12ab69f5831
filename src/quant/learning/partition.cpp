#include "quant/learning/partition.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"

namespace nibble::quant {

std::vector<float> powers_of_two(double largest, int64_t powers) {
  std::vector<float> levels{0};
  const int top = largest > 0 ? static_cast<int>(std::floor(std::log2(4 * largest / 3))) : 0;
  for (int i = 0; i < powers; ++i) {
    levels.push_back(std::ldexp(1.0f, top - i));
    levels.push_back(-levels.back());
  }
  std::sort(levels.begin(), levels.end());
  return levels;
}

int64_t powers_of_levels(int64_t levels) {
  return (levels - 1) / 2;
}

namespace {

float nearest(float w, std::span<const float> levels) {
  float best = levels[0];
  for (float level : levels) {
    const double distance = std::abs(static_cast<double>(w) - static_cast<double>(level)),
                 least = std::abs(static_cast<double>(w) - static_cast<double>(best));
    if (distance < least || (distance == least && std::abs(level) > std::abs(best))) best = level;
  }
  return best;
}

}  // namespace

void set_on_levels(std::span<float> w, std::span<uint8_t> set, double fraction, Partition partition,
                   std::span<const float> levels, Random random) {
  ensure(w.size() == set.size() && !levels.empty(), "a partition is of all weights");
  std::vector<size_t> left;
  for (size_t i = 0; i < w.size(); ++i)
    if (set[i] == 0) left.push_back(i);
  const auto wanted = fraction >= 1 ? w.size() : static_cast<size_t>(fraction * static_cast<double>(w.size()));
  const size_t before = w.size() - left.size();
  if (wanted <= before) return;
  if (partition == Partition::Magnitude)
    std::stable_sort(left.begin(), left.end(), [&](size_t a, size_t b) { return std::abs(w[a]) > std::abs(w[b]); });
  else
    for (size_t i = left.size(); i > 1; --i) std::swap(left[i - 1], left[random.below(i)]);
  for (size_t i = 0; i < wanted - before; ++i) {
    w[left[i]] = nearest(w[left[i]], levels);
    set[left[i]] = 1;
  }
}

}  // namespace nibble::quant
