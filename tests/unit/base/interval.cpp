#include "base/interval.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

using namespace nibble;

TEST(Interval, AHullHoldsAllRangesAndNoMore) {
  EXPECT_EQ(hull({-3, 2}, {0, 7}), (Interval{-3, 7}));
  EXPECT_EQ(hull(std::vector<Interval>{{4, 5}, {-1, -1}, {2, 9}}), (Interval{-1, 9}));
  EXPECT_THROW(hull(std::vector<Interval>{}), InternalError);
}

TEST(Interval, ATypesRangeIsWhatATensorOfItKeeps) {
  for (ElementType type : {ElementType::Int8, ElementType::UInt8, ElementType::Int16, ElementType::UInt16,
                           ElementType::Int32, ElementType::Int64, ElementType::Bool}) {
    const Interval range = range_of(type);
    const std::vector<int64_t> ends{range.low, range.high};
    EXPECT_EQ(Tensor({2}, ends).cast(type).to_integers(), ends) << to_string(type);
  }
  EXPECT_THROW(range_of(ElementType::Float32), InternalError);
}

TEST(Interval, AGridsContainerIsTheNarrowestTypeThatHoldsItsLevels) {
  const auto container = [](Interval range) { return Grid{.low = range.low, .high = range.high}.container(); };
  for (ElementType type : {ElementType::Int8, ElementType::UInt8, ElementType::Int16, ElementType::UInt16,
                           ElementType::Int32, ElementType::Int64})
    EXPECT_EQ(container(range_of(type)), type) << to_string(type);
  EXPECT_EQ(container({-1, 128}), ElementType::Int16);
  EXPECT_EQ(container({-1, 32768}), ElementType::Int32);
}
