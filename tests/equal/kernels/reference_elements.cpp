#include "equal/kernels/laid.hpp"

namespace nibble::tests {
namespace {

using graph::Ints;

/// Extents and strides of y and of operands that broadcast to it, right aligned.
template <class P>
void place(P& p, const Laid& room, const std::vector<const Laid*>& operands) {
  const size_t rank = room.shape.size();
  p.rank = static_cast<int32_t>(rank);
  for (size_t k = 0; k < rank; ++k) p.extent[k] = static_cast<int32_t>(room.shape[k]), p.y_stride[k] = room.strides[k];
  for (size_t i = 0; i < operands.size(); ++i) {
    const Laid& x = *operands[i];
    p.x_type[i] = x.type;
    for (size_t k = 0; k < x.shape.size(); ++k)
      p.x_stride[i * NIBBLE_MAX_RANK + k + rank - x.shape.size()] = x.shape[k] == 1 ? 0 : x.strides[k];
  }
}

Shape any_shape(Random& random) {
  Shape shape(random.below(5));
  for (int64_t& extent : shape) extent = between(random, random.below(40) == 0 ? 0 : 1, 5);
  return shape;
}

/// An operand's shape that broadcasts to the whole.
Shape part_of(Random& random, Shape whole) {
  for (int64_t& extent : whole)
    if (random.below(4) == 0) extent = 1;
  whole.erase(whole.begin(),
              whole.begin() + static_cast<std::ptrdiff_t>(random.below(3) == 0 ? random.below(whole.size() + 1) : 0));
  return whole;
}

Tensor any_operand(Random& random, const Shape& shape, bool corners) {
  const int32_t type = any_type(random);
  Tensor x = any_integers(random, shape, random.below(2) == 0 ? Interval{-9, 9} : range_of(type));
  if (corners)
    for (int64_t& value : x.as<int64_t>()) value = any_integer(random);
  return x;
}

/// An op of `count` operands with its fields in s; s holds its own numbers.
struct Element {
  int32_t op;
  size_t count;
  graph::Op node;
  Ints s;
};

Element any_dialect_element(Random& random, bool corners) {
  const auto number = [&](int64_t low, int64_t high) {
    return corners && random.below(4) == 0 ? any_integer(random) : between(random, low, high);
  };
  switch (random.below(6)) {
    case 0: {
      const int64_t b = -std::abs(number(-300, 0) / 2), one = number(0, 100000);
      return {NIBBLE_I_GELU, 1, graph::IGelu{b, one}, {b, one}};
    }
    case 1: {
      const int64_t three = number(0, 50), six = std::abs(number(0, 99) / 2), sixth = number(-9, 9);
      return {NIBBLE_I_HARD_SWISH, 1, graph::IHardSwish{three, six, sixth}, {three, six, sixth}};
    }
    case 2: {
      const int64_t delta = number(1, 99), eps = number(-5, 5), eta = number(-9, 9);
      return {NIBBLE_INTEGER_DIV, 2, graph::IntegerDiv{delta, eps, eta}, {delta, eps, eta}};
    }
    case 3: {
      const int64_t delta = number(1, 99), eps = number(-5, 5), eta = number(-9, 9);
      return {NIBBLE_TRUE_INTEGER_DIV, 2, graph::TrueIntegerDiv{delta, eps, eta, 1}, {delta, eps, eta}};
    }
    case 4: {
      const int64_t multiplier = number(-999, 999), shift = between(random, 0, 62), levels = between(random, 2, 256);
      return {NIBBLE_I_NO_NORM, 3, graph::INoNorm{multiplier, shift, levels}, {multiplier, shift, levels}};
    }
    default: {
      const auto rounding = static_cast<Rounding>(random.below(3));
      const int64_t shift = random.below(3) == 0 ? 62 * between(random, 0, 1) : between(random, 0, 8);
      const graph::RoundedDivision op{
          number(-9, 9), number(-3, 3), number(-99, 99), shift, rounding, number(-9, 9), -128, 127};
      return {NIBBLE_ROUNDED_DIVISION,
              2,
              op,
              {op.zero_point_a, op.zero_point_b, op.multiplier, shift, static_cast<int64_t>(rounding), op.zero_point,
               -128, 127}};
    }
  }
}

Element any_element(Random& random, bool corners) {
  switch (random.below(16)) {
    case 0: return {NIBBLE_COPY, 1, graph::Identity{}, {}};
    case 1: return {NIBBLE_RELU, 1, graph::Relu{}, {}};
    case 2: return {NIBBLE_NEG, 1, graph::Neg{}, {}};
    case 3: return {NIBBLE_ABS, 1, graph::Abs{}, {}};
    case 4: return {NIBBLE_ADD, 2, graph::Add{}, {}};
    case 5: return {NIBBLE_SUB, 2, graph::Sub{}, {}};
    case 6: return {NIBBLE_MUL, 2, graph::Mul{}, {}};
    case 7: return {NIBBLE_DIV, 2, graph::Div{}, {}};
    case 8: return {NIBBLE_MIN, 2, graph::Min{}, {}};
    case 9: return {NIBBLE_MAX, 2, graph::Max{}, {}};
    case 10: return {NIBBLE_WHERE, 3, graph::Where{}, {}};
    default: return any_dialect_element(random, corners);
  }
}

int64_t magnitude_of(const Tensor& values) {
  int64_t most = 1;
  for (int64_t value : values.as<int64_t>()) most = std::max(most, value == INT64_MIN ? INT64_MAX : std::abs(value));
  return most;
}

}  // namespace

TEST(Pointwise, EveryOpIsTheEvaluatorsOnAnyIntegersThatItTakes) {
  Random random(41);
  std::vector<int> computed(NIBBLE_I_NO_NORM + 1), refused(NIBBLE_I_NO_NORM + 1);
  for (int i = 0; i < 20000; ++i) {
    const bool corners = random.below(3) == 0;
    const Element e = any_element(random, corners);
    const Shape whole = any_shape(random);
    std::vector<Tensor> x;
    for (size_t k = 0; k < e.count; ++k)
      x.push_back(any_operand(random, k == 0 ? whole : part_of(random, whole), corners));
    if (e.op == NIBBLE_WHERE) x[0] = any_integers(random, whole, {-1, 1});
    std::vector<const Tensor*> inputs;
    std::vector<Laid> laid;
    for (const Tensor& each : x) inputs.push_back(&each);
    Meaning meant = meaning_of(e.node, inputs);
    const int fault = meant.refused ? NIBBLE_DIVISION_BY_ZERO : meant.y ? NIBBLE_FINE : any_result;
    if (fault != any_result) ++(meant.refused ? refused : computed)[static_cast<size_t>(e.op)];
    for (const Tensor& each : x)
      laid.push_back(laid_out(random, each, any_type_for(random, each), axes_in_any_order(random, each.rank())));
    nibble_pointwise p{};
    Tensor y = meant.y ? *meant.y : Tensor(ElementType::Int64, whole);
    p.op = e.op,
    p.channel_axis =
        whole.empty() ? -1 : static_cast<int32_t>(between(random, -1, static_cast<int64_t>(whole.size()) - 1));
    p.y_type = any_type(random);
    std::copy(e.s.begin(), e.s.end(), p.s);
    const auto channels = p.channel_axis < 0 ? 1 : std::max<int64_t>(whole[static_cast<size_t>(p.channel_axis)], 1);
    const auto stage = any_stage(random, static_cast<int32_t>(channels), range_of(p.y_type), magnitude_of(y));
    p.stage = stage->stage;
    if (random.below(2) == 0) {
      p.stage = nibble_stage{};
      p.stage.low = INT64_MIN, p.stage.high = INT64_MAX, p.y_type = any_type_for(random, y);
    } else {
      y = stage->of(y, channels > 1 ? p.channel_axis : -1);
    }
    const Laid room = room_for(random, whole, p.y_type, axes_in_any_order(random, whole.size()));
    std::vector<const Laid*> operands;
    std::vector<const void*> in;
    for (const Laid& each : laid) operands.push_back(&each), in.push_back(each.data());
    place(p, room, operands);
    expect_of_kernels(random, NIBBLE_KIND_POINTWISE, &p, in, room, y, fault);
    ASSERT_FALSE(HasFailure()) << "case " << i << " op " << e.op << " s " << ::testing::PrintToString(e.s);
  }
  computed[NIBBLE_WEIGHTED] = computed[NIBBLE_COPY];  // no op of the evaluator's: the next test
  for (int32_t op = 0; op <= NIBBLE_I_NO_NORM; ++op) EXPECT_GT(computed[static_cast<size_t>(op)], 50) << op;
  for (int32_t op : {NIBBLE_DIV, NIBBLE_INTEGER_DIV, NIBBLE_TRUE_INTEGER_DIV})
    EXPECT_GT(refused[static_cast<size_t>(op)], 5) << op;
}

TEST(Pointwise, WeightedIsTwoRequantisationsAdded) {
  Random random(42);
  for (int i = 0; i < 1000; ++i) {
    const Tensor a = any_integers(random, {3, 4}, {-255, 255}), b = any_integers(random, {3, 4}, {-255, 255});
    nibble_pointwise p{};
    p.op = NIBBLE_WEIGHTED, p.y_type = NIBBLE_I64, p.channel_axis = -1;
    p.stage.low = INT64_MIN, p.stage.high = INT64_MAX;
    for (int64_t& s : p.s) s = between(random, -(1LL << 50), 1LL << 50);
    p.s[2] = between(random, 0, 62), p.s[5] = between(random, 0, 62);
    const Tensor left = value_of(graph::Requantise{{p.s[0]}, {p.s[1]}, {p.s[2]}, INT64_MIN / 2, INT64_MAX / 2}, {&a});
    const Tensor right = value_of(graph::Requantise{{p.s[3]}, {p.s[4]}, {p.s[5]}, INT64_MIN / 2, INT64_MAX / 2}, {&b});
    const Laid one = laid_out(random, a, NIBBLE_I16, {1, 0}), two = laid_out(random, b, NIBBLE_I32, {0, 1});
    const Laid room = room_for(random, a.shape(), NIBBLE_I64, {1, 0});
    place(p, room, {&one, &two});
    expect_of_kernels(random, NIBBLE_KIND_POINTWISE, &p, {one.data(), two.data()}, room,
                      value_of(graph::Add{}, {&left, &right}));
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

namespace {

Tensor any_reals(Random& random, const Shape& shape) {
  constexpr double corners[] = {0.0,
                                -0.0,
                                1,
                                -1,
                                0.5,
                                -0.5,
                                1.5,
                                2.5,
                                1e300,
                                -1e300,
                                5e-324,
                                700,
                                -700,
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN()};
  Tensor values(ElementType::Float64, shape);
  for (double& value : values.as<double>())
    value = random.below(4) == 0 ? corners[random.below(std::size(corners))]
                                 : random.normal() * std::ldexp(1.0, static_cast<int>(between(random, -4, 5)));
  return values;
}

/// A function with its fields drawn, in r as they stand in the op.
template <class F>
graph::Op with_fields(Random& random, double* r) {
  F op;
  size_t at = 0;
  const auto draw = [&](std::string_view, auto& field) {
    using Field = std::decay_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, bool>)
      field = random.below(2) == 0;
    else if (random.below(2) == 0)
      field = static_cast<Field>(random.normal());
    r[at++] = static_cast<double>(field);
  };
  const auto each = [&](auto&&... pair) {
    if constexpr (sizeof...(pair) == 2) draw(pair...);
  };
  F::fields(each, op);
  return op;
}

void expect_reals(Random& random, nibble_real& p, const graph::Op& op, const std::vector<const Tensor*>& inputs) {
  const Tensor y = value_of(op, inputs);
  std::vector<Laid> laid;
  for (const Tensor* x : inputs)
    laid.push_back(laid_out(random, *x, is_real(x->type()) ? NIBBLE_F64 : any_type_for(random, *x),
                            axes_in_any_order(random, x->rank())));
  std::vector<const Laid*> operands;
  std::vector<const void*> in;
  for (const Laid& each : laid) operands.push_back(&each), in.push_back(each.data());
  const Laid room = room_for(random, y.shape(), NIBBLE_F64, axes_in_any_order(random, y.rank()));
  place(p, room, operands);
  expect_of_kernels(random, NIBBLE_KIND_REAL, &p, in, room, y);
}

}  // namespace

TEST(Real, EveryFunctionGivesTheEvaluatorsBits) {
  Random random(43);
  int32_t number = NIBBLE_REAL_DEQUANTISE;
#define NIBBLE_TRY(NAME)                                                   \
  ++number;                                                                \
  for (int i = 0; i < 100; ++i) {                                          \
    nibble_real p{};                                                       \
    p.op = number, p.channel_axis = -1;                                    \
    const graph::Op op = with_fields<graph::NAME>(random, p.r);            \
    const Tensor x = any_reals(random, any_shape(random));                 \
    expect_reals(random, p, op, {&x});                                     \
    ASSERT_FALSE(HasFailure()) << #NAME << " " << p.r[0] << " " << p.r[1]; \
  }
  NIBBLE_REAL_FUNCTIONS(NIBBLE_TRY)
#undef NIBBLE_TRY
  EXPECT_EQ(number, NIBBLE_REAL_COS);
}

TEST(Real, ArithmeticGivesTheEvaluatorsBits) {
  Random random(44);
  const std::vector<std::pair<int32_t, graph::Op>> two{
      {NIBBLE_REAL_ADD, graph::Add{}}, {NIBBLE_REAL_SUB, graph::Sub{}},    {NIBBLE_REAL_MUL, graph::Mul{}},
      {NIBBLE_REAL_DIV, graph::Div{}}, {NIBBLE_REAL_MIN, graph::Min{}},    {NIBBLE_REAL_MAX, graph::Max{}},
      {NIBBLE_REAL_POW, graph::Pow{}}, {NIBBLE_REAL_PRELU, graph::PRelu{}}};
  for (int i = 0; i < 2000; ++i) {
    const Shape whole = any_shape(random);
    const Tensor a = any_reals(random, whole), b = any_reals(random, part_of(random, whole));
    nibble_real p{};
    const auto& [number, op] = two[random.below(two.size())];
    p.op = number;
    expect_reals(random, p, op, {&a, &b});
    ASSERT_FALSE(HasFailure()) << "op " << number;
    const Tensor condition = any_integers(random, part_of(random, whole), {-1, 1});
    p = {}, p.op = NIBBLE_REAL_WHERE;
    expect_reals(random, p, graph::Where{}, {&condition, &a, &b});
    const std::vector<std::pair<int32_t, graph::Op>> one{{NIBBLE_REAL_RELU, graph::Relu{}},
                                                         {NIBBLE_REAL_NEG, graph::Neg{}},
                                                         {NIBBLE_REAL_ABS, graph::Abs{}},
                                                         {NIBBLE_REAL_CLIP, graph::Clip{-1.5, 2.25}}};
    const auto& [function, node] = one[random.below(one.size())];
    p = {}, p.op = function, p.r[0] = -1.5, p.r[1] = 2.25;
    expect_reals(random, p, node, {&a});
    ASSERT_FALSE(HasFailure()) << "case " << i << " op " << function;
  }
}

TEST(Real, DequantiseIsTheEvaluatorsChannelByChannel) {
  Random random(45);
  for (int i = 0; i < 1000; ++i) {
    const Shape shape{2, between(random, 1, 5), 3};
    const Tensor x = any_operand(random, shape, false);
    Grid grid;
    grid.axis = random.below(2) == 0 ? -1 : 1, grid.zero_point = between(random, -128, 255);
    grid.scale.assign(static_cast<size_t>(grid.axis < 0 ? 1 : shape[1]), 0);
    for (double& scale : grid.scale) scale = static_cast<float>(random.uniform() + 0.001);
    nibble_real p{};
    p.op = NIBBLE_REAL_DEQUANTISE, p.zero_point = grid.zero_point, p.a = grid.scale.data();
    p.channels = static_cast<int32_t>(grid.scale.size()), p.channel_axis = grid.axis;
    expect_reals(random, p, graph::Dequantise{grid}, {&x});
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

}  // namespace nibble::tests
