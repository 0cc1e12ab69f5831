#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "lab/metrics.hpp"
#include "lab/reading.hpp"

namespace nibble::lab {

Reading::Reading(const graph::Value& value, const Tensor& tensor)
    : tensor_(tensor),
      grid_(value.grid ? &*value.grid : nullptr),
      channels_(tensor.shape(), grid_ != nullptr && grid_->per_channel() ? grid_->axis : -1) {}

void Reading::integers(size_t begin, size_t end, int64_t* to) const {
  const bool reals = is_real(tensor_.type());
  ensure(!reals || grid_ != nullptr, "only reals on a grid have integers");
  with_element_type(tensor_.type(), [&](auto element) {
    const auto* from = reinterpret_cast<const decltype(element)*>(tensor_.bytes().data());
    if constexpr (std::is_integral_v<decltype(element)>)
      std::copy(from + begin, from + end, to);
    else
      channels_.each_run(begin, end, [&](size_t first, size_t last, size_t channel) {
        const double scale = grid_->scale_of(channel);
        for (size_t i = first; i < last; ++i)
          to[i - begin] = std::llrint(static_cast<double>(from[i]) / scale) + grid_->zero_point;
      });
  });
}

void Reading::reals(size_t begin, size_t end, double* to) const {
  with_element_type(tensor_.type(), [&](auto element) {
    const auto* from = reinterpret_cast<const decltype(element)*>(tensor_.bytes().data());
    std::copy(from + begin, from + end, to);
  });
  if (is_real(tensor_.type()) || grid_ == nullptr) return;
  channels_.each_run(begin, end, [&](size_t first, size_t last, size_t channel) {
    const double scale = grid_->scale_of(channel), zero = static_cast<double>(grid_->zero_point);
    for (size_t i = first; i < last; ++i) to[i - begin] = scale * (to[i - begin] - zero);
  });
}

std::vector<double> reals_of(const graph::Value& value, const Tensor& tensor) {
  std::vector<double> reals(tensor.size());
  Reading(value, tensor).reals(0, reals.size(), reals.data());
  return reals;
}

std::vector<double> scores_of(const graph::Value& value, const Tensor& tensor) {
  std::vector<double> scores = reals_of(value, tensor);
  if (!is_real(tensor.type()) || !value.grid) return scores;
  const Grid& grid = *value.grid;
  const ChannelOf channels(tensor.shape(), grid.per_channel() ? grid.axis : -1);
  channels.each_run(0, scores.size(), [&](size_t begin, size_t end, size_t channel) {
    const double scale = grid.scale_of(channel);
    for (size_t i = begin; i < end; ++i) scores[i] = scale * std::nearbyint(scores[i] / scale);
  });
  return scores;
}

}  // namespace nibble::lab
