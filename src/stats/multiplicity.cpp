#include "stats/multiplicity.hpp"

#include <algorithm>
#include <numeric>

#include "stats/check.hpp"

namespace nibble::stats {
namespace {

std::vector<size_t> ascending(std::span<const double> p) {
  for (double value : p) check_within("adjustment of p-values", "a p-value", value, 0, 1);
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  return order;
}

/// p times factor(rank from 1), each at least those of smaller p.
template <class Factor>
std::vector<double> step_down(std::span<const double> p, Factor factor) {
  const std::vector<size_t> order = ascending(p);
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, std::min(1.0, p[order[i]] * factor(static_cast<double>(i + 1))));
    adjusted[order[i]] = largest;
  }
  return adjusted;
}

/// The same, each at most those of larger p.
template <class Factor>
std::vector<double> step_up(std::span<const double> p, Factor factor) {
  const std::vector<size_t> order = ascending(p);
  std::vector<double> adjusted(p.size());
  double smallest = 1;
  for (size_t i = order.size(); i-- > 0;) {
    smallest = std::min(smallest, p[order[i]] * factor(static_cast<double>(i + 1)));
    adjusted[order[i]] = smallest;
  }
  return adjusted;
}

}  // namespace

std::vector<double> holm(std::span<const double> p) {
  const auto n = static_cast<double>(p.size());
  return step_down(p, [&](double rank) { return n - rank + 1; });
}

std::vector<double> hochberg(std::span<const double> p) {
  const auto n = static_cast<double>(p.size());
  return step_up(p, [&](double rank) { return n - rank + 1; });
}

std::vector<double> bonferroni(std::span<const double> p) {
  const auto n = static_cast<double>(p.size());
  std::vector<double> adjusted;
  for (double value : p) {
    check_within("adjustment of p-values", "a p-value", value, 0, 1);
    adjusted.push_back(std::min(1.0, value * n));
  }
  return adjusted;
}

std::vector<double> benjamini_hochberg(std::span<const double> p) {
  const auto n = static_cast<double>(p.size());
  return step_up(p, [&](double rank) { return n / rank; });
}

std::vector<double> benjamini_yekutieli(std::span<const double> p) {
  const auto n = static_cast<double>(p.size());
  double sum = 0;
  for (size_t i = 1; i <= p.size(); ++i) sum += 1 / static_cast<double>(i);
  return step_up(p, [&](double rank) { return n * sum / rank; });
}

}  // namespace nibble::stats
