#include "graph/op_traits.hpp"

#include "graph/op_table.hpp"

namespace nibble::graph {
namespace {

// Two whose fields decide.
Traits of(const Clip& op) {
  Traits traits = row<Clip>;
  traits.never_negative = op.low >= 0;
  return traits;
}
Traits of(const Resize& op) {
  return op.mode == ResizeMode::Linear ? Traits{.kind = OpClass::Mean} : row<Resize>;
}
template <class Op>
Traits of(const Op&) {
  return row<Op>;
}

Traits traits_of(const Op& op) {
  return visit([](const auto& o) { return of(o); }, op);
}

}  // namespace

OpClass class_of(const Op& op) {
  return traits_of(op).kind;
}

Elements elements_of(const Op& op) {
  return traits_of(op).elements;
}

Terms terms_of(const Op& op) {
  return traits_of(op).terms;
}

bool is_linear(const Op& op) {
  return class_of(op) == OpClass::Linear;
}

bool moves_data(const Op& op) {
  const Traits traits = traits_of(op);
  return traits.elements != Elements::Computed && traits.kind != OpClass::Choice;
}

bool reorders(const Op& op) {
  return elements_of(op) == Elements::Transposed || reshapes(op);
}

bool reshapes(const Op& op) {
  return elements_of(op) == Elements::Reshaped;
}

bool is_pointwise(const Op& op) {
  return traits_of(op).pointwise;
}

bool requantises(const Op& op) {
  return traits_of(op).requantises;
}

int same_grid_input(const Op& op) {
  return traits_of(op).same_grid;
}

bool never_negative(const Op& op) {
  return traits_of(op).never_negative;
}

std::optional<ClipBounds> clip_bounds(const Op& op) {
  if (class_of(op) != OpClass::Clip) return std::nullopt;
  const auto* clip = get_if<Clip>(&op);
  return clip ? ClipBounds{clip->low, clip->high} : ClipBounds{};
}

}  // namespace nibble::graph
