#include <algorithm>

#include "graph/infer/rules.hpp"

namespace nibble::graph {
namespace {

ElementType container(int64_t low, int64_t high) {
  return Grid{.low = low, .high = high}.container();
}

/// The most levels whose integers, and products with 256, need no thought.
constexpr int64_t most_levels = int64_t{1} << 31;

void check_levels(const Context& c, int64_t levels) {
  c.check(levels >= 2 && levels <= most_levels, std::to_string(levels) + " levels", "2 to 2^31");
}

void check_shift(const Context& c, int64_t shift) {
  c.check(shift >= 0 && shift <= 62, "shift " + std::to_string(shift), "0 to 62");
}

void check_row(const Context& c) {
  c.integers(0);
  c.check(!c.shape(0).empty(), "a scalar", "rows");
}

/// One of these for the row, or one for each element of it.
void check_row_operand(const Context& c, size_t input) {
  c.integers(input);
  const Shape& shape = c.shape(input);
  const int64_t width = c.shape(0).back();
  c.check(shape.size() <= 1 && (shape.empty() || shape[0] == 1 || shape[0] == width),
          "input " + std::to_string(input) + " " + to_string(shape) + " with rows of " + std::to_string(width),
          "one element, or one for each of a row");
}

Types signed_levels(const Context& c, int64_t levels) {
  check_levels(c, levels);
  return {{container(-(levels / 2), levels / 2 - 1), c.shape(0)}};
}

}  // namespace

Types rule(const Context& c, const ISoftmax& op) {
  c.count_inputs(1, 1);
  check_row(c);
  check_levels(c, op.levels);
  c.check(op.log2 >= 1, "log2 " + std::to_string(op.log2), "at least 1");
  c.check(op.a >= 0 && op.c >= 0, "a " + std::to_string(op.a) + " and c " + std::to_string(op.c), "at least 0");
  return {{container(0, op.levels - 1), c.shape(0)}};
}

Types rule(const Context& c, const ItaMax& op) {
  c.count_inputs(1, 1);
  check_row(c);
  check_levels(c, op.levels);
  return {{container(0, op.levels - 1), c.shape(0)}};
}

Types rule(const Context& c, const ItaPartialMax& op) {
  c.count_inputs(1, 1);
  check_row(c);
  check_levels(c, op.levels);
  const int64_t width = c.shape(0).back();
  c.check(op.group_width >= 1 && (width == any || width % op.group_width == 0),
          "groups of " + std::to_string(op.group_width) + " in rows of " + std::to_string(width),
          "a divisor of the row");
  return {{container(0, op.levels / 2 - 1), c.shape(0)}};
}

Types rule(const Context& c, const IGelu& op) {
  c.count_inputs(1, 1);
  c.integers(0);
  c.check(op.b <= 0, "b " + std::to_string(op.b), "at most 0");
  return {{accumulated(c, {0}), c.shape(0)}};
}

Types rule(const Context& c, const ILayerNorm& op) {
  c.count_inputs(3, 3);
  check_row(c);
  check_row_operand(c, 1), check_row_operand(c, 2);
  check_shift(c, op.shift);
  return signed_levels(c, op.levels);
}

Types rule(const Context& c, const IRmsNorm& op) {
  c.count_inputs(2, 2);
  check_row(c);
  check_row_operand(c, 1);
  check_shift(c, op.shift);
  return signed_levels(c, op.levels);
}

Types rule(const Context& c, const IHardSwish& op) {
  c.count_inputs(1, 1);
  c.integers(0);
  c.check(op.six >= 0, "six " + std::to_string(op.six), "at least 0");
  return {{accumulated(c, {0}), c.shape(0)}};
}

Types rule(const Context& c, const IntegerDiv&) {
  c.count_inputs(2, 2);
  c.integers(0), c.integers(1);
  return {{accumulated(c, {0, 1}), broadcast_of(c, c.shape(0), c.shape(1))}};
}

Types rule(const Context& c, const TrueIntegerDiv& op) {
  c.count_inputs(1, 2);
  c.integers(0);
  if (c.has(1)) {
    c.integers(1);
    return {{accumulated(c, {0, 1}), broadcast_of(c, c.shape(0), c.shape(1))}};
  }
  int64_t divisor = 0;
  const bool overflows =
      __builtin_mul_overflow(op.y, op.eta, &divisor) || __builtin_add_overflow(divisor, op.eps, &divisor);
  c.check(!overflows && divisor != 0, "y eta + eps of " + (overflows ? "more than 64 bits" : std::to_string(divisor)),
          "a divisor");
  return {{accumulated(c, {0}), c.shape(0)}};
}

Types rule(const Context& c, const INoNorm& op) {
  c.count_inputs(3, 3);
  for (size_t i = 0; i < 3; ++i) c.integers(i);
  for (size_t i = 1; i < 3; ++i)
    c.check(broadcast_of(c, c.shape(i), c.shape(0)) == c.shape(0),
            "input " + std::to_string(i) + " " + to_string(c.shape(i)),
            "one that broadcasts to " + to_string(c.shape(0)));
  check_shift(c, op.shift);
  return signed_levels(c, op.levels);
}

}  // namespace nibble::graph
