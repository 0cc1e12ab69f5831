#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <map>

#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "passes/integerise/integerise.hpp"
#include "passes/quantise/quantise.hpp"
#include "scratch.hpp"
#include "unit/passes/random_networks.hpp"

// Integer networks through the standard's two forms and back: the same integers in every value of one name.
namespace nibble {
namespace {

using graph::Graph;

/// A random CNN of what the standard's integer ops have: convolutions of any kind, norms after them, residuals, pools.
passes::testing::Network float_network(uint64_t seed) {
  passes::testing::Network n(seed);
  const auto below = [&](uint64_t bound) { return static_cast<int64_t>(n.random.below(bound)); };
  graph::ValueId x = n.input({any, 1 + below(3), 8, 8});
  const auto layer = [&](const std::string& name, int64_t outputs, int64_t kernel, int64_t group) {
    graph::ValueId y = n.conv(name, x, outputs, kernel, 1, kernel / 2, group, below(2) == 0);
    if (below(2) == 0) y = n.batch_norm(name + "_bn", y);
    return below(3) == 0 ? y : n.relu(name + "_relu", y);
  };
  x = layer("first", 4, 3, 1);
  for (int64_t block = 0; block < 3; ++block) {
    const std::string name = "block" + std::to_string(block);
    const int64_t c = n.channels(x);
    switch (below(4)) {
      case 0: x = layer(name, c, 3, c); break;
      case 1: x = n.relu(name + "_relu2", n.add(name + "_add", x, layer(name, c, 3, 1))); break;
      case 2: x = n.max_pool(name + "_max", layer(name, 5, 1, 1)); break;
      default: x = n.average_pool(name + "_mean", layer(name, 6, 3, 1)); break;
    }
    if (n.graph[x].shape[2] < 4) break;
  }
  if (below(2) == 0) x = n.node("gap", graph::GlobalAveragePool{}, {x});
  x = n.flatten("flatten", x);
  if (below(2) == 0) x = n.relu("hidden_relu", n.gemm("hidden", x, 6));
  x = n.gemm("logits", x, 4);
  n.finish({below(3) == 0 ? n.node("rows", graph::Unsqueeze{{1}}, {x}) : x});
  return n;
}

/// It, of at least 2 bits, made integer by the standard's rule.
Graph integer_network(uint64_t seed) {
  passes::testing::Network network = float_network(seed);
  Random random(seed * 5 + 3);
  passes::QuantiseOptions options;
  passes::LayerPolicy& policy = options.policy.defaults;
  policy.weight_levels = static_cast<int64_t>(4 + random.below(253));
  policy.activation_levels = static_cast<int64_t>(4 + random.below(253));
  policy.symmetric_activations = random.below(2) == 0;
  policy.rounding = static_cast<Rounding>(1 + random.below(2));
  const std::vector<Tensor> batch = passes::testing::batch_for(network.graph, network.random, 8);
  passes::quantise(network.graph, options, graph::reference_engine, [&](const auto& take) { take(batch); });
  passes::IntegeriseOptions integerise;
  integerise.requantisation = passes::RequantisationRule::Standard;
  passes::integerise(network.graph, integerise);
  return network.graph;
}

using nibble::tests::scratch;

using Values = std::map<std::string, std::vector<int64_t>>;

Values values_of(const Graph& graph, const Tensor& input) {
  Values values;
  graph::evaluate(graph, {input}, [&](graph::ValueId id, const Tensor& tensor) {
    const auto& grid = graph[id].grid;
    if (!is_real(graph[id].type)) {
      values[graph[id].name] = tensor.to_integers();
    } else if (grid && !grid->per_channel()) {
      std::vector<int64_t>& q = values[graph[id].name];
      for (double x : tensor.to_reals()) q.push_back(grid->quantise(x, 0, Rounding::HalfEven));
    }
  });
  return values;
}

/// Names that both have must have the same integers; returns how many integers were compared.
size_t expect_same(const Values& expected, const Values& found, uint64_t seed) {
  size_t compared = 0;
  for (const auto& [name, integers] : expected) {
    const auto again = found.find(name);
    if (again == found.end()) continue;
    EXPECT_EQ(again->second, integers) << "network " << seed << ": " << name;
    compared += integers.size();
  }
  return compared;
}

struct Tried {
  int written = 0, refused = 0;
  size_t integers = 0;
};

template <class Write>
Tried round_trips(Write&& write) {
  Tried tried;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const Graph graph = integer_network(seed);
    const auto file = scratch("standard.onnx");
    try {
      write(graph, file);
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find("nodes that"), std::string::npos) << error.what();
      ++tried.refused;
      continue;
    }
    ++tried.written;
    Random random(seed);
    const Tensor input = passes::testing::batch_for(float_network(seed).graph, random, 2).at(0);
    const Values expected = values_of(graph, input), found = values_of(onnx::read(file), input);
    const std::string& output = graph[graph.outputs[0]].name;
    EXPECT_TRUE(expected.contains(output) && found.contains(output)) << output;
    tried.integers += expect_same(expected, found, seed);
  }
  return tried;
}

TEST(QOperator, HoldsTheIntegersOfNetworksOfTheStandardsRule) {
  const Tried tried = round_trips([](const Graph& graph, const auto& file) { onnx::write_qoperator(graph, file); });
  EXPECT_EQ(tried.refused, 0);
  EXPECT_GE(tried.integers, 50000u);
}

TEST(Qdq, OfAnIntegerNetworkMeansItsIntegers) {
  const Tried tried = round_trips([](const Graph& graph, const auto& file) { onnx::write_qdq(graph, file); });
  EXPECT_EQ(tried.refused, 0);
  EXPECT_GE(tried.integers, 50000u);
}

/// For tools of opset 13, where none of these functions is one op.
TEST(Qdq, InPiecesBecomesTheIntegersOfItsFunctions) {
  const graph::Op functions[] = {graph::Swish{}, graph::HardSwish{}, graph::Mish{}, graph::Gelu{}, graph::Gelu{true}};
  for (size_t i = 0; i <= std::size(functions); ++i) {
    passes::testing::Network n(i);
    graph::ValueId x = n.conv("in", n.input({any, 3, 5, 5}), 4, 3, 1);
    if (i < std::size(functions))
      x = n.node("function", functions[i], {x});
    else
      x = n.node("function", graph::LayerNormalization{1}, {x, n.constant("gain", n.normal({4, 3, 3}, 0.2, 1))});
    n.finish({n.conv("out", x, 2, 1, 1)});
    const std::vector<Tensor> batch = passes::testing::batch_for(n.graph, n.random, 8);
    passes::QuantiseOptions options;
    options.policy.defaults.rounding = Rounding::HalfEven;
    passes::quantise(n.graph, options, graph::reference_engine, [&](const auto& take) { take(batch); });
    const auto file = scratch("pieces.onnx");
    onnx::write_qdq(n.graph, file, onnx::Containers::Byte);
    Graph pieces = onnx::read(file);
    EXPECT_GT(pieces.nodes.size(), n.graph.nodes.size());
    passes::integerise(n.graph, {});
    passes::integerise(pieces, {});
    EXPECT_GT(expect_same(values_of(n.graph, batch[0]), values_of(pieces, batch[0]), i), 200u);
  }
}

/// A convolution, a slope below zero (one, or one a channel), a convolution.
TEST(Qdq, OfATableOfASlopeBelowZeroHasItsIntegers) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    passes::testing::Network n(seed);
    graph::ValueId x = n.conv("in", n.input({any, 3, 6, 6}), 4, 3, 1);
    if (seed % 3 == 0)
      x = n.node("bent", graph::LeakyRelu{0.3}, {x});
    else
      x = n.node("bent", graph::PRelu{},
                 {x, n.constant("slope", n.normal(seed % 3 == 1 ? Shape{4, 1, 1} : Shape{1}, 0.4))});
    n.finish({n.conv("out", x, 2, 1, 1)});
    const std::vector<Tensor> batch = passes::testing::batch_for(n.graph, n.random, 8);
    passes::QuantiseOptions options;
    options.policy.defaults.symmetric_activations = seed % 2 == 0;
    options.policy.defaults.rounding = Rounding::HalfEven;
    passes::quantise(n.graph, options, graph::reference_engine, [&](const auto& take) { take(batch); });
    passes::IntegeriseOptions standard;
    standard.requantisation = passes::RequantisationRule::Standard;
    passes::integerise(n.graph, standard);
    const auto file = scratch("bent.onnx");
    onnx::write_qdq(n.graph, file);
    const Values expected = values_of(n.graph, batch[0]), found = values_of(onnx::read(file), batch[0]);
    EXPECT_TRUE(expected.contains("bent_q") && found.contains("bent_q"));
    EXPECT_GT(expect_same(expected, found, seed), 200u);
  }
}

TEST(QOperator, NamesTheNodesOfANetworkWhoseBiasesAreNotWhole) {
  passes::testing::Network network = float_network(2);
  const std::vector<Tensor> batch = passes::testing::batch_for(network.graph, network.random, 8);
  passes::quantise(network.graph, {}, graph::reference_engine, [&](const auto& take) { take(batch); });
  passes::integerise(network.graph, {});
  try {
    onnx::write_qoperator(network.graph, scratch("never.onnx"));
    FAIL();
  } catch (const UserError& error) {
    const std::string_view message = error.what();
    EXPECT_TRUE(
        message.starts_with("onnx: test: nodes that the standard's scales cannot say: 'first_q' (no whole bias "
                            "and float32 scale has its integers: channel "))
        << message;
    EXPECT_TRUE(
        message.ends_with("sums differ) (expected float32 scales, whole biases and 8-bit levels: integerize "
                          "--requantisation standard gives them)"))
        << message;
  }
}

}  // namespace
}  // namespace nibble
