#include "backends/onednn/parts.hpp"

#include <algorithm>

namespace nibble::backends {
namespace {

constexpr int64_t most_activation = 255;
constexpr int64_t most_sum = int64_t{1} << 24;
constexpr int64_t most_parts = 4;

/// One of `count` parts of a number that add up to it and differ by 1 at most.
int64_t part_of(int64_t number, int64_t index, int64_t count) {
  const int64_t of = number + index;
  return of >= 0 ? of / count : -((-of + count - 1) / count);
}

/// Whether a row of weights is summed without an error, whatever the activations.
bool is_exact(const int8_t* row, int64_t count, Arithmetic arithmetic) {
  int64_t above = 0, below = 0;
  int64_t high[2] = {0, 0}, low[2] = {0, 0};
  for (int64_t i = 0; i < count; ++i) {
    const int64_t w = row[i];
    (w > 0 ? above : below) += w * most_activation;
    if (w > high[1]) high[1] = w;
    if (w < low[1]) low[1] = w;
    if (high[1] > high[0]) std::swap(high[0], high[1]);
    if (low[1] < low[0]) std::swap(low[0], low[1]);
  }
  if (above > most_sum || below < -most_sum) return false;
  return !arithmetic.pairs ||
         ((high[0] + high[1]) * most_activation <= INT16_MAX && (low[0] + low[1]) * most_activation >= INT16_MIN);
}

bool is_exact(const std::vector<int8_t>& part, const Weights& weights, Arithmetic arithmetic) {
  const int64_t row = weights.taps * weights.ins;
  for (int64_t out = 0; out < weights.outs; ++out)
    if (!is_exact(part.data() + out * row, row, arithmetic)) return false;
  return true;
}

}  // namespace

std::optional<std::vector<std::vector<int8_t>>> exact_parts(const Weights& weights, Arithmetic arithmetic) {
  for (int64_t count = 1; count <= most_parts; ++count) {
    std::vector<std::vector<int8_t>> parts;
    for (int64_t index = 0; index < count; ++index) {
      std::vector<int8_t>& part = parts.emplace_back();
      part.reserve(weights.numbers.size());
      for (int32_t w : weights.numbers) part.push_back(static_cast<int8_t>(part_of(w, index, count)));
      if (!is_exact(part, weights, arithmetic)) break;
      if (index + 1 == count) return parts;
    }
  }
  return std::nullopt;
}

}  // namespace nibble::backends
