#include <gtest/gtest.h>

#include "lab/metrics.hpp"

using namespace nibble::lab;

TEST(Wilson, GivesTheTextbookInterval) {
  // 8 of 10: Newcombe 1998's method 3 without continuity correction.
  const ConfidenceInterval interval = wilson(8, 10);
  EXPECT_NEAR(interval.low, 0.4902, 5e-5);
  EXPECT_NEAR(interval.high, 0.9433, 5e-5);
}

TEST(Wilson, StaysInsideZeroAndOneAtTheEnds) {
  EXPECT_EQ(wilson(0, 10).low, 0);
  EXPECT_EQ(wilson(10, 10).high, 1);
  EXPECT_GT(wilson(0, 10).high, 0.2);
}

TEST(Wilson, KnowsNothingFromNoExamples) {
  EXPECT_EQ(wilson(0, 0).low, 0);
  EXPECT_EQ(wilson(0, 0).high, 1);
}

TEST(McNemar, IsTheExactBinomialTest) {
  EXPECT_DOUBLE_EQ(mcnemar(0, 0), 1);
  EXPECT_NEAR(mcnemar(0, 5), 2 * 0.03125, 1e-12);
  EXPECT_NEAR(mcnemar(2, 8), 2 * (1 + 10 + 45) / 1024.0, 1e-12);
  EXPECT_NEAR(mcnemar(8, 2), mcnemar(2, 8), 1e-15);
  EXPECT_DOUBLE_EQ(mcnemar(4, 4), 1);
}

TEST(Flips, CountDecisionsThatDiffer) {
  Evaluation a, b;
  a.decisions = {1, 2, 3, 4};
  b.decisions = {1, 0, 3, 0};
  EXPECT_EQ(flips(a, b), 2);
}
