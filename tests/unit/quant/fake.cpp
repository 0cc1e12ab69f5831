#include "quant/learning/fake.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.hpp"

namespace nibble::quant {
namespace {

using Floats = std::vector<float>;
constexpr Rounding roundings[] = {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven};

Floats normals(size_t count, double deviation, uint64_t seed) {
  Random random(seed);
  Floats values(count);
  for (float& value : values) value = static_cast<float>(deviation * random.normal());
  return values;
}

/// Points around every tie and level of a grid, to the float32 number.
Floats around_ties(const Grid& grid) {
  Floats x;
  for (int64_t half = 2 * grid.low - 3; half <= 2 * grid.high + 3; ++half) {
    const auto at = static_cast<float>(grid.scale[0] * static_cast<double>(half) / 2);
    float below = at, above = at;
    x.push_back(at);
    for (int i = 0; i < 3; ++i) {
      x.push_back(below = std::nextafter(below, -INFINITY));
      x.push_back(above = std::nextafter(above, INFINITY));
    }
  }
  for (float each : {1e-30f, -1e-30f, std::numeric_limits<float>::denorm_min(), 3e38f, -3e38f}) x.push_back(each);
  return x;
}

Grid grid_of(double scale, int64_t low, int64_t high) {
  return {.scale = {static_cast<double>(static_cast<float>(scale))}, .low = low, .high = high};
}

TEST(FakeQuantise, FallsOnTheGraphsSideOfEveryTie) {
  Random random(5);
  for (const auto& [low, high] : {std::pair{-128, 127}, {0, 255}, {-1, 1}, {0, 1}, {-8, 7}, {-1000, 1023}})
    for (int i = 0; i < 40; ++i) {
      const Grid grid = grid_of(std::exp2(12 * random.uniform() - 9), low, high);
      const Floats x = around_ties(grid);
      for (Rounding rounding : roundings) {
        Floats y(x.size());
        fake_quantise(x, steps_of(grid, rounding, 0), y);
        for (size_t j = 0; j < x.size(); ++j) {
          const int64_t q = grid.quantise(static_cast<double>(x[j]), 0, rounding);
          ASSERT_EQ(y[j], static_cast<float>(grid.real(q, 0))) << x[j] << " / " << grid.scale[0];
        }
      }
    }
}

TEST(FakeQuantise, WithoutAZeroTakesTheSignAndNothingElseOfBinaryWeights) {
  Steps steps{.scale = 0.6f, .origin = 0.5, .low = -1, .high = 0, .end = 0.5};
  const Floats x{-3, -1e-30f, 0, 1e-30f, 0.2f, 9};
  Floats y(x.size());
  fake_quantise(x, steps, y);
  EXPECT_EQ(y, (Floats{-0.3f, -0.3f, 0.3f, 0.3f, 0.3f, 0.3f}));
}

TEST(FakeQuantise, KeepsNaN) {
  Floats y(1);
  fake_quantise(Floats{std::nanf("")}, Steps{}, y);
  EXPECT_TRUE(std::isnan(y[0]));
}

/// The published formulas, element by element in double.
GradientSums by_formula(const Floats& g, const Floats& x, const Steps& steps, Floats& dx) {
  GradientSums sums;
  Floats y(x.size());
  fake_quantise(x, steps, y);
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = static_cast<double>(x[i]) / static_cast<double>(steps.scale), upstream = g[i];
    const bool inside = v >= steps.least() && v < steps.end;
    dx[i] = inside ? g[i] : 0;
    if (v < steps.least()) sums.below += upstream;
    if (v >= steps.end) sums.above += upstream;
    if (inside) sums.inside += upstream * (static_cast<double>(y[i]) / static_cast<double>(steps.scale) - v);
  }
  return sums;
}

TEST(FakeQuantise, HasThePublishedGradientsFromTheInputAndFromABytePerElement) {
  for (Rounding rounding : roundings)
    for (size_t count : {1, 15, 16, 17, 255, 256, 257, 5000}) {
      const Floats x = normals(count, 1, count), g = normals(count, 1, count + 1);
      Steps steps{.scale = 0.21f, .low = -4, .high = 3, .rounding = rounding, .end = 3};
      if (rounding == Rounding::Floor) steps.end = 4;
      Floats y(count), expected(count), from_input(count), from_codes(count);
      std::vector<Code> codes(count);
      fake_quantise(x, steps, y, codes);
      const GradientSums formula = by_formula(g, x, steps, expected);
      const GradientSums exact = fake_quantise_backward(g, std::span<const float>(x), steps, from_input);
      const GradientSums coded = fake_quantise_backward(g, std::span<const Code>(codes), steps, from_codes);
      std::vector<Code> alone(count);
      code(x, steps, alone);
      EXPECT_EQ(alone, codes);
      EXPECT_EQ(from_input, expected);
      EXPECT_EQ(from_codes, expected);
      EXPECT_NEAR(exact.inside, formula.inside, 1e-6 * std::sqrt(count));
      EXPECT_NEAR(coded.inside, formula.inside, 5.0 / 252 / std::sqrt(12) * std::sqrt(count));
      for (const GradientSums& sums : {exact, coded}) {
        EXPECT_NEAR(sums.below, formula.below, 1e-4);
        EXPECT_NEAR(sums.above, formula.above, 1e-4);
      }
    }
}

TEST(FakeQuantise, ZeroHasNoResidue) {
  const Floats x(300, 0.0F), g(300, 1.0F);
  for (Rounding rounding : roundings) {
    const Steps steps{.scale = 0.21f, .low = -4, .high = 3, .rounding = rounding, .end = 3};
    std::vector<Code> codes(x.size());
    Floats dx(x.size());
    code(x, steps, codes);
    EXPECT_NEAR(fake_quantise_backward(g, std::span<const Code>(codes), steps, dx).inside, 0, 1e-4);
  }
}

/// What straight-through claims of the scale: with the rounding's residue held still, d(sum g y)/d(scale).
TEST(FakeQuantise, GradientsOfTheScaleAreFiniteDifferencesOfTheSurrogate) {
  constexpr size_t count = 400;
  const Floats x = normals(count, 1, 3), g = normals(count, 1, 4);
  const Steps steps{.scale = 0.3f, .low = -3, .high = 4, .end = 4};
  Floats y(count), dx(count);
  fake_quantise(x, steps, y);
  const GradientSums sums = fake_quantise_backward(g, std::span<const float>(x), steps, dx);
  const double scale = steps.scale, h = 1e-7;
  const auto surrogate = [&](double s) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
      const double v = static_cast<double>(x[i]) / scale, residue = static_cast<double>(y[i]) / scale - v;
      const double u = static_cast<double>(x[i]) / s;
      const double level = v < steps.least() ? steps.least() : v >= steps.end ? steps.most() : u + residue;
      sum += static_cast<double>(g[i]) * s * level;
    }
    return sum;
  };
  const double numeric = (surrogate(scale + h) - surrogate(scale - h)) / (2 * h);
  EXPECT_NEAR(steps.least() * sums.below + sums.inside + steps.most() * sums.above, numeric, 1e-5);
}

}  // namespace
}  // namespace nibble::quant
