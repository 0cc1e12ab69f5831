#include "train/loop/together.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace nibble::train {

Said put_together(Collective& ranks, const std::vector<Learned>& learned, const Said& own) {
  std::vector<at::Tensor> gradients, flat;
  for (const Learned& one : learned)
    if (const at::Tensor& gradient = one.tensor.grad(); gradient.defined()) {
      gradients.push_back(gradient);
      flat.push_back(gradient.reshape({-1}));
    }
  // With the gradients, so that a step takes one sum.
  flat.push_back(
      at::tensor({static_cast<float>(own.sums.loss), static_cast<float>(own.sums.correct),
                  static_cast<float>(own.sums.examples), own.interrupted ? 1.0f : 0.0f, own.save ? 1.0f : 0.0f}));
  const at::Tensor all = at::cat(flat);
  ranks.add(all);
  int64_t at = 0;
  for (const at::Tensor& gradient : gradients) {
    gradient.detach().copy_(all.narrow(0, at, gradient.numel()).view(gradient.sizes()));
    at += gradient.numel();
  }
  const float* said = all.data_ptr<float>() + at;
  return {{static_cast<double>(said[0]), static_cast<int64_t>(said[1]), static_cast<int64_t>(said[2])},
          said[3] > 0,
          said[4] > 0};
}

std::vector<int64_t> own_order(Collective& ranks, const std::vector<int64_t>& order, int64_t batch_size) {
  std::vector<int64_t> own;
  const auto size = static_cast<int64_t>(order.size());
  for (int64_t begin = 0; begin < size; begin += batch_size) {
    const Share share = share_of(ranks, std::min(batch_size, size - begin));
    const auto first = order.begin() + begin + share.first;
    own.insert(own.end(), first, first + share.count);
  }
  return own;
}

void spread(Collective& ranks, const std::map<std::string, at::Tensor>& tensors) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor dense = tensor.detach().contiguous();
    ranks.spread(dense);
    if (!dense.is_alias_of(tensor)) tensor.detach().copy_(dense);
  }
}

std::string first_text(Collective& ranks, const std::string& own, int64_t number) {
  constexpr size_t most = 255;
  at::Tensor text = at::zeros({most + 1}, at::kByte);
  std::memcpy(text.data_ptr(), own.data(), std::min(most, own.size()));
  const at::Tensor numbers = rows_of(ranks, at::full({1}, own.empty() ? INT64_MAX : number, at::kLong));
  const auto first = std::min_element(numbers.data_ptr<int64_t>(), numbers.data_ptr<int64_t>() + numbers.numel());
  const at::Tensor found = rows_of(ranks, text)[first - numbers.data_ptr<int64_t>()];
  return reinterpret_cast<const char*>(found.data_ptr<uint8_t>());
}

void check_alike(Collective& ranks, const std::map<std::string, at::Tensor>& tensors, const std::string& place) {
  uint64_t hash = fnv1a("");
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor dense = tensor.detach().contiguous();
    hash = fnv1a({static_cast<const char*>(dense.data_ptr()), dense.nbytes()}, hash);
  }
  const at::Tensor rows = rows_of(ranks, at::full({1}, static_cast<int64_t>(hash), at::kLong));
  for (int64_t rank = 1; rank < rows.size(0); ++rank)
    if (rows[rank].item<int64_t>() != rows[0].item<int64_t>())
      fail("train", place, "rank " + std::to_string(rank) + " holds other numbers than rank 0",
           "machines that round alike; ATEN_CPU_CAPABILITY=default makes them, where their libtorch is the same");
}

}  // namespace nibble::train
