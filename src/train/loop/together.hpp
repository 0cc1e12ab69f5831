#pragma once
#include <map>
#include <string>
#include <vector>

#include "train/loop/metrics.hpp"
#include "train/network/network.hpp"
#include "train/ranks.hpp"

/// What the ranks of a training put together beside what its network does (network/shared_norm.hpp).
namespace nibble::train {

/// What a rank says with a step's gradients.
struct Said {
  Sums sums;  ///< of its part of the batch
  bool interrupted = false, save = false;
};

/// After backward of the part's share of the loss: every gradient, and what is said, over all ranks.
Said put_together(Collective& ranks, const std::vector<Learned>& learned, const Said& own);

/// Of an order whose batches have that size, what this rank computes of each.
std::vector<int64_t> own_order(Collective& ranks, const std::vector<int64_t>& order, int64_t batch_size);

/// Rank 0's, everywhere.
void spread(Collective& ranks, const std::map<std::string, at::Tensor>& tensors);

/// Of the ranks that have a text the one with the smallest number, of these the first's; empty where none has.
std::string first_text(Collective& ranks, const std::string& own, int64_t number);

/// Throws UserError, on every rank, where one holds other bits than rank 0: it rounds in another way.
void check_alike(Collective& ranks, const std::map<std::string, at::Tensor>& tensors, const std::string& place);

}  // namespace nibble::train
