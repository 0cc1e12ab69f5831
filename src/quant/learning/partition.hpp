#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.hpp"

/// Incremental network quantisation: a growing part of the weights is set to the grid and stays, the rest trains
/// on. Source: Zhou et al. 2017; docs/design/qat.md.
namespace nibble::quant {

enum class Partition : uint8_t {
  Magnitude,  ///< the largest weights first
  Random,
};
std::string_view to_string(Partition partition);
/// "magnitude" or "random"; throws UserError otherwise.
Partition partition_named(std::string_view name);

/// The values that weights may take, in rising order: +-2^n1 ... +-2^(n1 - count + 1) and 0 with
/// n1 = floor(log2(4 largest / 3)), where n levels leave `count` powers a sign. Source: Zhou et al. 2017, (2) to (4).
std::vector<float> powers_of_two(double largest, int64_t powers);
/// The powers a sign of n levels: (n - 1) / 2. QuantLab leaves one less where n is odd.
int64_t powers_of_levels(int64_t levels);

/// Sets a growing part of w on levels. `set`: 1 where an element already is; never taken back. The elements chosen
/// first are the largest that are not set (of equals, the first), or random ones, until `fraction` of w (rounded down
/// to whole elements, and all at 1) is set. Each goes to the nearest of `levels` (halfway: away from zero).
void set_on_levels(std::span<float> w, std::span<uint8_t> set, double fraction, Partition partition,
                   std::span<const float> levels, Random random);

}  // namespace nibble::quant
