#include "passes/integerise/bound_functions.hpp"

#include <algorithm>
#include <limits>

#include "base/int128.hpp"

namespace nibble::passes {
namespace {

using Inputs = std::function<Interval(size_t)>;

int64_t saturated(int128 x) {
  using Limits = std::numeric_limits<int64_t>;
  return static_cast<int64_t>(std::clamp<int128>(x, Limits::min(), Limits::max()));
}

Interval product(Interval a, Interval b) {
  const auto ends = {static_cast<int128>(a.low) * b.low, static_cast<int128>(a.low) * b.high,
                     static_cast<int128>(a.high) * b.low, static_cast<int128>(a.high) * b.high};
  return {saturated(std::min(ends)), saturated(std::max(ends))};
}

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

Interval bounds(const graph::ISoftmax& op, const Inputs&) {
  return levels_from_zero(op.levels);
}
Interval bounds(const graph::ItaMax& op, const Inputs&) {
  return levels_from_zero(op.levels);
}
Interval bounds(const graph::ItaPartialMax& op, const Inputs&) {
  return levels_from_zero(op.levels / 2);
}
Interval bounds(const graph::IGelu& op, const Inputs& input) {
  const int128 least = static_cast<int128>(op.one) - static_cast<int128>(op.b) * op.b;
  const int128 most = std::max<int128>({op.one, -least, least, -static_cast<int128>(op.one)});
  return product(input(0), {saturated((op.one - most) >> 1), saturated((op.one + most) >> 1)});
}
Interval bounds(const graph::ILayerNorm& op, const Inputs&) {
  return signed_levels(op.levels);
}
Interval bounds(const graph::IRmsNorm& op, const Inputs&) {
  return signed_levels(op.levels);
}
Interval bounds(const graph::IHardSwish& op, const Inputs& input) {
  return product(input(0), product({0, op.six}, {op.one_over_six, op.one_over_six}));
}
Interval bounds(const graph::IntegerDiv& op, const Inputs& input) {
  const Interval scale = product({op.delta, op.delta}, {op.eta, op.eta});
  const int128 most = magnitude(product(scale, input(0))) / least_magnitude(divisor(op.eta, op.eps, input(1))) + 1;
  return {saturated(-most), saturated(most)};
}
Interval bounds(const graph::TrueIntegerDiv& op, const Inputs& input) {
  const Interval scale = product({op.delta, op.delta}, {op.eta, op.eta});
  const int128 most = magnitude(scale) / least_magnitude(divisor(op.eta, op.eps, input(1))) + 1;
  return product(input(0), {saturated(-most), saturated(most)});
}
Interval bounds(const graph::INoNorm& op, const Inputs&) {
  return signed_levels(op.levels);
}

}  // namespace

std::optional<Interval> function_bounds(const graph::Node& node, const Inputs& input) {
  const Inputs given = [&](size_t slot) {
    const auto* divided = get_if<graph::TrueIntegerDiv>(&node.op);
    if (divided && slot == 1 && node.inputs.size() < 2) return Interval{divided->y, divided->y};
    return input(slot);
  };
  return visit(
      [&](const auto& op) -> std::optional<Interval> {
        if constexpr (graph::IntegerFunction<std::decay_t<decltype(op)>>)
          return bounds(op, given);
        else
          return std::nullopt;
      },
      node.op);
}

}  // namespace nibble::passes
