#include <gtest/gtest.h>

#include "lab/run.hpp"

namespace nibble::lab {
namespace {

TEST(Row, ComesBackFromItsFileAsItWas) {
  Row row;
  row.variant = "w4a8", row.representation = "ID", row.weight_bits = 4, row.activation_bits = 8;
  row.value = 2.0 / 3, row.low = 0.1, row.high = 0.9, row.flips = 5;
  row.compared_integers = 70, row.differing_integers = 6, row.weight_bytes = 11, row.requantisations = 9, row.exact = 8;
  row.model = "run/w4a8/id.onnx", row.right = {true, false, true};
  const auto again = [](const Row& one) {
    return whole_json(row_from_json(parse_json(whole_json(one).dump(), "lab", "measured.json")));
  };
  EXPECT_EQ(again(row), whole_json(row));
  EXPECT_EQ(again(row)["right"], "101");
  Row error = row;
  error.metric = "nme", error.right = {}, error.errors = {0.1, 1.0 / 3}, error.groups = {4, 4};
  error.to_float = RelativeError{0.02, {-0.01, 0.05}};
  EXPECT_EQ(again(error), whole_json(error));
  EXPECT_EQ(again(error)["error"], row.value);
}

}  // namespace
}  // namespace nibble::lab
