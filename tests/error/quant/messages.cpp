#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/error.hpp"
#include "quant/range.hpp"
#include "quant/requantisation.hpp"

using namespace nibble;
using namespace nibble::quant;

namespace {

template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST(QuantMessages, NameTheTensorAndTheIndexThatIsNotANumber) {
  std::vector<float> values(18, 1.0f);
  values[17] = std::nanf("");
  EXPECT_EQ(message([&] { grid_of_weights(Tensor({18}, values), -1, {}, {}, "weights 'conv1.w'"); }),
            "quant: weights 'conv1.w': NaN at index 17 (expected finite numbers)");
  values[17] = -INFINITY;
  EXPECT_EQ(message([&] { RangeObserver({}).observe(std::span<const float>(values), "value 'x'"); }),
            "quant: value 'x': infinity at index 17 (expected finite numbers)");
}

TEST(QuantMessages, SayThatCalibrationSawNothing) {
  EXPECT_EQ(message([] { RangeObserver({}).grid({}, "value 'x'"); }),
            "quant: value 'x': no values were seen (expected at least one batch of calibration data)");
}

TEST(QuantMessages, SayHowManyLevelsThereMayBe) {
  for (const int64_t levels : {-1, 0, 1, 65537})
    EXPECT_EQ(message([&] {
                grid_over({-1, 1}, {.levels = levels}, "policy");
              }),
              "quant: policy: " + std::to_string(levels) + " levels (expected 2 to 65536)");
}

TEST(QuantMessages, RefuseARangeWithoutEnds) {
  EXPECT_EQ(message([] {
              grid_over({0, INFINITY}, {}, "value 'x'");
            }),
            "quant: value 'x': range 0.000000 to inf (expected finite numbers)");
}

TEST(QuantMessages, ListTheRulesForRanges) {
  for (const char* text : {"", "minmax", "min_max=3", "percentile=", "percentile=50", "percentile=101", "sigma=-1",
                           "sigma=x", "moving_average=1", "mse=2", "kl=1"})
    EXPECT_EQ(message([&] { range_rule_named(text); }),
              "quant: range: '" + std::string(text) +
                  "' (expected min_max, moving_average[=m], percentile[=P], sigma[=K], mse, kl, sawb or measured)");
  EXPECT_EQ(range_rule_named("percentile").parameter, 99.9);
  EXPECT_EQ(range_rule_named("sigma=2.5").parameter, 2.5);
}

TEST(QuantMessages, RefuseASteepnessThatIsNotANumber) {
  EXPECT_EQ(message([] {
              solve_requantisation({.kappa = INFINITY, .lambda = 0, .levels = {0, 1}}, {0, 1});
            }),
            "quant: requantisation: kappa inf, lambda 0.000000 (expected finite numbers)");
}
