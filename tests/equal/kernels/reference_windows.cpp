#include "equal/kernels/laid.hpp"

namespace nibble::tests {
namespace {

using graph::Ints;

struct Pool {
  nibble_pool p{};
  graph::SumPool op;
  Shape x;
};

Pool any_pool(Random& random) {
  Pool c;
  nibble_pool& p = c.p;
  const auto small = [&](int64_t low, int64_t high) { return static_cast<int32_t>(between(random, low, high)); };
  p.batch = small(1, 2), p.channels = small(1, 20);
  Ints ends;
  for (size_t k = 0; k < 3; ++k) {
    const bool flat = k == 0 && random.below(4) != 0;
    p.in[k] = flat ? 1 : small(1, 8), p.kernel[k] = flat ? 1 : small(1, 3);
    p.stride[k] = small(1, 3), p.dilation[k] = small(1, 2), p.pad[k] = small(0, 2);
    c.op.kernel.push_back(p.kernel[k]), c.op.strides.push_back(p.stride[k]), c.op.dilations.push_back(p.dilation[k]);
    c.op.pads.push_back(p.pad[k]);
    ends.push_back(std::max((p.kernel[k] - 1) * p.dilation[k] + 1 - p.in[k], 0) + small(0, 1));
  }
  c.op.pads.insert(c.op.pads.end(), ends.begin(), ends.end());
  c.op.ceil_mode = random.below(2) == 0;
  c.x = {p.batch, p.channels, p.in[0], p.in[1], p.in[2]};
  return c;
}

void place(Pool& c, const Laid& in, const Laid& room) {
  c.p.x_stride[0] = in.strides[0], c.p.y_stride[0] = room.strides[0];
  for (size_t k = 0; k < 3; ++k) {
    c.p.x_stride[k + 1] = in.strides[k + 2], c.p.y_stride[k + 1] = room.strides[k + 2];
    c.p.out[k] = static_cast<int32_t>(room.shape[k + 2]);
  }
}

graph::Op maximum(const graph::SumPool& op) {
  return graph::MaxPool{op.kernel, op.strides, op.pads, op.dilations, op.ceil_mode};
}

int64_t magnitude_of(const Tensor& values) {
  int64_t most = 1;
  for (int64_t value : values.as<int64_t>()) most = std::max(most, value == INT64_MIN ? INT64_MAX : std::abs(value));
  return most;
}

Tensor any_reals(Random& random, const Shape& shape) {
  Tensor values(ElementType::Float64, shape);
  for (double& value : values.as<double>())
    value = static_cast<double>(random.below(5)) + random.normal() * static_cast<double>(random.below(2));
  return values;
}

}  // namespace

TEST(Pool, SumsAndMaximaAreTheEvaluators) {
  Random random(31);
  for (int i = 0; i < 600; ++i) {
    Pool c = any_pool(random);
    c.p.x_type = any_type(random);
    c.p.op = static_cast<int32_t>(random.below(2));
    c.op.zero_point = c.p.zero_point = between(random, -128, 255);
    const Tensor x = any_integers(random, c.x, range_of(c.p.x_type));
    Tensor y = value_of(c.p.op == 0 ? maximum(c.op) : graph::Op(c.op), {&x});
    c.p.y_type = c.p.op == 0 ? any_type_for(random, y) : any_type(random);
    const auto stage =
        any_stage(random, random.below(2) == 0 ? 1 : c.p.channels, range_of(c.p.y_type), magnitude_of(y));
    if (c.p.op == 1) c.p.stage = stage->stage, y = stage->of(y, c.p.stage.channels > 1 ? 1 : -1);
    const Laid in = laid_out(random, x, c.p.x_type, channels_last(5), true);
    const Laid room = room_for(random, y.shape(), c.p.y_type, channels_last(5), true);
    place(c, in, room);
    expect_of_kernels(random, NIBBLE_KIND_POOL, &c.p, {in.data()}, room, y);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

TEST(Pool, OfRealsGivesTheEvaluatorsBits) {
  Random random(32);
  for (int i = 0; i < 200; ++i) {
    Pool c = any_pool(random);
    c.p.x_type = c.p.y_type = NIBBLE_F64, c.p.op = static_cast<int32_t>(random.below(2));
    const Tensor x = any_reals(random, c.x);
    const Tensor y = value_of(c.p.op == 0 ? maximum(c.op) : graph::Op(c.op), {&x});
    const Laid in = laid_out(random, x, NIBBLE_F64, channels_last(5), true);
    const Laid room = room_for(random, y.shape(), NIBBLE_F64, channels_last(5), true);
    place(c, in, room);
    expect_of_kernels(random, NIBBLE_KIND_POOL, &c.p, {in.data()}, room, y);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

namespace {

/// A reduction over some axes of x; y keeps the others.
struct Reduction {
  nibble_reduce p{};
  Ints axes;
  Shape x;
};

Reduction any_reduction(Random& random) {
  Reduction c;
  c.p.op = static_cast<int32_t>(random.below(4));
  const size_t rank = 1 + random.below(5);
  for (size_t i = 0; i < rank; ++i) c.x.push_back(between(random, 1, 5));
  const size_t one = random.below(rank);
  for (size_t i = 0; i < rank; ++i)
    if (i == one || (c.p.op < 2 && random.below(2) == 0)) c.axes.push_back(static_cast<int64_t>(i));
  if (c.axes.size() < rank && random.below(30) == 0) c.x[one] = 0;
  return c;
}

graph::Op op_of(const Reduction& c, int64_t zero_point) {
  if (c.p.op == 0) return graph::ReduceSum{c.axes, false, zero_point};
  if (c.p.op == 1) return graph::ReduceMax{c.axes, false};
  return graph::ArgMax{c.axes[0], false, c.p.op == 3};
}

void place(Reduction& c, const Laid& in, const Laid& room) {
  nibble_reduce& p = c.p;
  for (size_t i = 0; i < c.x.size(); ++i) {
    const bool gone = std::find(c.axes.begin(), c.axes.end(), static_cast<int64_t>(i)) != c.axes.end();
    (gone ? p.reduced[p.reduced_rank] : p.extent[p.rank]) = static_cast<int32_t>(c.x[i]);
    (gone ? p.reduced_stride[p.reduced_rank++] : p.x_stride[p.rank++]) = in.strides[i];
  }
  std::copy(room.strides.begin(), room.strides.end(), p.y_stride);
}

}  // namespace

TEST(Reduce, SumsMaximaAndTheirPlacesAreTheEvaluators) {
  Random random(33);
  for (int i = 0; i < 1000; ++i) {
    Reduction c = any_reduction(random);
    c.p.x_type = any_type(random), c.p.zero_point = between(random, -128, 255);
    const Interval all = range_of(c.p.x_type);
    const Tensor x = any_integers(random, c.x, random.below(2) == 0 ? all : Interval{0, 3});
    Tensor y = value_of(op_of(c, c.p.zero_point), {&x});
    c.p.channel_axis =
        y.rank() == 0 ? -1 : static_cast<int32_t>(between(random, -1, static_cast<int64_t>(y.rank()) - 1));
    c.p.y_type = c.p.op == 0 ? any_type(random) : any_type_for(random, y);
    const auto channels = c.p.channel_axis < 0 ? 1 : y.shape()[static_cast<size_t>(c.p.channel_axis)];
    const auto stage =
        any_stage(random, static_cast<int32_t>(std::max<int64_t>(channels, 1)), range_of(c.p.y_type), magnitude_of(y));
    if (c.p.op == 0) c.p.stage = stage->stage, y = stage->of(y, c.p.stage.channels > 1 ? c.p.channel_axis : -1);
    const Laid in = laid_out(random, x, c.p.x_type, axes_in_any_order(random, x.rank()));
    const Laid room = room_for(random, y.shape(), c.p.y_type, axes_in_any_order(random, y.rank()));
    place(c, in, room);
    expect_of_kernels(random, NIBBLE_KIND_REDUCE, &c.p, {in.data()}, room, y);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

TEST(Reduce, OfRealsGivesTheEvaluatorsBits) {
  Random random(34);
  for (int i = 0; i < 500; ++i) {
    Reduction c = any_reduction(random);
    Tensor x = any_reals(random, c.x);
    if (x.size() > 0 && random.below(4) == 0) x.as<double>()[random.below(x.size())] = std::nan("");
    const Tensor y = value_of(op_of(c, 0), {&x});
    c.p.x_type = NIBBLE_F64, c.p.y_type = c.p.op < 2 ? NIBBLE_F64 : NIBBLE_I64, c.p.channel_axis = -1;
    const Laid in = laid_out(random, x, NIBBLE_F64, axes_in_any_order(random, x.rank()));
    const Laid room = room_for(random, y.shape(), c.p.y_type, axes_in_any_order(random, y.rank()));
    place(c, in, room);
    expect_of_kernels(random, NIBBLE_KIND_REDUCE, &c.p, {in.data()}, room, y);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

}  // namespace nibble::tests
