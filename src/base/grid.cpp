#include "base/grid.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/interval.hpp"

namespace nibble {

std::string_view to_string(Rounding rounding) {
  switch (rounding) {
    case Rounding::Floor: return "floor";
    case Rounding::HalfUp: return "half_up";
    case Rounding::HalfEven: return "half_even";
  }
  throw InternalError("a rounding is one of the enumeration");
}

Rounding rounding_named(std::string_view name) {
  for (Rounding rounding : {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven})
    if (to_string(rounding) == name) return rounding;
  fail("base", "rounding", "'" + std::string(name) + "'", "floor, half_up or half_even");
}

double round_by(double u, Rounding rounding) {
  switch (rounding) {
    case Rounding::Floor: return std::floor(u);
    case Rounding::HalfUp: {
      // floor(u + 0.5) would round the sum itself: 0.49999999999999994 + 0.5 is 1.
      const double down = std::floor(u);
      return u - down >= 0.5 ? down + 1 : down;
    }
    case Rounding::HalfEven: return std::nearbyint(u);
  }
  throw InternalError("a rounding is one of the enumeration");
}

int Grid::bits() const {
  return static_cast<int>(std::bit_width(static_cast<uint64_t>(levels() - 1)));
}

int64_t Grid::quantise(double x, size_t channel, Rounding rounding) const {
  const double rounded = round_by(x / scale_of(channel), rounding);
  const auto offset = static_cast<double>(zero_point);
  return static_cast<int64_t>(
             std::clamp(rounded, static_cast<double>(low) - offset, static_cast<double>(high) - offset)) +
         zero_point;
}

ElementType Grid::container() const {
  for (ElementType type :
       {ElementType::Int8, ElementType::UInt8, ElementType::Int16, ElementType::UInt16, ElementType::Int32})
    if (range_of(type).low <= low && high <= range_of(type).high) return type;
  return ElementType::Int64;
}

void check_grid(const Grid& grid, std::string_view room, std::string_view place) {
  if (grid.high <= grid.low)
    fail(room, place, "levels " + std::to_string(grid.low) + " to " + std::to_string(grid.high), "at least two levels");
  // Differences of levels are taken, and doubles hold them.
  constexpr int64_t farthest = int64_t{1} << 53;
  for (int64_t level : {grid.low, grid.zero_point, grid.high})
    if (level < -farthest || level > farthest)
      fail(room, place, "a level or zero point of " + std::to_string(level), "at most 2^53, of either sign");
  if (grid.scale.empty() || (!grid.per_channel() && grid.scale.size() != 1))
    fail(room, place, std::to_string(grid.scale.size()) + " scales", "one, or one per index of an axis");
  for (double scale : grid.scale)
    if (!(scale > 0) || !std::isfinite(scale) || static_cast<double>(static_cast<float>(scale)) != scale)
      fail(room, place, "scale " + std::to_string(scale), "a positive finite float32 number");
}

}  // namespace nibble
