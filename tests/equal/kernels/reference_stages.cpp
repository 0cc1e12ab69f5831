#include "equal/kernels/laid.hpp"

namespace nibble::tests {
namespace {

using graph::Ints;

/// The stage of every element, channels along axis 1.
void expect_staged(const nibble_stage& stage, const Tensor& x, graph::Op op, const Tensor* table = nullptr) {
  std::vector<const Tensor*> inputs{&x};
  if (table != nullptr) inputs.push_back(table);
  const Meaning meant = meaning_of(std::move(op), inputs);
  int fault = NIBBLE_FINE;
  const auto values = x.as<int64_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    const auto channel = static_cast<int64_t>(i) / strides_of(x.shape())[1] % x.shape()[1];
    const int64_t given = nibble_staged(&stage, values[i], channel, &fault);
    const int64_t meant_here = meant.y ? meant.y->as<int64_t>()[i] : given;
    EXPECT_EQ(given, meant_here) << values[i] << " at channel " << channel;
  }
  EXPECT_EQ(fault, meant.refused ? NIBBLE_BEYOND_TABLE : NIBBLE_FINE);
}

Tensor any_accumulators(Random& random, int64_t channels) {
  Tensor x(ElementType::Int64, {2, channels, 3});
  const bool narrow = random.below(2) == 0;
  for (int64_t& value : x.as<int64_t>()) value = narrow ? between(random, -300, 300) : any_integer(random);
  return x;
}

Ints any_numbers(Random& random, size_t count) {
  Ints numbers(count);
  for (int64_t& number : numbers) number = any_integer(random);
  return numbers;
}

Interval any_levels(Random& random) {
  const int64_t a = any_integer(random), b = any_integer(random);
  return random.below(2) == 0 ? Interval{-128, 127} : Interval{std::min(a, b), std::max(a, b)};
}

}  // namespace

TEST(Stage, AProductIsTheEvaluatorsRequantisationInWide) {
  Random random(11);
  for (int i = 0; i < 4000; ++i) {
    const int64_t channels = between(random, 1, 4);
    const Interval levels = any_levels(random);
    graph::Requantise op{any_numbers(random, static_cast<size_t>(channels)),
                         any_numbers(random, static_cast<size_t>(channels)),
                         {},
                         levels.low,
                         levels.high};
    std::vector<uint8_t> shift;
    for (int64_t c = 0; c < channels; ++c)
      op.shift.push_back(random.below(4) == 0 ? 62 * between(random, 0, 1) : between(random, 0, 62)),
          shift.push_back(static_cast<uint8_t>(op.shift.back()));
    nibble_stage stage{};
    stage.form = NIBBLE_STAGE_PRODUCT, stage.channels = static_cast<int32_t>(channels), stage.wide = 1;
    stage.low = levels.low, stage.high = levels.high;
    stage.a = op.multiplier.data(), stage.b = op.addend.data(), stage.d = shift.data();
    expect_staged(stage, any_accumulators(random, channels), op);
    if (HasFailure()) return;
  }
}

TEST(Stage, AProductThat64BitsHoldIsTheSameNarrow) {
  Random random(12);
  for (int i = 0; i < 4000; ++i) {
    const bool by_32 = random.below(2) == 0;
    graph::Requantise op{
        {by_32 ? int64_t{static_cast<int32_t>(any_integer(random))} : between(random, -(1LL << 40), 1LL << 40)},
        {any_integer(random) / 2},
        {between(random, 0, 62)},
        -128,
        127};
    const auto a = static_cast<int32_t>(op.multiplier[0]);
    const auto d = static_cast<uint8_t>(op.shift[0]);
    nibble_stage stage{};
    stage.form = by_32 ? NIBBLE_STAGE_PRODUCT32 : NIBBLE_STAGE_PRODUCT, stage.channels = 1;
    stage.low = -128, stage.high = 127;
    stage.a = by_32 ? static_cast<const void*>(&a) : op.multiplier.data(), stage.b = op.addend.data(), stage.d = &d;
    const int64_t reach = by_32 ? 1LL << 30 : 1LL << 21;
    expect_staged(stage, any_integers(random, {1, 1, 20}, {-reach, reach}), op);
    if (HasFailure()) return;
  }
}

TEST(Stage, ADivisionIsTheEvaluatorsFloorDivide) {
  Random random(13);
  for (int i = 0; i < 4000; ++i) {
    const int64_t channels = between(random, 1, 4);
    const Interval levels = any_levels(random);
    graph::FloorDivide op{any_numbers(random, static_cast<size_t>(channels)),
                          any_numbers(random, static_cast<size_t>(channels)),
                          {},
                          levels.low,
                          levels.high};
    for (int64_t c = 0; c < channels; ++c)
      op.divisor.push_back(random.below(3) == 0 ? INT64_MAX : between(random, 1, 1000000));
    nibble_stage stage{};
    stage.form = NIBBLE_STAGE_DIVIDE, stage.channels = static_cast<int32_t>(channels);
    stage.low = levels.low, stage.high = levels.high;
    stage.a = op.multiplier.data(), stage.b = op.addend.data(), stage.d = op.divisor.data();
    expect_staged(stage, any_accumulators(random, channels), op);
    if (HasFailure()) return;
  }
}

TEST(Stage, ThresholdsRiseAndFallAsTheEvaluators) {
  Random random(14);
  for (int i = 0; i < 1000; ++i) {
    const int64_t channels = between(random, 1, 4), steps = between(random, 0, 20);
    const Tensor thresholds = any_integers(random, {channels, steps}, {-300, 300});
    graph::Threshold op{between(random, -128, 127), {}};
    std::vector<uint8_t> falling;
    for (int64_t c = 0; c < channels; ++c) falling.push_back(random.below(2) == 0);
    const bool all_rise = random.below(3) == 0;
    if (!all_rise) op.falling.assign(falling.begin(), falling.end());
    nibble_stage stage{};
    stage.form = NIBBLE_STAGE_THRESHOLDS, stage.channels = static_cast<int32_t>(channels);
    stage.low = op.low, stage.high = op.low + steps, stage.steps = static_cast<int32_t>(steps);
    stage.a = thresholds.as<int64_t>().data(), stage.d = all_rise ? nullptr : falling.data();
    expect_staged(stage, any_accumulators(random, channels), op, &thresholds);
    if (HasFailure()) return;
  }
}

TEST(Stage, TablesAreTheEvaluatorsAndRefuseWhatLiesBeyond) {
  Random random(15);
  for (int i = 0; i < 2000; ++i) {
    const int64_t steps = between(random, 2, 300), shift = between(random, 0, 8) * between(random, 0, 1);
    const bool straight = random.below(2) == 0;
    const Tensor table = any_integers(
        random, {steps}, straight ? Interval{-(1LL << 61), 1LL << 61} : Interval{INT64_MIN / 4, INT64_MAX / 4});
    const int64_t first = random.below(4) == 0 ? INT64_MIN : between(random, -200, 200);
    const int64_t reach = straight ? ((steps - 1) << shift) - 1 : steps - 1;
    Tensor x = any_integers(random, {1, 1, 30}, {first, first + reach});
    if (random.below(4) == 0)
      x.as<int64_t>()[7] = random.below(2) == 0 || first == INT64_MIN ? first + reach + 1 : first - 1;
    graph::InterpolatedTable lines{first, shift, random.below(4) == 0 ? 0 : between(random, 0, 30), -(1LL << 33),
                                   1LL << 40};
    nibble_stage stage{};
    stage.form = straight ? NIBBLE_STAGE_INTERPOLATED : NIBBLE_STAGE_TABLE, stage.channels = 1;
    stage.low = lines.low, stage.high = lines.high, stage.first = first, stage.steps = static_cast<int32_t>(steps);
    stage.shift = static_cast<int32_t>(shift), stage.fraction = static_cast<int32_t>(lines.fraction);
    stage.a = table.as<int64_t>().data();
    expect_staged(stage, x, straight ? graph::Op(lines) : graph::Op(graph::Table{first}), &table);
    if (HasFailure()) return;
  }
}

TEST(Stage, NoneIsAClip) {
  nibble_stage stage{};
  stage.channels = 1, stage.low = -7, stage.high = 7;
  Random random(16);
  expect_staged(stage, any_accumulators(random, 3), graph::Clip{-7, 7});
}

TEST(Stage, AFloatRoundsTiesToEvenAndClips) {
  const float a[16] = {0.5F, 1}, b[16] = {0, 0.5F};
  nibble_stage stage{};
  stage.form = NIBBLE_STAGE_FLOAT, stage.channels = 2, stage.low = -100, stage.high = 100, stage.a = a, stage.b = b;
  int fault = NIBBLE_FINE;
  const auto staged = [&](int64_t x, int64_t channel) { return nibble_staged(&stage, x, channel, &fault); };
  EXPECT_EQ(staged(1, 0), 0);
  EXPECT_EQ(staged(3, 0), 2);
  EXPECT_EQ(staged(-1, 0), 0);
  EXPECT_EQ(staged(-3, 0), -2);
  EXPECT_EQ(staged(2, 1), 2);
  EXPECT_EQ(staged(1, 1), 2);
  EXPECT_EQ(staged(1000, 0), 100);
  EXPECT_EQ(staged(-1000, 1), -100);
}

}  // namespace nibble::tests
