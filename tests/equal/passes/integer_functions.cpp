#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "quant/integer_functions.hpp"
#include "unit/passes/networks.hpp"

/// The integer algorithms against the real functions, over their whole input range where that can be walked and over
/// random and extreme rows where it cannot. The figures stand in docs/design/integer_functions.md.
namespace nibble::passes::testing {
namespace {

using graph::Op;

Tensor run_op(const Op& op, const std::vector<Tensor>& inputs) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  return graph::evaluate(graph::Node{"n", op, {}, {}}, pointers).at(0);
}

/// How far levels are from the real function: from its value, and from that value rounded.
struct Distance {
  double from_value = 0;
  int64_t from_level = 0;
  int64_t compared = 0, other = 0;

  void see(int64_t level, double real, const Grid& grid) {
    const double value = std::clamp(real / grid.scale[0] + static_cast<double>(grid.zero_point),
                                    static_cast<double>(grid.low), static_cast<double>(grid.high));
    from_value = std::max(from_value, std::abs(static_cast<double>(level) - value));
    const int64_t off = std::abs(level - std::llround(std::floor(value + 0.5)));
    from_level = std::max(from_level, off);
    ++compared;
    other += off != 0;
  }
  /// What every algorithm claims: half a level and its proven error, one level at most.
  void expect_within(double error, const std::string& what) const {
    EXPECT_LE(from_value, 0.5 + error + 1e-9) << what;
    EXPECT_LE(from_level, 1) << what;
    RecordProperty(what, std::to_string(other) + " of " + std::to_string(compared));
    if (std::getenv("NIBBLE_MEASURE"))
      printf("%-44s %10ld %8ld   %.4f   proven %.4f\n", what.c_str(), static_cast<long>(compared),
             static_cast<long>(other), from_value - 0.5, error);
  }
  static void RecordProperty(const std::string& key, const std::string& value) {
    ::testing::Test::RecordProperty(key, value);
  }
};

Grid grid_of(double scale, int64_t zero_point, int64_t low, int64_t high) {
  return {{static_cast<double>(static_cast<float>(scale))}, -1, zero_point, low, high};
}

Distance softmax(const quant::SoftmaxPlan& plan, double scale, const Tensor& x, const Grid& out) {
  const std::vector<int32_t> entries(plan.table.begin(), plan.table.end());
  const Tensor table = Tensor({static_cast<int64_t>(entries.size())}, entries).cast(ElementType::Int64);
  const graph::TableSoftmax op{-1, plan.multiplier, plan.shift, Rounding::HalfUp, out.zero_point, out.low, out.high};
  const Tensor y = run_op(op, {x, table});
  Tensor real = x.cast(ElementType::Float64);
  for (double& value : real.as<double>()) value *= scale;
  real = run_op(graph::Softmax{-1}, {real});
  Distance distance;
  for (size_t i = 0; i < y.size(); ++i) distance.see(y.as<int64_t>()[i], real.as<double>()[i], out);
  return distance;
}

Tensor random_rows(Random& random, int64_t rows, int64_t n, int64_t low, int64_t high) {
  Tensor x(ElementType::Int64, {rows, n});
  for (int64_t row = 0; row < rows; ++row) {
    // Narrow rows and wide ones, and some of two values only.
    const auto width = static_cast<uint64_t>(std::max<int64_t>((high - low) >> (row % 8), 1));
    const int64_t base = low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low) - width + 1));
    for (int64_t i = 0; i < n; ++i)
      x.as<int64_t>()[static_cast<size_t>(row * n + i)] =
          base + static_cast<int64_t>(row % 3 == 0 ? width * random.below(2) : random.below(width + 1));
  }
  return x;
}

void walk_normalization(const quant::Normalization& function, const Grid& in, const Grid& out, const Tensor& x,
                        const std::string& what) {
  const quant::NormalizationPlan plan = quant::plan_normalization(function, in, out, Rounding::HalfUp, what);
  const graph::IntegerNormalization op{-1,           function.centred, in.zero_point,
                                       plan.epsilon, plan.root_shift,  plan.inverse_shift,
                                       plan.shift,   out.low,          out.high};
  const auto width = [](const auto& numbers) { return Shape{static_cast<int64_t>(numbers.size())}; };
  const Tensor y =
      run_op(op, {x, Tensor(width(plan.multiplier), plan.multiplier), Tensor(width(plan.addend), plan.addend)});
  Tensor real = x.cast(ElementType::Float64);
  for (double& value : real.as<double>()) value = in.scale[0] * (value - static_cast<double>(in.zero_point));
  const Tensor gain(width(function.gain), function.gain), bias(width(function.bias), function.bias);
  real = function.centred ? run_op(graph::LayerNormalization{-1, function.epsilon}, {real, gain, bias})
                          : run_op(graph::RmsNormalization{-1, function.epsilon}, {real, gain});
  Distance distance;
  for (size_t i = 0; i < y.size(); ++i) distance.see(y.as<int64_t>()[i], real.as<double>()[i], out);
  distance.expect_within(plan.error, what);
}

}  // namespace

TEST(IntegerSoftmax, IsWithinALevelForEveryPairOfEightBits) {
  const Grid out = grid_of(1.0 / 255, 0, 0, 255);
  Tensor x(ElementType::Int64, {256, 2});
  for (size_t d = 0; d < 256; ++d) x.as<int64_t>()[2 * d + 1] = static_cast<int64_t>(d);
  for (const double scale : {0.002, 0.01, 0.05, 0.1, 0.3, 1.0}) {
    const quant::SoftmaxPlan plan = quant::plan_softmax(scale, 2, 255, out, "softmax");
    softmax(plan, scale, x, out).expect_within(plan.error, fmt::format("softmax of pairs, scale {}", scale));
  }
}

TEST(IntegerSoftmax, IsWithinALevelForLongRowsOfAnyGrid) {
  Random random(1);
  for (const Grid& out : {grid_of(1.0 / 255, 0, 0, 255), grid_of(1.0 / 256, -128, -128, 127), grid_of(0.03, 0, 0, 15)})
    for (const int64_t n : {3, 16, 64, 197, 1024}) {
      const quant::SoftmaxPlan plan = quant::plan_softmax(0.04, n, 255, out, "softmax");
      softmax(plan, 0.04, random_rows(random, 64, n, -128, 127), out)
          .expect_within(plan.error, fmt::format("softmax of {} onto {} levels", n, out.levels()));
    }
}

TEST(IntegerNormalization, IsWithinALevelForEveryPairAndTripleOfLevels) {
  const Grid in = grid_of(0.03, 7, -128, 127), out = grid_of(0.012, -3, -128, 127);
  Tensor pairs(ElementType::Int64, {65536, 2}), triples(ElementType::Int64, {32768, 3});
  for (int64_t i = 0; i < 65536; ++i)
    pairs.as<int64_t>()[static_cast<size_t>(2 * i)] = i / 256 - 128,
                                                pairs.as<int64_t>()[static_cast<size_t>(2 * i + 1)] = i % 256 - 128;
  for (int64_t i = 0; i < 32768; ++i)
    for (int64_t k = 0; k < 3; ++k)
      triples.as<int64_t>()[static_cast<size_t>(3 * i + k)] = (i >> (5 * k)) % 32 * 8 - 128;
  for (const bool centred : {true, false}) {
    const std::string name = centred ? "layer_norm" : "rms_norm";
    const std::vector<double> bias{centred ? 0.2 : 0.0};
    walk_normalization({centred, 1e-5, 2, {0.9}, bias}, in, out, pairs, name + " of every pair");
    walk_normalization({centred, 1e-2, 3, {1.3}, bias}, in, out, triples, name + " of triples");
  }
}

TEST(IntegerNormalization, IsWithinALevelForLongRowsAndEveryGain) {
  Random random(2);
  for (const int64_t n : {16, 64, 192, 768, 1024})
    for (const bool centred : {true, false})
      for (const double out_scale : {0.02, 0.05, 0.3}) {
        quant::Normalization function{centred, 1e-6, n, {}, {}};
        for (int64_t i = 0; i < n; ++i) {
          function.gain.push_back(random.normal() * 0.5 + 1);
          function.bias.push_back(centred ? random.normal() : 0);
        }
        walk_normalization(function, grid_of(0.05, 3, -128, 127), grid_of(out_scale, 0, -128, 127),
                           random_rows(random, 96, n, -128, 127),
                           fmt::format("{} of {}, output scale {}", centred ? "layer_norm" : "rms_norm", n, out_scale));
      }
}

TEST(IntegerNormalization, RefusesRowsWhoseSquaresOverflow) {
  const Grid wide = grid_of(1e-3, 0, INT32_MIN, INT32_MAX), out = grid_of(0.1, 0, -128, 127);
  EXPECT_THROW(quant::plan_normalization({true, 1e-5, 1024, {1}, {0}}, wide, out, Rounding::HalfUp, "n"), UserError);
}

TEST(IntegerDivision, IsWithinALevelForEveryPairOfEightBits) {
  Tensor a(ElementType::Int64, {256, 1}), b(ElementType::Int64, {1, 256});
  for (size_t i = 0; i < 256; ++i) a.as<int64_t>()[i] = b.as<int64_t>()[i] = static_cast<int64_t>(i);
  for (const double scale : {0.011, 0.3, 7.0}) {
    const Grid out = grid_of(scale, -5, -128, 127);
    const double eps_a = 0.02, eps_b = 0.017;
    const quant::DivisionPlan plan = quant::plan_division(eps_a, eps_b, out, "division");
    const graph::RoundedDivision op{100, 0, plan.multiplier, plan.shift, Rounding::HalfUp, -5, -128, 127};
    const Tensor y = run_op(op, {a, b});
    Distance distance;
    for (int64_t i = 0; i < 256; ++i)
      for (int64_t j = 1; j < 256; ++j)
        distance.see(y.as<int64_t>()[static_cast<size_t>(i * 256 + j)],
                     eps_a * static_cast<double>(i - 100) / (eps_b * static_cast<double>(j)), out);
    distance.expect_within(plan.error, fmt::format("division, output scale {}", scale));
  }
}

TEST(InterpolatedTables, AreWithinALevelOfEightBitsForEverySixteenBitInput) {
  for (const Op& function : {Op(graph::Gelu{}), Op(graph::Gelu{true}), Op(graph::Tanh{}), Op(graph::Sigmoid{}),
                             Op(graph::HardSwish{}), Op(graph::Swish{}), Op(graph::Erf{}), Op(graph::Exp{})}) {
    Network n;
    const ValueId x = n.conv("conv", n.input({any, 2, 8}), 4, 1);
    Graph graph = n.finish({n.node("function", function, {x})});
    QuantiseOptions options;
    options.policy.override_layers("conv", Json::parse(R"({"activations": 16})"));
    quantise_by(graph, options);
    IntegeriseOptions narrow;
    narrow.table_bits = 8;
    const IntegeriseReport report = integerise(graph, narrow);
    ASSERT_EQ(report.approximations.size(), 1U);
    EXPECT_EQ(report.approximations[0].inputs, 65536);
    EXPECT_LE(report.approximations[0].worst, 1) << graph::name_of(function);
    EXPECT_LT(report.approximations[0].differing, 6554) << graph::name_of(function);
    EXPECT_EQ(count_of<graph::InterpolatedTable>(graph), 1);
    if (std::getenv("NIBBLE_MEASURE"))
      printf("%s: %ld of 65536 differ, by %ld\n", std::string(graph::name_of(function)).c_str(),
             static_cast<long>(report.approximations[0].differing), static_cast<long>(report.approximations[0].worst));
  }
}

}  // namespace nibble::passes::testing
