#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "lab/metrics.hpp"

namespace nibble::lab {

ConfidenceInterval wilson(int64_t successes, int64_t count) {
  ensure(0 <= successes && successes <= count, "a proportion lies between 0 and 1");
  if (count == 0) return {0, 1};
  constexpr double z = 1.959963984540054;
  const auto n = static_cast<double>(count);
  const double p = static_cast<double>(successes) / n;
  const double centre = p + z * z / (2 * n);
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  // The ends are exact where rounding would only come near them.
  return {successes == 0 ? 0 : (centre - half) / scale, successes == count ? 1 : (centre + half) / scale};
}

double mcnemar(int64_t only_a, int64_t only_b) {
  const int64_t n = only_a + only_b;
  const int64_t fewer = std::min(only_a, only_b);
  if (n == 0) return 1;
  // Twice the binomial(n, 1/2) tail up to `fewer`, summed in logarithms.
  double tail = 0;
  for (int64_t k = 0; k <= fewer; ++k) {
    const auto x = static_cast<double>(k);
    const auto m = static_cast<double>(n);
    tail += std::exp(std::lgamma(m + 1) - std::lgamma(x + 1) - std::lgamma(m - x + 1) - m * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

int64_t flips(const Evaluation& a, const Evaluation& b) {
  ensure(a.decisions.size() == b.decisions.size(), "decisions are compared on the same examples");
  int64_t count = 0;
  for (size_t i = 0; i < a.decisions.size(); ++i) count += a.decisions[i] != b.decisions[i];
  return count;
}

double mcnemar(const Evaluation& a, const Evaluation& b) {
  ensure(a.right.size() == b.right.size(), "decisions are compared on the same examples");
  int64_t only_a = 0;
  int64_t only_b = 0;
  for (size_t i = 0; i < a.right.size(); ++i) {
    only_a += a.right[i] && !b.right[i];
    only_b += b.right[i] && !a.right[i];
  }
  return mcnemar(only_a, only_b);
}

}  // namespace nibble::lab
