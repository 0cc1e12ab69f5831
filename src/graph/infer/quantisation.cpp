#include "graph/infer/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {

static ElementType container(int64_t low, int64_t high) {
  return Grid{.low = low, .high = high}.container();
}

static void check_scales(const Context& c, const Grid& grid) {
  if (!grid.per_channel()) return;
  const Shape& x = c.shape(0);
  c.check(static_cast<size_t>(grid.axis) < x.size() &&
              x[static_cast<size_t>(grid.axis)] == static_cast<int64_t>(grid.scale.size()),
          std::to_string(grid.scale.size()) + " scales along axis " + std::to_string(grid.axis) + " of " + to_string(x),
          "one for each channel");
}

/// Branches that one Rescale adds.
static constexpr size_t most_terms = 5;

static void check_channels(const Context& c, const Shape& x, size_t count, std::string_view what) {
  c.check(count == 1 || (x.size() >= 2 && x[1] == static_cast<int64_t>(count)),
          std::to_string(count) + " " + std::string(what) + " with input " + to_string(x),
          "one, or one for each channel of axis 1");
}

Types rule(const Context& c, const Quantise& op) {
  c.count_inputs(1, 1);
  c.reals(0);
  check_scales(c, op.grid);
  return {{c.type(0), c.shape(0)}};
}
Types rule(const Context& c, const Dequantise& op) {
  c.count_inputs(1, 1);
  c.integers(0);
  check_scales(c, op.grid);
  return {{ElementType::Float32, c.shape(0)}};
}
Types rule(const Context& c, const Rescale& op) {
  c.count_inputs(1, most_terms);
  Shape y = c.shape(0);
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    c.integers(i);
    y = broadcast_of(c, y, c.shape(i));
  }
  const size_t terms = c.inputs.size();
  c.check(op.kappa.size() % terms == 0,
          std::to_string(op.kappa.size()) + " kappa for " + std::to_string(terms) + " inputs", "as many for each");
  check_channels(c, y, op.kappa.size() / terms, "kappa");
  check_channels(c, y, op.lambda.size(), "lambda");
  if (!op.divisor.empty()) check_channels(c, y, op.divisor.size(), "divisors");
  c.check(terms == 1 || op.divisor.empty(), "divisors of " + std::to_string(terms) + " inputs", "none");
  for (int64_t divisor : op.divisor) c.check(divisor > 0, "divisor " + std::to_string(divisor), "1 or more");
  return {{container(op.low, op.high), y}};
}
Types rule(const Context& c, const Requantise& op) {
  c.count_inputs(1, 1);
  c.integers(0);
  check_channels(c, c.shape(0), op.multiplier.size(), "multipliers");
  c.check(op.addend.size() == op.multiplier.size() && op.shift.size() == op.multiplier.size(),
          std::to_string(op.multiplier.size()) + " multipliers, " + std::to_string(op.addend.size()) + " addends, " +
              std::to_string(op.shift.size()) + " shifts",
          "as many of each");
  for (int64_t shift : op.shift) c.check(shift >= 0 && shift <= 63, "shift " + std::to_string(shift), "0 to 63");
  return {{container(op.low, op.high), c.shape(0)}};
}
Types rule(const Context& c, const FloorDivide& op) {
  c.count_inputs(1, 1);
  c.integers(0);
  check_channels(c, c.shape(0), op.multiplier.size(), "multipliers");
  c.check(op.addend.size() == op.multiplier.size() && op.divisor.size() == op.multiplier.size(),
          std::to_string(op.multiplier.size()) + " multipliers, " + std::to_string(op.addend.size()) + " addends, " +
              std::to_string(op.divisor.size()) + " divisors",
          "as many of each");
  for (int64_t divisor : op.divisor) c.check(divisor > 0, "divisor " + std::to_string(divisor), "at least 1");
  return {{container(op.low, op.high), c.shape(0)}};
}
Types rule(const Context& c, const Threshold& op) {
  c.count_inputs(2, 2);
  c.integers(0), c.integers(1);
  const Shape& t = c.shape(1);
  c.check(t.size() == 2, "thresholds " + to_string(t), "[1 or C, T]");
  check_channels(c, c.shape(0), static_cast<size_t>(t[0]), "rows of thresholds");
  c.check(op.falling.empty() || static_cast<int64_t>(op.falling.size()) == t[0],
          std::to_string(op.falling.size()) + " flags of falling", "none, or one a row");
  int64_t high = 0;
  c.check(!__builtin_add_overflow(op.low, t[1], &high), "low " + std::to_string(op.low), "room for the thresholds");
  return {{container(op.low, high), c.shape(0)}};
}
Types rule(const Context& c, const Table&) {
  c.count_inputs(2, 2);
  c.integers(0);
  c.check(c.shape(1).size() == 1, "table " + to_string(c.shape(1)), "[n]");
  return {{c.type(1), c.shape(0)}};
}

}  // namespace nibble::graph
