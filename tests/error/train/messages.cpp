#include <sys/resource.h>

#include <csignal>

#include "base/file.hpp"
#include "train/engine.hpp"
#include "train/loop/landmarks.hpp"
#include "train/network/network.hpp"
#include "train/network/tensors.hpp"
#include "unit/train/quantised.hpp"

namespace nibble {
namespace {

using test::Folder;
using test::small_network;
using test::small_run;
using test::trained;

std::string message(const std::function<void()>& act) {
  try {
    act();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no UserError";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(TrainErrors, AnEmptySetIsNamed) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.train_set = std::make_shared<test::Quarters>(0);
  EXPECT_EQ(message([&] { trained(run); }), "train: data set: no examples (expected at least one)");
}

TEST(TrainErrors, ALabelThatTheNetworkHasNoOutputForIsNamed) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  graph::Graph graph = small_network(2);
  const std::string said = message([&] { train::train(graph, run); });
  EXPECT_TRUE(contains(said, "train: data set: label ") &&
              contains(said, "(expected 0 to 1: the network has 2 outputs)"))
      << said;
}

TEST(TrainErrors, ALossThatIsNotFiniteNamesEpochAndStepAndKeepsTheLastCheckpoint) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  trained(run);
  const std::string before = read_file(folder.path / "checkpoint.pt", "test");
  run.train_set = std::make_shared<test::Quarters>(200, 4, std::nan(""));
  EXPECT_EQ(message([&] { trained(run); }),
            "train: epoch 1, step 1 of 13: 'input' holds nan (expected finite numbers in the data)");
  EXPECT_TRUE(read_file(folder.path / "checkpoint.pt", "test") == before);
}

TEST(TrainErrors, ABatchOfOneValueAChannelHasNoVariance) {
  graph::Graph graph;
  graph.name = "one";
  const graph::ValueId x = graph.add_value("input", ElementType::Float32, {any, 2, 1, 1});
  graph.inputs = {x};
  graph::Conv conv;
  conv.strides = {1, 1}, conv.dilations = {1, 1}, conv.pads = {0, 0, 0, 0};
  const auto filled = [&](const char* name, float value) {
    return graph.add_constant(name, Tensor({2}, std::vector<float>{value, value}));
  };
  const graph::ValueId y =
      graph.add_node("conv", conv, {x, graph.add_constant("w", Tensor({2, 2, 1, 1}, std::vector<float>{1, 2, 3, 4}))});
  graph.outputs = {graph.add_node("bn", graph::BatchNormalization{},
                                  {y, filled("gamma", 1), filled("beta", 0), filled("mean", 0), filled("var", 1)})};
  const train::Network network(graph);
  EXPECT_EQ(
      message([&] {
        network.run(at::ones({1, 2, 1, 1}), {true, {}, 0, false});
      }),
      "train: node 'bn' (BatchNormalization): a batch with one value a channel, which has no variance (expected a "
      "larger batch_size, or batch_norm's statistics frozen from the start)");
  EXPECT_EQ(message([&] { network.run(at::ones({2, 2, 1, 1}), {true, {}, 0, false}); }), "no UserError");
}

TEST(TrainErrors, ALearningRateThatFloat32DoesNotHoldIsNamedOfAdamToo) {
  const Folder folder;
  for (const char* optimiser : {"sgd", "adam"}) {
    train::TrainRun run = small_run(folder.path);
    run.recipe.optimiser = optimiser, run.recipe.learning_rate = optimiser == std::string("adam") ? 1e38 : 1e39;
    const std::string said = message([&] { trained(run); });
    EXPECT_TRUE(
        contains(said, std::string("a learning rate of ") + (optimiser == std::string("adam") ? "1e+38" : "1e+39")))
        << said;
  }
}

/// One example of which is spoiled.
class OneBad : public test::Quarters {
 public:
  OneBad() : Quarters(200) {}
  data::Sample sample(int64_t index) const override {
    data::Sample sample = Quarters::sample(index);
    if (index == 150) sample.x.as<float>()[9] = std::nanf("");
    return sample;
  }
};

TEST(TrainErrors, ARunThatStopsAtNanLeavesACheckpointThatGoesOnToTheSameBits) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.recipe.augmentation = Json::array(), run.checkpoint_seconds = 0;
  run.train_set = std::make_shared<OneBad>();
  int64_t steps = 0;
  run.on_step = [&](int64_t done, int64_t) { steps = done; };
  const std::string said = message([&] { trained(run); });
  const auto file = (folder.path / "checkpoint.pt").string();
  ASSERT_GT(steps, 0);
  EXPECT_EQ(said, "train: epoch 1, step " + std::to_string(steps + 1) +
                      " of 13: 'input' holds nan (expected finite numbers in the data; " + file +
                      " holds the network after epoch 1, step " + std::to_string(steps) + ")");
  const Folder other;
  train::TrainRun clean = small_run(other.path);
  clean.recipe.augmentation = Json::array();
  run.train_set = clean.train_set, run.resume = true;
  EXPECT_TRUE(trained(run) == trained(clean));
}

TEST(TrainErrors, WhatALearningRateThrewToInfinityIsNamedInTheNextStep) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.recipe.optimiser = "sgd", run.recipe.learning_rate = 3e38, run.recipe.schedule = "constant";
  run.checkpoint_seconds = 1e9;
  const std::string said = message([&] { trained(run); });
  EXPECT_TRUE(contains(said, "train: epoch 1, step 2 of 13: '") && contains(said, "' holds ")) << said;
  EXPECT_TRUE(contains(said, "(expected finite numbers; try a lower learning_rate)")) << said;
  EXPECT_FALSE(std::filesystem::exists(folder.path / "checkpoint.pt"));
}

TEST(TrainErrors, AnInterruptionNamesEpochStepAndHowToGoOn) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  volatile int stop = 0;
  run.interrupted = &stop;
  run.on_step = [&](int64_t done, int64_t) { stop = done == 15; };
  EXPECT_EQ(message([&] { trained(run); }), "train: interrupted at epoch 2, step 2: saved in " +
                                                (folder.path / "checkpoint.pt").string() +
                                                " (expected to go on with --resume)");
}

TEST(TrainErrors, AResumeOfAnotherDescriptionSaysWhatDiffers) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  trained(run);
  run.resume = true;
  const auto said = [&] { return message([&] { trained(run); }); };
  run.recipe.learning_rate = 0.5;
  EXPECT_TRUE(contains(said(),
                       "checkpoint.pt: the run that it belongs to has recipe.learning_rate = 0.01 (expected "
                       "recipe.learning_rate = 0.5, as this run; or start without --resume)"))
      << said();
  run.recipe.learning_rate = 0.01;
  run.preprocess.scale = 2;
  EXPECT_TRUE(contains(said(), "preprocess.scale = ")) << said();
  run.preprocess = {};
  graph::Graph other = small_network(5);
  const std::string network = message([&] { train::train(other, run); });
  EXPECT_TRUE(contains(network, "the run that it belongs to has network = ")) << network;
}

TEST(TrainErrors, AResumeWithAnotherQuantisationNamesTheKeyThatWasOrIs) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.quantisation = Json::parse(R"({"weights": {"bits": 4}, "layers": {"fc": 8}})");
  trained(run);
  run.resume = true;
  const auto said = [&](const char* asked) {
    run.quantisation = Json::parse(asked);
    return message([&] { trained(run); });
  };
  EXPECT_EQ(said(R"({"weights": {"bits": 4}, "layers": {"fc": 8}})"), "no UserError");
  for (const auto& [asked, expected] : {std::pair{R"({"weights": {"bits": 2}, "layers": {"fc": 8}})",
                                                  "has quantisation.weights.bits = 4 (expected "
                                                  "quantisation.weights.bits = 2, as this run"},
                                        {R"({"weights": {"bits": 4}, "layers": {}})",
                                         "has quantisation.layers.fc = 8 (expected quantisation.layers.fc = null, "},
                                        {"null", "has quantisation = {"}})
    EXPECT_TRUE(contains(said(asked), expected)) << said(asked);
}

TEST(TrainErrors, AResumeFromOtherWeightsIsRefused) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  graph::Graph graph = test::quantised_network();
  const graph::Graph start = graph;
  train::train(graph, run);
  run.resume = true;
  // Minus one too: an even number of signs must not cancel.
  for (const double factor : {2.0, -1.0}) {
    graph::Graph other = start;
    for (graph::Value& value : other.values)
      if (value.name == "fc.weight")
        value.constant = train::from_torch(train::to_torch(*value.constant) * factor, ElementType::Float32);
    const std::string said = message([&] { train::train(other, run); });
    EXPECT_TRUE(contains(said, "checkpoint.pt: the run that it belongs to has weights = ")) << said;
  }
}

TEST(TrainErrors, AScheduleThatEndsUnfinishedIsNamedBeforeTheFirstStep) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.recipe.epochs = 1;
  run.schedule = [](const std::string& name, double) { return train::QuantiserSettings{.on = name != "fc.weight_q"}; };
  run.on_step = [](int64_t, int64_t) { ADD_FAILURE() << "trained a step"; };
  graph::Graph graph = test::quantised_network();
  const std::string said = message([&] { train::train(graph, run); });
  EXPECT_TRUE(contains(said, "train: quantiser 'fc.weight_q': is off at the last step, at epoch 0.")) << said;
}

TEST(TrainErrors, AFileThatIsNoCheckpointIsNamed) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.resume = true;
  for (const char* bytes : {"", "not a checkpoint", "\x80\x02."}) {
    write_file(folder.path / "checkpoint.pt", bytes, "test");
    EXPECT_TRUE(contains(message([&] { trained(run); }), "checkpoint.pt: not a checkpoint that can be read")) << bytes;
  }
}

TEST(TrainErrors, ATruncatedCheckpointIsNamed) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  trained(run);
  const std::string whole = read_file(folder.path / "checkpoint.pt", "test");
  run.resume = true;
  for (size_t size : {whole.size() / 10, whole.size() / 2, whole.size() - 1}) {
    write_file(folder.path / "checkpoint.pt", whole.substr(0, size), "test");
    EXPECT_TRUE(contains(message([&] { trained(run); }), "not a checkpoint that can be read")) << size;
  }
}

TEST(TrainErrors, ADiskThatIsFullKeepsThePreviousCheckpoint) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  trained(run);
  const std::string before = read_file(folder.path / "checkpoint.pt", "test");
  // A limit on file sizes refuses the write as a full disk does.
  rlimit limit{}, whole{};
  ::getrlimit(RLIMIT_FSIZE, &whole);
  limit = {1000, whole.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::string said = message([&] { trained(run); });
  ::setrlimit(RLIMIT_FSIZE, &whole);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(contains(said, "checkpoint.pt: cannot be written: ")) << said;
  EXPECT_TRUE(read_file(folder.path / "checkpoint.pt", "test") == before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}), 3)
      << "checkpoint.pt, metrics.csv and tensorboard";
}

TEST(TrainErrors, AGraphWithoutWeightsIsNamed) {
  const Folder folder;
  graph::Graph graph;
  graph.name = "nothing";
  graph.inputs = {graph.add_value("x", ElementType::Float32, {any, 1, 8, 8})};
  graph.outputs = {graph.add_node("relu", graph::Relu{}, {graph.inputs[0]})};
  graph::tidy(graph);
  EXPECT_EQ(message([&] { train::train(graph, small_run(folder.path)); }),
            "train: nothing: no weights (expected a network with float32 constants to learn)");
}

TEST(TrainErrors, ExamplesOfAnotherShapeAreNamed) {
  const Folder folder;
  graph::Graph graph = small_network();
  graph[graph.inputs[0]].shape = {any, 1, 9, 8};
  EXPECT_EQ(message([&] { train::train(graph, small_run(folder.path)); }),
            "train: input 'input': examples of [16, 1, 8, 8] (expected [N, 1, 9, 8])");
}

TEST(TrainErrors, MissingTargetsAreNamed) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.recipe.loss = "mean_square";
  EXPECT_EQ(message([&] { trained(run); }), "train: data set: no targets (expected targets for the loss mean_square)");
}

TEST(TrainErrors, LandmarksThatCannotBeLearnedAreNamed) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.recipe.loss = "landmarks";
  EXPECT_EQ(
      message([&] { trained(run); }),
      "train: augmentation: it with the loss landmarks (expected none: the landmarks would stay where they were)");
  run.recipe.augmentation = Json::array();
  EXPECT_EQ(message([&] { trained(run); }),
            "train: data set: no landmarks (expected landmarks:DIR[:BASIS] for the loss landmarks)");
  data::LandmarkModel model;
  EXPECT_EQ(message([&] {
              train::Landmarks(model).points(at::zeros({2, 3}));
            }),
            "train: loss landmarks: 3 outputs (expected x and y of each point)");
  model.mean.resize(13), model.deviation.resize(13), model.average.resize(3), model.basis.resize(3);
  EXPECT_EQ(message([&] {
              train::Landmarks(model).points(at::zeros({2, 62}));
            }),
            "train: loss landmarks: 62 outputs (expected 13, the face model's parameters)");
  EXPECT_EQ(message([&] {
              train::landmark_loss(at::zeros({2, 5, 2}), at::zeros({2, 6, 2}));
            }),
            "train: loss landmarks: 5 points (expected 6, as the data have)");
}

TEST(RecipeErrors, EveryBadKeyIsNamed) {
  const auto said = [](const char* json) {
    return message([&] { train::recipe_from_json(Json::parse(json), "e.json: train"); });
  };
  EXPECT_EQ(said(R"({"epochs": -1})"), "train: e.json: train: epochs: -1 (expected a whole number, at least 0)");
  EXPECT_EQ(said(R"({"batch_size": 1.5})"),
            "train: e.json: train: batch_size: 1.5 (expected a whole number, at least 1)");
  EXPECT_EQ(said(R"({"optimiser": "adm"})"),
            "train: e.json: train: optimiser: 'adm' (did you mean 'adam'?) (expected adam or sgd)");
  EXPECT_EQ(said(R"({"learning_rate": 0})"),
            "train: e.json: train: learning_rate: 0 (expected a number above 0 that float32 holds)");
  EXPECT_EQ(said(R"({"momentum": 1})"), "train: e.json: train: momentum: 1 (expected a number in [0, 1))");
  EXPECT_EQ(said(R"({"augmentation": {}})"), "train: e.json: train: augmentation: {} (expected a list of objects)");
  EXPECT_EQ(said(R"({"threads": 5000})"),
            "train: e.json: train: threads: 5000 (expected a whole number from 1 to 1024)");
  EXPECT_TRUE(contains(said(R"({"epoch": 1})"), "did you mean 'epochs'?"));
}

TEST(EngineErrors, AnInputOfAnotherShapeIsNamed) {
  const graph::Graph graph = small_network();
  const auto engine = train::make_engine(graph, {});
  EXPECT_TRUE(contains(message([&] {
                         engine->run({Tensor(ElementType::Float32, {1, 1, 9, 9})});
                       }),
                       "graph: input 'input': "));
}

}  // namespace
}  // namespace nibble
