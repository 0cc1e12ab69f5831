#include "passes/quantise/fit.hpp"

#include <gtest/gtest.h>

#include "unit/passes/networks.hpp"

/// Rusci et al. 2019, algorithms 1 and 2, on chains and on residual networks.
namespace nibble::passes::testing {
namespace {

/// Depthwise and pointwise in turn, as the first layers of MobileNetV1 0.75 at a quarter of its extent.
Network mobile() {
  Network n;
  ValueId x = n.relu("r0", n.conv("conv1", n.input({any, 3, 56, 56}), 24, 3, 2, 1));
  const std::vector<std::pair<int64_t, int64_t>> blocks{{48, 1}, {96, 2}, {96, 1}, {192, 2}};
  int64_t channels = 24;
  int number = 0;
  for (const auto& [outputs, stride] : blocks) {
    const std::string i = std::to_string(++number);
    x = n.relu("rd" + i, n.conv("dw" + i, x, channels, 3, stride, 1, channels));
    x = n.relu("rp" + i, n.conv("pw" + i, x, outputs, 1));
    channels = outputs;
  }
  n.finish({n.gemm("fc", n.flatten("flatten", n.node("gap", graph::GlobalAveragePool{}, {x})), 10)});
  return n;
}

Policy with(const Fit& fit) {
  Policy policy;
  for (const auto& [layer, keys] : fit.overrides) policy.override_layers(layer, keys);
  return policy;
}

int bits_in(const Fit& fit, const std::string& layer, const char* key) {
  for (const auto& [name, keys] : fit.overrides)
    if (name == layer && keys.contains(key)) return keys[key].get<int>();
  return 8;
}

/// What the network needs once it is quantised by the policy.
MemoryTable quantised(Network n, const Policy& policy) {
  QuantiseOptions options;
  options.policy = policy;
  quantise_by(n.graph, options);
  return memory_of(n.graph);
}

TEST(Fit, CutsTheOutputsThatThePaperCutsInMobileNet) {
  // 400 KB / 16: the first seven layers do not fit at 8 bits.
  const Fit fit = fit_policy(mobile().graph, {}, {25600, {}});
  const std::vector<int> expected{4, 4, 2, 8, 4, 4, 4, 8, 8};
  const std::vector<std::string> layers{"conv1", "dw1", "pw1", "dw2", "pw2", "dw3", "pw3", "dw4", "pw4"};
  for (size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(bits_in(fit, layers[i], "activations"), expected[i]) << layers[i];
    EXPECT_EQ(fit.layers[i].bytes > 25600, i < 7) << layers[i];
    EXPECT_LE(fit.layers[i].fitted_bytes, 25600) << layers[i];
  }
  EXPECT_EQ(fit.layers[0].reasons, (std::vector<std::string>{"output 8 -> 4: input + output of 28224 B"}));
}

TEST(Fit, GivesAPolicyWhoseNetworkFits) {
  const Network n = mobile();
  const Fit fit = fit_policy(n.graph, {}, {25600, 20000});
  const MemoryTable table = quantised(mobile(), with(fit));
  EXPECT_LE(table.largest_layer(), 25600);
  EXPECT_LE(table.weight_bytes(), 20000);
  EXPECT_EQ(table.peak(), fit.fitted_peak);
  EXPECT_EQ(table.weight_bytes(), fit.fitted_weight_bytes);
  EXPECT_EQ(quantised(mobile(), {}).weight_bytes(), fit.weight_bytes);
}

TEST(Fit, CutsTheFirstOfTheHeaviestWeights) {
  Network n;
  ValueId x = n.relu("r0", n.gemm("a", n.input({any, 10}), 100));
  x = n.relu("r1", n.gemm("b", x, 100));
  x = n.relu("r2", n.gemm("c", x, 99));
  n.finish({n.gemm("d", x, 10)});
  // 10000 and 9900 of 21890: within the margin, so b before c.
  const Fit one = fit_policy(n.graph, {}, {{}, 17000});
  EXPECT_EQ(bits_in(one, "b", "weights"), 4);
  EXPECT_EQ(bits_in(one, "c", "weights"), 8);
  const Fit both = fit_policy(n.graph, {}, {{}, 12000});
  EXPECT_EQ(bits_in(both, "b", "weights"), 4);
  EXPECT_EQ(bits_in(both, "c", "weights"), 4);
  EXPECT_EQ(bits_in(both, "a", "weights"), 8);
}

TEST(Fit, CutsTheInputOfALayerInTheBackwardPass) {
  Network n;
  ValueId x = n.relu("r0", n.conv("wide", n.input({any, 1, 8, 8}), 16, 1));
  n.finish({n.relu("r1", n.conv("narrow", x, 2, 1))});
  // wide: 64 + 1024, narrow: 1024 + 128 of a budget of 1100: only narrow is over, and its output stays.
  const Fit fit = fit_policy(n.graph, {}, {1100, {}});
  EXPECT_EQ(bits_in(fit, "wide", "activations"), 4);
  EXPECT_EQ(fit.layers[1].reasons, (std::vector<std::string>{"input 8 -> 4: input + output of 1152 B"}));
}

TEST(Fit, CutsTheBranchesOfAnAddTogether) {
  Network n;
  const ValueId a = n.relu("relu", n.conv("a", n.input({any, 1, 8, 8}), 8, 1));
  const ValueId b = n.relu("relu_b", n.conv("b", a, 8, 1));
  n.finish({n.conv("last", n.relu("sum", n.add("add", a, b)), 1, 1)});
  const Fit fit = fit_policy(n.graph, {}, {1100, {}});
  EXPECT_EQ(bits_in(fit, "a", "activations"), 4);
  EXPECT_EQ(bits_in(fit, "b", "activations"), 4);
  EXPECT_LE(quantised(std::move(n), with(fit)).largest_layer(), 1100);
}

TEST(Fit, KeepsTheBitsOfWhatTheNetworkIsGivenAndReturns) {
  Network n;
  n.finish({n.relu("r1", n.conv("b", n.relu("r0", n.conv("a", n.input({any, 4, 8, 8}), 4, 1)), 4, 1))});
  const Fit fit = fit_policy(n.graph, {}, {384, {}});
  EXPECT_EQ(bits_in(fit, "x", "activations"), 8);
  EXPECT_EQ(bits_in(fit, "b", "activations"), 8);
  EXPECT_EQ(bits_in(fit, "a", "activations"), 4);
}

TEST(Fit, NeverRaisesThePolicysBits) {
  QuantiseOptions options;
  options.policy.override_layers("conv1", Json{{"activations", 3}, {"weights", 3}});
  const Fit fit = fit_policy(mobile().graph, options, {25600, 30000});
  EXPECT_EQ(bits_in(fit, "conv1", "activations"), 8);  // not overridden
  EXPECT_EQ(fit.layers[0].fitted_output_bits, (std::vector<int>{3}));
}

TEST(Fit, SeesTheNetworkThatQuantiseMakesOfPixels) {
  Network n;
  n.finish({n.relu("r0", n.conv("conv", n.input({any, 3, 8, 8}), 4, 3, 1, 0))});
  QuantiseOptions options;
  options.policy.defaults.activation_levels = 16;
  options.formats = {{"x", {0.02}, {-1.7}}};
  const Fit fit = fit_policy(n.graph, options, {int64_t{1} << 30, {}});
  EXPECT_EQ(fit.layers.at(0).input_bits, (std::vector<int>{8}));  // a pixel's, whatever the policy
  quantise_by(n.graph, options);
  EXPECT_EQ(memory_of(n.graph).peak(), fit.peak);
}

TEST(Fit, ChangesNothingWhereEverythingFits) {
  EXPECT_TRUE(fit_policy(mobile().graph, {}, {int64_t{1} << 30, int64_t{1} << 30}).overrides.empty());
}

TEST(Fit, SaysTheLeastThatCanBeReachedAndWhatStopsIt) {
  EXPECT_EQ(message_of([] {
              fit_policy(mobile().graph, {}, {10000, {}});
            }),
            "passes: fit: activations of 10000 B: layer 'conv1' needs 14112 B for its input and output at 2 bits "
            "(expected at least 14112 B)");
  EXPECT_EQ(message_of([] {
              fit_policy(mobile().graph, {}, {{}, 5000});
            }),
            "passes: fit: weights of 5000 B: all layers need 9588 B at 2 bits, most of them 'pw4' with 4608 B "
            "(expected at least 9588 B)");
}

TEST(Budgets, AreWholeNumbersWithAUnit) {
  const Budgets both = budgets_from_text("activations=400KB,weights=2MB", "place");
  EXPECT_EQ(both.activations, 400 * 1024);
  EXPECT_EQ(both.weights, 2 * 1024 * 1024);
  EXPECT_FALSE(budgets_from_text("weights=77B", "place").activations);
  for (const char* wrong : {"activations=", "activations=4", "activations=0B", "activations=-1KB", "activations=1.5MB",
                            "weights=99999999999999999999B", "weights=2GB"}) {
    const std::string value = std::string(wrong).substr(std::string(wrong).find('=') + 1);
    EXPECT_EQ(message_of([&] { budgets_from_text(wrong, "place"); }),
              "passes: place: '" + value + "' (expected a whole number of B, KB (1024 B) or MB (1024 KB), as 400KB)");
  }
  EXPECT_EQ(message_of([] { budgets_from_text("weights=1B,weights=2B", "place"); }),
            "passes: place: 'weights' twice (expected each budget once)");
  for (const char* wrong : {"", "weight=1B", "weights=1B,"})
    EXPECT_NE(message_of([&] { budgets_from_text(wrong, "place"); }).find("expected activations=BYTES"),
              std::string::npos)
        << wrong;
}

}  // namespace
}  // namespace nibble::passes::testing
