#include "quant/slope_requantisation.hpp"

#include <algorithm>
#include <cmath>

#include "base/int128.hpp"
#include "quant/corners.hpp"

namespace nibble::quant {
namespace {

constexpr int64_t widest_multiplier = (int64_t{1} << 31) - 1;
constexpr int128 widest_product = int128{1} << 62;

/// The addends under which a*m + b meets every corner at one shift; least > most where there are none.
struct Addends {
  int128 least = -widest_product, most = widest_product;

  /// The middle of the choice, or its end where only one side is bounded.
  int128 chosen() const {
    if (least == -widest_product) return most;
    return most == widest_product ? least : least + (most - least) / 2;
  }
};

Addends addends_of(const Corners& corners, int128 m, int shift) {
  const int128 unit = int128{1} << shift;
  Addends addends;
  for (const Corner& corner : corners.reach)
    addends.least = std::max(addends.least, corner.level * unit - m * corner.at);
  for (const Corner& corner : corners.miss)
    addends.most = std::min(addends.most, corner.level * unit - 1 - m * corner.at);
  return addends;
}

bool fits(int128 m, int128 addend, Interval arguments) {
  const int128 ends[] = {addend, m * arguments.low + addend, m * arguments.high + addend};
  return std::all_of(std::begin(ends), std::end(ends),
                     [](int128 end) { return -widest_product <= end && end <= widest_product; });
}

}  // namespace

std::optional<Requantisation> slope_requantisation(const Staircase& steps, double slope, Interval arguments,
                                                   Interval levels) {
  const Corners corners = corners_of(steps, arguments, levels);
  for (int shift = 0; shift <= 62; ++shift) {
    const double scaled = std::ldexp(slope, shift);
    if (scaled > static_cast<double>(widest_multiplier)) break;
    for (const double near : {std::floor(scaled), std::ceil(scaled)}) {
      const auto m = static_cast<int128>(near);
      if (m > widest_multiplier) continue;
      const Addends addends = addends_of(corners, m, shift);
      if (addends.least > addends.most || !fits(m, addends.chosen(), arguments)) continue;
      return Requantisation{static_cast<int64_t>(m), static_cast<int64_t>(addends.chosen()), shift};
    }
  }
  return std::nullopt;
}

}  // namespace nibble::quant
