#include "base/error.hpp"
#include "lab/metrics.hpp"
#include "stats/pairs/mcnemar.hpp"

namespace nibble::lab {

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
  return stats::mcnemar_exact(only_a, only_b);
}

}  // namespace nibble::lab
