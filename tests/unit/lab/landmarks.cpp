#include <gtest/gtest.h>

#include <cmath>

#include "data/landmarks.hpp"
#include "lab/experiment.hpp"
#include "lab/metrics.hpp"
#include "lab/run.hpp"
#include "stats/bootstrap.hpp"

using namespace nibble;
using namespace nibble::lab;

namespace {

/// Features that a network passes on as its outputs, and landmarks at (0, 0) and (3, 12): a box of 36.
class Faces : public data::Dataset {
 public:
  Faces(std::vector<std::vector<float>> outputs, std::vector<int64_t> groups, data::LandmarkModel model = {})
      : outputs_(std::move(outputs)),
        groups_(std::move(groups)),
        model_(std::make_shared<const data::LandmarkModel>(std::move(model))) {}
  int64_t size() const override { return static_cast<int64_t>(outputs_.size()); }
  int64_t classes() const override { return 0; }
  std::shared_ptr<const data::LandmarkModel> landmarks() const override { return model_; }
  data::Sample sample(int64_t index) const override {
    const auto at = static_cast<size_t>(index);
    data::Sample sample{Tensor({static_cast<int64_t>(outputs_[at].size())}, outputs_[at]),
                        -1,
                        Tensor({2, 2}, std::vector<float>{0, 0, 3, 12}),
                        {}};
    if (!groups_.empty()) sample.group = groups_[at];
    return sample;
  }

 private:
  std::vector<std::vector<float>> outputs_;
  std::vector<int64_t> groups_;
  std::shared_ptr<const data::LandmarkModel> model_;
};

Feed feed_of(Faces faces) {
  Feed feed;
  feed.set = std::make_shared<Faces>(std::move(faces));
  feed.batch_size = 2;
  return feed;
}

/// y = x on [N, values].
graph::Graph passing_on(int64_t values) {
  graph::Graph graph;
  graph.inputs = {graph.add_value("x", ElementType::Float32, {any, values})};
  graph.outputs = {graph.add_node("y", graph::Identity{}, graph.inputs)};
  graph::tidy(graph);
  return graph;
}

Evaluation evaluated(const graph::Graph& graph, const Feed& feed) {
  const auto engine = graph::reference_engine(graph);
  return evaluate(graph, *engine, feed);
}

const std::vector<std::vector<float>> rows{{0, 0, 3, 12}, {3, 4, 3, 12}, {0, 0, 3, 6}, {6, 8, 3, 12}};

}  // namespace

TEST(Evaluate, JudgesLandmarksByTheirNormalisedError) {
  const Evaluation result = evaluated(passing_on(4), feed_of({rows, {}}));
  EXPECT_EQ(result.metric, "nme");
  EXPECT_EQ(result.errors, (std::vector<double>{0, 2.5 / 6, 3.0 / 6, 5.0 / 6}));
  EXPECT_DOUBLE_EQ(result.value, 10.5 / 24);
  const stats::Bootstrap expected = stats::bootstrap(4, stats::mean_of(result.errors));
  EXPECT_EQ(result.interval.low, expected.interval.low);
  EXPECT_EQ(result.interval.high, expected.interval.high);
  EXPECT_TRUE(result.decisions.empty());
}

TEST(Evaluate, DrawsWholeGroupsForItsInterval) {
  const std::vector<int64_t> groups{8, 8, 5, 5};
  const Evaluation result = evaluated(passing_on(4), feed_of({rows, groups}));
  EXPECT_EQ(result.groups, groups);
  EXPECT_EQ(result.interval.low, stats::grouped_bootstrap(groups, stats::mean_of(result.errors)).interval.low);
}

TEST(Evaluate, GivesOneExampleNoIntervalOfItsOwn) {
  const Evaluation result = evaluated(passing_on(4), feed_of({{rows[1]}, {7}}));
  EXPECT_EQ(result.interval.low, result.value);
  EXPECT_EQ(result.interval.high, result.value);
}

TEST(Evaluate, ReadsLandmarksOffAFaceModel) {
  data::LandmarkModel model;
  model.mean.resize(12), model.deviation.assign(12, 1), model.average = {0, 0, 0, 3, 12, 0}, model.height = 12;
  // R the identity but for y, which grows upwards; t = (1, 12).
  const std::vector<float> upright{1, 0, 0, 1, 0, -1, 0, 12, 0, 0, 0, 0};
  EXPECT_EQ(evaluated(passing_on(12), feed_of({{upright, upright}, {}, model})).errors, (std::vector<double>{0, 0}));
  try {
    evaluated(passing_on(4), feed_of({rows, {}, model}));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "lab: landmarks: 4 outputs an example (expected 12, the face model's parameters)");
  }
}

TEST(RelativeError, IsOfTheMeansOfPairs) {
  Evaluation a, b;
  a.errors = {1.1, 2.2, 3.3}, b.errors = {1, 2, 3};
  const RelativeError found = relative_error(a, b);
  EXPECT_NEAR(found.value, 0.1, 1e-12);
  EXPECT_NEAR(found.interval.low, 0.1, 1e-12);  // whoever is drawn
  EXPECT_NEAR(found.interval.high, 0.1, 1e-12);
  EXPECT_EQ(relative_error(b, b).value, 0);
}

TEST(Compare, PairsOutputsByTheirPlaceWhereTheirNamesDiffer) {
  const graph::Graph a = passing_on(4);
  graph::Graph b = a;
  b[b.outputs.front()].name = "32";
  const auto engine_a = graph::reference_engine(a), engine_b = graph::reference_engine(b);
  const Comparison result = compare({{a, *engine_a}}, {b, *engine_b}, feed_of({rows, {}})).front();
  ASSERT_EQ(result.layers.size(), 2U);
  EXPECT_EQ(result.layers.back().name, "y");
  EXPECT_EQ(result.layers.back().elements, 16);
  EXPECT_EQ(result.layers.back().differing, 0);
  EXPECT_EQ(result.a.errors, result.b.errors);
  EXPECT_EQ(to_json(result)["errors"]["relative"], 0);
}

TEST(Table, SaysErrorsInTheirUnitAndWhatTheyAreMoreThanFloats) {
  Row row;
  row.representation = "ID", row.variant = "8-8", row.metric = "nme", row.weight_bits = row.activation_bits = 8;
  row.value = 0.04012, row.low = 0.038, row.high = 0.0431;
  row.to_float = RelativeError{0.0123, {-0.001, 0.02}};
  const std::string text = table({row});
  EXPECT_NE(text.find("error      95 % interval           more than float's"), std::string::npos) << text;
  EXPECT_NE(text.find(" 0.04012  0.03800 - 0.04310     +1.23% (-0.10 to +2.00)"), std::string::npos) << text;
  const Json json = to_json(row);
  EXPECT_EQ(json["error"], 0.04012);
  EXPECT_FALSE(json.contains("accuracy"));
  EXPECT_EQ(json["to_float"]["interval"], Json::parse("[-0.001, 0.02]"));
}

TEST(Experiment, LeavesBiasesUncorrectedWhereAskedTo) {
  const auto described = [](const char* variant) {
    Json json = Json::parse(R"({"data": {"train": "npz:a.npz", "test": "npz:a.npz"}, "network": {"model": "a.onnx"},
                               "train": {"epochs": 0}, "quantize": []})");
    json["quantize"].push_back(Json::parse(variant));
    return experiment_from_json(json, "e.json").variants.front();
  };
  EXPECT_FALSE(described(R"({"bias_correction": false})").bias_correction);
  EXPECT_TRUE(described(R"({"bias_correction": true})").bias_correction);
  EXPECT_EQ(described(R"({"bias_correction": true})").resolved, described("{}").resolved);
  EXPECT_NE(described(R"({"bias_correction": false})").resolved, described("{}").resolved);
}
