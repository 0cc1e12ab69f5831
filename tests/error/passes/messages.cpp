#include <gtest/gtest.h>

#include "unit/passes/networks.hpp"

/// Every message of the room, as the user reads it.
namespace nibble::passes::testing {
namespace {

std::string policy_message(const char* json) {
  return message_of([&] { policy_from_json(Json::parse(json), "policy.json"); });
}

TEST(PolicyErrors, NameTheKeyAndWhatItTakes) {
  EXPECT_EQ(policy_message("[]"), "passes: policy.json: [] (expected an object)");
  EXPECT_EQ(policy_message(R"({"weights": 17})"),
            "passes: policy.json: weights: 17 bits (expected 1 to 16, or {\"levels\": n})");
  EXPECT_EQ(policy_message(R"({"weights": "8"})"),
            "passes: policy.json: weights: \"8\" (expected bits from 1 to 16, or {\"levels\": n})");
  EXPECT_EQ(policy_message(R"({"activations": {"levels": 1}})"),
            "passes: policy.json: activations: 1 levels (expected 2 to 65536)");
  EXPECT_EQ(policy_message(R"({"granularity": "row"})"),
            "passes: policy.json: granularity: 'row' (expected channel or tensor)");
  EXPECT_EQ(policy_message(R"({"granularity": 3})"), "passes: policy.json: granularity: 3 (expected a string)");
  EXPECT_EQ(policy_message(R"({"add": "separate"})"),
            "passes: policy.json: add: 'separate' (expected measured, common or branches)");
  EXPECT_EQ(policy_message(R"({"enabled": 1})"), "passes: policy.json: enabled: 1 (expected true or false)");
  EXPECT_EQ(policy_message(R"({"layers": []})"), "passes: policy.json: layers: [] (expected an object)");
  EXPECT_EQ(policy_message(R"({"layers": {"conv1": 8}})"),
            "passes: policy.json: layer 'conv1': 8 (expected an object)");
  EXPECT_NE(policy_message(R"({"wieghts": 8})").find("weights"), std::string::npos);
}

Network one_convolution() {
  Network n;
  n.finish({n.conv("conv", n.input({any, 2, 6, 6}), 4, 3)});
  return n;
}

std::string quantise_message(Graph& graph, const QuantiseOptions& options = {}) {
  return message_of([&] { quantise_by(graph, options); });
}

TEST(QuantiseErrors, NameALayerOfThePolicyThatDoesNotExist) {
  Network n = one_convolution();
  QuantiseOptions options;
  options.policy.override_layers("comv", Json::object());
  EXPECT_EQ(quantise_message(n.graph, options),
            "passes: policy: no layer 'comv' (did you mean 'conv'?) (expected a node's name or a pattern of * and ?)");
}

TEST(QuantiseErrors, NameAnInputThatDoesNotExist) {
  Network n = one_convolution();
  QuantiseOptions options;
  options.inputs.push_back({"image", Grid{}});
  EXPECT_EQ(quantise_message(n.graph, options), "passes: input grids: no input 'image'");
}

TEST(QuantiseErrors, RefuseANetworkOfIntegers) {
  Network n = one_convolution();
  quantise_by(n.graph);
  integerise(n.graph, {});
  EXPECT_EQ(
      quantise_message(n.graph),
      "passes: quantise: the network is ID already (expected a network in full precision, or one with some of its "
      "quantisers)");
}

TEST(QuantiseErrors, SayWhenThereIsNoData) {
  Network n = one_convolution();
  EXPECT_EQ(message_of([&] { quantise(n.graph, {}, graph::reference_engine, [](const auto&) {}); }),
            "passes: calibration: the data set is empty (expected at least one example)");
}

TEST(QuantiseErrors, NameAValueThatIsNotFinite) {
  Network n = one_convolution();
  n.graph[n.graph.find("conv_b")].constant->as<float>()[0] = 3e38F;
  n.graph[n.graph.find("conv_w")].constant->as<float>()[0] = 3e38F;
  const std::string message = message_of([&] {
    quantise(n.graph, {}, graph::reference_engine, [](const auto& use) {
      use({Tensor({1, 2, 6, 6}, std::vector<float>(72, std::numeric_limits<float>::infinity()))});
    });
  });
  EXPECT_NE(message.find("'x'"), std::string::npos) << message;
}

TEST(QuantiseErrors, NameWhatIsNotFiniteHoweverWeightsAreRounded) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const auto message = [](const char* way, float in_data, float in_weights) {
    Network n = one_convolution();
    n.graph[n.graph.find("conv_w")].constant->as<float>()[1] += in_weights;
    QuantiseOptions options;
    options.policy = policy_from_json(Json{{"weight_rounding", way}}, "policy");
    return message_of([&] {
      quantise(n.graph, options, graph::reference_engine, [&](const auto& use) {
        for (int b = 0; b < 12; ++b) {
          std::vector<float> values(72, 0.1F * static_cast<float>(b));
          if (b == 7) values[3] += in_data;
          use({Tensor({1, 2, 6, 6}, values)});
        }
      });
    });
  };
  for (const char* way : {"measured", "nearest"}) {
    EXPECT_EQ(message(way, nan, 0), "quant: value 'x': NaN at index 3 (expected finite numbers)");
    EXPECT_EQ(message(way, infinity, 0), "quant: value 'x': infinity at index 3 (expected finite numbers)");
    EXPECT_EQ(message(way, 0, nan), "graph: constant 'conv_w': NaN at index 1 (expected finite numbers)");
    EXPECT_EQ(message(way, 0, -infinity), "graph: constant 'conv_w': infinity at index 1 (expected finite numbers)");
  }
}

TEST(QuantiseErrors, SayWhatToDoAboutALogSoftmaxAtTheEnd) {
  Network n;
  n.finish({n.node("softmax", graph::LogSoftmax{}, {n.gemm("fc", n.input({any, 5}), 3)})});
  EXPECT_EQ(
      quantise_message(n.graph),
      "passes: node 'softmax' (LogSoftmax): has no integer form (expected the network without it: the largest of its "
      "inputs decides the class just as well)");
}

TEST(QuantiseErrors, NameAnOpWithoutAnIntegerForm) {
  Network n;
  const ValueId x = n.input({any, 2, 4, 4});
  n.finish({n.conv("conv", n.node("power", graph::Pow{}, {x, n.relu("relu", x)}), 2, 1)});
  EXPECT_EQ(quantise_message(n.graph),
            "passes: node 'power' (Pow): has no integer form (expected another op, or {\"enabled\": false} for this "
            "layer in the policy, which leaves it in reals)");
}

TEST(QuantiseErrors, NameWhatIsComputedAndMustBeConstant) {
  Network n;
  const ValueId x = n.input({2, 5});
  n.finish({n.node("fc", graph::Gemm{1, 1, false, true, 0}, {x, n.relu("relu", x)})});
  EXPECT_EQ(quantise_message(n.graph),
            "passes: node 'fc' (Gemm): has weights that are computed (expected constant weights, or a MatMul)");
  Network b;
  const ValueId y = b.input({1, 5});
  b.finish({b.node("fc", graph::MatMul{},
                   {b.constant("w", b.normal({1})), b.node("r", graph::Reshape{{1, 5}, false}, {y})})});
  EXPECT_NE(quantise_message(b.graph).find("has a constant before its activation"), std::string::npos);
}

TEST(QuantiseErrors, NameWhatChoosesAndPicksByWhatIsComputed) {
  Network n;
  n.graph.inputs.push_back(n.graph.add_value("flags", ElementType::Int64, {1, 2}));
  const ValueId x = n.input({1, 2});
  n.finish({n.node("where", graph::Where{}, {n.graph.inputs[0], x, n.relu("relu", x)})});
  EXPECT_EQ(quantise_message(n.graph),
            "passes: node 'where' (Where): chooses by what is computed (expected a constant condition)");
  Network g;
  const ValueId place = g.node("place", graph::ArgMax{1, false, false}, {g.input({1, 5})});
  g.finish({g.node("gather", graph::Gather{0}, {g.constant("table", g.normal({5, 2})), place})});
  EXPECT_EQ(quantise_message(g.graph),
            "passes: node 'gather' (Gather): picks from a constant by what is computed (expected constant indices, or "
            "a graph input of integers)");
}

TEST(QuantiseErrors, NameAnInputFormatThatDoesNotFit) {
  const auto message = [](const InputFormat& format) {
    Network n = one_convolution();
    QuantiseOptions options;
    options.formats = {format};
    return quantise_message(n.graph, options);
  };
  EXPECT_EQ(message({"image", {1}, {0}}), "passes: input formats: no input 'image'");
  EXPECT_EQ(message({"x", {1, 1, 1}, {0}}),
            "passes: input 'x': a format of 3 channels with [N, 2, 6, 6] (expected one for each channel)");
  EXPECT_EQ(message({"x", {-1}, {0}}),
            "passes: input 'x': a pixel times -1 plus 0 (expected a positive factor and finite numbers)");
}

// ---- fake to true ---------------------------------------------------------------------------------------------------

Network quantised() {
  Network n;
  const ValueId x = n.relu("relu", n.conv("conv", n.input({any, 2, 6, 6}), 4, 3, 1, 1));
  n.finish({n.conv("last", n.average_pool("pool", x), 2, 1)});
  quantise_by(n.graph);
  return n;
}

std::string integerise_message(Graph& graph, const IntegeriseOptions& options = {}) {
  return message_of([&] { integerise(graph, options); });
}

void bypass(Graph& graph, const char* quantiser) {
  const auto& node = graph.nodes[static_cast<size_t>(index_of(graph, quantiser))];
  graph.replace(node.outputs[0], node.inputs[0]);
  graph::tidy(graph);
}

TEST(IntegeriseErrors, NameEachQuantiserThatIsMissing) {
  Network n = quantised();
  const Graph whole = n.graph;
  bypass(n.graph, "pool_q");
  EXPECT_EQ(
      integerise_message(n.graph),
      "passes: node 'last' (Conv): input 'pool_equalised' is not on a grid (expected a quantiser between the two)");
  n.graph = whole;
  bypass(n.graph, "conv_q");
  EXPECT_EQ(integerise_message(n.graph),
            "passes: node 'pool' (AveragePool): input 'relu_equalised' is not on a grid (expected a quantiser between "
            "the two)");
  n.graph = whole;
  bypass(n.graph, "conv_w_q");
  EXPECT_EQ(integerise_message(n.graph),
            "passes: node 'conv' (Conv): weights 'conv_w' are not on a grid (expected a quantiser between the two)");
  n.graph = whole;
  bypass(n.graph, "x_q");
  EXPECT_EQ(integerise_message(n.graph),
            "passes: input 'x': is read by node 'conv' (Conv) (expected a quantiser between the two)");
  n.graph = whole;
  bypass(n.graph, "last_b_q");
  EXPECT_EQ(integerise_message(n.graph),
            "passes: output 'last': is not on one grid (expected a quantiser before it, or a linear op with one weight "
            "scale and its bias on the accumulator's grid)");
}

TEST(IntegeriseErrors, RefuseANetworkThatIsNotFakeQuantised) {
  Network n = one_convolution();
  EXPECT_EQ(integerise_message(n.graph),
            "passes: integerise: the network is FP (expected a fake-quantised network (FQ))");
}

TEST(IntegeriseErrors, NameAnAccumulatorThatMayOverflow) {
  Network n = quantised();
  IntegeriseOptions options;
  options.accumulator_bits.bits = 12;
  const std::string message = integerise_message(n.graph, options);
  EXPECT_TRUE(message.starts_with("passes: node 'conv' (Conv): the sums of channel ")) << message;
  EXPECT_NE(message.find(" bits (expected at most 12: fewer bits for its weights or its inputs, or --accumulator-bits "
                         "12,conv="),
            std::string::npos)
      << message;
  // The advice holds.
  const std::string advice = message.substr(message.find("--accumulator-bits ") + 19);
  options.accumulator_bits = accumulator_bits_from(advice.substr(0, advice.size() - 1) + ",last*=32", "here");
  n = quantised();
  EXPECT_EQ(integerise_message(n.graph, options), "no error");
  n = quantised();
  options.accumulator_bits.bits = 40;
  EXPECT_EQ(integerise_message(n.graph, options), "passes: accumulator bits: 40 (expected 8 to 32)");
}

TEST(IntegeriseErrors, NameABatchNormsWayThatIsNone) {
  EXPECT_EQ(policy_message(R"({"batch_norm": "melt"})"),
            "passes: policy.json: batch_norm: 'melt' (expected fold, integer, threshold or keep)");
  for (const char* text : {"[]", "{", R"({"bn": 1})", R"({"bn": "melt"})"}) {
    Network n = quantised();
    n.graph.metadata["batch_norm"] = text;
    EXPECT_TRUE(integerise_message(n.graph).find("metadata 'batch_norm':") != std::string::npos) << text;
  }
}

TEST(IntegeriseErrors, NameAccumulatorBitsThatAreNone) {
  const auto message = [](std::string_view text) { return message_of([&] { accumulator_bits_from(text, "here"); }); };
  for (const char* text : {"", "7", "33", "x", "16,", "16,24", "16,=24", "16,conv=", "16,conv=2x"})
    EXPECT_NE(message(text).find("(expected 8 to 32, then NODE=BITS)"), std::string::npos) << text;
  EXPECT_EQ(message("16,conv=40"), "passes: here: 'conv=40' (expected 8 to 32, then NODE=BITS)");
  EXPECT_EQ(message("16,conv*=24,a=b=32"), "no error");
  Network n = quantised();
  IntegeriseOptions options;
  options.accumulator_bits = accumulator_bits_from("32,nothing=16", "here");
  EXPECT_EQ(integerise_message(n.graph, options),
            "passes: accumulator bits: no node 'nothing' (expected a node's name or a pattern of * and ?)");
}

TEST(IntegeriseErrors, NameBranchesOnSeveralGridsWithoutAQuantiserBehindThem) {
  Network n;
  const ValueId a = n.conv("a", n.input({any, 2, 6, 6}), 2, 3, 1, 1);
  const ValueId joined = n.node("concat", graph::Concat{1}, {a, n.conv("b", a, 2, 1)});
  n.finish({n.conv("last", joined, 2, 1), n.conv("next", n.max_pool("pool", joined), 2, 1)});
  quantise_by(n.graph);
  for (auto& node : n.graph.nodes)
    if (node.name == "b_q") {
      // Scales apart would do: a scale for each channel.
      get<graph::Quantise>(node.op).grid.scale = {0.5};
      get<graph::Quantise>(node.op).grid.zero_point = 77;
    }
  EXPECT_EQ(integerise_message(n.graph),
            "passes: node 'concat' (Concat): joins branches on several grids (expected one grid for all, or one "
            "quantiser right after it)");
  Network s;
  const ValueId x = s.conv("a", s.input({any, 2, 6, 6}), 2, 3, 1, 1);
  s.finish({s.add("add", x, s.conv("b", x, 2, 1))});
  quantise_by(s.graph);
  for (auto& node : s.graph.nodes)
    if (node.name == "b_q") get<graph::Quantise>(node.op).grid.scale = {0.25F / 3};
  EXPECT_EQ(integerise_message(s.graph),
            "passes: output 'add': is not on one grid (expected a quantiser before it, or a linear op with one weight "
            "scale and its bias on the accumulator's grid)");
}

TEST(IntegeriseErrors, NameAPadBetweenLevelsWithoutAQuantiserBehindIt) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("conv", n.input({any, 2, 6, 6}), 2, 3));
  const ValueId pad = n.node("pad", graph::Pad{{0, 0, 1, 1, 0, 0, 1, 1}, graph::PadMode::Constant, 0.3}, {x});
  n.finish({n.conv("last", pad, 2, 3)});
  quantise_by(n.graph);
  bypass(n.graph, "pad_q");
  EXPECT_EQ(integerise_message(n.graph),
            "passes: node 'pad' (Pad): pads with a number that is not on the grid of its input (expected zeros, or one "
            "quantiser right after it)");
}

TEST(IntegeriseErrors, NameAnAveragePoolWithAWindowThatMeetsNothing) {
  Network n;
  const ValueId x = n.relu("relu", n.conv("conv", n.input({any, 2, 6, 6}), 2, 3));
  n.finish({n.node("pool", graph::AveragePool{{2, 2}, {2, 2}, {2, 2, 0, 0}, {1, 1}, false, false}, {x})});
  for (auto& node : n.graph.nodes)
    if (auto* pool = get_if<graph::AveragePool>(&node.op)) pool->count_include_pad = true;
  quantise_by(n.graph);
  for (auto& node : n.graph.nodes)
    if (auto* pool = get_if<graph::AveragePool>(&node.op)) pool->count_include_pad = false;
  EXPECT_EQ(integerise_message(n.graph),
            "passes: node 'pool' (AveragePool): has windows that meet nothing of its input (expected padding narrower "
            "than its windows)");
}

TEST(IntegeriseErrors, NameAnActivationQuantisedByChannelAndAnInputByFloor) {
  Network n = quantised();
  const Graph whole = n.graph;
  for (auto& node : n.graph.nodes)
    if (node.name == "conv_q") {
      auto& grid = get<graph::Quantise>(node.op).grid;
      grid.axis = 1;
      grid.scale.assign(4, 0.5);
    }
  n.graph[n.graph.find("conv_q")].grid.reset();
  EXPECT_EQ(
      integerise_message(n.graph),
      "passes: node 'conv_q' (Quantise): gives an activation a scale for each channel (expected one scale for the "
      "tensor)");
  n.graph = whole;
  for (auto& node : n.graph.nodes)
    if (node.name == "x_q") get<graph::Quantise>(node.op).rounding = Rounding::Floor;
  EXPECT_EQ(integerise_message(n.graph),
            "passes: input 'x': has a quantiser that rounds by floor (expected half_up or half_even)");
}

TEST(PipelineErrors, SayWhichPassLeftAGraphThatIsNotRight) {
  Network n = one_convolution();
  const Pipeline broken{{"break_it", "", [](Graph& graph) {
                           graph.nodes[0].name.clear();
                           return 0;
                         }}};
  try {
    run(broken, n.graph);
    FAIL() << "no error";
  } catch (const InternalError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("pass 'break_it' left a graph that is not right: graph: "))
        << error.what();
  }
}

TEST(PipelineErrors, NameAFolderThatCannotBeWritten) {
  Network n = one_convolution();
  EXPECT_NE(message_of([&] { run(canonicalise(), n.graph, "/proc/nowhere"); }).find("passes: /proc/nowhere: "),
            std::string::npos);
}

}  // namespace
}  // namespace nibble::passes::testing
