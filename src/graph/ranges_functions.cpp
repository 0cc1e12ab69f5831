#include "graph/ranges_functions.hpp"

#include "graph/intervals.hpp"

namespace nibble::graph {
namespace {

using Inputs = std::function<Interval(size_t)>;

Interval levels_from_zero(int64_t levels) {
  return {0, levels - 1};
}
Interval signed_levels(int64_t levels) {
  return {-(levels / 2), levels / 2 - 1};
}

int128 magnitude(Interval x) {
  return std::max(-static_cast<int128>(x.low), static_cast<int128>(x.high));
}

/// The smallest magnitude but 0.
int128 least_magnitude(Interval x) {
  if (x.low > 0) return x.low;
  return x.high < 0 ? -static_cast<int128>(x.high) : 1;
}

/// eta y + eps
Interval divisor(int64_t eta, int64_t eps, Interval y) {
  const Interval scaled = product({eta, eta}, y);
  return {saturated(static_cast<int128>(scaled.low) + eps), saturated(static_cast<int128>(scaled.high) + eps)};
}

}  // namespace

Interval function_range(const ISoftmax& op, const Inputs&) {
  return levels_from_zero(op.levels);
}
Interval function_range(const ItaMax& op, const Inputs&) {
  return levels_from_zero(op.levels);
}
Interval function_range(const ItaPartialMax& op, const Inputs&) {
  return levels_from_zero(op.levels / 2);
}
Interval function_range(const IGelu& op, const Inputs& input) {
  const int128 least = static_cast<int128>(op.one) - static_cast<int128>(op.b) * op.b;
  const int128 most = std::max<int128>({op.one, -least, least, -static_cast<int128>(op.one)});
  return product(input(0), {saturated((op.one - most) >> 1), saturated((op.one + most) >> 1)});
}
Interval function_range(const ILayerNorm& op, const Inputs&) {
  return signed_levels(op.levels);
}
Interval function_range(const IRmsNorm& op, const Inputs&) {
  return signed_levels(op.levels);
}
Interval function_range(const IHardSwish& op, const Inputs& input) {
  return product(input(0), product({0, op.six}, {op.one_over_six, op.one_over_six}));
}
Interval function_range(const IntegerDiv& op, const Inputs& input) {
  const Interval scale = product({op.delta, op.delta}, {op.eta, op.eta});
  const int128 most = magnitude(product(scale, input(0))) / least_magnitude(divisor(op.eta, op.eps, input(1))) + 1;
  return {saturated(-most), saturated(most)};
}
/// Slot 1 of a TrueIntegerDiv without a second input is its field y: the caller's.
Interval function_range(const TrueIntegerDiv& op, const Inputs& input) {
  const Interval scale = product({op.delta, op.delta}, {op.eta, op.eta});
  const int128 most = magnitude(scale) / least_magnitude(divisor(op.eta, op.eps, input(1))) + 1;
  return product(input(0), {saturated(-most), saturated(most)});
}
Interval function_range(const INoNorm& op, const Inputs&) {
  return signed_levels(op.levels);
}

}  // namespace nibble::graph
