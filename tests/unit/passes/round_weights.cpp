#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "graph/text.hpp"
#include "passes/integerise/integerise.hpp"
#include "passes/quantise/weight_rows.hpp"
#include "quant/range.hpp"
#include "unit/passes/networks.hpp"

/// Weights rounded for what they do to the sums.
namespace nibble::passes::testing {
namespace {

/// Channels that follow one another: what a weight's error does, its neighbour's can take back.
Batches alike(const Graph& graph, uint64_t seed, int count = 12) {
  return [&graph, seed, count](const std::function<void(const std::vector<Tensor>&)>& use) {
    Random random(seed);
    for (int b = 0; b < count; ++b) {
      std::vector<Tensor> inputs = batch_for(graph, random, 8);
      const Shape& shape = inputs[0].shape();
      const auto channels = static_cast<size_t>(shape[1]);
      const auto values = inputs[0].as<float>();
      const size_t inner = values.size() / channels / static_cast<size_t>(shape[0]);
      for (size_t i = 0; i < values.size(); ++i) {
        const size_t c = i / inner % channels;
        if (c > 0) values[i] = values[i - c * inner] + 0.2F * values[i];
      }
      use(inputs);
    }
  };
}

QuantiseOptions narrow(const char* weight_rounding = "measured") {
  QuantiseOptions options;
  options.policy = policy_from_json(Json{{"weights", 4}, {"weight_rounding", weight_rounding}}, "policy");
  return options;
}

double decibels_of(const Graph& real, const Graph& fake, uint64_t seed) {
  double signal = 0, noise = 0;
  alike(real, seed, 4)([&](const std::vector<Tensor>& inputs) {
    const auto x = graph::evaluate(real, inputs).at(0).to_reals(), y = graph::evaluate(fake, inputs).at(0).to_reals();
    for (size_t i = 0; i < x.size(); ++i) signal += x[i] * x[i], noise += (x[i] - y[i]) * (x[i] - y[i]);
  });
  return 10 * std::log10(signal / noise);
}

/// dB that the outputs gain on data that nothing was chosen by.
double gain_of(const Graph& real) {
  Graph measured = real, nearest = real;
  const QuantiseReport report = quantise(measured, narrow(), graph::reference_engine, alike(real, 1));
  quantise(nearest, narrow("nearest"), graph::reference_engine, alike(real, 1));
  EXPECT_GT(report.weights.layers, 0);
  EXPECT_GT(report.weights.rounded_db.value_or(0), report.weights.nearest_db.value_or(0));
  return decibels_of(real, measured, 2) - decibels_of(real, nearest, 2);
}

/// A network of one op that `add` puts behind x and a Relu.
template <class Add>
Graph network_of(Shape input, Add&& add) {
  Network n(5);
  const ValueId x = n.input(std::move(input));
  n.finish({n.relu("relu", add(n, x))});
  return n.graph;
}

/// Ops of every kind whose weights are rows, behind an input.
std::vector<Graph> every_kind() {
  const auto conv = [](const graph::Conv& op, const Shape& weights) {
    return [=](Network& n, ValueId x) {
      return n.node("op", op, {x, n.constant("w", n.normal(weights, 0.3)), n.constant("b", n.normal({weights[0]}))});
    };
  };
  std::vector<Graph> graphs;
  graphs.push_back(network_of({any, 6, 7, 5}, conv({{2, 1}, {1, 0, 2, 1}, {1, 2}, 1, 0}, {4, 6, 3, 2})));
  graphs.push_back(network_of({any, 6, 7, 5}, conv({{1, 2}, {1, 1, 1, 1}, {2, 1}, 3, 0}, {6, 2, 3, 3})));
  graphs.push_back(network_of({any, 4, 6, 6}, conv({{1, 1}, {1, 1, 1, 1}, {1, 1}, 4, 0}, {8, 1, 3, 3})));
  graphs.push_back(network_of({any, 4, 9}, conv({{2}, {2, 1}, {2}, 2, 0}, {4, 2, 3})));
  graphs.push_back(network_of({any, 2, 4, 5, 3}, conv({{}, {}, {}, 1, 0}, {3, 2, 2, 2, 2})));
  graphs.push_back(network_of({any, 4, 5, 4}, [](Network& n, ValueId x) {
    return n.node("op", graph::ConvTranspose{{2, 3}, {1, 0, 1, 0}, {1, 2}, {1, 0}, 2, 0},
                  {x, n.constant("w", n.normal({4, 3, 3, 2}, 0.3)), n.constant("b", n.normal({6}))});
  }));
  graphs.push_back(network_of({any, 9}, [](Network& n, ValueId x) { return n.gemm("op", x, 4); }));
  graphs.push_back(network_of({any, 9}, [](Network& n, ValueId x) {
    return n.node("op", graph::Gemm{}, {x, n.constant("w", n.normal({9, 4}, 0.3)), n.constant("b", n.normal({4}))});
  }));
  graphs.push_back(network_of({any, 5, 9}, [](Network& n, ValueId x) {
    return n.node("op", graph::MatMul{}, {x, n.constant("w", n.normal({9, 4}, 0.3))});
  }));
  return graphs;
}

TEST(RoundWeights, SeeTheInputsOfEverySumOfEveryKindOfOp) {
  for (const Graph& graph : every_kind()) {
    const graph::Node& node = graph.nodes.at(0);
    const Tensor& weights = *graph.constant(node.inputs[1]);
    const WeightRows rows = weight_rows(node, weights.shape()).value();
    Random random(3);
    const Tensor x = batch_for(graph, random).at(0);
    const Tensor *bias = node.inputs.size() > 2 ? graph.constant(node.inputs[2]) : nullptr,
                 reals = x.cast(ElementType::Float64), w = weights.cast(ElementType::Float64),
                 b = bias ? bias->cast(ElementType::Float64) : Tensor();
    const Tensor y = graph::evaluate(node, {&reals, &w, bias ? &b : nullptr}).at(0);
    const bool channels_second = !holds_alternative<graph::MatMul>(node.op) && !holds_alternative<graph::Gemm>(node.op);
    const Patches patches(graph, node, x.shape(), rows);
    const size_t outputs = rows.groups * rows.outputs, sums = static_cast<size_t>(patches.count());
    ASSERT_EQ(sums * outputs, y.size()) << rows.inputs;
    const size_t inner = channels_second ? sums / static_cast<size_t>(x.shape()[0]) : 1;
    const auto wanted = y.to_reals(), weight = weights.to_reals();
    const std::vector<double> shift = bias ? bias->to_reals() : std::vector<double>(outputs);
    std::vector<float> row(rows.inputs);
    for (size_t at = 0; at < sums; ++at)
      for (size_t g = 0; g < rows.groups; ++g) {
        patches.take(x.as<float>(), static_cast<int64_t>(at), g, row.data());
        for (size_t o = 0; o < rows.outputs; ++o) {
          const size_t channel = g * rows.outputs + o;
          double sum = shift[channel];
          for (size_t i = 0; i < rows.inputs; ++i) sum += weight[rows.place(g, o, i)] * static_cast<double>(row[i]);
          ASSERT_NEAR(sum, wanted[at / inner * inner * outputs + channel * inner + at % inner], 1e-5);
        }
      }
  }
}

TEST(RoundWeights, AddLessNoiseThanNearestLevelsInEveryKindOfOp) {
  const std::vector<Graph> graphs = every_kind();
  for (size_t i = 0; i < graphs.size(); ++i) {
    const graph::Node& node = graphs[i].nodes.at(0);
    // What `alike` makes alike are channels: no sum of a depthwise one, nor of a MatMul over the last axis, has several.
    const auto* conv = get_if<graph::Conv>(&node.op);
    if ((conv && conv->group == graphs[i][graphs[i].inputs[0]].shape[1]) || holds_alternative<graph::MatMul>(node.op))
      continue;
    EXPECT_GT(gain_of(graphs[i]), 1) << i;
  }
}

TEST(RoundWeights, OfADepthwiseConvolutionTakeBackWhatNeighboursDo) {
  Network n(2);
  const ValueId x = n.average_pool("smooth", n.input({any, 4, 12, 12}), 6, 1);
  n.finish({n.relu("relu", n.conv("conv", x, 4, 3, 1, 0, 4))});
  EXPECT_GT(gain_of(n.graph), 0.3);
}

TEST(RoundWeights, OfMoreInputsThanABlockTakeBackWithinTheirBlocks) {
  const Graph graph = network_of({any, 1200}, [](Network& n, ValueId x) { return n.gemm("op", x, 3); });
  EXPECT_GT(gain_of(graph), 3);
}

TEST(RoundWeights, AreOnTheGridThatTheyHadAndAreTheIntegersOfTheIntegerNetwork) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("a", n.input({any, 4, 8, 8}), 6, 3));
  n.finish({n.gemm("fc", n.flatten("flatten", n.relu("relu_b", n.conv("b", x, 3, 3, 2))), 2)});
  Graph measured = n.graph, nearest = n.graph;
  ASSERT_GT(quantise(measured, narrow(), graph::reference_engine, alike(n.graph, 1)).weights.layers, 0);
  quantise(nearest, narrow("nearest"), graph::reference_engine, alike(n.graph, 1));
  bool moved = false;
  for (const char* name : {"a_w_q", "b_w_q", "fc_w_q"}) {
    const Grid grid = measured[measured.find(name)].grid.value();
    EXPECT_EQ(grid, nearest[nearest.find(name)].grid.value());
    const std::string real(name, std::string_view(name).size() - 2);
    const Tensor &weights = *measured.constant(measured.find(real)), &before = *nearest.constant(nearest.find(real));
    EXPECT_EQ(quant::dequantise(quant::quantise(weights, grid, Rounding::HalfUp), grid), weights);
    moved =
        moved || quant::quantise(before, grid, Rounding::HalfUp) != quant::quantise(weights, grid, Rounding::HalfUp);
  }
  EXPECT_TRUE(moved);
  EXPECT_TRUE(integerise(measured, {}).overflow_free);
}

TEST(RoundWeights, LeaveWhatTheyCannotMakeBetter) {
  // Weights that are levels already.
  Network n;
  n.finish({n.relu("relu", n.gemm("fc", n.input({any, 6}), 4))});
  Tensor& weights = *n.graph[n.graph.find("fc_w")].constant;
  const Grid grid = quant::grid_of_weights(weights, 0, {16, quant::Symmetry::Symmetric, Rounding::HalfUp}, {}, "test");
  weights = quant::dequantise(quant::quantise(weights, grid, Rounding::HalfUp), grid);
  Graph measured = n.graph, nearest = n.graph;
  quantise(measured, narrow(), graph::reference_engine, alike(n.graph, 1));
  quantise(nearest, narrow("nearest"), graph::reference_engine, alike(n.graph, 1));
  EXPECT_EQ(*measured.constant(measured.find("fc_w")), *nearest.constant(nearest.find("fc_w")));
}

TEST(RoundWeights, StayNearestWhereInputsAreZeroOrOneExampleIsAllThereIs) {
  const Graph graph = network_of({any, 6}, [](Network& n, ValueId x) { return n.gemm("op", x, 4); });
  Graph zero = graph, single = graph;
  EXPECT_EQ(quantise(zero, narrow(), graph::reference_engine,
                     [](const auto& use) {
                       use({Tensor({8, 6}, std::vector<float>(48, 0.0F))});
                     })
                .weights.layers,
            0);
  EXPECT_EQ(quantise(single, narrow(), graph::reference_engine,
                     [](const auto& use) {
                       use({Tensor({1, 6}, std::vector<float>(6, 1.0F))});
                     })
                .weights.layers,
            0);
}

TEST(RoundWeights, MakeTheSumOfAConstantInputWhatItWas) {
  const Graph graph = network_of({any, 16}, [](Network& n, ValueId x) {
    return n.node("op", graph::MatMul{}, {x, n.constant("w", n.normal({16, 2}, 0.3))});
  });
  const auto ones = [](const auto& use) { use({Tensor({8, 16}, std::vector<float>(128, 1.0F))}); };
  const auto largest_error = [&](const char* way) {
    Graph fake = graph;
    quantise(fake, narrow(way), graph::reference_engine, ones);
    double largest = 0;
    ones([&](const std::vector<Tensor>& inputs) {
      const auto x = graph::evaluate(graph, inputs)[0].to_reals(), y = graph::evaluate(fake, inputs)[0].to_reals();
      for (size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
    });
    return largest;
  };
  EXPECT_LE(largest_error("measured"), largest_error("nearest"));
}

TEST(RoundWeights, FollowTheLayersPolicyAndWhatTrainingNeeds) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("a", n.input({any, 4, 8, 8}), 6, 3));
  n.finish({n.relu("last", n.conv("b", x, 3, 3))});
  QuantiseOptions options = narrow();
  options.policy.override_layers("b", Json{{"weight_rounding", "nearest"}});
  Graph part = n.graph, none = n.graph, all = n.graph, nearest = n.graph;
  quantise(part, options, graph::reference_engine, alike(n.graph, 1));
  QuantiseOptions trains = narrow();
  trains.rounds_weights = false;
  const QuantiseReport report = quantise(none, trains, graph::reference_engine, alike(n.graph, 1));
  EXPECT_FALSE(report.weights.rounded_db.has_value());
  quantise(nearest, narrow("nearest"), graph::reference_engine, alike(n.graph, 1));
  const auto weights = [](const Graph& graph, const char* name) { return *graph.constant(graph.find(name)); };
  EXPECT_NE(weights(part, "a_w"), weights(nearest, "a_w"));
  EXPECT_EQ(weights(part, "b_w"), weights(nearest, "b_w"));
  EXPECT_EQ(weights(none, "b_w"), weights(nearest, "b_w"));
}

TEST(RoundWeights, AreMeasuredWhereAPolicySaysNothing) {
  const Graph graph = network_of({any, 9}, [](Network& n, ValueId x) { return n.gemm("op", x, 4); });
  Graph unsaid = graph, measured = graph, nearest = graph;
  QuantiseOptions options;
  options.policy = policy_from_json(Json{{"weights", 4}}, "policy");
  EXPECT_GT(quantise(unsaid, options, graph::reference_engine, alike(graph, 1)).weights.layers, 0);
  quantise(measured, narrow(), graph::reference_engine, alike(graph, 1));
  quantise(nearest, narrow("nearest"), graph::reference_engine, alike(graph, 1));
  const auto weights = [](const Graph& fake) { return *fake.constant(fake.find("op_w")); };
  EXPECT_EQ(weights(unsaid), weights(measured));
  EXPECT_NE(weights(unsaid), weights(nearest));
}

TEST(RoundWeights, AreTheSameLevelsInAnyUnitOfTheInputs) {
  const Graph graph = network_of({any, 9}, [](Network& n, ValueId x) {
    return n.node("op", graph::Gemm{}, {x, n.constant("w", n.normal({9, 4}, 0.3))});
  });
  const auto weights = [&](float unit) {
    Graph fake = graph;
    const auto batches = [&](const std::function<void(const std::vector<Tensor>&)>& use) {
      alike(graph, 1)([&](const std::vector<Tensor>& given) {
        std::vector<Tensor> inputs = given;
        for (float& x : inputs[0].as<float>()) x *= unit;
        use(inputs);
      });
    };
    EXPECT_GT(quantise(fake, narrow(), graph::reference_engine, batches).weights.layers, 0) << unit;
    return *fake.constant(fake.find("w"));
  };
  const Tensor expected = weights(1);
  // The products of two inputs are no float32 numbers.
  EXPECT_EQ(weights(0x1p80F), expected);
  EXPECT_EQ(weights(0x1p-80F), expected);
}

TEST(RoundWeights, InGroupsStayNearestWhereTheOthersGainMoreWithoutThem) {
  // What is alike are channels: the 1x1 convolution gains, and a depthwise one behind it may lose or gain a little.
  int apart = 0, together = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Network n(seed);
    const ValueId x = n.relu("relu", n.conv("point", n.input({any, 6, 6, 6}), 6, 1));
    n.finish({n.relu("last", n.conv("deep", x, 6, 3, 1, 1, 6))});
    Graph measured = n.graph, nearest = n.graph;
    quantise(measured, narrow(), graph::reference_engine, alike(n.graph, 1));
    quantise(nearest, narrow("nearest"), graph::reference_engine, alike(n.graph, 1));
    const auto moved = [&](const std::string& name) {
      const Grid grid = measured[measured.find(name + "_q")].grid.value();
      const auto levels = [&](const Graph& graph) {
        return quant::quantise(*graph.constant(graph.find(name)), grid, Rounding::HalfUp);
      };
      return levels(measured) != levels(nearest);
    };
    EXPECT_TRUE(moved("point_w")) << seed;
    (moved("deep_w") ? together : apart) += 1;
  }
  EXPECT_GT(apart, 0);
  EXPECT_GT(together, 0);
}

TEST(RoundWeights, KeepSumsWithinTheirAccumulators) {
  // One input has an error that a thousand small ones take back: their levels, all zero before, come on top of sums that
  // have little left.
  constexpr size_t takers = 1000, constant = 125, inputs = 1 + takers + constant;
  Network n;
  std::vector<float> w(inputs, 0.0F);
  w[0] = 100.49F / 255;
  std::fill(w.begin() + 1 + takers, w.end(), 1.0F);
  const ValueId x = n.input({any, inputs});
  n.finish({n.relu("relu", n.node("op", graph::Gemm{}, {x, n.constant("w", Tensor({inputs, 1}, w))}))});
  QuantiseOptions options;
  options.policy = policy_from_json(Json{{"weights", 9}, {"activations", 16}, {"range", "min_max"}}, "policy");
  const QuantiseReport report = quantise(n.graph, options, graph::reference_engine, [&](const auto& use) {
    Random random(1);
    for (int b = 0; b < 12; ++b) {
      std::vector<float> values(8 * inputs, 0.0F);
      for (size_t e = 0; e < 8; ++e) {
        float* row = values.data() + e * inputs;
        row[0] = static_cast<float>(random.normal());
        std::fill(row + 1, row + 1 + takers, 0.001F * row[0]);
        for (size_t i = 1 + takers; i < inputs; ++i) row[i] = 0.01F * static_cast<float>(random.normal());
      }
      use({Tensor({8, inputs}, values)});
    }
  });
  EXPECT_TRUE(report.narrowed.empty());
  const Grid grid = n.graph[n.graph.find("w_q")].grid.value();
  double sum = 0;
  for (double level : quant::quantise(*n.graph.constant(n.graph.find("w")), grid, Rounding::HalfUp).to_reals())
    sum += std::abs(level);
  EXPECT_LE(sum * 65535, most_of_a_sum);
}

TEST(RoundWeights, AreTheSameForTheSameData) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("a", n.input({any, 4, 8, 8}), 6, 3));
  n.finish({n.relu("last", n.conv("b", x, 3, 3))});
  Graph first = n.graph, second = n.graph;
  ASSERT_GT(quantise(first, narrow(), graph::reference_engine, alike(n.graph, 1)).weights.layers, 0);
  quantise(second, narrow(), graph::reference_engine, alike(n.graph, 1));
  for (const char* name : {"a_w", "b_w", "a_b", "b_b"})
    EXPECT_EQ(*first.constant(first.find(name)), *second.constant(second.find(name)));
}

}  // namespace
}  // namespace nibble::passes::testing
