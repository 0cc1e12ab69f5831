#pragma once
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "graph/ops.hpp"

/// One op of the closed set, as a value. Reads like std::variant (get_if, holds_alternative, get, visit), and costs a
/// file that copies or destroys one nothing: the special members stand once, in op.cpp, and no function of an
/// alternative is instantiated but by who names it.
namespace nibble::graph {

enum class OpKind : uint8_t {
#define NIBBLE_KIND(NAME) NAME,
  NIBBLE_OPS(NIBBLE_KIND)
#undef NIBBLE_KIND
};

namespace detail {
template <class T>
struct KindOf;
#define NIBBLE_KIND_OF(NAME)                      \
  template <>                                     \
  struct KindOf<NAME> {                           \
    static constexpr OpKind value = OpKind::NAME; \
  };
NIBBLE_OPS(NIBBLE_KIND_OF)
#undef NIBBLE_KIND_OF

union Largest {
#define NIBBLE_MEMBER(NAME) std::aligned_storage_t<sizeof(NAME), alignof(NAME)> of_##NAME;
  NIBBLE_OPS(NIBBLE_MEMBER)
#undef NIBBLE_MEMBER
};
}  // namespace detail

/// The structs of the list NIBBLE_OPS.
template <class T>
concept AnOp = requires {
  detail::KindOf<T>::value;
};

template <AnOp T>
inline constexpr OpKind kind_of = detail::KindOf<T>::value;

class Op {
 public:
  Op() : Op(Identity{}) {}
  template <AnOp T>
  Op(T op) : kind_(kind_of<T>) {
    new (&storage_) T(std::move(op));
  }
  Op(const Op& other);
  Op(Op&& other) noexcept;
  Op& operator=(const Op& other);
  Op& operator=(Op&& other) noexcept;
  ~Op();

  OpKind kind() const { return kind_; }
  void* data() { return &storage_; }
  const void* data() const { return &storage_; }

 private:
  OpKind kind_;
  detail::Largest storage_;
};

template <AnOp T>
bool holds_alternative(const Op& op) {
  return op.kind() == kind_of<T>;
}
template <AnOp T>
T* get_if(Op* op) {
  return op != nullptr && holds_alternative<T>(*op) ? static_cast<T*>(op->data()) : nullptr;
}
template <AnOp T>
const T* get_if(const Op* op) {
  return op != nullptr && holds_alternative<T>(*op) ? static_cast<const T*>(op->data()) : nullptr;
}

/// Throws InternalError naming both where the op is another.
[[noreturn]] void complain_of_op(const Op& op, std::string_view expected);
template <AnOp T>
T& get(Op& op) {
  if (!holds_alternative<T>(op)) complain_of_op(op, T::name);
  return *static_cast<T*>(op.data());
}
template <AnOp T>
const T& get(const Op& op) {
  return get<T>(const_cast<Op&>(op));
}

/// f of the op's struct. Every result has one type; a struct that f does not take is a compile error.
template <class F>
decltype(auto) visit(F&& f, const Op& op) {
  switch (op.kind()) {
#define NIBBLE_CASE(NAME) \
  case OpKind::NAME: return f(*static_cast<const NAME*>(op.data()));
    NIBBLE_OPS(NIBBLE_CASE)
#undef NIBBLE_CASE
  }
  __builtin_unreachable();
}
template <class F>
decltype(auto) visit(F&& f, Op& op) {
  switch (op.kind()) {
#define NIBBLE_CASE(NAME) \
  case OpKind::NAME: return f(*static_cast<NAME*>(op.data()));
    NIBBLE_OPS(NIBBLE_CASE)
#undef NIBBLE_CASE
  }
  __builtin_unreachable();
}

std::string_view name_of(const Op& op);
/// One of each op, its fields as they are by default, in the order of the list.
std::span<const Op> every_op();
/// The op of that name with its default fields, or nullptr.
const Op* op_named(std::string_view name);

/// visit by a list of lambdas: `match(op, [](const Conv&) {...}, ...)`; one missing is a compile error.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class O, class... F>
decltype(auto) match(O&& op, F&&... f) {
  return visit(Overloaded<std::decay_t<F>...>{std::forward<F>(f)...}, op);
}

}  // namespace nibble::graph
