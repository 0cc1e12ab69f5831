#pragma once
#include <concepts>
#include <cstdint>
#include <string_view>

/// Integer functions as the dialect deeploy computes them, bit for bit (DIALECTS.md): constants that look odd are its
/// own. "/" is truncated toward zero, ">>" an arithmetic shift, "row" the last axis. What 64 bits do not hold is an
/// InternalError.
namespace nibble::graph {

/// Ops that have integers in and out and no form on reals. Who has no form of their own for one runs the evaluator's.
template <class Op>
concept IntegerFunction = Op::integer_function;

/// Over each row: t = x - max x, z = clip(-(t / log2), 0, 31), p = t + z log2, e = (a (p + b)^2 + c) >> z,
/// y = floor(e (levels - 1) / sum of e). a, c >= 0, log2 >= 1.
struct ISoftmax {
  int64_t a = 1, b = 0, c = 0, log2 = 1, levels = 256;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "ISoftmax";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("a", s.a), v("b", s.b), v("c", s.c), v("log2", s.log2), v("levels", s.levels);
  }
};

/// Over each row: s = (max x - x + 16) >> 5, y = (((levels - 1) 256) / sum of (256 >> s)) >> s.
struct ItaMax {
  int64_t levels = 256;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "ItaMax";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("levels", s.levels);
  }
};

/// ItaMax streamed over groups of a row, which group_width divides. From m = -128 and S = 0, for each group with
/// maximum g: if g > m, S >>= (g - m + 16) >> 5 and m = g; S += sum over the group of 256 >> ((m - x + 16) >> 5). Then
/// y = (((levels / 2 - 1) 256) / S) >> ((m - x + 16) >> 5).
struct ItaPartialMax {
  int64_t levels = 256, group_width = 1;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "ItaPartialMax";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("levels", s.levels), v("group_width", s.group_width);
  }
};

/// y = x ((one + sgn x (one - (min(|x|, -b) + b)^2)) >> 1); b <= 0
struct IGelu {
  int64_t b = 0, one = 0;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "IGelu";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("b", s.b), v("one", s.one);
  }
};

/// Over each row of N: e = x - sum x / N, s = isqrt(sum e^2 / N + 1),
/// y = clip((e w / s + b) >> shift, -levels/2, levels/2 - 1). Inputs x, w, b, of one element or N.
struct ILayerNorm {
  int64_t shift = 0, levels = 256;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "ILayerNorm";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("shift", s.shift), v("levels", s.levels);
  }
};

/// Over each row of N: s = isqrt(sum x^2 / N + 1), y = clip((x w / s) >> shift, -levels/2, levels/2 - 1). Inputs x, w,
/// of one element or N.
struct IRmsNorm {
  int64_t shift = 0, levels = 256;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "IRmsNorm";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("shift", s.shift), v("levels", s.levels);
  }
};

/// y = x clip(x + three, 0, six) one_over_six; six >= 0
struct IHardSwish {
  int64_t three = 0, six = 0, one_over_six = 1;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "IHardSwish";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("three", s.three), v("six", s.six), v("one_over_six", s.one_over_six);
  }
};

/// y = (n + sgn n (d >> 1)) / d,  n = delta eta a,  d = eta b + eps. Inputs a, b, broadcast. d = 0 is an error.
struct IntegerDiv {
  int64_t delta = 1, eps = 0, eta = 1;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "IntegerDiv";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("delta", s.delta), v("eps", s.eps), v("eta", s.eta);
  }
};

/// z = x floor(delta eta / (y eta + eps)). Inputs x, optional y, broadcast; without it the field y. A divisor of 0 is
/// an error.
struct TrueIntegerDiv {
  int64_t delta = 1, eps = 0, eta = 1, y = 1;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "TrueIntegerDiv";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("delta", s.delta), v("eps", s.eps), v("eta", s.eta), v("y", s.y);
  }
};

/// y = clip(((x w + b) multiplier) >> shift, -levels/2, levels/2 - 1). Inputs x, w, b; w and b broadcast to x.
struct INoNorm {
  int64_t multiplier = 1, shift = 0, levels = 256;
  static constexpr bool integer_function = true;
  static constexpr std::string_view name = "INoNorm";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("multiplier", s.multiplier), v("shift", s.shift), v("levels", s.levels);
  }
};

}  // namespace nibble::graph
