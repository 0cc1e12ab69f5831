#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "graph/arrays.hpp"

namespace nibble::graph {
namespace {

template <class F>
Tensors map_reals(const Call& call, F&& f) {
  Tensor y = call[0];
  for (double& value : y.as<double>()) value = f(value);
  return {y};
}

template <class T, class F>
Tensor map_same(const Tensor& x, F&& f) {
  Tensor y = x;
  for (T& value : y.as<T>()) value = f(value);
  return y;
}

/// Integer bound of a Clip, saturated.
int64_t integer_bound(double bound) {
  if (bound >= 0x1p62) return std::numeric_limits<int64_t>::max();
  if (bound <= -0x1p62) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(bound);
}

Tensors clip(const Call& call, const Clip& op) {
  if (call.real()) return map_reals(call, [&](double x) { return std::min(std::max(x, op.low), op.high); });
  const int64_t low = integer_bound(std::ceil(op.low)), high = integer_bound(std::floor(op.high));
  return {map_same<int64_t>(call[0], [&](int64_t x) { return std::min(std::max(x, low), high); })};
}

double gelu(double x, bool tanh_form) {
  if (!tanh_form) return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

/// For each element of the broadcast result, the offsets of its operands.
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

/// `result` by reference: it is written while the arguments are evaluated, in an order that C++ leaves open.
int64_t exactly(bool overflowed, const int64_t& result) {
  if (overflowed) throw InternalError("an accumulator fits into 64 bits");
  return result;
}

Tensors add(const Call& call) {
  if (call.real()) return {combine<double>(call[0], call[1], [](double a, double b) { return a + b; })};
  return {combine<int64_t>(call[0], call[1], [](int64_t a, int64_t b) {
    int64_t sum = 0;
    return exactly(__builtin_add_overflow(a, b, &sum), sum);
  })};
}

Tensors subtract(const Call& call) {
  if (call.real()) return {combine<double>(call[0], call[1], [](double a, double b) { return a - b; })};
  return {combine<int64_t>(call[0], call[1], [](int64_t a, int64_t b) {
    int64_t difference = 0;
    return exactly(__builtin_sub_overflow(a, b, &difference), difference);
  })};
}

Tensors multiply(const Call& call) {
  if (call.real()) return {combine<double>(call[0], call[1], [](double a, double b) { return a * b; })};
  return {combine<int64_t>(call[0], call[1], [](int64_t a, int64_t b) {
    int64_t product = 0;
    return exactly(__builtin_mul_overflow(a, b, &product), product);
  })};
}

Tensors divide(const Call& call) {
  if (call.real()) return {combine<double>(call[0], call[1], [](double a, double b) { return a / b; })};
  return {combine<int64_t>(call[0], call[1], [&](int64_t a, int64_t b) {
    if (b == 0) fail("graph", call.place(), "a division by 0", "a divisor that is not");
    return exactly(b == -1 && a == std::numeric_limits<int64_t>::min(), b == -1 ? -a : a / b);
  })};
}

}  // namespace

Tensors evaluate_pointwise(const Call& call) {
  const auto either = [&](auto&& f) -> Tensors {
    if (call.real()) return {map_same<double>(call[0], f)};
    return {map_same<int64_t>(call[0], f)};
  };
  const auto reals = [&](auto&& f) { return map_reals(call, f); };
  const Op& op = call.node.op;
  if (const auto* o = std::get_if<Clip>(&op)) return clip(call, *o);
  if (const auto* o = std::get_if<LeakyRelu>(&op)) return reals([&](double x) { return x >= 0 ? x : o->alpha * x; });
  if (const auto* o = std::get_if<HardSigmoid>(&op))
    return reals([&](double x) { return std::clamp(o->alpha * x + o->beta, 0.0, 1.0); });
  if (const auto* o = std::get_if<Gelu>(&op)) return reals([&](double x) { return gelu(x, o->tanh_form); });
  if (std::holds_alternative<Identity>(op) || std::holds_alternative<Dropout>(op)) return {call[0]};
  if (std::holds_alternative<Relu>(op)) return either([](auto x) { return std::max(x, decltype(x){0}); });
  if (std::holds_alternative<Neg>(op)) return either([](auto x) { return -x; });
  if (std::holds_alternative<Abs>(op)) return either([](auto x) { return x < 0 ? -x : x; });
  if (std::holds_alternative<HardSwish>(op))
    return reals([](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); });
  if (std::holds_alternative<Sigmoid>(op)) return reals([](double x) { return 1 / (1 + std::exp(-x)); });
  if (std::holds_alternative<Tanh>(op)) return reals([](double x) { return std::tanh(x); });
  if (std::holds_alternative<Erf>(op)) return reals([](double x) { return std::erf(x); });
  if (std::holds_alternative<Exp>(op)) return reals([](double x) { return std::exp(x); });
  if (std::holds_alternative<Log>(op)) return reals([](double x) { return std::log(x); });
  if (std::holds_alternative<Sqrt>(op)) return reals([](double x) { return std::sqrt(x); });
  if (std::holds_alternative<Reciprocal>(op)) return reals([](double x) { return 1 / x; });
  if (std::holds_alternative<Softplus>(op))
    return reals([](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); });
  if (std::holds_alternative<Add>(op)) return add(call);
  if (std::holds_alternative<Sub>(op)) return subtract(call);
  if (std::holds_alternative<Mul>(op)) return multiply(call);
  if (std::holds_alternative<Div>(op)) return divide(call);
  if (std::holds_alternative<Pow>(op))
    return {combine<double>(call[0], call[1], [](double a, double b) { return std::pow(a, b); })};
  throw InternalError("a pointwise op has its function");
}

}  // namespace nibble::graph
