#include "graph/op.hpp"

#include <string>

#include "base/error.hpp"

namespace nibble::graph {

Op::Op(const Op& other) : kind_(other.kind_) {
  visit([&]<class T>(const T& op) { new (&storage_) T(op); }, other);
}
Op::Op(Op&& other) noexcept : kind_(other.kind_) {
  visit([&]<class T>(T& op) { new (&storage_) T(std::move(op)); }, other);
}
Op& Op::operator=(const Op& other) {
  return *this = Op(other);
}
Op& Op::operator=(Op&& other) noexcept {
  if (this != &other) {
    this->~Op();
    new (this) Op(std::move(other));
  }
  return *this;
}
Op::~Op() {
  visit([]<class T>(T& op) { op.~T(); }, *this);
}

void complain_of_op(const Op& op, std::string_view expected) {
  throw InternalError("an op is " + std::string(expected) + ", and not " + std::string(name_of(op)));
}

std::string_view name_of(const Op& op) {
  return visit([]<class T>(const T&) { return T::name; }, op);
}

std::span<const Op> every_op() {
#define NIBBLE_DEFAULT(NAME) NAME{},
  static const Op all[] = {NIBBLE_OPS(NIBBLE_DEFAULT)};
#undef NIBBLE_DEFAULT
  return all;
}

const Op* op_named(std::string_view name) {
  for (const Op& op : every_op())
    if (name_of(op) == name) return &op;
  return nullptr;
}

}  // namespace nibble::graph
