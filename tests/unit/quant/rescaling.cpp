#include "quant/rescaling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.hpp"
#include "base/rescale.hpp"

namespace nibble::quant {
namespace {

template <class Element>
void expect_the_same(const Rescaling& how, const std::vector<std::vector<Element>>& operands) {
  std::vector<const Element*> a;
  for (const auto& each : operands) a.push_back(each.data());
  const size_t count = operands[0].size();
  std::vector<float> y(count);
  rescale<Element>(how, a, count, y.data());
  for (size_t i = 0; i < count; ++i) {
    std::vector<int64_t> values;
    for (const auto& each : operands) values.push_back(static_cast<int64_t>(each[i]));
    const int64_t level = rescaled(how.kappa, how.lambda, values, how.rounding, how.divisor) + how.zero_point;
    ASSERT_EQ(static_cast<int64_t>(y[i]), std::clamp(level, how.low, how.high)) << i << " of " << count;
  }
}

double between(Random& random, double low, double high) {
  return low + (high - low) * random.uniform();
}

constexpr Rounding roundings[] = {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven};

TEST(Rescaling, OfEveryLengthGivesTheLevelsOfTheExactRatio) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    Rescaling how;
    const size_t terms = 1 + round % 3, count = static_cast<size_t>(random.below(900));
    for (size_t k = 0; k < terms; ++k)
      how.kappa.push_back(std::ldexp(between(random, -1, 1), -static_cast<int>(random.below(12))));
    how.lambda = between(random, -50, 50);
    how.rounding = roundings[round / 3 % 3];
    how.divisor = round % 5 == 0 ? 1 + random.below(50) : 1;
    how.zero_point = random.below(9), how.low = -128, how.high = 127;
    std::vector<std::vector<float>> a(terms, std::vector<float>(count));
    std::vector<std::vector<double>> wide(terms, std::vector<double>(count));
    for (size_t k = 0; k < terms; ++k)
      for (size_t i = 0; i < count; ++i) {
        a[k][i] = static_cast<float>(std::floor(between(random, -70000, 70000)));
        wide[k][i] = std::floor(between(random, -0x1p40, 0x1p40));
      }
    expect_the_same(how, a);
    expect_the_same(how, wide);
  }
}

/// A large addend takes back what the product gives, and float32 tells little of what is left.
TEST(Rescaling, OfTermsThatCancelIsExact) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    const double kappa = between(random, 0.001, 2), middle = std::floor(between(random, -4e6, 4e6));
    Rescaling how;
    how.kappa = {kappa}, how.lambda = between(random, -100, 100) - kappa * middle;
    how.rounding = roundings[round % 3];
    how.zero_point = random.below(9), how.low = -8, how.high = round % 2 == 0 ? 7 : 127;
    std::vector<float> a(700);
    std::vector<double> wide(700);
    for (size_t i = 0; i < a.size(); ++i) {
      wide[i] = middle + std::floor(between(random, -200, 200) / kappa);
      a[i] = static_cast<float>(wide[i]);
    }
    expect_the_same<float>(how, {a});
    expect_the_same<double>(how, {wide});
  }
}

TEST(Rescaling, DecidesTiesAndItsNeighboursExactly) {
  for (const Rounding rounding : roundings)
    for (const double kappa : {0.5, 0.25, -0.5, 1.5, 1.0 / 3, 1e-5, std::nextafter(0.5, 0), std::nextafter(0.5, 1)})
      for (const double lambda : {0.0, 0.5, -0.5, std::nextafter(0.5, 0), 1e-17, -1e-17}) {
        std::vector<std::vector<float>> a(1);
        for (int i = -600; i <= 600; ++i) a[0].push_back(static_cast<float>(i));
        expect_the_same<float>({{kappa}, lambda, 1, rounding, 3, -250, 250}, a);
        expect_the_same<float>({{kappa}, lambda, 6, rounding, 3, -250, 250}, a);
      }
}

TEST(Rescaling, OfSumsFarBeyondTheLevelsIsClipped) {
  const std::vector<std::vector<double>> a{{0x1p52, -0x1p52, 0x1p30, 0}};
  expect_the_same<double>({{1e9}, 0, 1, Rounding::HalfUp, 0, -8, 7}, a);
  expect_the_same<double>({{-1e300}, 0, 1, Rounding::HalfEven, 0, -8, 7}, a);
  expect_the_same<double>({{1e-300}, 1e-300, 1, Rounding::Floor, 0, -8, 7}, a);
}

}  // namespace
}  // namespace nibble::quant
