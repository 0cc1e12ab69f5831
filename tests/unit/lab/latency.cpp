#include "lab/latency.hpp"

#include <gtest/gtest.h>

#include "runtime/nibble.h"
#include "runtime/peak.h"

using namespace nibble;
using namespace nibble::lab;

TEST(Spread, IsTheMedianAndThePercentilesOfSortedRuns) {
  std::vector<double> seconds;
  for (int i = 100; i >= 0; --i) seconds.push_back(i);
  const Spread spread = spread_of(seconds);
  EXPECT_EQ(spread.median, 50);
  EXPECT_EQ(spread.low, 5);
  EXPECT_EQ(spread.high, 95);
  const Spread one = spread_of({3});
  EXPECT_EQ(one.median, 3);
  EXPECT_EQ(one.low, 3);
  EXPECT_EQ(one.high, 3);
}

TEST(Peak, IsMeasuredForEveryKernelSetThatRunsHere) {
  for (size_t i = 0; const char* set = nibble_kernel_set_name(i); ++i)
    EXPECT_GT(nibble_peak_operations(set, 1), 1e7) << set;
  EXPECT_EQ(nibble_peak_operations("sse9", 1), 0);
}

TEST(Peak, OfMemoryIsMoreThanNothing) {
  EXPECT_GT(nibble_peak_bandwidth(2), 1e7);
}
