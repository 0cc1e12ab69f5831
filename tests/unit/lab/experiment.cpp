#include "lab/experiment.hpp"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(Experiment, SeedAndThreadsFromOutsideAreThoseOfEverything) {
  const auto described = [](const char* seed, const char* threads) {
    const std::string text = std::string(R"({"seed": )") + seed + R"(, "data": {"train": "npz:a", "test": "npz:b"},
      "network": {"topology": "lenet"}, "train": {"threads": )" +
                             threads + R"(},
      "quantize": [{"weights": 4, "train": {"epochs": 2}}, {"name": "untrained"}]})";
    return lab::experiment_from_json(parse_json(text, "lab", "e.json"), "e.json");
  };
  lab::Experiment given = described("1", "2");
  lab::set_seed(given, 7);
  lab::set_threads(given, 3);
  const lab::Experiment own = described("7", "3");
  EXPECT_EQ(given.seed, 7u);
  EXPECT_EQ(given.recipe.seed, 7u);
  EXPECT_EQ(given.recipe.threads, 3);
  EXPECT_EQ(given.resolved, own.resolved);
  ASSERT_EQ(given.variants.size(), 2u);
  EXPECT_EQ(given.variants[0].training->recipe.seed, 7u);
  EXPECT_EQ(given.variants[0].training->recipe.threads, 3);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(given.variants[i].resolved, own.variants[i].resolved);
}

TEST(Experiment, TrainingStartsFromWeightsAsTheyAreUnlessItIsAskedOtherwise) {
  const lab::Experiment experiment = lab::experiment_from_json(
      parse_json(R"({"data": {"train": "npz:a", "test": "npz:b"}, "network": {"topology": "lenet"}, "quantize": [
        {"name": "trained", "train": {"epochs": 2}}, {"name": "untrained"},
        {"name": "asked", "weight_rounding": "measured", "train": true}]})",
                 "lab", "e.json"),
      "e.json");
  ASSERT_EQ(experiment.variants.size(), 3u);
  const auto way = [&](size_t i) { return experiment.variants[i].policy.defaults.weight_rounding; };
  EXPECT_EQ(way(0), passes::WeightRounding::Nearest);
  EXPECT_EQ(way(1), passes::WeightRounding::Measured);
  EXPECT_EQ(way(2), passes::WeightRounding::Measured);
  EXPECT_EQ(experiment.variants[0].resolved["weight_rounding"], "nearest");
}

TEST(Experiment, AModelStandsBesideItsDescriptionUnlessTheEnvironmentSaysWhere) {
  setenv("NIBBLE_TEST_MODELS", "given", 1);
  const auto model = [](const std::string& text) {
    const std::string json =
        R"({"data": {"train": "npz:a", "test": "npz:b"}, "network": {"model": ")" + text + R"("}})";
    return lab::experiment_from_json(parse_json(json, "lab", "e.json"), "some/e.json").model;
  };
  EXPECT_EQ(model("a.onnx"), "some/a.onnx");
  EXPECT_EQ(model("${NIBBLE_TEST_MODELS}/a.onnx"), "given/a.onnx");
  EXPECT_EQ(model("/whole/a.onnx"), "/whole/a.onnx");
}

}  // namespace
}  // namespace nibble
