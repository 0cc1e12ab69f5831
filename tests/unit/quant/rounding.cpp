#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/random.hpp"
#include "quant/rounding/quadratic_rounding.hpp"
#include "quant/rounding/second_moments.hpp"

/// Weights to levels by what their errors do together.
namespace nibble::quant {
namespace {

double form_of(const std::vector<double>& moments, const std::vector<double>& weights,
               const std::vector<double>& levels, double damping) {
  const size_t size = weights.size();
  double form = 0, trace = 0;
  for (size_t i = 0; i < size; ++i) {
    trace += moments[i * size + i];
    for (size_t j = 0; j < size; ++j)
      form += moments[i * size + j] * (levels[i] - weights[i]) * (levels[j] - weights[j]);
  }
  for (size_t i = 0; i < size; ++i)
    form += damping * trace / static_cast<double>(size) * std::pow(levels[i] - weights[i], 2);
  return form;
}

std::vector<double> nearest(const std::vector<double>& weights, Interval levels) {
  std::vector<double> result;
  for (double weight : weights)
    result.push_back(
        std::clamp(std::floor(weight + 0.5), static_cast<double>(levels.low), static_cast<double>(levels.high)));
  return result;
}

/// Moments of `count` normal rows mixed by a random matrix.
std::vector<double> mixed_moments(Random& random, size_t size, size_t count) {
  SecondMoments moments(size);
  std::vector<double> mix(size * size);
  for (double& each : mix) each = random.normal();
  for (size_t n = 0; n < count; ++n) {
    std::vector<double> source(size);
    for (double& each : source) each = random.normal();
    std::vector<float> row(size);
    for (size_t i = 0; i < size; ++i)
      row[i] = static_cast<float>(std::inner_product(source.begin(), source.end(), mix.begin() + i * size, 1.0));
    moments.add(row.data());
  }
  return moments.about_zero();
}

TEST(RoundByMoments, LetsErrorsThatMeetTheSameInputCancel) {
  // Each of the four is nearest to 0, but together they are 1.6 of one input: two of them become 1.
  const std::vector<double> levels =
      round_by_moments(std::vector<double>(16, 1.0), {0.4, 0.4, 0.4, 0.4}, 4, {-8, 7}, 1e-3);
  EXPECT_EQ(std::accumulate(levels.begin(), levels.end(), 0.0), 2);
}

TEST(RoundByMoments, IsNeverWorseThanTheNearestLevelsAndOftenTheBestOfAll) {
  Random random(7);
  const Interval levels{-2, 1};
  int best_of_all = 0, better = 0;
  constexpr int rounds = 200;
  for (int round = 0; round < rounds; ++round) {
    // Singular where fewer rows than inputs were seen.
    const std::vector<double> moments = mixed_moments(random, 5, 3 + static_cast<size_t>(round) % 6);
    std::vector<double> weights(5);
    for (double& each : weights) each = 1.2 * random.normal();
    const double found = form_of(moments, weights, round_by_moments(moments, weights, 5, levels, 0.01), 0.01);
    const double plain = form_of(moments, weights, nearest(weights, levels), 0.01);
    EXPECT_LE(found, plain * (1 + 1e-9));
    better += found < plain * 0.99;
    double least = plain;
    for (int code = 0; code < 1024; ++code) {
      std::vector<double> each;
      for (int i = 0; i < 5; ++i) each.push_back((code >> (2 * i) & 3) - 2);
      least = std::min(least, form_of(moments, weights, each, 0.01));
    }
    EXPECT_GE(found, least * (1 - 1e-9));
    best_of_all += found <= least * (1 + 1e-9);
  }
  EXPECT_GT(better, rounds / 2);
  EXPECT_GT(best_of_all, rounds / 2);
}

TEST(RoundByMoments, IsTheNearestLevelWhereNothingIsKnownOrInputsAreUnrelated) {
  const std::vector<double> weights{0.5, -0.5, 1.49, 9.0, -9.0, 0.2};
  const std::vector<double> levels{1, 0, 1, 3, -4, 0};
  EXPECT_EQ(round_by_moments(std::vector<double>(36, 0.0), weights, 6, {-4, 3}, 0.01), levels);
  std::vector<double> diagonal(36, 0.0);
  for (size_t i = 0; i < 6; ++i) diagonal[7 * i] = static_cast<double>(i);
  EXPECT_EQ(round_by_moments(diagonal, weights, 6, {-4, 3}, 0.01), levels);
}

TEST(RoundByMoments, TakesEachRowByItselfWhateverStandsBesideIt) {
  Random random(3);
  constexpr size_t size = 150;  // more than one of its blocks
  const std::vector<double> moments = mixed_moments(random, size, 400);
  std::vector<double> weights(3 * size), single;
  for (double& each : weights) each = 3 * random.normal();
  const std::vector<double> together = round_by_moments(moments, weights, size, {-8, 7}, 0.01);
  for (size_t row = 0; row < 3; ++row) {
    const std::vector<double> own(weights.begin() + row * size, weights.begin() + (row + 1) * size);
    const std::vector<double> levels = round_by_moments(moments, own, size, {-8, 7}, 0.01);
    single.insert(single.end(), levels.begin(), levels.end());
    EXPECT_LT(form_of(moments, own, levels, 0.01), form_of(moments, own, nearest(own, {-8, 7}), 0.01) / 2);
  }
  EXPECT_EQ(together, single);
}

TEST(SecondMoments, AreThoseOfAllRowsAboutZero) {
  Random random(1);
  constexpr size_t size = 4;
  SecondMoments moments(size);
  EXPECT_EQ(moments.about_zero(), std::vector<double>(16, 0.0));
  std::vector<double> wanted(size * size);
  constexpr int count = 300;  // more than wait at once, and not a multiple
  for (int n = 0; n < count; ++n) {
    std::vector<float> row;
    for (size_t i = 0; i < size; ++i)
      row.push_back(static_cast<float>(1000.0 * static_cast<double>(i) + random.normal()));
    for (size_t i = 0; i < size; ++i)
      for (size_t j = 0; j < size; ++j) wanted[i * size + j] += static_cast<double>(row[i]) * row[j] / count;
    moments.add(row.data());
  }
  const std::vector<double> found = moments.about_zero();
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-6 * (1 + std::abs(wanted[i]))) << i;
}

}  // namespace
}  // namespace nibble::quant
