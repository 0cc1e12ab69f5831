#include "quant/bounds.hpp"

#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::quant;

TEST(SignedBits, AreTheFewestOfTwosComplement) {
  EXPECT_EQ(signed_bits({0, 0}), 1);
  EXPECT_EQ(signed_bits({-1, 0}), 1);
  EXPECT_EQ(signed_bits({-128, 127}), 8);
  EXPECT_EQ(signed_bits({-129, 0}), 9);
  EXPECT_EQ(signed_bits({0, 128}), 9);
  EXPECT_EQ(signed_bits({INT64_MIN, INT64_MAX}), 64);
}
