#pragma once
#include "quant/learning/algorithm.hpp"
#include "quant/learning/partition.hpp"

namespace nibble::quant {

/// INQ, incremental network quantisation: weights are set to the grid part by part. Source: Zhou et al. 2017.
struct Inq : StraightThrough {
  static constexpr std::string_view name = "inq";
  static constexpr bool on_activations = false, sets_weights = true, own_tensors = true;

  Partition partition = Partition::Magnitude;
  bool power_of_two = false;  ///< levels are powers of two

  /// The smallest power is found from the weights.
  bool keeps_grid() const { return !power_of_two; }

  std::optional<Refusal> refusal(int64_t levels) const {
    if (!power_of_two || (levels >= 3 && levels <= 32)) return {};
    return Refusal{std::to_string(levels) + " levels, inq with powers of two",
                   "3 to 32 levels: one power a sign at least, and 15 at most, the weights' integers being up to 2^14"};
  }

  template <class Self, class Visit>
  static void options(Self& self, Visit&& visit) {
    visit("partition", self.partition, partition_named);
    visit("power_of_two", self.power_of_two);
  }

  friend bool operator==(const Inq&, const Inq&) = default;
};

}  // namespace nibble::quant
