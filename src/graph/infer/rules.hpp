#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "graph/infer/infer.hpp"

/// What the files of shape inference share: a node as its rule sees it, and the rules, one an op.
namespace nibble::graph {

using Types = std::vector<TypedShape>;

/// What a rule sees of its node: inputs, constants, and a way to complain that names it.
struct Context {
  const Node& node;
  const std::vector<const TypedShape*>& inputs;
  const std::vector<const Tensor*>& constants;

  [[noreturn]] void complain(const std::string& found, const std::string& expected = {}) const {
    fail("graph", "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")", found, expected);
  }
  void check(bool holds, const std::string& found, const std::string& expected = {}) const {
    if (!holds) complain(found, expected);
  }
  bool has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  const TypedShape& input(size_t i) const {
    check(has(i), "input " + std::to_string(i) + " is absent", "it to be there");
    return *inputs[i];
  }
  const Shape& shape(size_t i) const { return input(i).shape; }
  ElementType type(size_t i) const { return input(i).type; }
  void count_inputs(size_t least, size_t most) const {
    check(inputs.size() >= least && inputs.size() <= most, std::to_string(inputs.size()) + " inputs",
          least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most));
    for (size_t i = 0; i < least; ++i) input(i);
  }
  void reals(size_t i) const {
    check(is_real(type(i)), "input " + std::to_string(i) + " of " + std::string(to_string(type(i))), "reals");
  }
  /// Reals where input 0 is of reals, integers where it is of integers.
  void like_first(size_t i) const { is_real(type(0)) ? reals(i) : integers(i); }
  void integers(size_t i) const {
    check(!is_real(type(i)), "input " + std::to_string(i) + " of " + std::string(to_string(type(i))), "integers");
  }
};

/// The type of a sum or product of these inputs.
ElementType accumulated(const Context& c, std::initializer_list<size_t> inputs);
/// base's broadcast; a complaint names the node.
Shape broadcast_of(const Context& c, const Shape& a, const Shape& b);
/// Whether two extents can be equal.
inline bool same_extent(int64_t a, int64_t b) {
  return a == b || a == any || b == any;
}

/// One input and its type and shape; reals_only: a complaint about integers.
Types same_as_input(const Context& c, bool reals_only);

#define NIBBLE_RULE(NAME) Types rule(const Context& c, const NAME& op);
NIBBLE_STRUCTURED_OPS(NIBBLE_RULE)
NIBBLE_INTEGER_FUNCTIONS(NIBBLE_RULE)
#undef NIBBLE_RULE

Types rule(const Context& c, const RealFunction auto&) {
  return same_as_input(c, true);
}

}  // namespace nibble::graph
