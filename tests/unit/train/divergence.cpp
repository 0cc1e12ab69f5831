#include <gtest/gtest.h>

#include <cmath>

#include "train/loop/metrics.hpp"

namespace nibble::train {
namespace {

std::string said(const std::vector<double>& losses, int64_t epochs, double guess) {
  std::vector<EpochReport> reports;
  for (double loss : losses) {
    EpochReport& report = reports.emplace_back();
    report.epoch = static_cast<int64_t>(reports.size()), report.epochs = epochs, report.train_loss = loss;
  }
  return divergence(reports, guess);
}

TEST(Divergence, IsNamedWhereTheLossStaysFinite) {
  const double guess = std::log(10.0);
  EXPECT_EQ(
      said({0.4, 1e5}, 4, guess),
      "the loss diverges: 1e+05 on average over epoch 2, 0.4 in the best before, where an output that says nothing "
      "has 2.303: lower learning_rate, or warm it up");
  EXPECT_NE(said({40}, 1, guess), "") << "the only epoch is the last";
  EXPECT_EQ(said({40}, 3, guess), "") << "the first of several may begin far out";
  EXPECT_NE(said({40, 39}, 3, guess), "");
  EXPECT_EQ(said({0.01, 0.2}, 3, guess), "") << "twenty times as much, and still better than guessing";
  EXPECT_EQ(said({2.4, 2.3, 2.31}, 3, guess), "") << "learns nothing, but stays";
  EXPECT_EQ(said({5, 4}, 2, guess), "") << "far out, and falling";
  EXPECT_EQ(said({4}, 1, guess), "") << "begins far out";
  EXPECT_NE(said({3, 4.6}, 2, guess), "");
}

TEST(Divergence, OfATargetIsTenTimesTheBestEpoch) {
  EXPECT_EQ(said({50, 30, 200}, 5, HUGE_VAL), "");
  EXPECT_EQ(
      said({50, 30, 400}, 5, HUGE_VAL),
      "the loss diverges: 400 on average over epoch 3, 30 in the best before: lower learning_rate, or warm it up");
  EXPECT_EQ(said({1e9}, 1, HUGE_VAL), "") << "there is nothing to compare it with";
}

}  // namespace
}  // namespace nibble::train
