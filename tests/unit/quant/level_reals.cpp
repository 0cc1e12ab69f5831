#include "quant/level_reals.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.hpp"
#include "quant/range.hpp"

namespace nibble::quant {
namespace {

template <class Element>
void expect_the_formula(const LevelReals& how, const std::vector<std::vector<Element>>& operands) {
  std::vector<const Element*> a;
  for (const auto& each : operands) a.push_back(each.data());
  const size_t count = operands[0].size();
  std::vector<float> y(count);
  reals_of_levels<Element>(how, a, count, y.data());
  for (size_t i = 0; i < count; ++i) {
    double real = how.shift;
    for (size_t k = 0; k < a.size(); ++k) real += (static_cast<double>(a[k][i]) - how.zero[k]) * how.scale[k];
    ASSERT_EQ(y[i], static_cast<float>(std::clamp(real, how.low, how.high))) << i << " of " << count;
  }
}

TEST(LevelReals, OfEveryLengthAreTheFormulaRoundedOnce) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    LevelReals how;
    const size_t terms = 1 + round % 3, count = static_cast<size_t>(random.below(900));
    for (size_t k = 0; k < terms; ++k) {
      how.scale.push_back(random.normal() / 16);
      how.zero.push_back(static_cast<double>(random.below(9)));
    }
    if (round % 2 == 1) how.shift = random.normal(), how.low = -3, how.high = 40;
    std::vector<std::vector<float>> a(terms, std::vector<float>(count));
    std::vector<std::vector<double>> wide(terms, std::vector<double>(count));
    for (size_t k = 0; k < terms; ++k)
      for (size_t i = 0; i < count; ++i) {
        a[k][i] = static_cast<float>(random.below(4096)) - 2048;
        wide[k][i] = std::floor(random.normal() * 0x1p40);
      }
    expect_the_formula(how, a);
    expect_the_formula(how, wide);
  }
}

/// Ties, their neighbours, and what lies beyond the grid.
TEST(Levels, AreThoseOfTheGrid) {
  Random random(3);
  for (const Rounding rounding : {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven})
    for (const Grid& grid :
         {Grid{{0.1F}, -1, 0, -8, 7}, Grid{{0.037F}, -1, 3, 0, 255}, Grid{{1.5F}, -1, 0, -2, 40000}}) {
      std::vector<double> x{1e300, -1e300, std::numeric_limits<double>::infinity(), -0.0};
      for (int64_t level = grid.low - 3; level < std::min<int64_t>(grid.high, 300) + 3; ++level)
        for (double at : {0.0, 0.5}) {
          const double tie = (static_cast<double>(level) + at) * grid.scale[0];
          x.insert(x.end(), {tie, std::nextafter(tie, -1e9), std::nextafter(tie, 1e9)});
        }
      for (int i = 0; i < 1000; ++i) x.push_back(random.normal() * 5);
      const std::vector<float> floats(x.begin(), x.end());
      const auto zero = static_cast<double>(grid.zero_point);
      const Levels how{
          grid.scale[0], static_cast<double>(grid.low) - zero, static_cast<double>(grid.high) - zero, 1, zero,
          rounding};
      std::vector<float> of_floats(x.size()), of_doubles(x.size());
      std::vector<double> wide_of_floats(x.size()), wide(x.size());
      levels_of_reals(how, floats.data(), x.size(), of_floats.data());
      levels_of_reals(how, floats.data(), x.size(), wide_of_floats.data());
      levels_of_reals(how, x.data(), x.size(), of_doubles.data());
      levels_of_reals(how, x.data(), x.size(), wide.data());
      const Tensor levels = quantise(Tensor({static_cast<int64_t>(x.size())}, floats), grid, rounding);
      const std::vector<int64_t> of_tensor = levels.to_integers();
      EXPECT_EQ(levels.type(), grid.container());
      for (size_t i = 0; i < x.size(); ++i) {
        const int64_t exact = grid.quantise(x[i], 0, rounding),
                      rounded = grid.quantise(static_cast<double>(floats[i]), 0, rounding);
        ASSERT_EQ(static_cast<int64_t>(wide[i]), exact) << x[i];
        ASSERT_EQ(static_cast<int64_t>(of_doubles[i]), exact) << x[i];
        ASSERT_EQ(static_cast<int64_t>(wide_of_floats[i]), rounded) << x[i];
        ASSERT_EQ(static_cast<int64_t>(of_floats[i]), rounded) << x[i];
        ASSERT_EQ(of_tensor[i], rounded) << x[i];
      }
    }
}

}  // namespace
}  // namespace nibble::quant
