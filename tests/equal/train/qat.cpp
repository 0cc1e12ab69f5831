#include <gtest/gtest.h>

#include <ATen/Parallel.h>

#include <cmath>

#include "graph/text.hpp"
#include "quant/learning/annealing.hpp"
#include "train/engine.hpp"
#include "train/network/network.hpp"
#include "train/network/quantise_gradient.hpp"
#include "train/network/tensors.hpp"
#include "unit/train/quantised.hpp"

namespace nibble {
namespace {

using test::Folder;
using test::grid_of;
using test::quantised_network;
using test::small_run;
using train::QuantiserPlace;
using train::QuantiserRecipe;

struct Case {
  const char* name;
  QuantiserRecipe weights, activations;
};

std::vector<Case> cases() {
  const auto all = [](quant::Learning learning) { return QuantiserRecipe{learning, false}; };
  const QuantiserRecipe lsq = all(quant::Lsq{}), ste = all({});
  const quant::Ana ana{{}, quant::Noise::Triangular, quant::Draw::Random};
  return {
      {"ste", ste, ste},
      {"pact", all(quant::Pact{}), all(quant::Pact{})},
      {"tqt", all(quant::Tqt{{}, true, true}), all(quant::Tqt{{}, false, true, true})},
      {"lsq", lsq, lsq},
      {"ana", all(ana), all(ana)},
      {"inq", all(quant::Inq{{}, quant::Partition::Random}), lsq},
      {"inq with powers of two", all(quant::Inq{{}, quant::Partition::Magnitude, true}), lsq},
      {"inq with powers of two before scales that stay", all(quant::Inq{{}, quant::Partition::Magnitude, true}), ste},
      {"without zero", {quant::Lsq{}, true}, lsq}};
}

train::QuantiserRecipes recipes_of(const Case& each) {
  return [each](const QuantiserPlace& place) {
    return place.reads_input ? QuantiserRecipe{} : place.weights ? each.weights : each.activations;
  };
}

/// Noise is gone, and all weights are set, after two of three epochs.
train::QuantiserSettings schedule(const std::string&, double epochs) {
  train::QuantiserSettings settings;
  settings.annealing = quant::annealing_factor({.start = 0, .end = 2}, epochs, 0, 1);
  settings.fraction = quant::fraction_at({{0.5, 0.5}, {1, 0.75}, {2, 1}}, epochs);
  return settings;
}

train::TrainRun qat_run(const Case& each, const std::filesystem::path& folder) {
  train::TrainRun run = small_run(folder);
  run.quantisers = recipes_of(each);
  run.schedule = schedule;
  run.rules = {{"scale", {0.1, 0}}, {"threshold", {1, 0}}, {"bound", {1, 1e-3}}};
  return run;
}

std::string everything(const graph::Graph& graph) {
  return graph::to_text(graph, graph::Constants::Short) + test::bits(graph);
}

std::string trained_to(const train::TrainRun& run) {
  graph::Graph graph = quantised_network();
  train::train(graph, run);
  return everything(graph);
}

at::Tensor drawn(std::vector<int64_t> shape, uint64_t seed, double deviation = 1) {
  Random random(seed);
  at::Tensor x = at::empty(shape, at::kFloat);
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<float>()[i] = static_cast<float>(deviation * random.normal());
  return x;
}

TEST(Qat, InterruptedAnywhereAndResumedGivesTheSameBitsForEveryAlgorithm) {
  for (const Case& each : cases()) {
    const Folder whole;
    const std::string expected = trained_to(qat_run(each, whole.path));
    for (int64_t at : {13, 27}) {
      const Folder folder;
      train::TrainRun run = qat_run(each, folder.path);
      volatile int stop = 0;
      run.interrupted = &stop;
      run.on_step = [&](int64_t done, int64_t) { stop = done == at; };
      EXPECT_THROW(trained_to(run), UserError);
      stop = 0, run.on_step = {}, run.resume = true;
      EXPECT_TRUE(trained_to(run) == expected) << each.name << ", interrupted after step " << at;
      EXPECT_TRUE(trained_to(run) == expected) << each.name << ", resumed when it had ended";
    }
  }
}

TEST(Qat, LeavesTheGraphWithWhatWasTrainedToTheLastBit) {
  for (const Case& each : cases()) {
    graph::Graph graph = quantised_network();
    const graph::Graph before = graph;
    train::Network network(before, recipes_of(each));
    std::vector<at::Tensor> moved;
    for (int step = 0; step < 6; ++step) {
      network.apply(schedule, step / 2.0);
      const at::Tensor y = network.run(drawn({8, 1, 8, 8}, 1 + step), {true, {}, step});
      (y * drawn({8, 4}, 77)).sum().backward();
      const at::NoGradGuard no_grad;
      for (train::Learned& one : network.learned())
        if (one.gradient && one.tensor.grad().defined()) {
          one.tensor.sub_(one.tensor.grad(), one.group.empty() ? 2e-3 : 2e-4);
          one.tensor.mutable_grad().reset();
        }
      network.settle();
    }
    network.write_back(graph);
    const at::Tensor x = drawn({5, 1, 8, 8}, 99);
    const at::Tensor trained = network.run(x, {});
    const Tensor found = train::make_engine(graph, {})->run({train::from_torch(x, ElementType::Float32)}).at(0);
    EXPECT_TRUE(found == train::from_torch(trained, ElementType::Float32)) << each.name;
    for (const train::Quantiser* quantiser : network.quantisers())
      EXPECT_EQ(quantiser->unfinished(schedule("", 2.5)), "") << each.name;
    for (const graph::Node& node : graph.nodes)
      if (const auto* op = get_if<graph::Quantise>(&node.op)) {
        check_grid(op->grid, "test", node.name);
        EXPECT_EQ(*graph[node.outputs[0]].grid, op->grid) << node.name;
      }
    const auto scale = [&](const char* name) { return graph[graph.find(name)].grid->scale[0]; };
    const bool learns = std::string(each.name) != "ste" && std::string(each.name) != "ana";
    const double product = learns ? scale("fc.weight_q") * scale("conv_q") : 0.25 * 0.03125;
    EXPECT_EQ(graph[graph.outputs[0]].grid->scale[0], product) << each.name;
  }
}

TEST(Qat, GivesTheSameBitsOnAnyNumberOfThreads) {
  const at::Tensor x = drawn({16, 8, 40, 40}, 5), g = drawn({16, 8, 40, 40}, 6);
  for (int64_t axis : {-1, 1})
    for (const Case& each : cases()) {
      if (std::holds_alternative<quant::Inq>(each.activations.learning)) continue;
      std::vector<at::Tensor> results[2];
      for (int threads : {1, 2}) {
        at::set_num_threads(threads);
        Grid grid = grid_of(0.2, -4, 7);
        if (axis == 1) grid.scale.assign(8, 0.25), grid.axis = 1;
        const train::Quantiser quantiser("q", {grid, Rounding::HalfUp}, each.activations, {}, 3);
        at::Tensor from = x.clone();
        from.set_requires_grad(true);
        const at::Tensor y = quantiser.forward(from, true, 4);
        y.backward(g);
        results[threads - 1] = {y.detach(), from.grad()};
        for (const auto& learned : quantiser.learned()) results[threads - 1].push_back(learned.tensor.grad());
      }
      ASSERT_EQ(results[0].size(), results[1].size());
      for (size_t i = 0; i < results[0].size(); ++i) EXPECT_TRUE(at::equal(results[0][i], results[1][i])) << each.name;
    }
}

/// The published straight-through forms, written with libtorch's own operations.
at::Tensor by_operations(const at::Tensor& x, const at::Tensor& scale, double low, double high, bool residue) {
  const at::Tensor v = at::clamp(x / scale, low, high);
  const at::Tensor rounded = v + (at::floor(v + 0.5) - v).detach();
  return residue ? rounded * scale
                 : at::minimum(at::maximum(x, scale * low), scale * high) +
                       (rounded * scale - at::clamp(x / scale, low, high) * scale).detach();
}

TEST(Qat, GradientsAreThoseOfThePublishedFormsPerTensorAndPerChannel) {
  for (bool per_channel : {false, true})
    for (bool weights : {false, true})
      for (const quant::Learning& algorithm : {quant::Learning(quant::Lsq{}), {quant::Pact{}}, {quant::Tqt{}}}) {
        const at::Tensor x = drawn({6, 5, 7, 9}, 2), g = drawn({6, 5, 7, 9}, 3);
        Grid grid = grid_of(0.21, -4, 3);
        if (per_channel) grid.scale = {0.1875, 0.25, 0.3125, 0.375, 0.4375}, grid.axis = 1;
        at::Tensor from = x.clone(), again = x.clone();
        from.set_requires_grad(true), again.set_requires_grad(true);
        const train::Quantiser quantiser("q", {grid, Rounding::HalfUp}, {algorithm, false},
                                         weights ? from : at::Tensor(), 1);
        quantiser.forward(from, true, 0).backward(g);
        at::Tensor scale = at::tensor(at::ArrayRef<double>(quantiser.scales()), at::kFloat);
        scale.set_requires_grad(true);
        by_operations(again, per_channel ? scale.reshape({1, -1, 1, 1}) : scale, -4, 3,
                      algorithm != quant::Learning(quant::Pact{}))
            .backward(g);
        EXPECT_TRUE(at::allclose(from.grad(), again.grad())) << per_channel;
        const double count = static_cast<double>(x.numel()) / (per_channel ? 5 : 1) / (weights ? 1 : 6);
        const at::Tensor factor = algorithm == quant::Learning(quant::Lsq{}) ? at::full({1}, 1 / std::sqrt(3 * count))
                                  : algorithm == quant::Learning(quant::Pact{}) ? at::full({1}, 1 / 3.0)
                                                                                : scale.detach() * std::log(2.0);
        const at::Tensor expected = scale.grad() * factor, found = quantiser.learned()[0].tensor.grad();
        // From a byte an element residues are known to 1/506 of a level.
        const double tolerance =
            weights ? 1e-4 : 5.0 / 506 * std::sqrt(static_cast<double>(x.numel())) * factor.max().item<double>();
        EXPECT_LT((expected - found).abs().max().item<double>(), tolerance)
            << quant::to_string(algorithm) << per_channel << weights;
      }
}

TEST(Qat, BothBoundsOfPactLearnAndKeepZeroALevel) {
  Grid grid = grid_of(0.2, 0, 15);
  grid.zero_point = 5;
  train::Quantiser quantiser("q", {grid, Rounding::HalfUp}, {quant::Pact{}, false}, {}, 1);
  ASSERT_EQ(quantiser.learned().size(), 2u);
  EXPECT_EQ(quantiser.op().grid, grid);
  at::Tensor x = at::tensor({-2.0f, -1.2f, 0.0f, 1.0f, 3.0f, 4.0f});
  x.set_requires_grad(true);
  quantiser.forward(x, true, 0).backward(at::tensor({1.0f, 2.0f, 4.0f, 8.0f, 16.0f, 32.0f}));
  EXPECT_EQ(quantiser.learned()[0].tensor.grad().item<float>(), 3);
  EXPECT_EQ(quantiser.learned()[1].tensor.grad().item<float>(), 48);
  const at::NoGradGuard no_grad;
  quantiser.learned()[0].tensor.fill_(0.4f);
  at::Tensor none;
  quantiser.settle(none);
  EXPECT_EQ(quantiser.op().grid.zero_point, 0);
}

TEST(Qat, InqKeepsWhatIsSetWhateverTheOptimiserDoes) {
  at::Tensor w = drawn({4, 10}, 1, 0.3);
  w.set_requires_grad(true);
  train::Quantiser quantiser("q", {grid_of(0.125, -8, 7), Rounding::HalfUp}, {quant::Inq{}, false}, w, 1);
  quantiser.set_fraction(0.5, w);
  const at::Tensor y = quantiser.forward(w, true, 0);
  y.sum().backward();
  EXPECT_EQ(w.grad().sum().item<float>(), 20);
  EXPECT_EQ(quantiser.unfinished({.fraction = 0.5}), "still has weights that are not set");
  const at::NoGradGuard no_grad;
  const at::Tensor before = w.detach().clone();
  w.add_(1);
  quantiser.settle(w);
  EXPECT_TRUE(at::allclose(w - before, w.grad(), 1e-5, 1e-6));
  quantiser.set_fraction(1, w);
  EXPECT_EQ(quantiser.unfinished({.fraction = 1}), "");
  EXPECT_TRUE(at::equal(w, quantiser.forward(w, false, 0)));
}

TEST(Qat, QuantisersThatMeetInASumLearnOneScale) {
  const auto join = [&](bool same) {
    graph::Graph sum;
    sum.stage = graph::Stage::FQ, sum.name = "sum";
    const graph::ValueId x = sum.add_value("x", ElementType::Float32, {any, 4});
    sum.inputs = {x};
    graph::Gemm gemm;
    gemm.transpose_b = true;
    const graph::ValueId w = sum.add_constant("w", train::from_torch(drawn({4, 4}, 1), ElementType::Float32));
    const graph::ValueId y = sum.add_node("fc", gemm, {x, w});
    const graph::ValueId a = sum.add_node("a_q", graph::Quantise{grid_of(0.25, -8, 7)}, {x});
    const graph::ValueId b = sum.add_node("b_q", graph::Quantise{grid_of(0.25, -8, 7)}, {y});
    sum.outputs = {sum.add_node("add", graph::Add{}, {a, b})};
    train::Network network(sum, [same](const QuantiserPlace& place) {
      return QuantiserRecipe{same || place.node.name == "a_q" ? quant::Learning(quant::Lsq{}) : quant::Ste{}, false};
    });
    return network.learned().size();
  };
  EXPECT_EQ(join(true), 2u);
  try {
    join(false);
    ADD_FAILURE();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "train: quantiser 'b_q': shares a grid with 'a_q' and trains by ste, that one by lsq (expected one "
                 "algorithm with the same options)");
  }
}

/// y = fc(inputs joined by `op`), each input x through a quantiser of its own that learns its scale.
graph::Graph joined(const std::function<graph::ValueId(graph::Graph&, const std::vector<graph::ValueId>&)>& join,
                    int64_t width) {
  graph::Graph graph;
  graph.stage = graph::Stage::FQ, graph.name = "joined";
  const graph::ValueId x = graph.add_value("x", ElementType::Float32, {any, 4});
  graph.inputs = {x};
  std::vector<graph::ValueId> inputs;
  for (const char* name : {"a_q", "b_q", "c_q"})
    inputs.push_back(graph.add_node(name, graph::Quantise{grid_of(0.25, -8, 7)}, {x}));
  graph::Gemm gemm;
  gemm.transpose_b = true;
  const graph::ValueId w = graph.add_constant("w", train::from_torch(drawn({2, width}, 1), ElementType::Float32));
  const graph::ValueId w_q = graph.add_node("w_q", graph::Quantise{grid_of(0.125, -8, 7)}, {w});
  const graph::ValueId y = graph.add_node("fc", gemm, {join(graph, inputs), w_q});
  graph[y].grid = grid_of(0.25 * 0.125, -(int64_t{1} << 31), (int64_t{1} << 31) - 1);
  graph.outputs = {y};
  return graph;
}

TEST(Qat, GroupsThatMeetInOneQuantiserAreOne) {
  const graph::Graph graph = joined(
      [](graph::Graph& g, const std::vector<graph::ValueId>& x) {
        const graph::ValueId left = g.add_node("left", graph::Add{}, {x[0], x[1]});
        return g.add_node("sum", graph::Add{}, {left, g.add_node("right", graph::Add{}, {x[2], x[1]})});
      },
      4);
  train::Network network(graph, [](const QuantiserPlace&) { return QuantiserRecipe{quant::Lsq{}}; });
  const std::vector<train::Quantiser*> all = network.quantisers();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_TRUE(all[0]->shares_with(*all[1]));
  EXPECT_TRUE(all[0]->shares_with(*all[2]));
  EXPECT_FALSE(all[0]->shares_with(*all[3]));
}

TEST(Qat, AGridIsSoughtThroughANearestResizeAndNotThroughALinearOne) {
  for (const graph::ResizeMode mode : {graph::ResizeMode::Nearest, graph::ResizeMode::Linear}) {
    const graph::Graph graph = joined(
        [&](graph::Graph& g, std::vector<graph::ValueId> x) {
          x[1] = g.add_node("resize", graph::Resize{.scales = {1, 2}, .sizes = {}, .mode = mode}, {x[1]});
          return g.add_node("cat", graph::Concat{1}, x);
        },
        16);
    train::Network network(graph, [](const QuantiserPlace&) { return QuantiserRecipe{quant::Lsq{}}; });
    const std::vector<train::Quantiser*> all = network.quantisers();
    ASSERT_EQ(all.size(), 4u);
    EXPECT_EQ(all[0]->shares_with(*all[1]), mode == graph::ResizeMode::Nearest);
    EXPECT_TRUE(all[0]->shares_with(*all[2]));
  }
}

TEST(Qat, WhatJoinsBeforeALinearOutputHasOneShortScale) {
  const graph::Graph graph = joined(
      [](graph::Graph& g, const std::vector<graph::ValueId>& x) { return g.add_node("cat", graph::Concat{1}, x); }, 12);
  train::Network network(graph, [](const QuantiserPlace&) { return QuantiserRecipe{quant::Lsq{}}; });
  const at::NoGradGuard no_grad;
  const std::vector<train::Quantiser*> all = network.quantisers();
  all[0]->learned()[0].tensor.fill_(0.120281234f);
  for (const train::Quantiser* each : {all[1], all[2]}) EXPECT_EQ(each->op().grid, all[0]->op().grid) << each->name();
}

TEST(Qat, TheLossIsOverWhatAQuantisedSoftmaxReads) {
  graph::Graph graph = quantised_network();
  const at::Tensor x = drawn({5, 1, 8, 8}, 3);
  const at::Tensor logits = train::Network(graph).run(x, {});
  const graph::ValueId shares = graph.add_node("softmax", graph::Softmax{}, {graph.outputs[0]});
  graph.outputs = {graph.add_node("softmax_q", graph::Quantise{grid_of(1 / 256.0, 0, 255)}, {shares})};
  train::Network network(graph);
  EXPECT_TRUE(at::equal(network.run(x, {}, true), logits));
  EXPECT_FALSE(at::equal(network.run(x, {}), logits));
}

TEST(Qat, AGridWithNothingAboveZeroLearnsByItsLowestLevel) {
  for (const quant::Learning& algorithm : {quant::Learning(quant::Lsq{}), {quant::Tqt{}}, {quant::Pact{}}}) {
    train::Quantiser quantiser("q", {grid_of(0.5, -1, 0), Rounding::HalfUp}, {algorithm, false}, {}, 1);
    EXPECT_EQ(quantiser.op().grid.scale[0], 0.5);
    at::Tensor x = at::tensor({-2.0f, -0.3f, 1.0f});
    x.set_requires_grad(true);
    quantiser.forward(x, true, 0).backward(at::ones({3}));
    const float gradient = quantiser.learned()[0].tensor.grad().item<float>();
    EXPECT_TRUE(std::isfinite(gradient)) << gradient;
    EXPECT_LT(gradient, 0);
  }
}

/// Heads that join pieces join them alike, and on one zero point.
TEST(QatPieces, OnScalesOfTheirOwnThatAnOutputJoinsKeepThem) {
  for (const bool apart : {false, true})
    for (const bool requantised : {false, true}) {
      graph::Graph graph;
      graph.stage = graph::Stage::FQ;
      const graph::ValueId x = graph.add_value("x", ElementType::Float32, {any, 2, 4, 4});
      graph.inputs = {x};
      const auto on_grid = [&](const char* name, double scale, graph::ValueId source) {
        const graph::ValueId id = graph.add_node(name, graph::Quantise{grid_of(scale, -8, 7), {}}, {source});
        graph[id].grid = grid_of(scale, -8, 7);
        return id;
      };
      const graph::ValueId weights =
          graph.add_constant("w", Tensor({2, 2, 1, 1}, std::vector<float>{0.5f, -0.25f, 0.125f, 0.75f}));
      graph::Conv conv;
      conv.strides = conv.dilations = {1, 1}, conv.pads = {0, 0, 0, 0};
      const graph::ValueId in =
          on_grid("c_q", 0.5, graph.add_node("c", conv, {on_grid("x_q", 0.5, x), on_grid("w_q", 0.125, weights)}));
      const graph::ValueId a = on_grid("a_q", 0.25, graph.add_node("a", graph::Tanh{}, {in}));
      const graph::ValueId b = on_grid("b_q", apart ? 0.125 : 0.25, graph.add_node("b", graph::Sigmoid{}, {in}));
      const graph::ValueId joined = graph.add_node("joined", graph::Concat{1}, {a, b});
      graph.outputs = {requantised ? on_grid("joined_q", 0.25, joined)
                                   : graph.add_node("flat", graph::Flatten{}, {joined})};
      graph::tidy(graph);
      const train::Network network(graph, [](const QuantiserPlace&) { return QuantiserRecipe{quant::Lsq{}, false}; });
      for (const train::Quantiser* each : network.quantisers())
        EXPECT_EQ(each->keeps_grid(), apart && !requantised && (each->name() == "a_q" || each->name() == "b_q"))
            << each->name();
    }
}

TEST(QatMessages, NameTheQuantiserAndWhatItCannot) {
  const auto message = [](const Grid& grid, const QuantiserRecipe& recipe, const at::Tensor& weights) -> std::string {
    try {
      train::Quantiser("conv_q", {grid, Rounding::HalfUp}, recipe, weights, 1);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  };
  const at::Tensor w = at::zeros({4});
  EXPECT_EQ(
      message(grid_of(1, 0, 15), {quant::Inq{}, false}, {}),
      "train: quantiser 'conv_q': inq on activations (expected inq on weights alone; ste, pact, tqt, lsq or ana here)");
  EXPECT_EQ(
      message(grid_of(1, 0, 1), {{}, true}, {}),
      "train: quantiser 'conv_q': activations without a zero (expected weights: a ReLU and a padding give zeros)");
  EXPECT_EQ(message(grid_of(1, -1, 1), {{}, true}, w),
            "train: quantiser 'conv_q': 3 levels from -1 without a zero (expected a symmetric grid of an even number "
            "of levels)");
  EXPECT_EQ(message(grid_of(1, 0, 2047), {}, w),
            "train: quantiser 'conv_q': 2048 levels (expected fewer than 2048 where a quantiser trains)");
  for (const int64_t high : {0, 31})
    EXPECT_NE(message(grid_of(1, -high - 1, high), {quant::Inq{{}, quant::Partition::Magnitude, true}}, w)
                  .find(" levels, inq with powers of two (expected 3 to 32 levels: "),
              std::string::npos);
}

}  // namespace
}  // namespace nibble
