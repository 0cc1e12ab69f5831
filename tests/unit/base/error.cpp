#include "base/error.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace nibble;

TEST(Error, SaysWhereWhatWasFoundAndWhatWasExpected) {
  try {
    fail("onnx", "model.onnx: node 'conv_12' (Conv)", "group is 3", "a divisor of 8");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "onnx: model.onnx: node 'conv_12' (Conv): group is 3 (expected a divisor of 8)");
  }
}

TEST(Error, OffersTheNearestName) {
  const std::vector<std::string> names{"fold_batch_norm", "remove_identity"};
  EXPECT_EQ(did_you_mean("fold_batch_nrom", names), " (did you mean 'fold_batch_norm'?)");
  EXPECT_EQ(did_you_mean("quaternion", names), "");
}
