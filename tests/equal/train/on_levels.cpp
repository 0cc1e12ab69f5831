#include <gtest/gtest.h>

#include <cmath>

#include "graph/evaluate/evaluate.hpp"
#include "passes/integerise/integerise.hpp"
#include "train/network/network.hpp"
#include "train/network/tensors.hpp"
#include "unit/train/norms.hpp"

/// What trains is what is deployed: every level of the forward pass is ID's.
namespace nibble {
namespace {

at::Tensor drawn(std::vector<int64_t> shape, uint64_t seed, double deviation = 1) {
  Random random(seed);
  at::Tensor x = at::empty(shape, at::kFloat);
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<float>()[i] = static_cast<float>(deviation * random.normal());
  return x;
}

struct Counts {
  int64_t compared = 0, differing = 0;
};

/// The levels of a run of the network beside those of the integers that it is written back to.
Counts differing(const train::Network& network, const at::Tensor& x, const train::Mode& mode) {
  std::map<std::string, at::Tensor> seen;
  network.run(x, mode, false,
              [&](graph::ValueId id, const at::Tensor& value) { seen[network.graph()[id].name] = value.detach(); });
  graph::Graph integer = network.graph();
  network.write_back(integer);
  passes::integerise(integer, {});
  Counts counts;
  graph::evaluate(integer, {train::from_torch(x, ElementType::Float32)}, [&](graph::ValueId id, const Tensor& levels) {
    const graph::Value& value = integer[id];
    const auto found = seen.find(value.name);
    const bool is_input = std::find(integer.inputs.begin(), integer.inputs.end(), id) != integer.inputs.end();
    if (is_input || !value.grid || value.grid->per_channel() || found == seen.end()) return;
    const std::vector<double> reals = train::doubles(found->second);
    const std::vector<int64_t> held = levels.to_integers();
    ASSERT_EQ(reals.size(), held.size()) << value.name;
    for (size_t i = 0; i < held.size(); ++i) {
      ++counts.compared;
      counts.differing += std::llrint(reals[i] / value.grid->scale[0]) + value.grid->zero_point != held[i];
    }
  });
  return counts;
}

/// Blocks with a gate, branches that meet, and pools: x * sigmoid(x), squeeze and excitation.
graph::Graph gated_network() {
  graph::Graph graph;
  graph.name = "gated", graph.stage = graph::Stage::FQ;
  const auto grid = [](double scale, int64_t low, int64_t high) { return test::grid_of(scale, low, high); };
  graph::ValueId x = graph.add_value("input", ElementType::Float32, {any, 1, 8, 8});
  graph.inputs = {x};
  x = test::quantised(graph, "input_q", x, grid(0.25, -16, 15));
  x = test::conv_norm(graph, "1", x, 1, 6, true, 0.7F);
  const auto gated = [&](const std::string& name, graph::ValueId value, graph::ValueId by) {
    const graph::ValueId level = test::quantised(graph, name + "_by_q", by, grid(0.125, -32, 31));
    const graph::ValueId gate = graph.add_node(name + "_sigmoid", graph::Sigmoid{}, {level});
    const graph::ValueId product = graph.add_node(
        name, graph::Mul{}, {value, test::quantised(graph, name + "_sigmoid_q", gate, grid(1.0 / 255, 0, 255))});
    return test::quantised(graph, name + "_q", product, grid(0.0625, -16, 47));
  };
  const graph::ValueId bn = test::quantised(graph, "bn1_q", x, grid(0.125, -32, 31));
  const graph::ValueId silu = gated("silu", bn, bn);
  x = test::conv_norm(graph, "2", silu, 6, 6, false, -0.4F);
  x = graph.add_node("sum", graph::Add{}, {test::quantised(graph, "bn2_q", x, grid(0.1, -64, 63)), silu});
  x = test::quantised(graph, "sum_q", graph.add_node("relu", graph::Relu{}, {x}), grid(0.07, 0, 63));
  const graph::ValueId pooled = test::quantised(
      graph, "squeeze_q", graph.add_node("squeeze", graph::GlobalAveragePool{}, {x}), grid(0.03, 0, 127));
  x = gated("excite", x, pooled);
  graph::MaxPool pool;
  pool.kernel = pool.strides = {2, 2}, pool.pads = {0, 0, 0, 0}, pool.dilations = {1, 1};
  x = graph.add_node("flatten", graph::Flatten{}, {graph.add_node("pool", pool, {x})});
  const Tensor weights = train::from_torch(drawn({4, 96}, 3, 0.1), ElementType::Float32);
  graph::Gemm gemm;
  gemm.transpose_b = true;
  x = graph.add_node(
      "fc", gemm,
      {x, test::quantised(graph, "fc.weight_q", graph.add_constant("fc.weight", weights), grid(0.03, -8, 7))});
  graph.outputs = {test::quantised(graph, "out_q", x, grid(0.05, -128, 127))};
  graph::tidy(graph);
  return graph;
}

TEST(OnLevels, ATestBatchAndTrainingWithFrozenStatisticsGiveTheIntegersThatAreDeployed) {
  for (const graph::Graph& graph :
       {test::network_of_norms(), test::network_of_norms(0.7F, false, true), gated_network()})
    for (bool trains : {false, true}) {
      const train::Network network(graph, {});
      const Counts counts = differing(network, drawn({16, 1, 8, 8}, 5), {trains, {}, 0, true});
      EXPECT_GT(counts.compared, 5000) << graph.name;
      EXPECT_EQ(counts.differing, 0) << graph.name << (trains ? ", training" : ", testing");
    }
}

TEST(OnLevels, EveryAlgorithmTrainsThemStepByStep) {
  const std::vector<train::QuantiserRecipe> recipes{
      {}, {quant::Lsq{}, false}, {quant::Tqt{{}, true}, false}, {quant::Pact{}, false}};
  for (const train::QuantiserRecipe& recipe : recipes) {
    const graph::Graph graph = gated_network();
    train::Network network(graph, [&](const train::QuantiserPlace&) { return recipe; });
    for (int step = 0; step < 5; ++step) {
      const at::Tensor y = network.run(drawn({8, 1, 8, 8}, 1 + step), {true, {}, step, true});
      (y * drawn({8, 4}, 77)).sum().backward();
      const at::NoGradGuard no_grad;
      for (train::Learned& one : network.learned())
        if (one.gradient && one.tensor.grad().defined()) {
          one.tensor.sub_(one.tensor.grad(), one.group.empty() ? 2e-3 : 1e-4);
          one.tensor.mutable_grad().reset();
        }
      network.settle();
      EXPECT_EQ(differing(network, drawn({8, 1, 8, 8}, 50 + step), {true, {}, step, true}).differing, 0)
          << quant::to_string(recipe.learning) << " after step " << step;
    }
  }
}

/// The image of a batch-norm by the batch's statistics is that of a network whose running ones are the batch's.
TEST(OnLevels, ABatchNormByItsBatchIsTheOneOfThatBatchsStatistics) {
  for (bool fold : {false, true}) {
    const graph::Graph graph = test::network_of_norms();
    train::Network by_batch(graph, {}, 1, fold);
    const at::Tensor x = drawn({16, 1, 8, 8}, 5);
    std::map<std::string, at::Tensor> seen;
    by_batch.run(x, {true, {}, 0, false}, false,
                 [&](graph::ValueId id, const at::Tensor& value) { seen[graph[id].name] = value.detach(); });
    // On its grid, and a level at most from what the reals say.
    const at::Tensor levels = seen.at("relu_q") / 0.25,
                     reals = at::clamp(at::floor(seen.at("relu") / 0.25 + 0.5), 0, 15);
    EXPECT_TRUE(at::equal(levels, at::round(levels)));
    EXPECT_LT((levels != reals).to(at::kFloat).mean().item<float>(), 1e-3) << fold;
  }
}

}  // namespace
}  // namespace nibble
