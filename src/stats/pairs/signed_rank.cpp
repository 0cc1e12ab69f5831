#include "stats/pairs/signed_rank.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/distributions.hpp"
#include "stats/moments.hpp"
#include "stats/ranks.hpp"

namespace nibble::stats {
namespace {

constexpr size_t most_exact = 200;

/// P(V <= v) and P(V >= v).
struct Tails {
  double lower = 0;
  double upper = 0;
};

/// Each rank counts or not, half and half: probabilities of twice the sum, which is an integer.
Tails exact_tails(std::span<const double> ranks, double v) {
  std::vector<double> mass = {1};
  for (double rank : ranks) {
    const auto twice = static_cast<size_t>(std::lround(2 * rank));
    std::vector<double> next(mass.size() + twice);
    for (size_t i = 0; i < mass.size(); ++i) {
      next[i] += mass[i] / 2;
      next[i + twice] += mass[i] / 2;
    }
    mass = std::move(next);
  }
  const auto place = static_cast<size_t>(std::lround(2 * v));
  Tails tails;
  for (size_t i = 0; i < mass.size(); ++i) {
    if (i <= place) tails.lower += mass[i];
    if (i >= place) tails.upper += mass[i];
  }
  return tails;
}

Tails normal_tails(std::span<const double> ranks, double v) {
  double sum = 0;
  double squares = 0;
  for (double rank : ranks) {
    sum += rank;
    squares += rank * rank;
  }
  const double deviation = std::sqrt(squares) / 2;
  return {normal_cdf((v - sum / 2 + 0.5) / deviation), normal_upper((v - sum / 2 - 0.5) / deviation)};
}

double p_of(const Tails& tails, Alternative alternative) {
  switch (alternative) {
    case Alternative::less: return tails.lower;
    case Alternative::greater: return tails.upper;
    case Alternative::two_sided: break;
  }
  return std::min(1.0, 2 * std::min(tails.lower, tails.upper));
}

}  // namespace

SignedRank signed_rank(std::span<const double> first, std::span<const double> second,
                       const SignedRankOptions& options) {
  constexpr std::string_view what = "signed-rank test";
  check_pairs(what, first, second, 1);
  const double rounding = 16 * std::numeric_limits<double>::epsilon() * std::max(largest(first), largest(second));
  std::vector<double> kept = differences(first, second);
  for (double& d : kept)
    if (std::abs(d) <= rounding) d = 0;
  if (options.zeros == Zeros::drop) std::erase(kept, 0.0);
  std::vector<double> sizes;
  for (double d : kept) sizes.push_back(std::abs(d));
  const std::vector<double> all = midranks(sizes, rounding);
  SignedRank result;
  std::vector<double> ranks;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] == 0) continue;
    ranks.push_back(all[i]);
    if (kept[i] > 0) result.v += all[i];
  }
  result.used = ranks.size();
  if (ranks.empty()) fail("stats", what, "no pair with a difference", "at least one");
  const bool exact = options.distribution == RankDistribution::exact;
  if (exact && ranks.size() > most_exact)
    fail("stats", what, fmt::format("{} pairs for the exact distribution", ranks.size()),
         fmt::format("at most {}, or the normal one", most_exact));
  result.p = p_of(exact ? exact_tails(ranks, result.v) : normal_tails(ranks, result.v), options.alternative);
  return result;
}

}  // namespace nibble::stats
