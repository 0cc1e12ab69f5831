#include "graph/infer/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {

Types same_as_input(const Context& c, bool reals_only) {
  c.count_inputs(1, 1);
  if (reals_only) c.reals(0);
  return {{c.type(0), c.shape(0)}};
}
Types rule(const Context& c, const Identity&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const Dropout&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const Relu&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const Abs&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const Neg&) {
  return same_as_input(c, false);
}
Types rule(const Context& c, const LogSoftmax& op) {
  Types types = same_as_input(c, true);
  normalise_axis(op.axis, c.shape(0).size());
  return types;
}
Types rule(const Context& c, const Clip& op) {
  c.check(op.low <= op.high, "bounds " + std::to_string(op.low) + " and " + std::to_string(op.high), "low <= high");
  return same_as_input(c, false);
}
Types rule(const Context& c, const Softmax& op) {
  Types types = same_as_input(c, true);
  normalise_axis(op.axis, c.shape(0).size());
  return types;
}

static Types two_operands(const Context& c) {
  c.count_inputs(2, 2);
  return {{accumulated(c, {0, 1}), broadcast_of(c, c.shape(0), c.shape(1))}};
}
Types rule(const Context& c, const Add&) {
  c.count_inputs(2, std::max<size_t>(2, c.inputs.size()));
  TypedShape sum{accumulated(c, {0, 1}), broadcast_of(c, c.shape(0), c.shape(1))};
  for (size_t i = 2; i < c.inputs.size(); ++i) {
    c.input(i);
    const ElementType type = accumulated(c, {0, i});
    if (size_of(type) > size_of(sum.type)) sum.type = type;
    sum.shape = broadcast_of(c, sum.shape, c.shape(i));
  }
  return {sum};
}
Types rule(const Context& c, const Sub&) {
  return two_operands(c);
}
Types rule(const Context& c, const Mul&) {
  return two_operands(c);
}
Types rule(const Context& c, const Div&) {
  return two_operands(c);
}
/// The narrower type where both are of one.
static Types one_of_two(const Context& c, size_t a, size_t b) {
  const ElementType type = c.type(a) == c.type(b) ? c.type(a) : accumulated(c, {a, b});
  return {{type, broadcast_of(c, c.shape(a), c.shape(b))}};
}
Types rule(const Context& c, const Min&) {
  c.count_inputs(2, 2);
  return one_of_two(c, 0, 1);
}
Types rule(const Context& c, const Max&) {
  c.count_inputs(2, 2);
  return one_of_two(c, 0, 1);
}
Types rule(const Context& c, const Where&) {
  c.count_inputs(3, 3);
  c.integers(0);
  Types types = one_of_two(c, 1, 2);
  types[0].shape = broadcast_of(c, types[0].shape, c.shape(0));
  return types;
}
Types rule(const Context& c, const PRelu&) {
  c.count_inputs(2, 2);
  c.reals(0), c.reals(1);
  c.check(broadcast_of(c, c.shape(0), c.shape(1)) == c.shape(0), "slopes " + to_string(c.shape(1)),
          "what broadcasts to " + to_string(c.shape(0)));
  return {{c.type(0), c.shape(0)}};
}
Types rule(const Context& c, const Pow&) {
  c.count_inputs(2, 2);
  c.reals(0), c.reals(1);
  return two_operands(c);
}

}  // namespace nibble::graph
