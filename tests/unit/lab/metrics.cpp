#include "lab/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lab/judge.hpp"
#include "lab/run.hpp"

using namespace nibble;
using namespace nibble::lab;
using graph::Graph;
using graph::ValueId;

namespace {

/// Examples whose features are given, in memory.
class Listed : public data::Dataset {
 public:
  explicit Listed(std::vector<data::Sample> samples) : samples_(std::move(samples)) {}
  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  int64_t classes() const override { return 3; }
  data::Sample sample(int64_t index) const override { return samples_[static_cast<size_t>(index)]; }

 private:
  std::vector<data::Sample> samples_;
};

Feed feed_of(const std::vector<std::vector<float>>& rows, const std::vector<int64_t>& labels) {
  std::vector<data::Sample> samples;
  for (size_t i = 0; i < rows.size(); ++i)
    samples.push_back({Tensor({3}, rows[i]), labels.empty() ? -1 : labels[i], {}});
  Feed feed;
  feed.set = std::make_shared<Listed>(samples);
  feed.batch_size = 2;
  return feed;
}

/// y = x on [N, 3], or y = fake quantised x.
Graph identity(bool quantised, double scale = 0.5) {
  Graph graph;
  const ValueId x = graph.add_value("x", ElementType::Float32, {any, 3});
  graph.inputs = {x};
  Grid grid;
  grid.scale = {scale};
  ValueId y = quantised ? graph.add_node("y", graph::Quantise{grid, Rounding::HalfUp}, {x})
                        : graph.add_node("y", graph::Relu{}, {x});
  if (quantised) graph[y].grid = grid;
  graph.outputs = {y};
  graph::tidy(graph);
  return graph;
}

}  // namespace

TEST(Feed, LeavesOutWhatIsNoWholeBatchAndSaysSo) {
  Feed feed = feed_of({{1, 2, 3}, {3, 2, 1}, {2, 1, 3}, {1, 1, 2}, {0, 1, 2}}, {});
  std::vector<std::string> said;
  feed.warn = [&](const std::string& line) { said.push_back(line); };
  const auto batches = [&] {
    std::vector<int64_t> sizes;
    feed.each([&](const data::Batch& batch) { sizes.push_back(batch.x.shape().front()); });
    return sizes;
  };
  EXPECT_EQ(batches(), (std::vector<int64_t>{2, 2, 1}));
  EXPECT_EQ(said, std::vector<std::string>{});
  feed.whole = 2;
  EXPECT_EQ(batches(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(feed.count(), 4);
  EXPECT_EQ(said, std::vector<std::string>{"the last 1 of 5 examples are left out: the network takes 2 at once"});
  feed.limit = 1;
  try {
    batches();
    ADD_FAILURE() << "no batch";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "lab: data set: 1 examples (expected 2 at least: the network takes so many at once)");
  }
}

TEST(Evaluate, RefusesWhatIsNoNumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto message = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  Judge judge;
  const Tensor x({2, 3}, std::vector<float>{1, 2, 3, 3, 2, 1});
  data::Batch labelled;
  labelled.x = x, labelled.labels = {2, 1};
  EXPECT_EQ(message([&] {
              judge.add({1, 2, 3, 3, std::nan(""), 1}, labelled);
            }),
            "lab: example 1: an output of NaN (expected numbers)");
  data::Batch aimed;
  aimed.x = x, aimed.target = Tensor({2, 3}, std::vector<float>{nan, 2, 3, 3, 2, 1});
  EXPECT_EQ(message([&] {
              judge.add({1, 2, 3, 3, 2, 1}, aimed);
            }),
            "lab: example 0: a target of NaN (expected numbers)");
}

TEST(Evaluate, KeepsEachExamplesLabelOrItsErrorWhereTargetsAreGiven) {
  const Graph graph = identity(false);
  const auto engine = graph::reference_engine(graph);
  EXPECT_EQ(evaluate(graph, *engine, feed_of({{1, 2, 3}, {3, 2, 1}}, {2, 1})).labels, (std::vector<int64_t>{2, 1}));
  Feed feed;
  feed.batch_size = 2;
  feed.set = std::make_shared<Listed>(std::vector<data::Sample>{
      {Tensor({3}, std::vector<float>{1, 2, 3}), -1, Tensor({3}, std::vector<float>{1, 2, 0})},
      {Tensor({3}, std::vector<float>{1, 0, 0}), -1, Tensor({3}, std::vector<float>{0, 0, 0})},
      {Tensor({3}, std::vector<float>{5, 5, 5}), -1, Tensor({3}, std::vector<float>{5, 5, 5})}});
  const Evaluation result = evaluate(graph, *engine, feed);
  EXPECT_EQ(result.metric, "mean_square");
  ASSERT_EQ(result.errors.size(), 3u);
  EXPECT_DOUBLE_EQ(result.errors[0], 3);
  EXPECT_DOUBLE_EQ(result.errors[1], 1.0 / 3);
  EXPECT_EQ(result.errors[2], 0);
  EXPECT_NEAR((result.errors[0] + result.errors[1] + result.errors[2]) / 3, result.value, 1e-15);
}

TEST(Evaluate, CountsTheLargestOutputAsTheDecision) {
  const Graph graph = identity(false);
  const auto engine = graph::reference_engine(graph);
  const Evaluation result = evaluate(graph, *engine, feed_of({{1, 2, 3}, {3, 2, 1}, {1, 5, 1}}, {2, 1, 1}));
  EXPECT_EQ(result.count, 3);
  EXPECT_EQ(result.decisions, (std::vector<int64_t>{2, 0, 1}));
  EXPECT_DOUBLE_EQ(result.value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(result.top5, 1);
}

TEST(Evaluate, GivesATieToTheLowestClass) {
  const Graph graph = identity(false);
  const auto engine = graph::reference_engine(graph);
  const Evaluation result = evaluate(graph, *engine, feed_of({{2, 2, 1}}, {1}));
  EXPECT_EQ(result.decisions, (std::vector<int64_t>{0}));
  EXPECT_EQ(result.value, 0);
}

TEST(Evaluate, BreaksTiesOfLevelsAsIntegersDo) {
  const Graph graph = identity(true, 0.1);
  const std::vector<float> a_tie_of_levels{0.29999998F, 0.3F, -0.1F};
  const std::vector<double> scores = scores_of(graph[graph.outputs.front()], Tensor({1, 3}, a_tie_of_levels));
  EXPECT_EQ(scores[0], scores[1]);
  EXPECT_EQ(scores[2], -0.1);
}

TEST(Compare, FindsNothingBetweenANetworkAndItself) {
  const Graph graph = identity(true);
  const auto a = graph::reference_engine(graph), b = graph::reference_engine(graph);
  const Comparison result = compare({{graph, *a}}, {graph, *b}, feed_of({{1, 2, 3}, {0, 1, 9}}, {2, 2})).front();
  EXPECT_EQ(result.elements(), 6);
  EXPECT_EQ(result.differing(), 0);
  EXPECT_EQ(result.flips, 0);
  EXPECT_TRUE(std::isinf(result.layers.back().sqnr_db));
}

TEST(Compare, HoldsEveryNetworkAgainstTheReferenceByItself) {
  const Graph a = identity(true, 0.5), b = identity(true, 0.25), c = identity(true, 0.25);
  const auto engine_a = graph::reference_engine(a), engine_b = graph::reference_engine(b),
             engine_c = graph::reference_engine(c);
  const Feed feed = feed_of({{0.25F, 1, 2}, {5, 1, 2}}, {0, 2});
  const std::vector<Comparison> both = compare({{a, *engine_a}, {c, *engine_c}}, {b, *engine_b}, feed);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].elements(), 0);
  EXPECT_EQ(both[0].layers.back().differing, 1);
  EXPECT_EQ(both[1].elements(), 6);
  EXPECT_EQ(both[1].differing(), 0);
  for (const Comparison& each : both) {
    EXPECT_EQ(each.b.count, 2);
    EXPECT_EQ(each.b.value, 0);
  }
}

TEST(Compare, CountsDifferencesInRealUnitsWhereGridsDiffer) {
  const Graph a = identity(true, 0.5), b = identity(true, 0.25);
  const auto engine_a = graph::reference_engine(a), engine_b = graph::reference_engine(b);
  const Comparison result = compare({{a, *engine_a}}, {b, *engine_b}, feed_of({{0.25F, 1, 2}}, {})).front();
  const LayerDifference& layer = result.layers.back();
  EXPECT_EQ(layer.name, "y");
  EXPECT_FALSE(layer.integers);
  EXPECT_EQ(layer.differing, 1);
  EXPECT_DOUBLE_EQ(layer.largest, 0.25);
  EXPECT_EQ(result.elements(), 0);
}

TEST(Evaluate, RefusesALabelBeyondTheOutputs) {
  const Graph graph = identity(false);
  const auto engine = graph::reference_engine(graph);
  try {
    evaluate(graph, *engine, feed_of({{1, 2, 3}}, {7}));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "lab: example 0: label 7 (expected a class below the network's 3 outputs)");
  }
}

TEST(Evaluate, RefusesASetWithoutLabels) {
  const Graph graph = identity(false);
  const auto engine = graph::reference_engine(graph);
  EXPECT_THROW(evaluate(graph, *engine, feed_of({{1, 2, 3}}, {})), UserError);
}

TEST(Evaluate, RefusesAnEmptySet) {
  const Graph graph = identity(false);
  const auto engine = graph::reference_engine(graph);
  try {
    evaluate(graph, *engine, feed_of({}, {}));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "lab: data set: no examples (expected at least one)");
  }
}

passes::QuantiseOptions told(const Graph& graph, const Feed& feed) {
  return quantise_options(graph, feed, {}, Input::Pixels);
}

TEST(QuantiseOptions, KnowWhatPixelsBecomeWhenTheyAreOnlyScaled) {
  Graph graph;
  graph.inputs = {graph.add_value("image", ElementType::Float32, {any, 1, 1, 1})};
  Feed feed;
  feed.set = std::make_shared<Listed>(std::vector<data::Sample>{{Tensor(ElementType::UInt8, {1, 1, 1}), 0, {}}});
  feed.preprocess.mean = {0};
  feed.preprocess.standard_deviation = {1};
  ASSERT_EQ(told(graph, feed).inputs.size(), 1U);
  EXPECT_EQ(told(graph, feed).inputs.front().grid.scale, std::vector<double>{static_cast<double>(1.0F / 255)});
  EXPECT_TRUE(told(graph, feed).formats.empty());
  feed.preprocess.mean = {0.5};  // between two pixels
  EXPECT_TRUE(told(graph, feed).inputs.empty());
  ASSERT_EQ(told(graph, feed).formats.size(), 1U);
  EXPECT_EQ(told(graph, feed).formats.front().shift, std::vector<double>{-0.5});
  EXPECT_TRUE(quantise_options(graph, feed, {}, Input::Reals).formats.empty()) << "the network keeps its reals";
  feed.preprocess.mean = {};
  feed.set = std::make_shared<Listed>(std::vector<data::Sample>{{Tensor({1}, std::vector<float>{1}), 0, {}}});
  EXPECT_TRUE(told(graph, feed).inputs.empty()) << "features are not pixels";
  EXPECT_TRUE(told(graph, feed).formats.empty());
}

TEST(QuantiseOptions, PutTheZeroPointWhereTheMeanIsAWholePixel) {
  Graph graph;
  graph.inputs = {graph.add_value("image", ElementType::Float32, {any, 3, 1, 1})};
  Feed feed;
  feed.set = std::make_shared<Listed>(std::vector<data::Sample>{{Tensor(ElementType::UInt8, {1, 1, 3}), 0, {}}});
  feed.preprocess.scale = 1;
  feed.preprocess.mean = {128, 128, 128};
  feed.preprocess.standard_deviation = {64, 64, 64};
  EXPECT_EQ(told(graph, feed).inputs.front().grid, (Grid{{1.0 / 64}, -1, 128, 0, 255}));
  feed.preprocess.standard_deviation = {64, 64, 32};
  EXPECT_TRUE(told(graph, feed).inputs.empty());
  EXPECT_EQ(told(graph, feed).formats.front().gain, (std::vector<double>{1.0 / 64, 1.0 / 64, 1.0 / 32}));
}
