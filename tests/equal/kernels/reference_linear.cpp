#include "equal/kernels/laid.hpp"
#include "graph/windows.hpp"

namespace nibble::tests {
namespace {

using graph::Ints;

/// A convolution's extents, and its node.
struct Case {
  nibble_conv p{};
  graph::Conv op;
  graph::ConvTranspose transposed;
  Shape x, w;
};

int32_t small(Random& random, int64_t low, int64_t high) {
  return static_cast<int32_t>(between(random, low, high));
}

/// Channels in groups; depthwise where asked.
void draw_channels(Random& random, Case& c, bool depthwise, bool grouped) {
  nibble_conv& p = c.p;
  p.groups = depthwise ? small(random, 2, 20) : grouped ? small(random, 1, 3) : 1;
  p.in_channels = depthwise ? p.groups : p.groups * small(random, 1, 9);
  p.out_channels = depthwise ? p.groups : p.groups * small(random, 1, 20);
}

/// Three spatial axes, the first mostly of extent 1.
Case any_case(Random& random, bool transposed, bool depthwise = false, bool grouped = true) {
  Case c;
  nibble_conv& p = c.p;
  draw_channels(random, c, depthwise, grouped);
  p.batch = small(random, 1, 2);
  const bool deep = random.below(4) == 0;
  Ints begins, ends;
  for (size_t k = 0; k < 3; ++k) {
    const bool flat = k == 0 && !deep;
    p.in[k] = flat ? 1 : small(random, 1, 7), p.kernel[k] = flat ? 1 : small(random, 1, 3);
    p.stride[k] = small(random, 1, 3), p.dilation[k] = small(random, 1, 2);
    const int64_t reach = (p.kernel[k] - 1) * p.dilation[k];
    p.pad[k] = transposed ? small(random, 0, std::min<int64_t>(reach, 2)) : small(random, 0, 2);
    begins.push_back(p.pad[k]),
        ends.push_back(transposed ? 0 : std::max<int64_t>(reach + 1 - p.in[k], 0) + small(random, 0, 1));
    c.op.strides.push_back(p.stride[k]), c.op.dilations.push_back(p.dilation[k]);
  }
  c.op.pads = begins;
  c.op.pads.insert(c.op.pads.end(), ends.begin(), ends.end());
  c.op.group = p.groups;
  c.op.zero_point = p.zero_point = between(random, -20, 20);
  c.x = {p.batch, p.in_channels, p.in[0], p.in[1], p.in[2]};
  c.w = {p.out_channels, p.in_channels / p.groups, p.kernel[0], p.kernel[1], p.kernel[2]};
  if (transposed) c.w[0] = p.in_channels, c.w[1] = p.out_channels / p.groups;
  c.transposed = {c.op.strides, c.op.pads, c.op.dilations, {}, c.op.group, c.op.zero_point};
  return c;
}

void take_strides(int64_t* to, const Laid& laid) {
  to[0] = laid.strides[0];
  for (size_t k = 0; k < 3; ++k) to[k + 1] = laid.strides[k + 2];
}

int64_t magnitude_of(const Tensor& values) {
  int64_t most = 1;
  for (int64_t value : values.as<int64_t>()) most = std::max(most, std::abs(value));
  return most;
}

bool fits_32(const Tensor& values) {
  return magnitude_of(values) <= INT32_MAX;
}

/// Numbers beside each other, padded as a kernel may read them.
Laid packed(const Tensor& values, int32_t type) {
  Random none(0);
  Laid laid{type, {static_cast<int64_t>(values.size())}, {1}, {}};
  laid.bytes.assign(values.size() * static_cast<size_t>(nibble_size_of(type)) + 2 * Laid::margin + 512, std::byte{0});
  laid.store(values.reshaped({static_cast<int64_t>(values.size())}));
  return laid;
}

/// Weights [a, b, kernel] as [a, kernel, b].
Tensor channels_inside(const Tensor& w) {
  return value_of(graph::Transpose{{0, 2, 3, 4, 1}}, {&w});
}

/// kernels.h's BLOCKED, of levels w_low + w_step * stored.
std::vector<uint8_t> blocked(const nibble_conv& p, const Tensor& w) {
  const bool depthwise = p.groups > 1;
  const int64_t per_group = p.in_channels / p.groups, taps = p.kernel[0] * p.kernel[1] * p.kernel[2];
  const auto up = [](int64_t x, int64_t by) { return (x + by - 1) / by * by; };
  const int64_t segment = up(p.kernel[2] * per_group, 4);
  const int64_t columns = depthwise ? up(taps, 4) : p.kernel[0] * p.kernel[1] * segment;
  const int64_t rows = up(p.out_channels, 16);
  std::vector<uint8_t> bytes(static_cast<size_t>(rows * columns) * static_cast<size_t>(p.w_bits) / 8 + 64);
  const auto put = [&](int64_t at, int64_t value) {
    const int64_t stored = p.w_bits == 8 ? value : (value - p.w_low) / p.w_step;
    const auto bits = static_cast<unsigned>(stored & ((1 << p.w_bits) - 1)) << (at * p.w_bits % 8);
    const auto mask = static_cast<unsigned>((1 << p.w_bits) - 1) << (at * p.w_bits % 8);
    uint8_t& byte = bytes[static_cast<size_t>(at * p.w_bits / 8)];
    byte = static_cast<uint8_t>((byte & ~mask) | bits);
  };
  for (int64_t at = 0; at < rows * columns; ++at) put(at, 0);
  for (int64_t o = 0; o < p.out_channels; ++o)
    for (int64_t c = 0; c < per_group; ++c)
      for (int64_t t = 0; t < taps; ++t) {
        const int64_t column = depthwise ? t : t / p.kernel[2] * segment + t % p.kernel[2] * per_group + c;
        const int64_t at = (o / 16 * (columns / 4) + column / 4) * 64 + o % 16 * 4 + column % 4;
        put(at, w.as<int64_t>()[static_cast<size_t>((o * per_group + c) * taps + t)]);
      }
  return bytes;
}

/// bias - zero_point * the sum of an output's weights.
Tensor folded(const nibble_conv& p, const Tensor& w, const Tensor& bias) {
  Tensor result = bias;
  const size_t each = w.size() / static_cast<size_t>(p.out_channels);
  for (size_t i = 0; i < w.size(); ++i) result.as<int64_t>()[i / each] -= p.zero_point * w.as<int64_t>()[i];
  return result;
}

/// y after a residual is added, as kernels.h says.
Tensor with_residual(Random& random, nibble_conv& p, Tensor q, const Tensor& r, Interval levels) {
  p.sum_form = small(random, 1, 2);
  p.sum_a = between(random, -1000, 1000), p.sum_b = between(random, -1000, 1000), p.sum_c = between(random, -99, 99);
  p.sum_shift = small(random, 0, 12), p.sum_low = levels.low, p.sum_high = levels.high;
  p.sum_fa = static_cast<float>(random.normal()), p.sum_fb = static_cast<float>(random.normal()), p.sum_fc = 0.5F;
  for (size_t i = 0; i < q.size(); ++i) {
    int64_t& y = q.as<int64_t>()[i];
    const int64_t other = r.as<int64_t>()[i];
    const float sum =
        std::fma(static_cast<float>(y), p.sum_fa, std::fma(static_cast<float>(other), p.sum_fb, p.sum_fc));
    y = p.sum_form == 1 ? (y * p.sum_a + other * p.sum_b + p.sum_c) >> p.sum_shift : std::llrint(sum);
    y = std::clamp(y, levels.low, levels.high);
  }
  return q;
}

/// Runs a convolution whose weights and bias are in place, with a stage and perhaps a residual.
void expect_conv(Random& random, Case& c, int kind, const Tensor& x, int32_t x_type, const Tensor& sums) {
  nibble_conv& p = c.p;
  const int32_t y_type = any_type(random);
  const auto order = channels_last(5);
  const Laid in = laid_out(random, x, x_type, order, true);
  const Laid room = room_for(random, sums.shape(), y_type, order, true);
  const auto stage = any_stage(random, random.below(3) == 0 ? 1 : p.out_channels, range_of(y_type), magnitude_of(sums));
  p.stage = stage->stage;
  for (size_t k = 0; k < 3; ++k) p.out[k] = static_cast<int32_t>(sums.shape()[k + 2]);
  p.x_type = x_type, p.y_type = y_type;
  take_strides(p.x_stride, in), take_strides(p.y_stride, room);
  Tensor y = stage->of(sums, p.stage.channels > 1 ? 1 : -1);
  const Tensor r = any_integers(random, y.shape(), {-128, 127});
  const Laid residual = laid_out(random, r, NIBBLE_I8, order, true);
  const bool byte = y_type <= NIBBLE_U8 && kind == NIBBLE_KIND_CONV;
  p.r_type = NIBBLE_I8;
  take_strides(p.r_stride, residual);
  if (byte && random.below(3) == 0) y = with_residual(random, p, y, r, range_of(y_type));
  p.split = kind == NIBBLE_KIND_CONV && random.below(3) == 0;
  expect_of_kernels(random, kind, &p, {in.data(), residual.data()}, room, y);
}

}  // namespace

TEST(Conv, PlainWeightsOfEveryTypeGiveTheEvaluatorsIntegers) {
  Random random(21);
  int computed = 0;
  for (int i = 0; i < 400; ++i) {
    Case c = any_case(random, false);
    const int32_t x_type = any_type(random), w_type = any_type(random);
    const Tensor x = any_integers(random, c.x, range_of(x_type)), w = any_integers(random, c.w, range_of(w_type));
    const Tensor b = any_integers(random, {c.p.out_channels}, {-100000, 100000});
    const bool biased = random.below(4) != 0;
    const Meaning sums = meaning_of(c.op, {&x, &w, biased ? &b : nullptr});
    if (!sums.y) continue;
    ++computed;
    c.p.w_type = w_type, c.p.w_bits = 8, c.p.w_format = NIBBLE_PLAIN;
    c.p.acc_type = fits_32(*sums.y) ? NIBBLE_I32 : NIBBLE_I64;
    const Laid weights = packed(channels_inside(w), w_type), bias = packed(b, c.p.acc_type);
    c.p.weights = weights.data(), c.p.bias = biased ? bias.data() : nullptr;
    expect_conv(random, c, NIBBLE_KIND_CONV, x, x_type, *sums.y);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
  EXPECT_GT(computed, 200);
}

TEST(Conv, BlockedWeightsOfEveryWidthGiveTheEvaluatorsIntegers) {
  Random random(22);
  for (int i = 0; i < 600; ++i) {
    Case c = any_case(random, false, random.below(3) == 0, false);
    nibble_conv& p = c.p;
    // Zero is a level: what pads.
    p.w_bits = 1 << random.below(4), p.w_step = small(random, 1, 2);
    p.w_low = p.w_bits == 8 ? 0 : -p.w_step * small(random, 0, (1 << p.w_bits) - 1);
    p.w_type = NIBBLE_I8, p.w_format = NIBBLE_BLOCKED, p.acc_type = NIBBLE_I32;
    const int32_t x_type = small(random, NIBBLE_I8, NIBBLE_U8);
    const Tensor x = any_integers(random, c.x, range_of(x_type));
    Tensor w = any_integers(random, c.w, p.w_bits == 8 ? Interval{-128, 127} : Interval{0, (1 << p.w_bits) - 1});
    if (p.w_bits < 8)
      for (int64_t& weight : w.as<int64_t>()) weight = p.w_low + p.w_step * weight;
    const Tensor b = any_integers(random, {p.out_channels}, {-100000, 100000});
    const Tensor sums = value_of(c.op, {&x, &w, &b});
    const std::vector<uint8_t> weights = blocked(p, w);
    const std::vector<uint8_t> saturates(static_cast<size_t>(p.out_channels + 15) / 16 + 64, 1);
    const Laid bias = packed(folded(p, w, b), p.acc_type);
    p.weights = weights.data(), p.bias = bias.data(), p.pair_saturates = saturates.data();
    expect_conv(random, c, NIBBLE_KIND_CONV, x, x_type, sums);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

TEST(ConvTranspose, GivesTheEvaluatorsIntegers) {
  Random random(23);
  int computed = 0;
  for (int i = 0; i < 400; ++i) {
    Case c = any_case(random, true);
    for (size_t k = 0; k < 3; ++k)
      c.transposed.output_pads.push_back(between(random, 0, std::min(c.p.stride[k], c.p.dilation[k]) - 1));
    const int32_t x_type = any_type(random), w_type = any_type(random);
    const Tensor x = any_integers(random, c.x, range_of(x_type)), w = any_integers(random, c.w, range_of(w_type));
    const Tensor b = any_integers(random, {c.p.out_channels}, {-100000, 100000});
    const Meaning sums = meaning_of(c.transposed, {&x, &w, &b});
    if (!sums.y || sums.y->size() == 0) continue;
    ++computed;
    c.p.w_type = w_type, c.p.w_format = NIBBLE_PLAIN, c.p.acc_type = fits_32(*sums.y) ? NIBBLE_I32 : NIBBLE_I64;
    const Laid weights = packed(channels_inside(w), w_type), bias = packed(b, c.p.acc_type);
    c.p.weights = weights.data(), c.p.bias = bias.data();
    expect_conv(random, c, NIBBLE_KIND_CONV_TRANSPOSE, x, x_type, *sums.y);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
  EXPECT_GT(computed, 200);
}

namespace {

/// Strides of an operand's leading extents (of 3), 0 where it is repeated, then of its rows and columns.
void take_matrix_strides(int64_t* to, const Laid& laid) {
  for (size_t k = 0; k < 5; ++k) to[k] = laid.shape[k] == 1 && k < 3 ? 0 : laid.strides[k];
}

struct Product {
  nibble_matmul p{};
  Shape a, b;
};
Product any_product(Random& random) {
  Product c;
  c.p.rows = small(random, 1, 5), c.p.inner = small(random, 0, 9), c.p.columns = small(random, 1, 20);
  for (size_t k = 0; k < 3; ++k) {
    c.p.batch[k] = small(random, 1, 3);
    c.a.push_back(random.below(3) == 0 ? 1 : c.p.batch[k]), c.b.push_back(random.below(3) == 0 ? 1 : c.p.batch[k]);
    c.p.batch[k] = static_cast<int32_t>(std::max(c.a[k], c.b[k]));
  }
  c.a.push_back(c.p.rows), c.a.push_back(c.p.inner), c.b.push_back(c.p.inner), c.b.push_back(c.p.columns);
  return c;
}

}  // namespace

TEST(MatMul, OfTwoActivationsGivesTheEvaluatorsIntegers) {
  Random random(24);
  int computed = 0;
  for (int i = 0; i < 500; ++i) {
    Product c = any_product(random);
    nibble_matmul& p = c.p;
    p.a_type = any_type(random), p.b_type = any_type(random), p.y_type = any_type(random);
    p.zero_a = between(random, -128, 255), p.zero_b = between(random, -128, 255);
    const Tensor a = any_integers(random, c.a, range_of(p.a_type)), b = any_integers(random, c.b, range_of(p.b_type));
    const Meaning sums = meaning_of(graph::MatMul{p.zero_a, p.zero_b}, {&a, &b});
    if (!sums.y) continue;
    ++computed;
    p.acc_type = fits_32(*sums.y) ? NIBBLE_I32 : NIBBLE_I64;
    const Laid left = laid_out(random, a, p.a_type, axes_in_any_order(random, 5));
    const Laid right = laid_out(random, b, p.b_type, axes_in_any_order(random, 5));
    const Laid room = room_for(random, sums.y->shape(), p.y_type, axes_in_any_order(random, 5));
    take_matrix_strides(p.a_stride, left), take_matrix_strides(p.b_stride, right);
    std::copy(room.strides.begin(), room.strides.end(), p.y_stride);
    const auto stage =
        any_stage(random, random.below(2) == 0 ? 1 : p.columns, range_of(p.y_type), magnitude_of(*sums.y));
    p.stage = stage->stage;
    expect_of_kernels(random, NIBBLE_KIND_MATMUL, &p, {left.data(), right.data()}, room,
                      stage->of(*sums.y, p.stage.channels > 1 ? 4 : -1));
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
  EXPECT_GT(computed, 250);
}

namespace {

Tensor any_reals(Random& random, const Shape& shape) {
  Tensor values(ElementType::Float64, shape);
  for (double& value : values.as<double>())
    value = random.normal() * std::ldexp(1.0, static_cast<int>(random.below(20)));
  return values;
}

}  // namespace

TEST(MatMul, OfRealsGivesTheEvaluatorsBits) {
  Random random(25);
  for (int i = 0; i < 200; ++i) {
    Product c = any_product(random);
    nibble_matmul& p = c.p;
    p.a_type = p.b_type = p.y_type = p.acc_type = NIBBLE_F64;
    const Tensor a = any_reals(random, c.a), b = any_reals(random, c.b);
    const Tensor sums = value_of(graph::MatMul{}, {&a, &b});
    const Laid left = laid_out(random, a, NIBBLE_F64, axes_in_any_order(random, 5));
    const Laid right = laid_out(random, b, NIBBLE_F64, axes_in_any_order(random, 5));
    const Laid room = room_for(random, sums.shape(), NIBBLE_F64, axes_in_any_order(random, 5));
    take_matrix_strides(p.a_stride, left), take_matrix_strides(p.b_stride, right);
    std::copy(room.strides.begin(), room.strides.end(), p.y_stride);
    expect_of_kernels(random, NIBBLE_KIND_MATMUL, &p, {left.data(), right.data()}, room, sums);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

TEST(Conv, OfRealsGivesTheEvaluatorsBits) {
  Random random(26);
  for (int i = 0; i < 200; ++i) {
    Case c = any_case(random, false);
    nibble_conv& p = c.p;
    c.op.zero_point = p.zero_point = 0;
    const Tensor x = any_reals(random, c.x), w = any_reals(random, c.w), b = any_reals(random, {p.out_channels});
    const bool biased = random.below(4) != 0;
    const Tensor y = value_of(c.op, {&x, &w, biased ? &b : nullptr});
    const Laid in = laid_out(random, x, NIBBLE_F64, channels_last(5), true);
    const Laid room = room_for(random, y.shape(), NIBBLE_F64, channels_last(5), true);
    const Laid weights = packed(channels_inside(w), NIBBLE_F64), bias = packed(b, NIBBLE_F64);
    p.x_type = p.y_type = p.w_type = p.acc_type = NIBBLE_F64, p.w_bits = 64;
    p.weights = weights.data(), p.bias = biased ? bias.data() : nullptr;
    for (size_t k = 0; k < 3; ++k) p.out[k] = static_cast<int32_t>(y.shape()[k + 2]);
    take_strides(p.x_stride, in), take_strides(p.y_stride, room);
    p.split = random.below(2) == 0;
    expect_of_kernels(random, NIBBLE_KIND_CONV, &p, {in.data()}, room, y);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

}  // namespace nibble::tests
