#include "quant/range.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"

using namespace nibble;
using namespace nibble::quant;

namespace {

std::vector<double> normal_values(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<double> values(count);
  for (double& value : values) value = random.normal();
  return values;
}

RealRange observed(std::string_view rule, const std::vector<double>& values, const GridSpec& spec = {}) {
  RangeObserver observer(range_rule_named(rule));
  observer.observe(std::span<const double>(values), "x");
  return observer.range(spec);
}

double squared_error(const std::vector<double>& values, const Grid& grid, Rounding rounding) {
  double sum = 0;
  for (double x : values) sum += std::pow(x - grid.real(grid.quantise(x, 0, rounding), 0), 2);
  return sum;
}

}  // namespace

TEST(GridOver, GivesEverySymmetryItsLevels) {
  struct Row {
    GridSpec spec;
    int64_t low, high;
  };
  for (const Row& row :
       {Row{{256, Symmetry::Symmetric}, -128, 127}, Row{{255, Symmetry::Symmetric}, -127, 127},
        Row{{256, Symmetry::Narrow}, -127, 127}, Row{{16, Symmetry::Symmetric}, -8, 7},
        Row{{3, Symmetry::Symmetric}, -1, 1}, Row{{2, Symmetry::Symmetric}, -1, 0}, Row{{2, Symmetry::Narrow}, -1, 0},
        Row{{256, Symmetry::Unsigned}, 0, 255}, Row{{65536, Symmetry::Symmetric}, -32768, 32767}}) {
    const Grid grid = grid_over({-1, 1}, row.spec, "x");
    EXPECT_EQ(grid.low, row.low) << row.spec.levels;
    EXPECT_EQ(grid.high, row.high) << row.spec.levels;
    EXPECT_EQ(grid.zero_point, 0);
  }
}

TEST(GridOver, AgreesWithQuantLabsScales) {
  // shared/conformance ql_legacy_get_scale; ours may be one float32 step above.
  struct Row {
    RealRange range;
    GridSpec spec;
    double scale;
  };
  constexpr GridSpec int8{256, Symmetry::Symmetric}, odd{15, Symmetry::Symmetric}, ternary{3, Symmetry::Symmetric};
  for (const Row& row :
       {Row{{-1, 1}, int8, 0.007874015718698502}, Row{{-2, 0.5}, int8, 0.015625},
        Row{{0, 6}, int8, 0.04724409431219101}, Row{{-0.25, 4}, int8, 0.031496062874794006},
        Row{{-2, 0.5}, odd, 0.2857142984867096}, Row{{0, 6}, odd, 0.8571428656578064}, Row{{-2, 0.5}, ternary, 2.0},
        Row{{-0.25, 4}, ternary, 4.0}, Row{{0, 6}, {256, Symmetry::Unsigned}, 0.0235294122248888}}) {
    EXPECT_NEAR(grid_over(row.range, row.spec, "x").scale.front(), row.scale, row.scale * 1e-6);
  }
}

TEST(GridOver, KeepsBothEndsWithinHalfALevelAndRealZeroExact) {
  Random random(5);
  for (int i = 0; i < 5000; ++i) {
    const double unit = std::ldexp(1, static_cast<int>(random.below(60)) - 30);
    const RealRange range{-random.uniform() * unit * static_cast<double>(random.below(3)),
                          random.uniform() * unit * static_cast<double>(random.below(3))};
    const GridSpec spec{2 + static_cast<int64_t>(random.below(random.below(2) ? 20 : 65535)),
                        i % 2 ? Symmetry::Asymmetric : Symmetry::Symmetric};
    const Grid grid = grid_over(range, spec, "x");
    const double scale = grid.scale.front();
    ASSERT_EQ(scale, static_cast<double>(static_cast<float>(scale)));
    ASSERT_EQ(grid.real(grid.quantise(0, 0, Rounding::HalfUp), 0), 0);
    if (spec.levels == 2) continue;  // {-1, 0} has no level above zero
    for (double end : {range.low, range.high})
      ASSERT_LE(std::abs(grid.real(grid.quantise(end, 0, Rounding::HalfUp), 0) - end), scale * 0.5000001) << i;
  }
}

TEST(GridOver, NeverHasAScaleThatIsZeroOrInfinite) {
  for (const double most : {5e-324, 1e-310, 1e-45, 1e-38, 1e30, 3e38, 1e300})
    for (const Symmetry symmetry : {Symmetry::Symmetric, Symmetry::Narrow, Symmetry::Unsigned, Symmetry::Asymmetric})
      for (const RealRange range : {RealRange{-most, most}, RealRange{0, most}, RealRange{-most, 0}}) {
        const double scale = grid_over(range, {256, symmetry}, "x").scale.front();
        EXPECT_GT(static_cast<float>(scale), 0) << most;
        EXPECT_TRUE(std::isfinite(static_cast<float>(scale))) << most;
      }
  EXPECT_EQ(grid_over({0, 0}, {}, "x").scale.front(), 1);
}

TEST(GridOver, ReachesARangeThatDoesNotHoldZeroAlsoFromZero) {
  const Grid grid = grid_over({2, 10}, {256, Symmetry::Asymmetric}, "x");
  EXPECT_EQ(grid.zero_point, 0);
  EXPECT_EQ(grid.quantise(10, 0, Rounding::HalfUp), 255);
  EXPECT_EQ(grid_over({-10, -2}, {256, Symmetry::Asymmetric}, "x").zero_point, 255);
}

TEST(Quantise, GivesThePostersIndices) {
  // shared/conformance exact_quantiser_grid, eps = 1/4.
  const Tensor x({12}, std::vector<double>{-2, -1.25, -0.75, -0.25, -0.125, 0, 0.125, 0.25, 0.375, 0.625, 1.75, 9});
  struct Row {
    int64_t low, high;
    Rounding rounding;
    std::vector<int64_t> expected;
  };
  for (const Row& row : {Row{-8, 7, Rounding::Floor, {-8, -5, -3, -1, -1, 0, 0, 1, 1, 2, 7, 7}},
                         Row{-8, 7, Rounding::HalfUp, {-8, -5, -3, -1, 0, 0, 1, 1, 2, 3, 7, 7}},
                         Row{-8, 7, Rounding::HalfEven, {-8, -5, -3, -1, 0, 0, 0, 1, 2, 2, 7, 7}},
                         Row{-1, 1, Rounding::Floor, {-1, -1, -1, -1, -1, 0, 0, 1, 1, 1, 1, 1}},
                         Row{0, 15, Rounding::HalfEven, {0, 0, 0, 0, 0, 0, 0, 1, 2, 2, 7, 15}}}) {
    const Grid grid{.scale = {0.25}, .low = row.low, .high = row.high};
    EXPECT_EQ(quantise(x, grid, row.rounding).to_integers(), row.expected);
  }
}

TEST(Quantise, GivesQuantLabsFakeQuantisedValues) {
  // shared/conformance ql_legacy_quantiser; its binary rows are a defect of the reference (the step is lost).
  const std::vector<double> x{-2, -1.3, -0.9, -0.51, -0.5, -0.26, 0, 0.24, 0.25, 0.49, 0.5, 0.74, 0.75, 0.9, 1.2};
  struct Row {
    double scale;
    int64_t low, high;
    Rounding rounding;
    std::vector<float> expected;
  };
  constexpr auto floor = Rounding::Floor, half_up = Rounding::HalfUp;
  for (const Row& row :
       {Row{0.5, -2, 1, floor, {-1, -1, -1, -1, -0.5, -0.5, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5}},
        Row{0.5, -2, 1, half_up, {-1, -1, -1, -0.5, -0.5, -0.5, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}},
        Row{0.25, 0, 3, floor, {0, 0, 0, 0, 0, 0, 0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 0.75}},
        Row{0.25, 0, 3, half_up, {0, 0, 0, 0, 0, 0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 0.75, 0.75}},
        Row{0.5, -1, 1, floor, {-0.5, -0.5, -0.5, -0.5, -0.5, -0.5, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5}},
        Row{0.5, -1, 1, half_up, {-0.5, -0.5, -0.5, -0.5, -0.5, -0.5, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}},
        Row{0.5, -1, 2, floor, {-0.5, -0.5, -0.5, -0.5, -0.5, -0.5, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 1}},
        Row{0.5, -1, 2, half_up, {-0.5, -0.5, -0.5, -0.5, -0.5, -0.5, 0, 0, 0.5, 0.5, 0.5, 0.5, 1, 1, 1}}}) {
    const Grid grid{.scale = {row.scale}, .low = row.low, .high = row.high};
    EXPECT_EQ(dequantise(quantise(Tensor({15}, x), grid, row.rounding), grid), Tensor({15}, row.expected))
        << row.scale << " " << row.low << " " << to_string(row.rounding);
  }
}

TEST(Quantise, GivesTheSeedsExampleOfAScaleOfOnePixelLevel) {
  // shared/conformance seed003_symmetric (a).
  const Tensor weights({3, 3}, std::vector<float>{0.0114f, -0.0231f, 0.0445f, 0, 0, 0, -0.0409f, -0.0435f, -0.04f});
  const Grid grid{.scale = {static_cast<double>(1.0f / 255)}, .low = -128, .high = 127};
  const Tensor q = quantise(weights, grid, Rounding::HalfUp);
  EXPECT_EQ(q.to_integers(), (std::vector<int64_t>{3, -6, 11, 0, 0, 0, -10, -11, -10}));
  EXPECT_NEAR(dequantise(q, grid).as<float>()[0], 0.011764705882352941, 1e-8);
}

TEST(GridOver, CoversWhatTheReferencesInvertedFactorDoesNot) {
  // shared/conformance ql_legacy_get_zero_scale, a defect: its scale is 1016, a sound one 4 / 255 or a level more.
  const RealRange range{-1, 3};
  const Grid grid = grid_over(range, {256, Symmetry::Asymmetric}, "x");
  const double scale = grid.scale.front();
  EXPECT_GE(scale, 4.0 / 256);
  EXPECT_LE(scale, 4.0 / 254);
  EXPECT_EQ(grid.zero_point, 64);
  EXPECT_LE(grid.real(grid.low, 0) - scale / 2, range.low);
  EXPECT_GE(grid.real(grid.high, 0) + scale / 2, range.high);
}

TEST(GridOfWeights, ScalesEachRowByItsLargestAndAnAllZeroRowByOne) {
  // shared/conformance seed003_symmetric (b): a row's scale there is 1 / ours.
  const Tensor weights({3, 3}, std::vector<float>{0.0114f, -0.0231f, 0.0445f, 0, 0, 0, -0.0409f, -0.0435f, -0.04f});
  const Grid grid = grid_of_weights(weights, 0, {256, Symmetry::Narrow}, {}, "w");
  EXPECT_EQ(grid.axis, 0);
  EXPECT_EQ(grid.scale[1], 1);
  EXPECT_NEAR(1 / grid.scale[0], 2853.932584269663, 1e-3);
  EXPECT_NEAR(1 / grid.scale[2], 2919.5402298850577, 1e-3);
  EXPECT_EQ(quantise(weights, grid, Rounding::HalfUp).to_integers(),
            (std::vector<int64_t>{33, -66, 127, 0, 0, 0, -119, -127, -117}));
}

TEST(GridOfWeights, FollowsTheAxisThatItIsGiven) {
  const Tensor weights({2, 3}, std::vector<float>{127, 1, 0, -254, 0, 12.7f});
  const Grid grid = grid_of_weights(weights, 1, {256, Symmetry::Narrow}, {}, "w");
  ASSERT_EQ(grid.scale.size(), 3u);
  EXPECT_EQ(grid.scale[0], 2);
  EXPECT_NEAR(grid.scale[1], 1.0 / 127, 1e-8);
  const Tensor back = dequantise(quantise(weights, grid, Rounding::HalfUp), grid);
  const auto a = weights.as<float>(), b = back.as<float>();
  for (size_t i = 0; i < a.size(); ++i) EXPECT_LE(std::abs(a[i] - b[i]), grid.scale[i % 3] / 2 * 1.000001);
}

TEST(GridOfWeights, TakesConstantTensors) {
  for (const char* rule : {"min_max", "moving_average", "percentile", "sigma", "mse", "kl"}) {
    const Tensor constant({2, 2}, std::vector<float>{0.3f, 0.3f, 0.3f, 0.3f});
    const Grid grid = grid_of_weights(constant, -1, {256, Symmetry::Symmetric}, range_rule_named(rule), "w");
    EXPECT_GT(grid.scale.front(), 0) << rule;
    const auto back = dequantise(quantise(constant, grid, Rounding::HalfUp), grid);
    EXPECT_NEAR(back.as<float>()[0], 0.3f, 0.3 / 254) << rule;
  }
}

TEST(MeanSquareError, IsNoWorseThanAnyScaleOfAFineScan) {
  for (const int64_t levels : {3, 4, 16, 256}) {
    std::vector<double> values = normal_values(3000, 21);
    const Tensor weights({3000}, values);
    const GridSpec spec{levels, Symmetry::Symmetric};
    const Grid found = grid_of_weights(weights, -1, spec, range_rule_named("mse"), "w");
    const double error = squared_error(values, found, spec.rounding);
    double least = INFINITY;
    for (int i = 1; i <= 1000; ++i)
      least = std::min(least,
                       squared_error(values, grid_over({-5.0 * i / 1000, 5.0 * i / 1000}, spec, "w"), spec.rounding));
    EXPECT_LE(error, least * 1.01) << levels;
  }
}

TEST(MeanSquareError, LetsGoOfOutliersAHundredTimesTheRest) {
  // The best scale is below a twentieth of what min_max gives.
  std::vector<double> values = normal_values(100'000, 22);
  for (int i = 0; i < 4; ++i) values.push_back(i % 2 ? 100 : -100);
  const GridSpec spec{4, Symmetry::Symmetric};
  const Grid found = grid_of_weights(Tensor({100'004}, values), -1, spec, range_rule_named("mse"), "w");
  EXPECT_LT(found.scale.front(), 2);
  EXPECT_LT(squared_error(values, found, spec.rounding),
            squared_error(values, grid_over({-10, 10}, spec, "w"), spec.rounding));
}

TEST(RangeObserver, FindsTheSameFromAHistogramAsFromTheValues) {
  const std::vector<double> values = normal_values(50'000, 23);
  const Tensor tensor({50'000}, values);
  for (const char* rule : {"percentile=99.9", "percentile=99", "sigma=3", "mse", "min_max"}) {
    const GridSpec spec{256, Symmetry::Symmetric};
    RangeObserver observer(range_rule_named(rule));
    for (size_t at = 0; at < values.size(); at += 1000)
      observer.observe(std::span<const double>(values).subspan(at, 1000), "x");
    const double exact = grid_of_weights(tensor, -1, spec, range_rule_named(rule), "w").scale.front();
    EXPECT_NEAR(observer.grid(spec, "x").scale.front(), exact, exact * 0.02) << rule;
  }
}

TEST(RangeObserver, SeesTheSameValuesInManyBatchesAsInOne) {
  std::vector<double> values = normal_values(4000, 31);
  for (size_t i = 0; i < values.size(); i += 100) values[i] *= 20;
  for (const char* rule : {"min_max", "percentile=99", "sigma=3", "mse", "kl"}) {
    const GridSpec spec{16, Symmetry::Symmetric};
    RangeObserver whole(range_rule_named(rule)), streamed(range_rule_named(rule));
    whole.observe(std::span<const double>(values), "x");
    for (size_t at = 0, size = 1; at < values.size(); at += size, size = size % 97 + 1)
      streamed.observe(std::span<const double>(values).subspan(at, std::min(size, values.size() - at)), "x");
    EXPECT_EQ(streamed.count(), whole.count()) << rule;
    EXPECT_NEAR(streamed.grid(spec, "x").scale.front(), whole.grid(spec, "x").scale.front(), 1e-9) << rule;
  }
}

TEST(MeanSquareError, IsNoWorseThanMinMaxAlsoFromAStream) {
  for (const int64_t levels : {2, 3, 15, 16, 256, 65536})
    for (const Symmetry symmetry : {Symmetry::Symmetric, Symmetry::Narrow, Symmetry::Asymmetric}) {
      std::vector<double> values = normal_values(3000, 41);
      values.push_back(30);
      const GridSpec spec{levels, symmetry};
      RangeObserver least(range_rule_named("mse")), plain(range_rule_named("min_max"));
      for (RangeObserver* observer : {&least, &plain})
        for (size_t at = 0; at < values.size(); at += 100)
          observer->observe(std::span<const double>(values).subspan(at, std::min<size_t>(100, values.size() - at)),
                            "x");
      // The histogram's bins are what mse sees: a part in thousands.
      EXPECT_LE(squared_error(values, least.grid(spec, "x"), spec.rounding),
                squared_error(values, plain.grid(spec, "x"), spec.rounding) * 1.001)
          << levels << " " << static_cast<int>(symmetry);
    }
}

TEST(RangeObserver, DoublesItsRangeWithoutLosingAValue) {
  std::vector<double> values{0, 1e-30};
  for (int i = 0; i < 998; ++i) values.push_back(i);
  const RealRange range = observed("percentile=90", values);
  EXPECT_NEAR(range.high, 898, 1);
  EXPECT_NEAR(range.low, 98, 1);
}

TEST(RangeObserver, TakesDoublesNearTheLargest) {
  for (const char* rule : {"percentile", "mse", "kl", "min_max"}) {
    const std::vector<double> values{1e-300, 1.7e308, -1.7e308};
    RangeObserver observer(range_rule_named(rule));
    observer.observe(std::span<const double>(values), "x");
    EXPECT_EQ(observer.count(), 3);
    EXPECT_GT(observer.grid({}, "x").scale.front(), 0) << rule;
  }
}

TEST(RangeObserver, AveragesBatchesRanges) {
  RangeObserver observer(range_rule_named("moving_average=0.75"));
  observer.observe(std::vector<float>{-4, 8}, "x");
  observer.observe(std::vector<float>{0, 16}, "x");
  EXPECT_EQ(observer.range({}).low, -3);
  EXPECT_EQ(observer.range({}).high, 10);
  EXPECT_EQ(observer.least(), -4);
  EXPECT_EQ(observer.greatest(), 16);
}

TEST(RangeObserver, LeavesOutWhatLiesBeyondKSigma) {
  const std::vector<double> values = normal_values(20'000, 24);
  EXPECT_NEAR(observed("sigma=2", values).high, 2, 0.05);
  EXPECT_NEAR(observed("sigma=2", values).low, -2, 0.05);
}

TEST(KullbackLeibler, CutsALongThinTailAndKeepsAUniformRange) {
  std::vector<double> tailed = normal_values(50'000, 25), even;
  for (double& value : tailed) value = std::abs(value);
  tailed.push_back(40);
  for (int i = 0; i < 50'000; ++i) even.push_back(i / 50'000.0);
  const GridSpec spec{256, Symmetry::Unsigned};
  EXPECT_LT(observed("kl", tailed, spec).high, 12);
  EXPECT_GT(observed("kl", even, spec).high, 0.9);
}
