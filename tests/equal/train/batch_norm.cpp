#include <gtest/gtest.h>

#include <ATen/Parallel.h>

#include <cmath>
#include <set>

#include "graph/infer/infer.hpp"
#include "graph/verify.hpp"
#include "train/engine.hpp"
#include "train/loop/statistics.hpp"
#include "train/network/network.hpp"
#include "train/network/tensors.hpp"
#include "unit/train/norms.hpp"

namespace nibble {
namespace {

using test::Folder;
using test::network_of_norms;
using test::small_run;
using train::QuantiserPlace;
using train::QuantiserRecipe;

train::QuantiserRecipes weights_by(const QuantiserRecipe& recipe) {
  return [recipe](const QuantiserPlace& place) { return place.weights ? recipe : QuantiserRecipe{}; };
}

at::Tensor drawn(std::vector<int64_t> shape, uint64_t seed) {
  Random random(seed);
  at::Tensor x = at::empty(shape, at::kFloat);
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<float>()[i] = static_cast<float>(random.normal());
  return x;
}

at::Tensor constant(const graph::Graph& graph, const char* name) {
  return train::to_torch(*graph[graph.find(name)].constant);
}

const at::Tensor& learned(const train::Network& network, const std::string& name) {
  for (const train::Learned& one : network.learned())
    if (one.name == name) return one.tensor;
  throw InternalError("'" + name + "' is learned");
}

train::TrainRun run_in(const Folder& folder, train::BatchNormTraining batch_norm) {
  train::TrainRun run = small_run(folder.path);
  run.recipe.schedule = "constant";
  run.quantisers = weights_by({quant::Lsq{}, false});
  run.batch_norm = batch_norm;
  return run;
}

graph::Graph trained(const train::TrainRun& run, const graph::Graph& from) {
  graph::Graph graph = from;
  train::train(graph, run);
  return graph;
}

/// The folded form of the first batch-norm in libtorch's elementary operations on doubles.
at::Tensor by_operations(const std::map<std::string, at::Tensor>& in, const at::Tensor& scale, bool frozen) {
  const auto across = [](const at::Tensor& channels) { return channels.reshape({1, -1, 1, 1}); };
  const at::Tensor gain = in.at("bn1.weight") / at::sqrt(in.at("bn1.variance") + 1e-5);
  const at::Tensor v = at::clamp(in.at("conv1.weight") * gain.reshape({-1, 1, 1, 1}) / scale, -8, 7);
  const at::Tensor z = at::conv2d(in.at("x"), (v + (at::floor(v + 0.5) - v).detach()) * scale, {}, 1, 1);
  if (frozen) return z + across(in.at("bn1.bias") + (in.at("conv1.bias") - in.at("bn1.mean")) * gain);
  const at::Tensor u = z / across(gain) + across(in.at("conv1.bias"));
  const at::Tensor centred = u - u.mean(at::IntArrayRef{0, 2, 3}, true);
  const at::Tensor variance = (centred * centred).mean(at::IntArrayRef{0, 2, 3}, true);
  return across(in.at("bn1.weight")) * centred / at::sqrt(variance + 1e-5) + across(in.at("bn1.bias"));
}

TEST(FoldedBatchNorm, AndItsGradientsAreThoseOfElementaryOperationsInDouble) {
  for (bool frozen : {false, true}) {
    const graph::Graph graph = network_of_norms();
    const train::Network network(graph, {}, 1, true);
    std::map<std::string, at::Tensor> in{{"x", {}}};
    for (const char* name : {"conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias", "bn1.mean", "bn1.variance"}) {
      in[name] = constant(graph, name).to(at::kDouble).clone();
      in[name].set_requires_grad(true);
    }
    at::Tensor found;
    network.run(drawn({16, 1, 8, 8}, 5), {true, {}, 0, frozen}, false, [&](graph::ValueId id, const at::Tensor& value) {
      if (graph[id].name == "input_q") in["x"] = value.detach().to(at::kDouble);
      if (graph[id].name == "bn1") found = value;
    });
    const at::Tensor expected = by_operations(in, at::full({1}, 0.0625, at::kDouble), frozen);
    EXPECT_TRUE(at::allclose(found.to(at::kDouble), expected, 1e-4, 1e-4)) << frozen;
    const at::Tensor g = drawn({16, 6, 8, 8}, 6);
    (found * g).sum().backward();
    (expected * g).sum().backward();
    for (const char* name : {"conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias"}) {
      const at::Tensor wanted = in[name].grad(), got = learned(network, name).grad();
      ASSERT_TRUE(got.defined()) << name;
      EXPECT_LT((got - wanted).abs().max().item<double>(), 1e-3) << name << ", frozen " << frozen;
      // Before the statistics freeze a batch-norm takes away what its convolution adds.
      EXPECT_EQ(wanted.abs().max().item<double>() > 0.1, frozen || name != std::string("conv1.bias")) << name;
    }
  }
}

TEST(FoldedBatchNorm, LeavesTheGraphWithWhatWasTrainedToTheLastBit) {
  const std::vector<QuantiserRecipe> recipes{{},
                                             {quant::Pact{}, false},
                                             {quant::Tqt{{}, true}, false},
                                             {quant::Lsq{}, false},
                                             {quant::Ana{{}, quant::Noise::Normal}, false},
                                             {quant::Lsq{}, true}};
  for (const QuantiserRecipe& recipe : recipes)
    for (float gamma : {0.7F, 0.0F, -1e-12F}) {
      const graph::Graph before = network_of_norms(gamma);
      train::Network network(before, weights_by(recipe), 1, true);
      for (int step = 0; step < 4; ++step) {
        const at::Tensor y = network.run(drawn({8, 1, 8, 8}, 1 + step), {true, {}, step, step > 2});
        (y * drawn({8, 4}, 77)).sum().backward();
        const at::NoGradGuard no_grad;
        for (train::Learned& one : network.learned())
          if (one.gradient && one.tensor.grad().defined()) {
            EXPECT_TRUE(one.tensor.grad().isfinite().all().item<bool>()) << one.name;
            // The gammas stay: that of 0, too, has a gradient (where no ReLU is behind it).
            if (one.name == "bn2.weight") {
              EXPECT_GT(one.tensor.grad()[0].abs().item<float>(), 0);
            } else if (one.name != "bn1.weight") {
              one.tensor.sub_(one.tensor.grad(), one.group.empty() ? 2e-3 : 1e-4);
            }
            one.tensor.mutable_grad().reset();
          }
        network.settle();
      }
      graph::Graph graph = before;
      network.write_back(graph);
      for (const graph::Node& node : graph.nodes)
        EXPECT_FALSE(holds_alternative<graph::BatchNormalization>(node.op)) << node.name;
      const at::Tensor x = drawn({5, 1, 8, 8}, 99);
      const Tensor found = train::make_engine(graph, {})->run({train::from_torch(x, ElementType::Float32)}).at(0);
      EXPECT_TRUE(found == train::from_torch(network.run(x, {}), ElementType::Float32))
          << quant::to_string(recipe.learning) << ", gamma " << gamma;
    }
}

TEST(FoldedBatchNorm, IsInWeightsOf16BitsToo) {
  const graph::Graph before = network_of_norms(0.7F, false, true);
  const train::Network network(before, {}, 1, true);
  graph::Graph graph = before;
  network.write_back(graph);
  EXPECT_EQ(graph.find("bn1.weight"), graph::absent);
  const at::Tensor x = drawn({5, 1, 8, 8}, 99);
  const Tensor found = train::make_engine(graph, {})->run({train::from_torch(x, ElementType::Float32)}).at(0);
  EXPECT_TRUE(found == train::from_torch(network.run(x, {}), ElementType::Float32));
}

TEST(FoldedBatchNorm, WhereTheStatisticsAreFrozenTrainsWhatIsDeployed) {
  const graph::Graph graph = network_of_norms();
  const train::Network network(graph, {}, 1, true);
  const at::Tensor x = drawn({8, 1, 8, 8}, 1);
  EXPECT_TRUE(at::equal(network.run(x, {true, {}, 0, true}).detach(), network.run(x, {})));
  EXPECT_FALSE(at::equal(network.run(x, {true, {}, 0, false}).detach(), network.run(x, {})));
}

TEST(FoldedBatchNorm, WarnsOnceOfOneThatStandsElsewhere) {
  const Folder folder;
  train::TrainRun run = run_in(folder, {.freeze = {}, .fold = true, .reestimate = 0});
  run.recipe.epochs = 1;
  std::vector<std::string> said;
  run.warn = [&](const std::string& warning) {
    if (warning.find("batch-norm") == 0) said.push_back(warning);
  };
  const graph::Graph graph = trained(run, network_of_norms(0.7F, true));
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(
      said[0],
      "batch-norm 'bn2' is not folded: it does not alone read a Conv or Gemm whose quantised weights nothing else "
      "reads; it trains as it stands");
  EXPECT_EQ(graph.find("bn1.mean"), graph::absent);
  EXPECT_NE(graph.find("bn2.mean"), graph::absent);
  run.resume = true;
  trained(run, network_of_norms(0.7F, true));
  EXPECT_EQ(said.size(), 1u);
}

TEST(BatchNorm, FrozenKeepsItsStatisticsToTheLastBitAndLearnsOn) {
  const auto after = [](std::optional<double> freeze, int64_t epochs) {
    const Folder folder;
    train::TrainRun run = run_in(folder, {.freeze = freeze, .fold = false, .reestimate = 0});
    run.recipe.epochs = epochs;
    return trained(run, network_of_norms());
  };
  const auto same = [](const graph::Graph& a, const graph::Graph& b, const std::string& name) {
    return *a[a.find(name)].constant == *b[b.find(name)].constant;
  };
  const graph::Graph none = network_of_norms(), one = after({}, 1), frozen = after(1, 3), at_once = after(0, 1),
                     half = after(0.5, 1);
  for (const char* name : {"bn1.mean", "bn1.variance", "bn2.mean", "bn2.variance"}) {
    EXPECT_TRUE(same(frozen, one, name)) << name;
    EXPECT_TRUE(same(at_once, none, name)) << name;
    EXPECT_FALSE(same(one, none, name)) << name;
    EXPECT_FALSE(same(half, none, name) || same(half, one, name)) << name;
  }
  for (const char* name : {"bn1.weight", "bn2.bias"}) {
    EXPECT_FALSE(same(frozen, one, name)) << name;
    EXPECT_FALSE(same(at_once, none, name)) << name;
  }
}

/// Mean and variance of each channel of what the named node reads first in a graph, in one pass over whole doubles.
std::pair<std::vector<double>, std::vector<double>> moments(graph::Graph graph, const std::string& node,
                                                            const Tensor& x) {
  for (const graph::Node& each : graph.nodes)
    if (each.name == node) graph.outputs = {each.inputs[0]};
  graph::tidy(graph);
  const at::Tensor y = train::to_torch(train::make_engine(graph, {})->run({x}).at(0)).to(at::kDouble);
  const at::Tensor rows = y.transpose(0, 1).flatten(1);
  const at::Tensor mean = rows.mean(1), variance = rows.var(1, false);
  const auto values = [](const at::Tensor& each) {
    return std::vector<double>(each.data_ptr<double>(), each.data_ptr<double>() + each.numel());
  };
  return {values(mean), values(variance)};
}

Tensor first_examples(int64_t count) {
  const test::Quarters set(200);
  Tensor x(ElementType::Float32, {count, 1, 8, 8});
  for (int64_t i = 0; i < count; ++i)
    std::copy_n(set.sample(i).x.as<float>().begin(), 64, x.as<float>().begin() + i * 64);
  return x;
}

TEST(ReestimatedStatistics, AreThoseOfTheFinalNetworkOverThatManyExamples) {
  for (int64_t count : {70, 1000}) {
    const Folder folder;
    train::TrainRun run = run_in(folder, {.freeze = {}, .fold = false, .reestimate = count});
    run.recipe.epochs = 1;
    std::vector<int64_t> said;
    run.on_epoch = [&](const train::EpochReport& report) { said.push_back(report.reestimated); };
    const graph::Graph graph = trained(run, network_of_norms());
    const int64_t used = std::min<int64_t>(count, 200);
    EXPECT_EQ(said, std::vector<int64_t>{used});
    for (const std::string norm : {"bn1", "bn2"}) {
      const auto [mean, variance] = moments(graph, norm, first_examples(used));
      const std::vector<double> found_mean = graph[graph.find(norm + ".mean")].constant->to_reals(),
                                found_variance = graph[graph.find(norm + ".variance")].constant->to_reals();
      for (size_t c = 0; c < mean.size(); ++c) {
        EXPECT_FLOAT_EQ(static_cast<float>(mean[c]), static_cast<float>(found_mean[c])) << norm;
        EXPECT_FLOAT_EQ(static_cast<float>(variance[c]), static_cast<float>(found_variance[c])) << norm;
      }
    }
  }
}

/// What a folded channel gives has mean beta: nothing of the mean is left, whatever the weights became.
TEST(ReestimatedStatistics, OfFoldedBatchNormsCentreWhatTheFinalWeightsGive) {
  const Folder folder;
  train::TrainRun run = run_in(folder, {.freeze = {}, .fold = true, .reestimate = 200});
  run.recipe.epochs = 1;
  const graph::Graph before = network_of_norms();
  train::Network network(before, run.quantisers, 1, true);
  const at::Tensor x = train::to_torch(first_examples(200));
  train::reestimate_statistics(network, {2, [&](size_t b) { return b == 0 ? x.slice(0, 0, 77) : x.slice(0, 77); }});
  graph::Graph graph = before;
  network.write_back(graph);
  for (const auto& [reader, beta] : {std::pair{"relu", "bn1.bias"}, std::pair{"bn2_q", "bn2.bias"}}) {
    const auto mean = moments(graph, reader, first_examples(200)).first;
    const std::vector<double> expected = before[before.find(beta)].constant->to_reals();
    for (size_t c = 0; c < mean.size(); ++c) EXPECT_NEAR(mean[c], expected[c], 1e-5) << reader;
  }
}

/// Three batch-norms, two of them in the branches of a sum; `turns`: both convolutions come before both norms.
graph::Graph residual_network(bool turns) {
  graph::Graph graph;
  graph.name = "residual", graph.stage = graph::Stage::FQ;
  graph.inputs = {graph.add_value("input", ElementType::Float32, {any, 1, 8, 8})};
  graph::ValueId x = test::quantised(graph, "input_q", graph.inputs[0], test::grid_of(0.5, -8, 7));
  x = test::conv_norm(graph, "1", x, 1, 4, true, 0.7F);
  x = test::quantised(graph, "relu_q", graph.add_node("relu", graph::Relu{}, {x}), test::grid_of(0.25, 0, 15));
  const graph::ValueId left = test::conv_norm(graph, "2", x, 4, 4, false, 0.7F);
  const graph::ValueId right = test::conv_norm(graph, "3", x, 4, 4, true, 0.7F);
  std::vector<graph::Node>& nodes = graph.nodes;
  // ... Quantise, Conv 2, norm 2, Quantise, Conv 3, norm 3
  if (turns) std::rotate(nodes.end() - 4, nodes.end() - 3, nodes.end() - 1);
  const graph::ValueId sum =
      graph.add_node("add", graph::Add{}, {test::quantised(graph, "left_q", left, test::grid_of(0.25, -8, 7)), right});
  x = test::quantised(graph, "sum_q", sum, test::grid_of(0.25, -8, 7));
  x = test::conv_norm(graph, "4", x, 4, 4, false, 0.7F);
  graph.outputs = {graph.add_node("last", graph::Relu{}, {x})};
  graph::infer_shapes(graph);
  graph::verify(graph);
  return graph;
}

graph::Graph without_quantisers(graph::Graph graph) {
  for (graph::Node& node : graph.nodes)
    if (graph::holds_alternative<graph::Quantise>(node.op)) node.op = graph::Identity{};
  graph.stage = graph::Stage::FP;
  for (graph::Value& value : graph.values) value.grid.reset();
  return graph;
}

TEST(ReestimatedStatistics, AreTheSameBitsWhateverIsKept) {
  const at::Tensor x = train::to_torch(first_examples(50));
  const auto batch = [&](size_t b) {
    return x.slice(0, static_cast<int64_t>(b) * 20, static_cast<int64_t>(b) * 20 + 20);
  };
  for (const graph::Graph& graph : {network_of_norms(), network_of_norms(0.7F, true), residual_network(false),
                                    residual_network(true), without_quantisers(residual_network(false))})
    for (bool fold : {false, true}) {
      if (fold && graph.stage == graph::Stage::FP) continue;
      // Nothing, one batch or so, all.
      std::vector<std::string> found;
      for (int64_t memory : {int64_t{0}, int64_t{20000}, int64_t{1} << 30}) {
        train::Network network(graph, weights_by({quant::Lsq{}, false}), 1, fold);
        size_t asked = 0;
        train::reestimate_statistics(network, {3, [&](size_t b) { return ++asked, batch(b); }}, memory);
        EXPECT_LE(asked, network.batch_norms().size() * (fold ? 6 : 3));
        if (memory > 20000) {
          EXPECT_EQ(asked, 3U);
        }
        graph::Graph trained = graph;
        network.write_back(trained);
        found.push_back(test::bits(trained));
      }
      EXPECT_EQ(found[0], found[1]) << graph.name << fold;
      EXPECT_EQ(found[0], found[2]) << graph.name << fold;
    }
}

TEST(ReestimatedStatistics, AreTheSameBitsOnAnyNumberOfThreads) {
  std::vector<double> found[2];
  for (int threads : {1, 2}) {
    at::set_num_threads(threads);
    train::ChannelMoments moments;
    for (uint64_t seed : {1, 2, 3}) moments.add(drawn({33, 7, 20, 20}, seed));
    found[threads - 1] = moments.variance();
    found[threads - 1].insert(found[threads - 1].end(), moments.mean().begin(), moments.mean().end());
  }
  EXPECT_EQ(found[0], found[1]);
}

TEST(BatchNorm, InterruptedAnywhereAndResumedGivesTheSameBits) {
  for (bool fold : {false, true}) {
    const train::BatchNormTraining batch_norm{.freeze = 1.5, .fold = fold, .reestimate = 90};
    const Folder whole;
    std::vector<double> rates, resumed;
    train::TrainRun first = run_in(whole, batch_norm);
    first.on_epoch = [&](const train::EpochReport& report) { rates.push_back(report.learning_rate); };
    const std::string expected = test::bits(trained(first, network_of_norms()));
    // After the last step: while the statistics are computed anew.
    for (int64_t at : {5, 20, 39}) {
      const Folder folder;
      train::TrainRun run = run_in(folder, batch_norm);
      volatile int stop = 0;
      run.interrupted = &stop;
      run.on_step = [&](int64_t done, int64_t) { stop = done == at; };
      try {
        trained(run, network_of_norms());
        ADD_FAILURE() << "interrupted after step " << at;
      } catch (const UserError& error) {
        if (at == 39) {
          EXPECT_EQ(std::string(error.what()), "train: interrupted while statistics are computed anew: saved in " +
                                                   (folder.path / "checkpoint.pt").string() +
                                                   " (expected to go on with --resume)");
        }
      }
      stop = 0, run.on_step = {}, run.resume = true;
      run.on_epoch = [&](const train::EpochReport& report) { resumed.push_back(report.learning_rate); };
      EXPECT_TRUE(test::bits(trained(run, network_of_norms())) == expected) << fold << ", after step " << at;
      EXPECT_EQ(resumed.back(), rates.back());
      EXPECT_TRUE(test::bits(trained(run, network_of_norms())) == expected) << "of a finished run";
    }
  }
}

TEST(BatchNormMessages, NameWhatCannotBeAndWhatToDo) {
  const auto message = [](train::TrainRun run, const graph::Graph& graph) -> std::string {
    try {
      trained(run, graph);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  };
  const Folder folder;
  graph::Graph without = network_of_norms();
  train::Network(network_of_norms(), {}, 1, true).write_back(without);
  for (const train::BatchNormTraining& asked :
       {train::BatchNormTraining{1.0, false, 0}, {{}, true, 0}, {{}, false, 10}})
    EXPECT_EQ(message(run_in(folder, asked), without),
              "train: batch_norm: a network without a batch-norm (expected one that has any; in a policy "
              "\"batch_norm\": \"keep\" leaves them in the network while it trains)");
  train::TrainRun run = run_in(folder, {{}, false, 10});
  run.recipe.epochs = 0;
  EXPECT_EQ(message(run, network_of_norms()),
            "train: batch_norm: statistics to compute anew after 0 epochs (expected at least one epoch)");
  run = run_in(folder, {{}, true, 0});
  run.quantisers = weights_by({quant::Inq{}, false});
  EXPECT_EQ(message(run, network_of_norms()),
            "train: batch-norm 'bn1': folded into weights that inq sets on levels: they would leave them with the next "
            "statistics (expected another algorithm for the weights of 'conv1', or no fold)");
  graph::Graph shared = network_of_norms();
  const graph::ValueId x = shared.find("conv1"), y = shared.find("conv2");
  shared.outputs = {shared.add_node(
      "both", graph::Add{}, {shared.outputs[0], shared.add_node("mean", graph::ReduceMean{{1, 2, 3}, false}, {x})})};
  shared.outputs = {shared.add_node(
      "all", graph::Add{}, {shared.outputs[0], shared.add_node("means", graph::ReduceMean{{1, 2, 3}, false}, {y})})};
  EXPECT_EQ(
      message(run_in(folder, {{}, true, 0}), shared),
      "train: norms: no batch-norm to fold into quantised weights before it (expected one that alone reads a Conv "
      "or Gemm; in a policy \"batch_norm\": \"keep\" leaves them in the network)");
}

}  // namespace
}  // namespace nibble
