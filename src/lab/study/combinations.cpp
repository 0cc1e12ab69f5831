#include "lab/study/combinations.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

namespace nibble::lab {

std::vector<Cell> factorial(const std::vector<Factor>& factors) {
  std::vector<Cell> cells{Cell{}};
  for (const Factor& factor : factors) {
    std::vector<Cell> longer;
    for (const Cell& cell : cells)
      for (size_t level = 0; level < factor.levels.size(); ++level) {
        longer.push_back(cell);
        longer.back().push_back(level);
      }
    cells = std::move(longer);
  }
  return cells;
}

std::vector<Cell> one_at_a_time(const std::vector<Factor>& factors) {
  std::vector<Cell> cells{Cell(factors.size(), 0)};
  for (size_t i = 0; i < factors.size(); ++i)
    for (size_t level = 1; level < factors[i].levels.size(); ++level) {
      cells.emplace_back(factors.size(), 0);
      cells.back()[i] = level;
    }
  return cells;
}

std::vector<Cell> latin_square(const std::vector<Factor>& factors, uint64_t seed, const std::string& place) {
  if (factors.size() != 3)
    fail("lab", place, std::to_string(factors.size()) + " factors", "three: rows, columns and treatments");
  const size_t n = factors[0].levels.size();
  for (const Factor& factor : factors)
    if (factor.levels.size() != n)
      fail("lab", place + ": '" + factor.name + "'", std::to_string(factor.levels.size()) + " levels",
           std::to_string(n) + ", as '" + factors[0].name + "' has");
  Random random(seed);
  const auto count = static_cast<int64_t>(n);
  const std::vector<int64_t> rows = random.permutation(count), columns = random.permutation(count),
                             letters = random.permutation(count);
  std::vector<Cell> cells;
  for (size_t row = 0; row < n; ++row)
    for (size_t column = 0; column < n; ++column) {
      const auto letter = static_cast<size_t>(rows[row] + columns[column]) % n;
      cells.push_back({row, column, static_cast<size_t>(letters[letter])});
    }
  return cells;
}

}  // namespace nibble::lab
