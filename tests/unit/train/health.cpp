#include "train/loop/health.hpp"

#include "unit/train/quantised.hpp"

namespace nibble {
namespace {

using test::Folder;
using test::quantised_network;

/// A network that trains by one algorithm, and what its health said.
struct Watched {
  graph::Graph graph;
  train::Network network;
  std::vector<std::string> said;
  std::function<void(const std::string&)> warn = [this](const std::string& sentence) { said.push_back(sentence); };
  train::Health health;

  explicit Watched(const quant::Learning& learning, graph::Graph of = quantised_network())
      : graph(std::move(of)),
        network(graph,
                [=](const train::QuantiserPlace&) {
                  return train::QuantiserRecipe{learning, false};
                }),
        health(network, warn) {}

  at::Tensor tensor(const std::string& name) {
    for (train::Learned& one : network.learned())
      if (one.name == name) return one.tensor.detach();
    ADD_FAILURE() << name;
    return {};
  }
};

TEST(Health, SaysNothingOfAHealthyNetwork) {
  Watched watched(quant::Lsq{});
  watched.tensor("conv_q.scale").mul_(20);
  watched.tensor("fc.weight_q.scale").div_(20);
  watched.health.after_step("here");
  watched.health.after_epoch("here");
  EXPECT_EQ(watched.said.size(), 0u) << watched.said[0];
}

TEST(Health, NamesACollapsedScaleOnce) {
  Watched watched(quant::Lsq{});
  watched.tensor("fc.weight_q.scale").div_(128);
  watched.health.after_step("epoch 2, step 5 of 13");
  watched.health.after_step("epoch 2, step 6 of 13");
  EXPECT_EQ(
      watched.said,
      std::vector<std::string>{
          "quantiser 'fc.weight_q': scale collapse at epoch 2, step 5 of 13: the scale was 0.0312 and is 0.000244, "
          "0.0078 times that; its levels tell nothing apart: lower the rate of group 'scale' or learning_rate, or "
          "freeze the ranges earlier"});
}

TEST(Health, NamesAnExplodedBoundAndItsChannel) {
  Watched watched(quant::Pact{});
  watched.tensor("conv_q.bound").mul_(128);
  watched.tensor("conv.weight_q.bound")[2] *= 1000;
  watched.health.after_step("epoch 1, step 1 of 13");
  ASSERT_EQ(watched.said.size(), 2u);
  EXPECT_EQ(
      watched.said[0].find("quantiser 'conv.weight_q': exploding bound at epoch 1, step 1 of 13: channel 2's scale"),
      0u)
      << watched.said[0];
  EXPECT_EQ(watched.said[1],
            "quantiser 'conv_q': exploding bound at epoch 1, step 1 of 13: the scale was 0.25 and is 32, 1.3e+02 times "
            "that; all its values meet on a few levels: raise the decay or lower the rate of group 'bound', or lower "
            "learning_rate");
}

TEST(Health, CountsWeightsThatGoBackAndForthAndNoneThatGoOneWay) {
  for (bool back : {false, true}) {
    Watched watched(quant::Ste{});
    const at::Tensor weights = watched.tensor("fc.weight");
    weights.fill_(-0.20f);
    for (int step = 0; step < 12; ++step) {
      // Half of the weights move.
      weights.slice(1, 0, 48).add_(back && step % 2 == 1 ? -0.03125f : 0.03125f);
      watched.health.after_step("here");
    }
    watched.health.after_epoch("epoch 1");
    if (back)
      EXPECT_EQ(watched.said, std::vector<std::string>{
                                  "quantiser 'fc.weight_q': oscillating weights at epoch 1: 50 % of the weights jump "
                                  "back and forth between two levels, on average every 50 steps or oftener; lower "
                                  "learning_rate towards the end (schedule cosine), or quantise this layer with "
                                  "more bits"});
    else
      EXPECT_TRUE(watched.said.empty()) << watched.said[0];
  }
}

TEST(Health, WeightsOfManyLevelsMayGoBackAndForth) {
  graph::Graph graph = quantised_network();
  const graph::ValueId weights = graph.find("fc.weight_q");
  Grid& grid = *graph[weights].grid;
  grid.low = -9;
  for (graph::Node& node : graph.nodes)
    if (node.name == "fc.weight_q") get<graph::Quantise>(node.op).grid = grid;
  Watched watched(quant::Ste{}, graph);
  const at::Tensor moved = watched.tensor("fc.weight");
  moved.fill_(-0.20f);
  for (int step = 0; step < 12; ++step) {
    moved.add_(step % 2 == 1 ? -0.03125f : 0.03125f);
    watched.health.after_step("here");
  }
  watched.health.after_epoch("epoch 1");
  EXPECT_TRUE(watched.said.empty()) << watched.said[0];
}

TEST(Health, LevelsOfWeightsAreThoseOfTheQuantiser) {
  for (int64_t stride : {1, 5}) {
    Watched watched(quant::Lsq{});
    for (const train::PlacedQuantiser& at : watched.network.placed_quantisers()) {
      if (!at.weights.defined()) continue;
      const at::Tensor y = at.quantiser->forward(at.weights.detach(), false, 0);
      std::vector<double> scales = at.quantiser->scales();
      const at::Tensor scale =
          at::tensor(at::ArrayRef<double>(scales), at::kFloat)
              .reshape(at.weights.dim() == 4 ? std::vector<int64_t>{-1, 1, 1, 1} : std::vector<int64_t>{-1, 1});
      const at::Tensor expected = at::round(y / scale).reshape({-1}).slice(0, 0, y.numel(), stride).to(at::kShort);
      EXPECT_TRUE(at::equal(at.quantiser->levels_of(at.weights, stride), expected)) << at.quantiser->name();
    }
  }
}

/// A network whose second channel is far below its ReLU.
graph::Graph with_a_dead_channel() {
  graph::Graph graph = quantised_network();
  graph[graph.find("bn.bias")].constant->as<float>()[1] = -100;
  return graph;
}

std::vector<std::string> warnings_of(train::TrainRun run) {
  std::vector<std::string> said;
  run.warn = [&](const std::string& sentence) { said.push_back(sentence); };
  graph::Graph graph = with_a_dead_channel();
  try {
    train::train(graph, run);
  } catch (const UserError&) {
    said.push_back("interrupted");
  }
  return said;
}

TEST(Health, NamesDeadChannelsOnceARunAlsoWhenItIsResumed) {
  const std::string expected =
      "quantiser 'conv_q': dead channels at epoch 1: 1 of 6 channels (1) were on one level for the whole epoch: they "
      "tell "
      "the network nothing; lower learning_rate or weight_decay, calibrate a narrower range, or remove them";
  for (int64_t at : {5, 20}) {
    const Folder folder;
    train::TrainRun run = test::small_run(folder.path);
    volatile int stop = 0;
    run.interrupted = &stop;
    run.on_step = [&](int64_t done, int64_t) { stop = done == at; };
    std::vector<std::string> said = warnings_of(run);
    stop = 0, run.resume = true, run.on_step = {};
    for (const std::string& each : warnings_of(run)) said.push_back(each);
    EXPECT_EQ(said, at == 5 ? (std::vector<std::string>{"interrupted", expected})
                            : (std::vector<std::string>{expected, "interrupted"}));
  }
}

TEST(Health, NamesTheFirstTensorThatIsNotFinite) {
  Watched watched(quant::Lsq{});
  EXPECT_EQ(train::learned_not_finite(watched.network), "");
  for (train::Learned& one : watched.network.learned())
    if (one.name == "fc.bias" || one.name == "conv_q.scale")
      one.tensor.mutable_grad() = at::full_like(one.tensor, -INFINITY);
  EXPECT_EQ(train::learned_not_finite(watched.network), "the gradient of 'fc.bias' holds -inf");
  watched.tensor("bn.bias")[3] = std::nanf("");
  EXPECT_EQ(train::learned_not_finite(watched.network), "'bn.bias' holds nan");
  const at::Tensor x = at::ones({2, 1, 8, 8});
  EXPECT_EQ(train::value_not_finite(watched.network, x, {}), "'bn.bias' holds nan");
  EXPECT_EQ(train::value_not_finite(watched.network, x / 0, {}), "'input' holds inf");
}

}  // namespace
}  // namespace nibble
