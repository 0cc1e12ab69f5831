#include "quant/scale.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace nibble::quant {
namespace {

TEST(ShortScale, IsNeverBelowTheScaleNorATwoThousandthAboveIt) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const double scale = random.uniform() + 1e-6, found = shortened(scale);
    EXPECT_GE(found, scale);
    EXPECT_LT(found, scale * (1 + 0x1p-11));
    EXPECT_EQ(shortened(found), found);
    EXPECT_EQ(static_cast<double>(static_cast<float>(found)), found);
  }
}

TEST(ShortScale, ProductsOfTwoAreFloat32) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const double product = shortened(random.uniform() + 1e-6) * shortened(random.uniform() * 1e-3 + 1e-9);
    EXPECT_EQ(static_cast<double>(static_cast<float>(product)), product);
  }
}

TEST(ShortScale, OfAPowerOfTwoIsItself) {
  for (double scale : {0x1p-96, 0.125, 1.0, 0x1p96}) EXPECT_EQ(shortened(scale), scale);
}

}  // namespace
}  // namespace nibble::quant
