#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "graph/evaluate/broadcast.hpp"
#include "graph/evaluate/rules.hpp"
#include "graph/intervals.hpp"

namespace nibble::graph {
namespace {

template <class F>
Tensors map_reals(const Call& call, F&& f) {
  Tensor y = call[0];
  for (double& value : y.as<double>()) value = f(value);
  return {y};
}

/// f on reals or on integers.
template <class F>
Tensors map_either(const Call& call, F&& f) {
  return by_kind(call, [&](auto kind) {
    using T = decltype(kind);
    Tensor y = call[0];
    for (T& value : y.template as<T>()) value = f(value);
    return y;
  });
}

/// f of each pair of elements, broadcast.
template <class T, class F>
Tensor combine(const Tensor& a, const Tensor& b, F&& f) {
  Tensor y = zeros<T>(broadcast(a.shape(), b.shape()));
  const auto x1 = a.as<T>(), x2 = b.as<T>();
  const auto out = y.template as<T>();
  if (a.shape() == b.shape()) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = f(x1[i], x2[i]);
    return y;
  }
  const auto steps = [&](const Tensor& x) {
    std::vector<int64_t> result(y.rank(), 0);
    const auto strides = strides_of(x.shape());
    for (size_t i = 0; i < x.rank(); ++i)
      if (x.shape()[i] != 1) result[i + y.rank() - x.rank()] = strides[i];
    return result;
  };
  const auto step_a = steps(a), step_b = steps(b);
  std::vector<int64_t> at(y.rank(), 0);
  int64_t offset_a = 0, offset_b = 0;
  for (T& value : out) {
    value = f(x1[static_cast<size_t>(offset_a)], x2[static_cast<size_t>(offset_b)]);
    for (size_t axis = y.rank(); axis-- > 0;) {
      offset_a += step_a[axis];
      offset_b += step_b[axis];
      if (++at[axis] < y.shape()[axis]) break;
      offset_a -= at[axis] * step_a[axis];
      offset_b -= at[axis] * step_b[axis];
      at[axis] = 0;
    }
  }
  return y;
}

template <class F>
Tensors combine_either(const Call& call, F&& f) {
  return by_kind(call, [&](auto kind) { return combine<decltype(kind)>(call[0], call[1], f); });
}

double quotient(const Call&, double a, double b) {
  return a / b;
}
int64_t quotient(const Call& call, int64_t a, int64_t b) {
  if (b == 0) fail("graph", call.place(), "a division by 0", "a divisor that is not");
  return b == -1 ? difference_of(int64_t{0}, a) : a / b;
}

}  // namespace

Tensors meaning(const Call& call, const Identity&) {
  return {call[0]};
}
Tensors meaning(const Call& call, const Dropout&) {
  return {call[0]};
}
Tensors meaning(const Call& call, const Relu&) {
  return map_either(call, [](auto x) { return std::max(x, decltype(x){0}); });
}
Tensors meaning(const Call& call, const Neg&) {
  // -1 * x, not 0 - x: real zero has a sign.
  return map_either(call, [](auto x) { return product_of(decltype(x){-1}, x); });
}
Tensors meaning(const Call& call, const Abs&) {
  return map_either(call, [](auto x) { return x <= 0 ? difference_of(decltype(x){0}, x) : x; });
}
Tensors meaning(const Call& call, const Clip& op) {
  if (call.real()) return map_reals(call, [&](double x) { return std::min(std::max(x, op.low), op.high); });
  const Interval to = integers_within(op.low, op.high);
  Tensor y = call[0];
  for (int64_t& x : y.as<int64_t>()) x = std::min(std::max(x, to.low), to.high);
  return {y};
}

Tensors meaning(const Call& call, const Min&) {
  return combine_either(call, [](auto a, auto b) { return std::min(a, b); });
}
Tensors meaning(const Call& call, const Max&) {
  return combine_either(call, [](auto a, auto b) { return std::max(a, b); });
}
Tensors meaning(const Call& call, const Where&) {
  const Shape shape = broadcast(broadcast(call[0].shape(), call[1].shape()), call[2].shape());
  const Tensor condition = broadcast_to<int64_t>(call[0], shape);
  const auto choose = [&](auto kind) {
    using T = decltype(kind);
    Tensor y = broadcast_to<T>(call[1], shape);
    const Tensor other = broadcast_to<T>(call[2], shape);
    for (size_t i = 0; i < y.size(); ++i)
      if (condition.as<int64_t>()[i] == 0) y.as<T>()[i] = other.as<T>()[i];
    return y;
  };
  return {is_real(call[1].type()) ? choose(double{}) : choose(int64_t{})};
}

Tensors meaning(const Call& call, const Add&) {
  const auto add = [](const Call& two) { return combine_either(two, [](auto a, auto b) { return sum_of(a, b); }); };
  Tensors sum = add(call);
  for (size_t i = 2; i < call.inputs.size(); ++i) {
    const std::vector<const Tensor*> terms{&sum[0], &call[i]};
    sum = add(Call{call.node, terms});
  }
  return sum;
}
Tensors meaning(const Call& call, const Sub&) {
  return combine_either(call, [](auto a, auto b) { return difference_of(a, b); });
}
Tensors meaning(const Call& call, const Mul&) {
  return combine_either(call, [](auto a, auto b) { return product_of(a, b); });
}
Tensors meaning(const Call& call, const Div&) {
  return combine_either(call, [&](auto a, auto b) { return quotient(call, a, b); });
}
Tensors meaning(const Call& call, const PRelu&) {
  return {combine<double>(call[0], call[1], [](double x, double slope) { return x >= 0 ? x : slope * x; })};
}
Tensors meaning(const Call& call, const Pow&) {
  return {combine<double>(call[0], call[1], [](double a, double b) { return std::pow(a, b); })};
}

}  // namespace nibble::graph
