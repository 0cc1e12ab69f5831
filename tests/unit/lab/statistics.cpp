#include <gtest/gtest.h>

#include "lab/metrics.hpp"

using namespace nibble::lab;

TEST(McNemar, OfEvaluationsCountsWhatOneAloneGotRight) {
  Evaluation a, b;
  a.right = {true, true, true, true, true, true, false, false};
  b.right = {false, false, false, false, false, true, false, false};
  EXPECT_NEAR(mcnemar(a, b), 2 * 0.03125, 1e-12);
  EXPECT_EQ(mcnemar(a, a), 1);
}

TEST(Flips, CountDecisionsThatDiffer) {
  Evaluation a, b;
  a.decisions = {1, 2, 3, 4};
  b.decisions = {1, 0, 3, 0};
  EXPECT_EQ(flips(a, b), 2);
}
