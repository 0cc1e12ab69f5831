#include <gtest/gtest.h>

#include <map>

#include "passes/integerise/integerise.hpp"
#include "passes/quantise/quantise.hpp"

/// The lists of steps that help, dumps and runs are made of.
namespace nibble::passes::testing {
namespace {

TEST(Pipelines, SayOneThingOfAPassHoweverOftenItRuns) {
  QuantiseReport quantised;
  IntegeriseReport integerised;
  Pipeline steps = float_to_fake({}, {}, {}, {}, quantised);
  for (Step& step : fake_to_true({}, integerised)) steps.push_back(std::move(step));
  std::map<std::string_view, std::string_view> said;
  for (const Step& step : steps) EXPECT_EQ(said.try_emplace(step.name, step.about).first->second, step.about);
  EXPECT_LT(said.size(), steps.size()) << "none runs twice";
}

TEST(Pipelines, CorrectNoBiasesWhereNoneShallBe) {
  QuantiseReport report;
  QuantiseOptions options;
  const size_t all = float_to_fake(options, {}, {}, {}, report).size();
  options.bias_correction = false;
  EXPECT_EQ(float_to_fake(options, {}, {}, {}, report).size(), all - 1);
}

}  // namespace
}  // namespace nibble::passes::testing
