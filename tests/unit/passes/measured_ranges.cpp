#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "passes/integerise/integerise.hpp"
#include "quant/range.hpp"
#include "unit/passes/networks.hpp"

/// Ranges by measurement, grids of branches, channels of one range.
namespace nibble::passes::testing {
namespace {

double largest_of(const Tensor& tensor, int64_t channel) {
  const std::vector<double> values = tensor.to_reals();
  const auto channels = static_cast<size_t>(tensor.shape()[1]);
  const size_t inner = values.size() / channels / static_cast<size_t>(tensor.shape()[0]);
  double largest = 0;
  for (size_t i = 0; i < values.size(); ++i)
    if (i / inner % channels == static_cast<size_t>(channel)) largest = std::max(largest, std::abs(values[i]));
  return largest;
}

/// A few numbers far below zero, as what a SiLU reads has them.
Batches heavy_tailed(const Graph& graph, uint64_t seed) {
  return [&graph, seed](const std::function<void(const std::vector<Tensor>&)>& use) {
    Random random(seed);
    for (int i = 0; i < 4; ++i) {
      Tensor x = batch_for(graph, random, 4).at(0);
      for (float& each : x.as<float>()) each = random.below(400) == 0 ? -30 * std::abs(each) : each;
      use({x});
    }
  };
}

/// dB at the outputs, of FP against FQ.
double quality(const Graph& real, const Graph& fake, uint64_t seed) {
  double signal = 0, noise = 0;
  heavy_tailed(real, seed)([&](const std::vector<Tensor>& inputs) {
    const auto x = graph::evaluate(real, inputs).at(0).to_reals(), y = graph::evaluate(fake, inputs).at(0).to_reals();
    for (size_t i = 0; i < x.size(); ++i) signal += x[i] * x[i], noise += (x[i] - y[i]) * (x[i] - y[i]);
  });
  return 10 * std::log10(signal / noise);
}

TEST(MeasuredRanges, CutOffWhatIsRareAndPrintWhatThatGains) {
  Network n;
  const ValueId x = n.node("silu", graph::Swish{}, {n.input({any, 4, 12, 12})});
  n.finish({n.gemm("fc", n.flatten("flatten", n.average_pool("pool", x)), 3)});
  Graph measured = n.graph, plain = n.graph;
  const QuantiseReport report = quantise(measured, {}, graph::reference_engine, heavy_tailed(n.graph, 1));
  QuantiseOptions min_max;
  min_max.policy = policy_from_json(Json{{"range", "min_max"}}, "policy");
  quantise(plain, min_max, graph::reference_engine, heavy_tailed(n.graph, 1));
  EXPECT_GT(quality(n.graph, measured, 2), quality(n.graph, plain, 2) + 1);
  ASSERT_FALSE(report.ranges.empty());
  EXPECT_GE(report.chosen_db.value(), report.min_max_db.value());
}

TEST(MeasuredRanges, EndWhereTheFunctionThatReadsThemIsFlat) {
  Network n;
  const ValueId x = n.input({any, 4, 12, 12});
  n.finish({n.conv("last",
                   n.node("gate", graph::Sigmoid{},
                          {n.conv("a", n.add("far", x, n.constant("c", n.normal({4, 1, 1}, 0, -12))), 8, 1)}),
                   2, 1)});
  Graph& graph = n.graph;
  quantise(graph, {}, graph::reference_engine, heavy_tailed(graph, 1));
  EXPECT_NE(graph.find("a_q"), graph::absent);
  Graph integer = graph;
  const IntegeriseReport report = integerise(integer, {});
  EXPECT_EQ(report.exact_nodes(), static_cast<int>(report.nodes.size()));
}

/// Remembers the largest batch of each engine.
class Watched : public graph::Engine {
 public:
  Watched(const Graph& graph, int64_t& largest) : engine_(graph::reference_engine(graph)), largest_(largest) {}
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const graph::Observer& observer) override {
    largest_ = std::max(largest_, inputs.at(0).shape()[0]);
    return engine_->run(inputs, observer);
  }

 private:
  std::unique_ptr<graph::Engine> engine_;
  int64_t& largest_;
};

TEST(MeasuredRanges, RunTheirExamplesInBatchesAsLargeAsThoseThatCame) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("a", n.input({any, 2, 8, 8}), 4, 3));
  n.finish({n.conv("last", x, 2, 1)});
  Graph& graph = n.graph;
  std::vector<int64_t> largest(64);  // of each engine, in order
  size_t made = 0;
  const Graph real = graph;
  quantise(
      graph, {}, [&](const Graph& each) { return std::make_unique<Watched>(each, largest.at(made++)); },
      heavy_tailed(real, 1));
  ASSERT_GT(made, 5u);
  for (size_t i = 0; i < made; ++i) EXPECT_EQ(largest[i], 4) << i;
}

TEST(MeasuredRanges, GiveUpBitsWhereSumsWouldNotFitAnAccumulator) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("a", n.input({any, 8, 8, 8}), 16, 3));
  n.finish({n.gemm("fc", n.flatten("flatten", n.relu("relu_b", n.conv("b", x, 8, 3))), 4)});
  Graph& graph = n.graph;
  const Graph real = graph;
  QuantiseOptions options;
  options.policy = policy_from_json(Json{{"weights", 16}, {"activations", 16}}, "policy");
  const QuantiseReport report = quantise(graph, options, graph::reference_engine, batches_of(real));
  std::set<std::string> reasons;
  for (const Narrowed& each : report.narrowed) {
    reasons.insert(each.reason);
    EXPECT_GE(each.levels, 256);
    EXPECT_LT(each.levels, 65536);
  }
  EXPECT_EQ(reasons, (std::set<std::string>{"a", "b", "fc"}));
  Graph integer = graph;
  const IntegeriseReport made = integerise(integer, {});
  EXPECT_TRUE(made.overflow_free);
  for (const CertifiedNode& node : made.nodes)
    for (size_t c = 0; c < node.channels.size(); ++c) {
      EXPECT_LE(node.channels[c].worst, 1) << node.node;
      EXPECT_LT(node.accumulators[c].high, int64_t{1} << 31) << node.node;
    }
}

TEST(MeasuredRanges, AreLeftToARuleThatIsAskedFor) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("a", n.input({any, 2, 8, 8}), 4, 3));
  n.finish({n.conv("last", x, 2, 1)});
  const Tensor weights = *n.graph.constant(n.graph.find("a_w"));
  QuantiseOptions options;
  options.policy = policy_from_json(Json{{"range", "mse"}}, "policy");
  const QuantiseReport report = quantise(n.graph, options, graph::reference_engine, batches_of(n.graph, 1));
  EXPECT_TRUE(report.ranges.empty());
  EXPECT_EQ(*n.graph.constant(n.graph.find("a_w")), weights);
}

TEST(Branches, OfUnlikeRangesGetGridsOfTheirOwnAndAreSummedExactly) {
  for (const bool asked : {false, true}) {
    Network n;
    const ValueId x = n.input({any, 2, 8, 8});
    const ValueId small = n.conv("small", x, 4, 3, 1, 1);
    const ValueId large =
        n.node("large_by_30", graph::Mul{}, {n.conv("large", x, 4, 3, 1, 1), n.constant("by", n.normal({}, 0, 30))});
    n.finish({n.conv("last", n.add("add", small, large), 2, 1)});
    QuantiseOptions options;
    if (asked) options.policy = policy_from_json(Json{{"add", "common"}}, "policy");
    const QuantiseReport report = quantise(n.graph, options, graph::reference_engine, batches_of(n.graph, 1));
    EXPECT_EQ(report.separated.size(), asked ? 0U : 1U);
    EXPECT_EQ(n.graph[n.graph.find("small_q")].grid == n.graph[n.graph.find("large_q")].grid, asked);
    const IntegeriseReport proved = integerise(n.graph, {});
    EXPECT_EQ(proved.exact_nodes(), static_cast<int>(proved.nodes.size()));
  }
}

/// conv -> relu -> conv, the first one's channels from 1 to 1/64 in size.
Network uneven(bool clip) {
  Network n;
  ValueId x = n.conv("a", n.input({any, 2, 8, 8}), 4, 3, 1, 1);
  Tensor& weights = *n.graph[n.graph.find("a_w")].constant;
  Tensor& bias = *n.graph[n.graph.find("a_b")].constant;
  for (size_t c = 0; c < 4; ++c) {
    const auto gain = static_cast<float>(std::exp2(-2.0 * static_cast<double>(c)));
    for (size_t i = 0; i < 18; ++i) weights.as<float>()[c * 18 + i] *= gain;
    bias.as<float>()[c] *= gain;
  }
  x = clip ? n.node("clip", graph::Clip{0, 6}, {x}) : n.relu("relu", x);
  x = n.max_pool("pool", x);
  n.finish({n.gemm("fc", n.flatten("flatten", x), 3)});
  run(canonicalise(), n.graph);
  return n;
}

TEST(EqualiseChannels, GivesThemOneRangeAndChangesNothingElse) {
  for (const bool clip : {false, true}) {
    Network n = uneven(clip);
    const Graph before = n.graph;
    ASSERT_EQ(equalise_channels(n.graph, {}, {}, graph::reference_engine, batches_of(before, 5)), 1);
    graph::tidy(n.graph);
    Random random(5);
    const auto inputs = batch_for(before, random, 3);
    const auto x = graph::evaluate(before, inputs).at(0).to_reals();
    std::vector<double> ranges;
    const auto y = graph::evaluate(n.graph, inputs,
                                   [&](ValueId id, const Tensor& tensor) {
                                     if (n.graph[id].name.starts_with("pool"))
                                       for (int64_t c = 0; c < 4; ++c) ranges.push_back(largest_of(tensor, c));
                                   })
                       .at(0)
                       .to_reals();
    for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-4 * (1 + std::abs(x[i])));
    ASSERT_EQ(ranges.size(), 4U);
    EXPECT_LT(*std::max_element(ranges.begin(), ranges.end()), 16 * *std::min_element(ranges.begin(), ranges.end()));
  }
}

/// Channel c of the input is 2^-2c in size.
Batches measurements(const Graph& graph, uint64_t seed) {
  return [&graph, seed](const std::function<void(const std::vector<Tensor>&)>& use) {
    Random random(seed);
    for (int i = 0; i < 4; ++i) {
      Tensor x = batch_for(graph, random, 8).at(0);
      const auto values = x.as<float>();
      const size_t channels = static_cast<size_t>(x.shape()[1]), inner = values.size() / 8 / channels;
      for (size_t k = 0; k < values.size(); ++k)
        values[k] *= static_cast<float>(std::exp2(-2.0 * static_cast<double>(k / inner % channels)));
      use({x});
    }
  };
}

/// Reals of a network's output, whatever it is quantised to.
std::vector<double> reals_of(const Graph& graph, const std::vector<Tensor>& inputs) {
  const Tensor y = graph::evaluate(graph, inputs).at(0);
  const auto& grid = graph[graph.outputs[0]].grid;
  return is_real(y.type()) ? y.to_reals() : quant::dequantise(y, grid.value()).to_reals();
}

TEST(EqualiseChannels, GivesMeasurementsOfUnlikeSizesAScaleEach) {
  for (const bool image : {false, true}) {
    Network n;
    const ValueId x = n.input(image ? Shape{any, 5, 6, 6} : Shape{any, 5});
    const ValueId a = n.relu("relu", image ? n.conv("a", x, 6, 3, 1, 1) : n.gemm("a", x, 6));
    n.finish({image ? n.gemm("b", n.flatten("flatten", a), 3) : n.gemm("b", a, 3)});
    Tensor& weights = *n.graph[n.graph.find("a_w")].constant;
    const size_t taps = image ? 9 : 1;
    for (size_t i = 0; i < weights.size(); ++i)
      weights.as<float>()[i] *= static_cast<float>(std::exp2(2.0 * static_cast<double>(i / taps % 5)));
    Graph fake = n.graph, plain = n.graph;
    quantise(fake, {}, graph::reference_engine, measurements(n.graph, 1));
    QuantiseOptions min_max;
    min_max.policy = policy_from_json(Json{{"range", "min_max"}}, "policy");
    quantise(plain, min_max, graph::reference_engine, measurements(n.graph, 1));
    Graph id = fake;
    integerise(id, {});
    const auto& grid = id[id.inputs[0]].grid;
    ASSERT_TRUE(grid && grid->axis == 1);
    EXPECT_LT(grid->scale[4] * 64, grid->scale[0] * 1.01);
    double signal = 0, noise = 0, noise_of_plain = 0;
    measurements(n.graph, 2)([&](const std::vector<Tensor>& inputs) {
      const auto real = graph::evaluate(n.graph, inputs).at(0).to_reals(), y = reals_of(id, inputs);
      const auto other = graph::evaluate(plain, inputs).at(0).to_reals();
      EXPECT_EQ(graph::evaluate(id, inputs).at(0).type(), ElementType::Int64);
      for (size_t i = 0; i < y.size(); ++i) {
        signal += real[i] * real[i], noise += (real[i] - y[i]) * (real[i] - y[i]);
        noise_of_plain += (real[i] - other[i]) * (real[i] - other[i]);
      }
    });
    EXPECT_LT(noise * 10, noise_of_plain);
    EXPECT_LT(noise * 1000, signal);
  }
}

/// Measurements in units of their own that the network brings to one size itself, as exporters of pipelines write it.
TEST(EqualiseChannels, GivesMeasurementsThatTheNetworkNormalisesAScaleEach) {
  const std::vector<float> means{1000, 50, 0.01F, -3}, deviations{300, 5, 0.001F, 1};
  for (const bool norm : {false, true}) {
    Network n;
    ValueId x = n.input({any, 4});
    const auto constant = [&](const char* name, const std::vector<float>& values) {
      return n.constant(name, Tensor({4}, values));
    };
    if (norm) {
      std::vector<float> variances;
      for (float each : deviations) variances.push_back(each * each);
      graph::BatchNormalization op;
      op.epsilon = 1e-9;
      x = n.node("norm", op,
                 {x, constant("gamma", {1, 1, 1, 1}), constant("beta", {0, 0, 0, 0}), constant("mean", means),
                  constant("variance", variances)});
    } else {
      x = n.node("centred", graph::Sub{}, {x, constant("mean", means)});
      x = n.node("scaled", graph::Div{}, {x, constant("deviation", deviations)});
    }
    n.finish({n.gemm("b", n.relu("relu", n.gemm("a", x, 8)), 2)});
    const auto examples = [&](uint64_t seed) {
      return [&, seed](const std::function<void(const std::vector<Tensor>&)>& use) {
        Random random(seed);
        for (int batch = 0; batch < 4; ++batch) {
          std::vector<Tensor> inputs = batch_for(n.graph, random, 16);
          const auto values = inputs[0].as<float>();
          for (size_t i = 0; i < values.size(); ++i) values[i] = means[i % 4] + deviations[i % 4] * values[i];
          use(inputs);
        }
      };
    };
    Graph id = n.graph;
    quantise(id, {}, graph::reference_engine, examples(1));
    integerise(id, {});
    double signal = 0, noise = 0;
    examples(2)([&](const std::vector<Tensor>& inputs) {
      const auto real = graph::evaluate(n.graph, inputs).at(0).to_reals(), y = reals_of(id, inputs);
      for (size_t i = 0; i < y.size(); ++i) signal += real[i] * real[i], noise += (real[i] - y[i]) * (real[i] - y[i]);
    });
    EXPECT_GT(10 * std::log10(signal / noise), 22) << (norm ? "norm" : "Sub, Div");
  }
}

TEST(MeasuredRanges, OfAnOutputThatJoinsBoxesAndScoresArePiecesOfItsOwn) {
  for (const bool turned : {false, true}) {
    Network n;
    const ValueId x = n.input({any, 3, 8, 8});
    std::vector<ValueId> heads;
    for (const int stride : {1, 2}) {
      const std::string name = "head" + std::to_string(stride);
      const ValueId box = n.conv(name + "_box", x, 4, 3, stride, 1);
      for (float& weight : n.graph[n.graph.find(name + "_box_w")].constant->as<float>()) weight *= 64;
      const ValueId score = n.node(name + "_score", graph::Sigmoid{}, {n.conv(name + "_class", x, 3, 3, stride, 1)});
      const ValueId joined = n.node(name, graph::Concat{1}, {box, score});
      heads.push_back(n.reshape(name + "_cells", joined, {0, 7, 64 / stride / stride}));
    }
    ValueId y = n.node("detections", graph::Concat{2}, heads);
    if (turned) y = n.transpose("rows", y, {0, 2, 1});
    n.finish({y});
    Graph fake = n.graph;
    quantise(fake, {}, graph::reference_engine, batches_of(n.graph, 1, 8));
    Graph id = fake;
    integerise(id, {});
    ASSERT_TRUE(id[id.outputs[0]].grid.has_value());
    EXPECT_EQ(id[id.outputs[0]].grid->axis, turned ? 2 : 1);
    // They stay when the network comes with them.
    for (const bool folded : {false, true}) {
      Graph again = fake;
      QuantiseOptions options;
      options.trains_folded = folded;
      quantise(again, options, graph::reference_engine, batches_of(fake, 1, 8));
      EXPECT_EQ(count_of<graph::Quantise>(again), count_of<graph::Quantise>(fake));
      integerise(again, {});
      EXPECT_EQ(again[again.outputs[0]].grid, id[id.outputs[0]].grid);
    }
    Random random(3);
    const auto inputs = batch_for(n.graph, random, 4);
    const auto real = graph::evaluate(n.graph, inputs).at(0).to_reals(),
               of_fake = graph::evaluate(fake, inputs).at(0).to_reals(), of_id = reals_of(id, inputs);
    const size_t inner = turned ? 1 : 80;
    for (size_t i = 0; i < real.size(); ++i) {
      EXPECT_NEAR(of_fake[i], of_id[i], 1e-3 * (1 + std::abs(of_fake[i]))) << i;
      if (i / inner % 7 >= 4) {
        EXPECT_NEAR(real[i], of_id[i], 0.05) << i;
      }
    }
  }
}

TEST(EqualiseChannels, LeavesAloneWhatAFunctionOrAnOutputReads) {
  for (const bool output : {false, true}) {
    Network n;
    const ValueId a = n.conv("a", n.input({any, 2, 8, 8}), 4, 3);
    const ValueId y = n.conv("last", output ? n.relu("relu", a) : n.node("silu", graph::Swish{}, {a}), 2, 1);
    n.finish(output ? std::vector<ValueId>{y, n.graph.nodes[1].outputs[0]} : std::vector<ValueId>{y});
    run(canonicalise(), n.graph);
    EXPECT_EQ(equalise_channels(n.graph, {}, {}, graph::reference_engine, batches_of(n.graph, 5)), 0);
  }
}

TEST(EqualiseChannels, TakesAllThatAddsTieTogether) {
  Network n;
  const ValueId a = n.relu("relu", n.conv("a", n.input({any, 2, 8, 8}), 4, 3, 1, 1));
  const ValueId sum = n.add("add", n.conv("b", a, 4, 3, 1, 1), n.conv("c", a, 4, 1));
  n.finish({n.conv("last", n.relu("relu2", sum), 2, 1)});
  Tensor& weights = *n.graph[n.graph.find("b_w")].constant;
  Tensor& other = *n.graph[n.graph.find("c_w")].constant;
  for (size_t i = 0; i < weights.size() / 2; ++i) weights.as<float>()[i] *= 0.01F;
  for (size_t i = 0; i < other.size() / 2; ++i) other.as<float>()[i] *= 0.01F;
  run(canonicalise(), n.graph);
  const Graph before = n.graph;
  EXPECT_GE(equalise_channels(n.graph, {}, {}, graph::reference_engine, batches_of(before, 5)), 1);
  graph::tidy(n.graph);
  Random random(5);
  const auto inputs = batch_for(before, random, 3);
  const auto x = graph::evaluate(before, inputs).at(0).to_reals(),
             y = graph::evaluate(n.graph, inputs).at(0).to_reals();
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-4 * (1 + std::abs(x[i])));
  for (const char* name : {"b_w", "c_w"})
    EXPECT_NE(*n.graph.constant(n.graph.find(name)), *before.constant(before.find(name))) << name;
}

/// What a mask takes away must not cost the scores their levels, whoever exported it.
TEST(MeasuredRanges, OfScoresEndWhereASoftmaxTellsNothingApart) {
  for (const float lowest : {-10.0F, -10000.0F, -std::numeric_limits<float>::max()})
    for (const bool computed : {false, true}) {
      Network n;
      const ValueId x = n.input({any, 6, 8}), given = n.input({any, 1, 6}, "mask");
      const ValueId mask =
          computed ? n.node("lowest", graph::Mul{}, {given, n.constant("by", Tensor({1}, std::vector<float>{lowest}))})
                   : given;
      graph::Transpose turn;
      turn.perm = {0, 2, 1};
      const ValueId scores = n.node("scores", graph::MatMul{}, {x, n.node("turned", turn, {x})});
      const ValueId shares = n.node("shares", graph::Softmax{-1}, {n.add("masked", scores, mask)});
      n.finish({n.node("mixed", graph::MatMul{}, {shares, x})});
      const auto examples = [&](uint64_t seed) {
        Random random(seed);
        std::vector<Tensor> inputs = batch_for(n.graph, random, 4);
        for (float& each : inputs[0].as<float>()) each *= 0.6F;
        for (float& each : inputs[1].as<float>()) each = random.below(4) == 0 ? (computed ? 1.0F : lowest) : 0.0F;
        for (size_t row = 0; row < 4; ++row) inputs[1].as<float>()[6 * row] = 0;
        return inputs;
      };
      Graph fake = n.graph;
      quantise(fake, {}, graph::reference_engine, [&](const auto& use) {
        for (uint64_t seed = 1; seed < 5; ++seed) use(examples(seed));
      });
      double signal = 0, noise = 0;
      const std::vector<Tensor> inputs = examples(9);
      const auto real = graph::evaluate(n.graph, inputs).at(0).to_reals(),
                 found = graph::evaluate(fake, inputs).at(0).to_reals();
      for (size_t i = 0; i < real.size(); ++i)
        signal += real[i] * real[i], noise += (real[i] - found[i]) * (real[i] - found[i]);
      EXPECT_GT(10 * std::log10(signal / noise), 25) << lowest << (computed ? " computed" : " given");
    }
}

}  // namespace
}  // namespace nibble::passes::testing
