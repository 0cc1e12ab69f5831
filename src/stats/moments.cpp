#include "stats/moments.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nibble::stats {

double mean(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (double value : values) sum += value;
  const double first = sum / n;
  // A second pass takes away what the first rounded.
  double rest = 0;
  for (double value : values) rest += value - first;
  return first + rest / n;
}

double variance(std::span<const double> values) {
  const double centre = mean(values);
  double sum = 0;
  for (double value : values) sum += (value - centre) * (value - centre);
  return sum / static_cast<double>(values.size() - 1);
}

std::vector<double> differences(std::span<const double> first, std::span<const double> second) {
  std::vector<double> result(first.size());
  for (size_t i = 0; i < first.size(); ++i) result[i] = first[i] - second[i];
  return result;
}

bool constant(std::span<const double> values, double size) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return *most - *least <= 16 * std::numeric_limits<double>::epsilon() * size;
}

double largest(std::span<const double> values) {
  double most = 0;
  for (double value : values) most = std::max(most, std::abs(value));
  return most;
}

}  // namespace nibble::stats
