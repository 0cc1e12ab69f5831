#include "quant/level_reals.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.hpp"

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

}  // namespace
}  // namespace nibble::quant
