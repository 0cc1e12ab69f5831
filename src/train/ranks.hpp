#pragma once
#include <ATen/ATen.h>

#include <algorithm>

#include "train/api.hpp"

namespace nibble::train {

/// What ranks put together. All of them call these in one order, each with a tensor of the same type and size. Throws
/// UserError where a rank is gone or has ended with an error, naming it.
class Collective : public Ranks {
 public:
  /// The sum over the ranks, everywhere: the same bits on each, and again for the same ranks and numbers.
  virtual void add(at::Tensor tensor) = 0;
  /// Rank 0's, everywhere.
  virtual void spread(at::Tensor tensor) = 0;
};

/// Api::join.
std::unique_ptr<Ranks> join_ranks(const RankPlace& place, const RankEnded& ended);

/// Rank 0's text, everywhere.
void spread(Collective& ranks, std::string& text);

/// [ranks, ...]: what each of them has, everywhere.
inline at::Tensor rows_of(Collective& ranks, const at::Tensor& own) {
  std::vector<int64_t> sizes = own.sizes().vec();
  sizes.insert(sizes.begin(), ranks.count());
  const at::Tensor rows = at::zeros(sizes, own.options());
  rows[ranks.rank()].copy_(own);
  ranks.add(rows);
  return rows;
}

/// What of a batch a process computes. Alone: all of it, and nothing is said here.
struct Share {
  Collective* ranks = nullptr;
  int64_t first = 0, count = 0;  ///< examples
  int64_t of = 0;                ///< how many the batch has
  /// Of a batch with fewer examples than ranks one rank more computes its first example, so that all take the same
  /// steps, and it is not counted.
  bool counts = true;

  /// Of the mean over its examples in that of the batch.
  double weight() const { return counts ? static_cast<double>(count) / static_cast<double>(of) : 0; }
};

/// The examples of a batch of `of`: consecutive, and as many for each rank, but one more for the first ones.
inline Share share_of(Collective& ranks, int64_t of) {
  const int64_t rank = ranks.rank(), count = ranks.count();
  if (rank >= of) return {&ranks, 0, 1, of, false};
  return {&ranks, rank * (of / count) + std::min(rank, of % count), of / count + (rank < of % count ? 1 : 0), of};
}

}  // namespace nibble::train
