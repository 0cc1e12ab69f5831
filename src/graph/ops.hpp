#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "base/grid.hpp"
#include "graph/ops_dialect.hpp"
#include "graph/ops_functions.hpp"

/// The closed set of operations: one struct an op, its formula above it. Names and fields are ONNX's where ONNX has the
/// op (fields that ONNX passes as constant inputs are fields here). `fields` lists them once, for the text form, the
/// file format and the comparison; `name` is the op's name everywhere.
///
/// Ops without a remark take reals or integers; on integers they are exact, and what they read is stored integers q.
/// Layout NCHW (NCL for 1-d); "spatial" means the axes after C. `pads` are begin of each spatial axis, then end of
/// each.
namespace nibble::graph {

using Ints = std::vector<int64_t>;

/// Ops that no graph of integers holds: the functions of one real, and what is marked `reals_only`.
template <class Op>
concept OnReals = RealFunction<Op> || requires {
  requires Op::reals_only;
};
/// Ops that have no form on reals: the dialect's functions, and what is marked `integers_only`.
template <class Op>
concept OnIntegers = IntegerFunction<Op> || requires {
  requires Op::integers_only;
};

// ---- linear ---------------------------------------------------------------------------------------------------------

/// y[n,o,p] = sum over c,k of w[o,c,k] * (x[n,c,p*stride - pad + k*dilation] - zero_point) + b[o]; outside x: 0 is
/// added. Inputs x [N,C,spatial], w [O,C/group,kernel], optional b [O]. zero_point is x's, on integers only.
struct Conv {
  Ints strides, pads, dilations;
  int64_t group = 1;
  int64_t zero_point = 0;
  static constexpr std::string_view name = "Conv";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("strides", s.strides), v("pads", s.pads), v("dilations", s.dilations), v("group", s.group);
    v("zero_point", s.zero_point);
  }
};

/// The transposed Conv: y[n,o,p] = sum over c,k with p = i*stride - pad + k*dilation of w[c,o,k] * (x[n,c,i] -
/// zero_point) + b[o]. Inputs x [N,C,spatial], w [C,O/group,kernel], optional b [O]. Along each spatial axis y has
/// (extent - 1) * stride + (kernel - 1) * dilation + 1 - pads + output_pads elements. zero_point is x's, on integers
/// only.
struct ConvTranspose {
  Ints strides, pads, dilations, output_pads;
  int64_t group = 1;
  int64_t zero_point = 0;
  static constexpr std::string_view name = "ConvTranspose";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("strides", s.strides), v("pads", s.pads), v("dilations", s.dilations), v("output_pads", s.output_pads);
    v("group", s.group), v("zero_point", s.zero_point);
  }
};

/// y = alpha * a' b' + beta * c, a' = transposed a if transpose_a, likewise b'. Inputs a [M,K] (minus zero_point on
/// integers), b [K,N], optional c broadcast to [M,N]. On integers alpha = beta = 1.
struct Gemm {
  double alpha = 1, beta = 1;
  bool transpose_a = false, transpose_b = false;
  int64_t zero_point = 0;
  static constexpr std::string_view name = "Gemm";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("alpha", s.alpha), v("beta", s.beta), v("transpose_a", s.transpose_a), v("transpose_b", s.transpose_b);
    v("zero_point", s.zero_point);
  }
};

/// y = (a - zero_point_a)(b - zero_point_b) as numpy.matmul, leading axes broadcast. The zero points on integers only.
struct MatMul {
  int64_t zero_point_a = 0, zero_point_b = 0;
  static constexpr std::string_view name = "MatMul";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("zero_point_a", s.zero_point_a), v("zero_point_b", s.zero_point_b);
  }
};

/// y = (x - mean) / sqrt(variance + epsilon) * scale + bias along axis 1. Inputs x, scale, bias, mean, variance [C].
/// Reals only.
struct BatchNormalization {
  double epsilon = 1e-5;
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "BatchNormalization";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("epsilon", s.epsilon);
  }
};

/// y = (x - mean) / sqrt(variance + epsilon) * scale + bias, statistics over axes `axis`.. of each row. Reals only.
/// Inputs x, scale, optional bias.
struct LayerNormalization {
  int64_t axis = -1;
  double epsilon = 1e-5;
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "LayerNormalization";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis), v("epsilon", s.epsilon);
  }
};

/// In the place of an epsilon of 0: a row of zeros gives zeros, not NaN; other rows are far longer.
inline constexpr double no_epsilon = 1e-30;

/// y = x / sqrt(mean of x^2 + epsilon) * scale, the mean over axes `axis`.. of each row. Reals only. Inputs x, scale.
struct RmsNormalization {
  int64_t axis = -1;
  double epsilon = 1e-5;
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "RMSNormalization";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis), v("epsilon", s.epsilon);
  }
};

// ---- pointwise, on reals or integers --------------------------------------------------

#define NIBBLE_POINTWISE(NAME)                      \
  struct NAME {                                     \
    static constexpr std::string_view name = #NAME; \
    template <class V, class Self>                  \
    static void fields(V&&, Self&) {}               \
  }
NIBBLE_POINTWISE(Identity);  ///< y = x
NIBBLE_POINTWISE(Relu);      ///< y = max(x, 0)
NIBBLE_POINTWISE(Neg);       ///< y = -x
NIBBLE_POINTWISE(Abs);       ///< y = |x|
NIBBLE_POINTWISE(Add);       ///< y = a + b (+ c ..), broadcast; on integers, of the stored integers
NIBBLE_POINTWISE(Sub);       ///< y = a - b, broadcast
NIBBLE_POINTWISE(Mul);       ///< y = a * b, broadcast
NIBBLE_POINTWISE(Div);       ///< y = a / b, broadcast; on integers truncated toward zero
NIBBLE_POINTWISE(Min);       ///< y = min(a, b), broadcast; reals or integers
NIBBLE_POINTWISE(Max);       ///< y = max(a, b), broadcast; reals or integers
NIBBLE_POINTWISE(Where);     ///< y = condition != 0 ? a : b, broadcast; condition of integers
#undef NIBBLE_POINTWISE

/// y = a ^ b, broadcast. Reals only.
struct Pow {
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "Pow";
  template <class V, class Self>
  static void fields(V&&, Self&) {}
};

/// y = x >= 0 ? x : slope * x. Inputs x, slope, which broadcasts to x. Reals only.
struct PRelu {
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "PRelu";
  template <class V, class Self>
  static void fields(V&&, Self&) {}
};

/// y = x; in training each element is 0 with probability `ratio`, else x / (1 - ratio). The optional mask output is not
/// kept.
struct Dropout {
  double ratio = 0.5;
  static constexpr std::string_view name = "Dropout";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("ratio", s.ratio);
  }
};

/// y = min(max(x, low), high); low may be -inf, high +inf. Relu6 is Clip 0..6.
struct Clip {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  static constexpr std::string_view name = "Clip";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("low", s.low), v("high", s.high);
  }
};

/// y = exp(x) / sum of exp(x) along axis (opset 13's meaning). Reals only.
struct Softmax {
  int64_t axis = -1;
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "Softmax";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis);
  }
};

/// y = ln of Softmax. Reals only.
struct LogSoftmax {
  int64_t axis = -1;
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "LogSoftmax";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis);
  }
};

// ---- windows and reductions -----------------------------------------------------------------------------------------

/// Maximum over each window; outside x counts as -infinity. ceil_mode as ONNX (a window starts inside x or its left
/// pad).
struct MaxPool {
  Ints kernel, strides, pads, dilations;
  bool ceil_mode = false;
  static constexpr std::string_view name = "MaxPool";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("kernel", s.kernel), v("strides", s.strides), v("pads", s.pads), v("dilations", s.dilations);
    v("ceil_mode", s.ceil_mode);
  }
};

/// Mean over each window; count_include_pad: divided by all of it (within x and its pads), else by what lies inside x.
/// Reals only.
struct AveragePool {
  Ints kernel, strides, pads, dilations;
  bool ceil_mode = false, count_include_pad = false;
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "AveragePool";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("kernel", s.kernel), v("strides", s.strides), v("pads", s.pads), v("dilations", s.dilations);
    v("ceil_mode", s.ceil_mode), v("count_include_pad", s.count_include_pad);
  }
};

/// Sum of (x - zero_point) over each window; outside x: 0 is added. An average pool before its requantisation.
struct SumPool {
  Ints kernel, strides, pads, dilations;
  bool ceil_mode = false;
  int64_t zero_point = 0;
  static constexpr std::string_view name = "SumPool";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("kernel", s.kernel), v("strides", s.strides), v("pads", s.pads), v("dilations", s.dilations);
    v("ceil_mode", s.ceil_mode), v("zero_point", s.zero_point);
  }
};

/// Mean over all spatial axes, kept as 1. Reals only.
struct GlobalAveragePool {
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "GlobalAveragePool";
  template <class V, class Self>
  static void fields(V&&, Self&) {}
};

/// Mean over `axes` (empty: all). Reals only.
struct ReduceMean {
  Ints axes;
  bool keep_dims = true;
  static constexpr bool reals_only = true;
  static constexpr std::string_view name = "ReduceMean";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axes", s.axes), v("keep_dims", s.keep_dims);
  }
};

/// Sum of (x - zero_point) over `axes` (empty: all). A mean before its requantisation.
struct ReduceSum {
  Ints axes;
  bool keep_dims = true;
  int64_t zero_point = 0;
  static constexpr std::string_view name = "ReduceSum";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axes", s.axes), v("keep_dims", s.keep_dims), v("zero_point", s.zero_point);
  }
};

/// Maximum over `axes` (empty: all).
struct ReduceMax {
  Ints axes;
  bool keep_dims = true;
  static constexpr std::string_view name = "ReduceMax";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axes", s.axes), v("keep_dims", s.keep_dims);
  }
};

/// Index of the maximum along axis, Int64; of equals the first, or the last.
struct ArgMax {
  int64_t axis = 0;
  bool keep_dims = true, last = false;
  static constexpr std::string_view name = "ArgMax";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis), v("keep_dims", s.keep_dims), v("last", s.last);
  }
};

// ---- data movement --------------------------------------------------------------------------------------------------

/// Inputs joined along axis.
struct Concat {
  int64_t axis = 0;
  static constexpr std::string_view name = "Concat";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis);
  }
};

/// x cut along axis into pieces of the given sizes.
struct Split {
  int64_t axis = 0;
  Ints sizes;
  static constexpr std::string_view name = "Split";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis), v("sizes", s.sizes);
  }
};

/// y = x[start:end:step] on each of `axes`, numpy's meaning, negative steps included.
struct Slice {
  Ints starts, ends, axes, steps;
  static constexpr std::string_view name = "Slice";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("starts", s.starts), v("ends", s.ends), v("axes", s.axes), v("steps", s.steps);
  }
};

enum class PadMode : uint8_t { Constant, Reflect, Edge };

/// `pads` for all axes: begin of each, then end of each; negative ones cut. `value` is a stored integer on integers.
struct Pad {
  Ints pads;
  PadMode mode = PadMode::Constant;
  double value = 0;
  static constexpr std::string_view name = "Pad";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("pads", s.pads), v("mode", s.mode), v("value", s.value);
  }
};

/// [d0..] -> [product before axis, product from axis]
struct Flatten {
  int64_t axis = 1;
  static constexpr std::string_view name = "Flatten";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis);
  }
};

/// 0 copies the input's extent (unless allow_zero), one -1 takes what remains.
struct Reshape {
  Ints shape;
  bool allow_zero = false;
  static constexpr std::string_view name = "Reshape";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("shape", s.shape), v("allow_zero", s.allow_zero);
  }
};

struct Transpose {
  Ints perm;
  static constexpr std::string_view name = "Transpose";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("perm", s.perm);
  }
};

/// Drops `axes` of extent 1 (empty: all of extent 1; only where no batch is symbolic, for it may be 1).
struct Squeeze {
  Ints axes;
  static constexpr std::string_view name = "Squeeze";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axes", s.axes);
  }
};

/// Adds extents of 1 so that they stand at `axes` of the result.
struct Unsqueeze {
  Ints axes;
  static constexpr std::string_view name = "Unsqueeze";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axes", s.axes);
  }
};

/// y = x at `indices` along axis (numpy.take). Inputs x, indices (int64; negative count from the end).
struct Gather {
  int64_t axis = 0;
  static constexpr std::string_view name = "Gather";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis);
  }
};

enum class ResizeMode : uint8_t { Nearest, Linear };
enum class ResizeCoordinates : uint8_t { HalfPixel, PytorchHalfPixel, AlignCorners, Asymmetric };
enum class ResizeNearest : uint8_t { RoundPreferFloor, RoundPreferCeil, Floor, Ceil };

/// Scales every axis by scales[i] to sizes[i] = floor(extent * scale); exactly one of the two is non-empty (a file that
/// gives sizes gives scales size/extent). Linear on reals only.
struct Resize {
  std::vector<double> scales;
  Ints sizes;  ///< `any` keeps the extent
  ResizeMode mode = ResizeMode::Nearest;
  ResizeCoordinates coordinates = ResizeCoordinates::HalfPixel;
  ResizeNearest nearest = ResizeNearest::RoundPreferFloor;
  static constexpr std::string_view name = "Resize";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("scales", s.scales), v("sizes", s.sizes), v("mode", s.mode), v("coordinates", s.coordinates);
    v("nearest", s.nearest);
  }
};

// ---- quantisation ---------------------------------------------------------------------------------------------------

/// The quantiser. q = clip(round(x / scale) + zero_point, low, high). Real x in. Where the output value's element type
/// is real this is the fake quantiser, y = scale * (q - zero_point); where it is an integer type, y = q.
struct Quantise {
  Grid grid;
  Rounding rounding = Rounding::HalfUp;
  static constexpr std::string_view name = "Quantise";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("grid", s.grid), v("rounding", s.rounding);
  }
};

/// y = scale * (x - zero_point): integers to reals.
struct Dequantise {
  Grid grid;
  static constexpr std::string_view name = "Dequantise";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("grid", s.grid);
  }
};

/// QD. y = clip(round((kappa * x + lambda) / divisor) + zero_point, low, high), evaluated exactly on the doubles kappa
/// and lambda and the whole divisor (at least 1; of a mean over six, which no double holds). Integer x in, integer y
/// out. kappa and lambda: one each, or one for each channel of axis 1; divisor likewise, or empty for 1. kappa may be
/// negative or zero. Of several inputs, broadcast, it is the sum: round(sum over i of kappa_i * x_i + lambda), kappa of
/// input after input, for each one number or one a channel, and no divisor.
struct Rescale {
  std::vector<double> kappa, lambda;
  Rounding rounding = Rounding::HalfUp;
  int64_t zero_point = 0, low = 0, high = 255;
  Ints divisor = {};
  /// Of one input: how many channels differ, and what a channel has.
  size_t channels() const { return std::max({kappa.size(), lambda.size(), divisor.size()}); }
  double kappa_of(size_t channel) const { return kappa[kappa.size() == 1 ? 0 : channel]; }
  double lambda_of(size_t channel) const { return lambda[lambda.size() == 1 ? 0 : channel]; }
  int64_t divisor_of(size_t channel) const { return divisor.empty() ? 1 : divisor[divisor.size() == 1 ? 0 : channel]; }
  static constexpr bool integers_only = true;
  static constexpr std::string_view name = "Rescale";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("kappa", s.kappa), v("lambda", s.lambda), v("rounding", s.rounding);
    v("zero_point", s.zero_point), v("low", s.low), v("high", s.high), v("divisor", s.divisor);
  }
};

/// ID. y = clip((x * multiplier + addend) >> shift, low, high); >> is floor. One of each, or one for each channel of
/// axis 1. The zero point of y is in the addend. A negative multiplier is allowed.
struct Requantise {
  Ints multiplier, addend, shift;
  int64_t low = 0, high = 255;
  static constexpr bool integers_only = true;
  static constexpr std::string_view name = "Requantise";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("multiplier", s.multiplier), v("addend", s.addend), v("shift", s.shift), v("low", s.low), v("high", s.high);
  }
};

/// ID. y = clip(floor((x * multiplier + addend) / divisor), low, high), divisor > 0. One of each, or one for each
/// channel of axis 1. What foreign tools divide by a number that is no power of two: NEMO's 2^n - 1, a pool's sum by
/// its window.
struct FloorDivide {
  Ints multiplier, addend, divisor;
  int64_t low = std::numeric_limits<int32_t>::min(), high = std::numeric_limits<int32_t>::max();
  static constexpr bool integers_only = true;
  static constexpr std::string_view name = "FloorDivide";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("multiplier", s.multiplier), v("addend", s.addend), v("divisor", s.divisor), v("low", s.low), v("high", s.high);
  }
};

/// ID. y = low + number of thresholds t with x >= t (falling[c] != 0: with x <= t). Inputs x, thresholds [1 or C, T]
/// int64; T = high - low. Channels along axis 1.
struct Threshold {
  int64_t low = 0;
  Ints falling;  ///< empty: none; else one flag per row
  static constexpr bool integers_only = true;
  static constexpr std::string_view name = "Threshold";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("low", s.low), v("falling", s.falling);
  }
};

/// ID. y = table[x - first]: any function of a narrow integer. Inputs x, table [n].
struct Table {
  int64_t first = 0;
  static constexpr bool integers_only = true;
  static constexpr std::string_view name = "Table";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("first", s.first);
  }
};

/// QD, ID. A table of 2^shift times fewer entries than levels, with straight lines between:
///
///     i = (x - first) >> shift,  f = x - first - (i << shift)
///     y = clip(((table[i] << shift) + (table[i + 1] - table[i]) * f + half) >> (shift + fraction), low, high)
///
/// half is 1/2 of what the shift drops. Inputs x, table [n] with `fraction` bits after the point.
struct InterpolatedTable {
  int64_t first = 0, shift = 0, fraction = 0, low = 0, high = 255;
  static constexpr bool integers_only = true;
  static constexpr std::string_view name = "InterpolatedTable";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("first", s.first), v("shift", s.shift), v("fraction", s.fraction), v("low", s.low), v("high", s.high);
  }
};

/// QD, ID. Softmax along axis by a table of exp(-scale * d), fixed point:
///
///     e_i = table[max - x_i], 0 beyond its end
///     y_i = clip(round(e_i * multiplier / (2^shift * sum of e)) + zero_point, low, high)
///
/// The ratio is rounded exactly. Inputs x, table [n] with table[0] > 0. docs/design/integer_functions.md.
struct TableSoftmax {
  int64_t axis = -1;
  int64_t multiplier = 255, shift = 0;
  Rounding rounding = Rounding::HalfUp;
  int64_t zero_point = 0, low = 0, high = 255;
  static constexpr bool integers_only = true;
  static constexpr std::string_view name = "TableSoftmax";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis), v("multiplier", s.multiplier), v("shift", s.shift), v("rounding", s.rounding);
    v("zero_point", s.zero_point), v("low", s.low), v("high", s.high);
  }
};

/// QD, ID. LayerNormalization (centred) or RMSNormalization over the axes `axis`.. of each row of n elements:
///
///     u_i = n (x_i - zero_point) - m,  m = sum of (x - zero_point) if centred, else 0
///     v   = n * sum of (x - zero_point)^2 - m^2
///     s   = floor(sqrt((v << 2 root_shift) + epsilon)),   r = floor((2^inverse_shift + s/2) / s), 0 where s is 0
///     y_i = clip((u_i * r * multiplier_i + addend_i) >> shift, low, high)
///
/// Inputs x, multiplier, addend: constants that broadcast to a row. docs/design/integer_functions.md.
struct IntegerNormalization {
  int64_t axis = -1;
  bool centred = true;
  int64_t zero_point = 0, epsilon = 0, root_shift = 0, inverse_shift = 0, shift = 0, low = 0, high = 255;
  static constexpr bool integers_only = true;
  static constexpr std::string_view name = "IntegerNormalization";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("axis", s.axis), v("centred", s.centred), v("zero_point", s.zero_point), v("epsilon", s.epsilon);
    v("root_shift", s.root_shift), v("inverse_shift", s.inverse_shift), v("shift", s.shift);
    v("low", s.low), v("high", s.high);
  }
};

/// QD, ID. The quotient of two activations, the ratio rounded exactly:
///
///     y = clip(round((a - zero_point_a) * multiplier / ((b - zero_point_b) * 2^shift)) + zero_point, low, high)
///
/// Where b is its zero point: high, low or zero_point, as a is above, below or at its own. Broadcast.
struct RoundedDivision {
  int64_t zero_point_a = 0, zero_point_b = 0, multiplier = 1, shift = 0;
  Rounding rounding = Rounding::HalfUp;
  int64_t zero_point = 0, low = 0, high = 255;
  static constexpr bool integers_only = true;
  static constexpr std::string_view name = "RoundedDivision";
  template <class V, class Self>
  static void fields(V&& v, Self& s) {
    v("zero_point_a", s.zero_point_a), v("zero_point_b", s.zero_point_b), v("multiplier", s.multiplier);
    v("shift", s.shift), v("rounding", s.rounding), v("zero_point", s.zero_point), v("low", s.low);
    v("high", s.high);
  }
};

// ---- the closed set -------------------------------------------------------------------------------------------------

/// Every op once. Op (graph/op.hpp), the rules' declarations and the files' names are made of it.
// clang-format off
#define NIBBLE_OPS(X) NIBBLE_STRUCTURED_OPS(X) NIBBLE_REAL_FUNCTIONS(X) NIBBLE_INTEGER_FUNCTIONS(X)
/// Ops with rules of their own.
#define NIBBLE_STRUCTURED_OPS(X)                                                                                 \
  X(Conv) X(Gemm) X(MatMul) X(BatchNormalization) X(LayerNormalization) X(Identity) X(Relu) X(Neg) X(Abs)        \
  X(Dropout) X(Add) X(Sub) X(Mul) X(Div) X(Pow) X(Clip) X(Softmax) X(MaxPool) X(AveragePool) X(SumPool)          \
  X(GlobalAveragePool) X(ReduceMean) X(ReduceSum) X(Concat) X(Split) X(Slice) X(Pad) X(Flatten) X(Reshape)       \
  X(Transpose) X(Squeeze) X(Unsqueeze) X(Gather) X(Resize) X(Quantise) X(Dequantise) X(Rescale) X(Requantise)    \
  X(FloorDivide) X(Threshold) X(Table) X(ConvTranspose) X(RmsNormalization) X(Min) X(Max) X(Where) X(LogSoftmax) \
  X(ReduceMax) X(ArgMax) X(InterpolatedTable) X(TableSoftmax) X(IntegerNormalization) X(RoundedDivision) X(PRelu)
/// IntegerFunction: ops_dialect.hpp. RealFunction, NIBBLE_REAL_FUNCTIONS: ops_functions.hpp.
#define NIBBLE_INTEGER_FUNCTIONS(X)                                                                     \
  X(ISoftmax) X(ItaMax) X(ItaPartialMax) X(IGelu) X(ILayerNorm) X(IRmsNorm) X(IHardSwish) X(IntegerDiv) \
  X(TrueIntegerDiv) X(INoNorm)
// clang-format on

}  // namespace nibble::graph
