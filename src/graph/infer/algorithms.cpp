#include "graph/infer/rules.hpp"

namespace nibble::graph {

static ElementType container(int64_t low, int64_t high) {
  return Grid{.low = low, .high = high}.container();
}

static void check_shift(const Context& c, std::string_view what, int64_t shift, int64_t most) {
  c.check(shift >= 0 && shift <= most, std::string(what) + " " + std::to_string(shift), "0 to " + std::to_string(most));
}

static void check_levels(const Context& c, int64_t low, int64_t high) {
  c.check(low <= high, "levels " + std::to_string(low) + " to " + std::to_string(high), "low <= high");
}

Types rule(const Context& c, const InterpolatedTable& op) {
  c.count_inputs(2, 2);
  c.integers(0), c.integers(1);
  c.check(c.shape(1).size() == 1, "table " + to_string(c.shape(1)), "[n]");
  check_shift(c, "shift", op.shift, 31), check_shift(c, "fraction", op.fraction, 30);
  check_levels(c, op.low, op.high);
  return {{container(op.low, op.high), c.shape(0)}};
}

Types rule(const Context& c, const TableSoftmax& op) {
  c.count_inputs(2, 2);
  c.integers(0), c.integers(1);
  normalise_axis(op.axis, c.shape(0).size());
  c.check(c.shape(1).size() == 1 && c.shape(1)[0] >= 1, "table " + to_string(c.shape(1)), "[n]");
  if (c.constants[1])
    for (int64_t entry : c.constants[1]->to_integers())
      c.check(entry >= 0 && c.constants[1]->to_integers()[0] > 0, "a table that starts with " + std::to_string(entry),
              "entries of at least 0, the first above");
  c.check(op.multiplier >= 0, "multiplier " + std::to_string(op.multiplier), "at least 0");
  check_shift(c, "shift", op.shift, 31);
  check_levels(c, op.low, op.high);
  return {{container(op.low, op.high), c.shape(0)}};
}

Types rule(const Context& c, const IntegerNormalization& op) {
  c.count_inputs(3, 3);
  const Shape& x = c.shape(0);
  for (size_t i = 0; i < 3; ++i) c.integers(i);
  const auto axis = static_cast<std::ptrdiff_t>(normalise_axis(op.axis, x.size()));
  const Shape row(x.begin() + axis, x.end());
  c.check(is_static(row), "rows of " + to_string(row), "fixed extents");
  for (size_t i = 1; i < 3; ++i)
    c.check(broadcast_of(c, c.shape(i), row) == row, "input " + std::to_string(i) + " " + to_string(c.shape(i)),
            "one that broadcasts to " + to_string(row));
  check_shift(c, "root_shift", op.root_shift, 30), check_shift(c, "inverse_shift", op.inverse_shift, 62);
  check_shift(c, "shift", op.shift, 62);
  c.check(op.epsilon >= 0, "epsilon " + std::to_string(op.epsilon), "at least 0");
  check_levels(c, op.low, op.high);
  return {{container(op.low, op.high), x}};
}

Types rule(const Context& c, const RoundedDivision& op) {
  c.count_inputs(2, 2);
  c.integers(0), c.integers(1);
  check_shift(c, "shift", op.shift, 62);
  check_levels(c, op.low, op.high);
  return {{container(op.low, op.high), broadcast_of(c, c.shape(0), c.shape(1))}};
}

}  // namespace nibble::graph
