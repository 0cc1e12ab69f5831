#include <cmath>

#include "base/file.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "train/engine.hpp"
#include "train/loop/schedule.hpp"
#include "unit/train/small.hpp"

namespace nibble {
namespace {

using test::Folder;
using test::small_network;
using test::small_run;
using test::trained;

TEST(Train, LearnsWhatCanBeLearned) {
  for (const char* optimiser : {"adam", "sgd"}) {
    const Folder folder;
    train::TrainRun run = small_run(folder.path);
    run.recipe.optimiser = optimiser, run.recipe.epochs = 6, run.recipe.label_smoothing = 0.05;
    run.recipe.augmentation = Json::array();
    std::vector<train::EpochReport> reports;
    run.on_epoch = [&](const train::EpochReport& report) { reports.push_back(report); };
    trained(run, false);
    ASSERT_EQ(reports.size(), 6u);
    EXPECT_LT(reports.back().train_loss, reports.front().train_loss) << optimiser;
    EXPECT_GT(reports.back().test_accuracy, 0.9) << optimiser;
    EXPECT_EQ(reports.back().epoch, 6);
  }
}

TEST(Train, ReportsTheAccuracyThatTheEngineMeasuresAfterwards) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  double reported = 0;
  run.on_epoch = [&](const train::EpochReport& report) { reported = report.test_accuracy; };
  graph::Graph graph = small_network();
  train::train(graph, run);
  const auto engine = train::make_engine(graph, {});
  int correct = 0;
  for (int64_t i = 0; i < run.test_set->size(); ++i) {
    const data::Sample sample = run.test_set->sample(i);
    const auto y = engine->run({sample.x.reshaped({1, 1, 8, 8})}).at(0).to_reals();
    correct += std::max_element(y.begin(), y.end()) - y.begin() == sample.label;
  }
  EXPECT_DOUBLE_EQ(reported, correct / 50.0);
}

TEST(Train, MovesTheRunningStatisticsOfABatchNormAndKeepsWhatIsNotLearned) {
  const Folder folder;
  graph::Graph graph = small_network();
  const graph::Graph before = graph;
  train::train(graph, small_run(folder.path));
  for (const char* name : {"conv.weight", "bn.weight", "bn.bias", "bn.mean", "bn.variance", "fc.weight", "fc.bias"})
    EXPECT_FALSE(*graph[graph.find(name)].constant == *before[before.find(name)].constant) << name;
  EXPECT_EQ(graph.values.size(), before.values.size());
}

TEST(Train, DoesOneStepOfSgdAsTheFormulasSay) {
  // y = w x, loss (y - t)^2: w -= rate * (2 x (w x - t) + decay w)
  class One : public data::Dataset {
   public:
    int64_t size() const override { return 1; }
    int64_t classes() const override { return 0; }
    data::Sample sample(int64_t) const override {
      return {Tensor({1}, std::vector<float>{3}), -1, Tensor({1}, std::vector<float>{5})};
    }
  };
  const Folder folder;
  graph::Graph graph;
  graph.name = "one";
  graph.inputs = {graph.add_value("x", ElementType::Float32, {any, 1})};
  graph.outputs = {graph.add_node("fc", graph::Gemm{},
                                  {graph.inputs[0], graph.add_constant("w", Tensor({1, 1}, std::vector<float>{2}))})};
  graph::tidy(graph);
  train::TrainRun run;
  run.recipe.epochs = 1, run.recipe.optimiser = "sgd", run.recipe.loss = "mean_square",
  run.recipe.schedule = "constant";
  run.recipe.learning_rate = 0.01, run.recipe.weight_decay = 0.5;
  run.train_set = std::make_shared<One>();
  run.folder = folder.path;
  train::train(graph, run);
  EXPECT_NEAR(graph[graph.find("w")].constant->as<float>()[0], 2 - 0.01 * (2 * 3 * (2 * 3 - 5) + 0.5 * 2), 1e-6);
}

TEST(Train, TwoRunsOfOneSeedAreBitIdenticalAndAnotherSeedIsNot) {
  const Folder a, b, c;
  const std::string first = trained(small_run(a.path));
  EXPECT_TRUE(first == trained(small_run(b.path)));
  train::TrainRun other = small_run(c.path);
  other.recipe.seed = 2;
  EXPECT_FALSE(first == trained(other));
}

TEST(Train, WritesOneLineOfMetricsAnEpochAlsoWhenResumed) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  volatile int stop = 0;
  run.interrupted = &stop;
  run.on_step = [&](int64_t done, int64_t) { stop = done == 20; };
  EXPECT_THROW(trained(run), UserError);
  stop = 0, run.on_step = {}, run.resume = true;
  trained(run);
  const std::string csv = read_file(folder.path / "metrics.csv", "test");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 4) << csv;
  EXPECT_EQ(csv.rfind("epoch,epochs,train_loss,train_accuracy,", 0), 0u) << csv;
  EXPECT_NE(csv.find("\n3,3,"), std::string::npos) << csv;
}

TEST(Train, LeavesALastBatchOfOneExampleOut) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.train_set = std::make_shared<test::Quarters>(33);
  int64_t steps = 0;
  run.on_step = [&](int64_t, int64_t of) { steps = of; };
  trained(run);
  EXPECT_EQ(steps, 3 * 2);
}

TEST(Schedule, WarmsUpThenFallsByACosine) {
  train::Recipe recipe;
  recipe.epochs = 10, recipe.learning_rate = 1, recipe.warmup_epochs = 1, recipe.schedule = "cosine";
  EXPECT_DOUBLE_EQ(train::learning_rate(recipe, 0, 100), 0.01);
  EXPECT_DOUBLE_EQ(train::learning_rate(recipe, 98, 100), 0.99);
  EXPECT_DOUBLE_EQ(train::learning_rate(recipe, 100, 100), 1);
  EXPECT_DOUBLE_EQ(train::learning_rate(recipe, 550, 100), 0.5);
  EXPECT_LT(train::learning_rate(recipe, 999, 100), 1e-4);
}

TEST(Schedule, StepsDownAfterSoManyEpochs) {
  train::Recipe recipe;
  recipe.epochs = 9, recipe.learning_rate = 1, recipe.schedule = "step", recipe.step_epochs = 3,
  recipe.step_factor = 0.1;
  EXPECT_DOUBLE_EQ(train::learning_rate(recipe, 29, 10), 1);
  EXPECT_DOUBLE_EQ(train::learning_rate(recipe, 30, 10), 0.1);
  EXPECT_NEAR(train::learning_rate(recipe, 89, 10), 0.01, 1e-15);
}

TEST(Recipe, ReadsBackWhatItWrites) {
  train::Recipe recipe;
  recipe.epochs = 7, recipe.optimiser = "sgd", recipe.label_smoothing = 0.1, recipe.seed = 5;
  recipe.augmentation = Json::parse(R"([{"flip": "horizontal"}])");
  EXPECT_EQ(train::to_json(train::recipe_from_json(train::to_json(recipe), "test")), train::to_json(recipe));
}

}  // namespace
}  // namespace nibble
