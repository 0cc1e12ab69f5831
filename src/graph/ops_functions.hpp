#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <numbers>
#include <string_view>

/// Pointwise functions of one real: the struct is the formula, in double. An integer network has them as tables
/// (docs/design/integer_functions.md).
namespace nibble::graph {

/// Ops with a formula of one real and no meaning on integers. What else a new one needs: its row in the table of what is
/// read (onnx/standard/import.cpp) and libtorch's form (train/network/forward.cpp). Fields that are numbers are the
/// standard's attributes of the same name.
template <class Op>
concept RealFunction = requires(const Op& op, double x) {
  { op(x) } -> std::same_as<double>;
  { Op::never_negative } -> std::convertible_to<bool>;  ///< op(x) >= 0 for every x
};

/// A function without parameters.
#define NIBBLE_FUNCTION(NAME, NEVER_NEGATIVE, FORMULA)      \
  struct NAME {                                             \
    static constexpr std::string_view name = #NAME;         \
    static constexpr bool never_negative = NEVER_NEGATIVE;  \
    double operator()(double x) const { return (FORMULA); } \
    template <class V, class Self>                          \
    static void fields(V&&, Self&) {}                       \
  }
NIBBLE_FUNCTION(HardSwish, false, x* std::clamp(x / 6 + 0.5, 0.0, 1.0));
NIBBLE_FUNCTION(Sigmoid, true, 1 / (1 + std::exp(-x)));
NIBBLE_FUNCTION(Tanh, false, std::tanh(x));
NIBBLE_FUNCTION(Erf, false, std::erf(x));
NIBBLE_FUNCTION(Exp, true, std::exp(x));
NIBBLE_FUNCTION(Log, false, std::log(x));
NIBBLE_FUNCTION(Sqrt, true, std::sqrt(x));
NIBBLE_FUNCTION(Reciprocal, false, 1 / x);
/// ln(1 + exp(x)), without an overflow
NIBBLE_FUNCTION(Softplus, true, std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
/// x * tanh(ln(1 + exp(x)))
NIBBLE_FUNCTION(Mish, false, x* std::tanh(Softplus{}(x)));
NIBBLE_FUNCTION(Softsign, false, x / (1 + std::abs(x)));
NIBBLE_FUNCTION(Round, false, std::nearbyint(x));  ///< halves to even
NIBBLE_FUNCTION(Floor, false, std::floor(x));
NIBBLE_FUNCTION(Ceil, false, std::ceil(x));
NIBBLE_FUNCTION(Sign, false, static_cast<double>((x > 0) - (x < 0)));
NIBBLE_FUNCTION(Sin, false, std::sin(x));
NIBBLE_FUNCTION(Cos, false, std::cos(x));
#undef NIBBLE_FUNCTION

/// y = x >= 0 ? x : alpha * x
struct LeakyRelu {
  double alpha = 0.01;
  static constexpr std::string_view name = "LeakyRelu";
  static constexpr bool never_negative = false;
  double operator()(double x) const { return x >= 0 ? x : alpha * x; }
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("alpha", s.alpha);
  }
};

/// y = x >= 0 ? x : alpha * (exp(x) - 1)
struct Elu {
  double alpha = 1;
  static constexpr std::string_view name = "Elu";
  static constexpr bool never_negative = false;
  double operator()(double x) const { return x >= 0 ? x : alpha * std::expm1(x); }
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("alpha", s.alpha);
  }
};

/// y = gamma * (x > 0 ? x : alpha * (exp(x) - 1))
struct Selu {
  double alpha = 1.6732632, gamma = 1.050701;
  static constexpr std::string_view name = "Selu";
  static constexpr bool never_negative = false;
  double operator()(double x) const { return gamma * (x > 0 ? x : alpha * std::expm1(x)); }
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("alpha", s.alpha), v("gamma", s.gamma);
  }
};

/// y = x > 0 ? x : alpha * (exp(x / alpha) - 1)
struct Celu {
  double alpha = 1;
  static constexpr std::string_view name = "Celu";
  static constexpr bool never_negative = false;
  double operator()(double x) const { return std::max(x, 0.0) + std::min(0.0, alpha * std::expm1(x / alpha)); }
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("alpha", s.alpha);
  }
};

/// y = x > alpha ? x : 0
struct ThresholdedRelu {
  double alpha = 1;
  static constexpr std::string_view name = "ThresholdedRelu";
  static constexpr bool never_negative = false;
  double operator()(double x) const { return x > alpha ? x : 0; }
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("alpha", s.alpha);
  }
};

/// y = x < -lambd ? x + bias : x > lambd ? x - bias : 0
struct Shrink {
  double bias = 0, lambd = 0.5;
  static constexpr std::string_view name = "Shrink";
  static constexpr bool never_negative = false;
  double operator()(double x) const { return x < -lambd ? x + bias : x > lambd ? x - bias : 0; }
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("bias", s.bias), v("lambd", s.lambd);
  }
};

/// y = x / (1 + exp(-alpha * x)); alpha = 1 is SiLU
struct Swish {
  double alpha = 1;
  static constexpr std::string_view name = "Swish";
  static constexpr bool never_negative = false;
  double operator()(double x) const { return x / (1 + std::exp(-alpha * x)); }
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("alpha", s.alpha);
  }
};

/// y = clip(alpha * x + beta, 0, 1)
struct HardSigmoid {
  double alpha = 0.2, beta = 0.5;
  static constexpr std::string_view name = "HardSigmoid";
  static constexpr bool never_negative = true;
  double operator()(double x) const { return std::clamp(alpha * x + beta, 0.0, 1.0); }
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("alpha", s.alpha), v("beta", s.beta);
  }
};

/// y = x/2 * (1 + erf(x/sqrt 2)); tanh_form: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
struct Gelu {
  bool tanh_form = false;
  static constexpr std::string_view name = "Gelu";
  static constexpr bool never_negative = false;
  double operator()(double x) const {
    if (!tanh_form) return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
    return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  }
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("tanh_form", s.tanh_form);
  }
};

/// Every function of one real once.
// clang-format off
#define NIBBLE_REAL_FUNCTIONS(X)                                                                      \
  X(HardSwish) X(Sigmoid) X(Tanh) X(Erf) X(Exp) X(Log) X(Sqrt) X(Reciprocal) X(Softplus) X(LeakyRelu) \
  X(HardSigmoid) X(Gelu) X(Mish) X(Elu) X(Swish) X(Selu) X(Celu) X(ThresholdedRelu) X(Shrink)         \
  X(Softsign) X(Round) X(Floor) X(Ceil) X(Sign) X(Sin) X(Cos)
// clang-format on

}  // namespace nibble::graph
