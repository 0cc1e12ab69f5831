#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/file.hpp"
#include "base/random.hpp"
#include "equal/onnx/random_integer_networks.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "scratch.hpp"
#include "unit/onnx/model_builder.hpp"

// quantlab and nemo: what is read and written is the same integers, or refused by name.
namespace nibble::tests {
namespace {

using graph::Graph;
using graph::ValueId;

std::string refusal_of(const Graph& graph, const std::string& dialect) {
  try {
    onnx::write(graph, dialect, scratch(dialect + ".onnx"));
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

Graph written_and_read(const Graph& graph, const std::string& dialect) {
  EXPECT_EQ(refusal_of(graph, dialect), "");
  return onnx::read(scratch(dialect + ".onnx"));
}

Tensor random_tensor(Random& random, const Shape& shape, int64_t low, int64_t high, ElementType type) {
  std::vector<int64_t> q(static_cast<size_t>(element_count(shape)));
  for (int64_t& each : q) each = low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
  return Tensor(shape, q).cast(type);
}

/// A residual network of convolutions (depthwise too), pools and a last layer, on integers; channel parameters.
struct Residual {
  explicit Residual(uint64_t seed, Interval levels = {0, 255}) : random(seed), cut(levels) {
    graph.name = "residual";
    graph.stage = graph::Stage::ID;
    graph.inputs = {graph.add_value("x", ElementType::UInt8, {1, 3, 9, 8})};
    graph[graph.inputs[0]].bounds = {{0, 255}};
    ValueId y = layer("first", graph.inputs[0], 3, 6, 1);
    y = graph.add_node("max", graph::MaxPool{{2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}}, {y});
    const ValueId branch = layer("depthwise", y, 1, 6, 6);
    const ValueId first = graph.add_node("branch", graph::Requantise{{77}, {5}, {6}, 0, 255}, {branch});
    const ValueId sum = graph.add_node("sum", graph::Add{}, {first, y});
    y = graph.add_node("sum_q", graph::Requantise{{331}, {-900}, {9}, cut.low, cut.high}, {sum});
    const ValueId pooled = graph.add_node("pool", graph::SumPool{{2, 2}, {1, 1}, {0, 0, 0, 0}, {1, 1}}, {y});
    y = graph.add_node("pool_q", graph::FloorDivide{{1}, {0}, {4}, cut.low, cut.high}, {pooled});
    const ValueId whole = graph.add_node("whole", graph::ReduceSum{{2, 3}, true}, {y});
    y = graph.add_node("whole_q", graph::Requantise{{1001}, {1 << 12}, {13}, 0, 255}, {whole});
    y = graph.add_node("flat", graph::Flatten{1}, {y});
    const ValueId w = graph.add_constant("w_last", random_tensor(random, {4, 6}, -128, 127, ElementType::Int8));
    const ValueId b = graph.add_constant("b_last", random_tensor(random, {4}, -9999, 9999, ElementType::Int32));
    graph.outputs = {graph.add_node("last", graph::Gemm{1, 1, false, true, 0}, {y, w, b})};
    graph::tidy(graph);
  }

  ValueId layer(const std::string& name, ValueId x, int64_t in, int64_t out, int64_t group) {
    const ValueId w =
        graph.add_constant(name + "_w", random_tensor(random, {out, in, 3, 3}, -128, 127, ElementType::Int8));
    const ValueId a = graph.add_node(name, graph::Conv{{1, 1}, {1, 1, 1, 1}, {1, 1}, group, 0}, {x, w});
    graph::Requantise op;
    op.low = cut.low, op.high = cut.high;
    for (int64_t c = 0; c < out; ++c) {
      op.multiplier.push_back(static_cast<int64_t>(random.below(1 << 20)) - (c == 1 ? 1 << 20 : 0));
      // More bits than float32 has: the writer finds an equal form.
      op.addend.push_back((int64_t{1} << 30) + static_cast<int64_t>(random.below(1 << 27)));
      op.shift.push_back(24 + c % 3);
    }
    return graph.add_node(name + "_q", op, {a});
  }

  std::vector<Tensor> input() { return {random_tensor(random, {1, 3, 9, 8}, 0, 255, ElementType::UInt8)}; }

  Graph graph;
  Random random;
  Interval cut;
};

class LayerDialect : public testing::TestWithParam<const char*> {};

TEST_P(LayerDialect, ReadsBackTheIntegersOfAResidualNetwork) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Residual network(seed, seed % 2 == 0 ? Interval{0, 255} : Interval{0, 100});
    const Graph again = written_and_read(network.graph, GetParam());
    EXPECT_EQ(again.stage, graph::Stage::ID);
    for (int run = 0; run < 3; ++run) {
      const std::vector<Tensor> input = network.input();
      EXPECT_EQ(graph::evaluate(again, input), graph::evaluate(network.graph, input)) << "seed " << seed;
    }
  }
}

TEST_P(LayerDialect, ReadsBackTheIntegersOfSignedBranchesAndOfAddendsThatFloatsDoNotHold) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Residual network(seed);
    for (graph::Node& node : network.graph.nodes) {
      const bool bytes = node.name == "depthwise_q" || node.name == "branch";
      const bool fewer = node.name == "sum_q" || node.name == "pool_q";
      if (!bytes && !fewer) continue;
      const Interval levels = bytes ? Interval{-128, 127} : Interval{-100, 27};
      if (auto* op = get_if<graph::Requantise>(&node.op)) op->low = levels.low, op->high = levels.high;
      if (auto* op = get_if<graph::FloorDivide>(&node.op)) op->low = levels.low, op->high = levels.high;
      if (node.name != "sum_q") continue;
      auto& op = get<graph::Requantise>(node.op);
      op.multiplier = {331 << 15}, op.addend = {-(int64_t{30001} << 15) - 1}, op.shift = {24};
    }
    const Graph again = written_and_read(network.graph, GetParam());
    const std::vector<Tensor> input = network.input();
    EXPECT_EQ(graph::evaluate(again, input), graph::evaluate(network.graph, input)) << "seed " << seed;
  }
}

TEST_P(LayerDialect, RandomIntegerNetworksComputeTheSameIntegersReadBackOrAreRefusedByNode) {
  int written = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const Graph graph = random_integer_network(seed, seed % 2 == 0 ? Style::Any : Style::Deployable);
    const std::string refusal = refusal_of(graph, GetParam());
    if (!refusal.empty()) {
      EXPECT_NE(refusal.find("cannot say: "), refusal.npos) << refusal;
      continue;
    }
    ++written;
    const auto inputs = random_integers(graph, seed);
    const std::vector<Tensor> expected = graph::evaluate(graph, inputs);
    const std::vector<Tensor> found = graph::evaluate(onnx::read(scratch(GetParam() + std::string(".onnx"))), inputs);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_EQ(found[i].to_integers(), expected[i].to_integers()) << graph.name << " of seed " << seed;
  }
  EXPECT_GT(written, 0);
}

TEST_P(LayerDialect, NamesEveryNodeThatItCannotSay) {
  Residual network(1);
  Graph& graph = network.graph;
  for (graph::Node& node : graph.nodes) {
    if (auto* op = get_if<graph::Requantise>(&node.op); op && node.name == "first_q")
      op->multiplier[0] = (1 << 24) + 1, op->shift[0] = 26;
    if (auto* op = get_if<graph::Conv>(&node.op); op && node.name == "depthwise") op->zero_point = 3;
  }
  const std::string refusal = refusal_of(graph, GetParam());
  EXPECT_NE(
      refusal.find("'first_q' (Requantise): multiplier 16777217 of channel 0 (1 of 6 channels), and the dialect's "
                   "float32 tensors hold 24 bits; integerize --multiplier-bits 25 gives the best that fit and "
                   "counts the sums on which they differ"),
      refusal.npos)
      << refusal;
  EXPECT_NE(refusal.find("'depthwise' (Conv): pads an input whose zero is 3"), refusal.npos) << refusal;
}

TEST_P(LayerDialect, RefusesAnInputThatTwoLayersRead) {
  Residual network(1);
  Graph& graph = network.graph;
  graph.outputs.push_back(network.layer("second", graph.inputs[0], 3, 4, 1));
  EXPECT_NE(refusal_of(graph, GetParam())
                .find("input 'x': read by 2 layers, and DORY tells its format to the first layer alone"),
            std::string::npos);
}

TEST_P(LayerDialect, RefusesAListOfThresholdsAndSaysHowToDoWithout) {
  Residual network(1);
  Graph& graph = network.graph;
  const ValueId last = graph.outputs[0];
  const ValueId steps = graph.add_constant("steps", Tensor({1, 2}, std::vector<int64_t>{-5, 7}));
  graph.outputs = {graph.add_node("ternary", graph::Threshold{-1, {}}, {last, steps})};
  graph::tidy(graph);
  EXPECT_NE(refusal_of(graph, GetParam())
                .find("'ternary' (Threshold): a list of thresholds is no (x m + b) / D; integerize --thresholds never "
                      "gives one"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Each, LayerDialect, testing::Values("quantlab", "nemo"),
                         [](const auto& test) { return std::string(test.param); });

TEST(Nemo, RefusesLevelsBelowZeroThatAPaddedLayerReads) {
  Residual network(1);
  for (graph::Node& node : network.graph.nodes)
    if (node.name == "first_q") get<graph::Requantise>(node.op).low = -5;
  EXPECT_NE(
      refusal_of(network.graph, "nemo")
          .find("'first_q' (Requantise): levels -5..255, and the dialect's activations are 0..255 at most: its Div "
                "rounds toward zero; levels below zero are raised where no padding and no output needs them"),
      std::string::npos);
}

TEST(Quantlab, WritesTheConfigurationOfDory) {
  Residual network(3);
  onnx::write(network.graph, "quantlab", scratch("dory.onnx"));
  const Json config = read_json(scratch("config_dory.json"), "test");
  EXPECT_EQ(config["onnx_file"], "dory.onnx");
  EXPECT_EQ(config["n_inputs"], 1);
  EXPECT_EQ(config["input_bits"], 8);
  EXPECT_EQ(config["input_signed"], false);
  EXPECT_TRUE(config.contains("code reserved space"));
  EXPECT_EQ(config["BNRelu_bits"], 64) << "products of this network need more than 32 bits";
}

// ---- foreign files

foreign::Model chain(float factor, float divisor, bool floors) {
  foreign::Model model;
  model.input("0", {1, 2, 2, 2}).output("9", {1, 2, 2, 2});
  model.reals("w", {2, 2, 1, 1}, {1, -2, 3, 4}).reals("m", {1, 2, 1, 1}, {factor, 5}).reals("b", {2, 1, 1}, {-7, 8});
  model.reals("d", {}, {divisor});
  const std::string window =
      foreign::attribute("kernel_shape", std::vector<int64_t>{1, 1}) + foreign::attribute("weight_bits", int64_t{8});
  model.node("Conv", {"0", "w"}, "1", window).node("Mul", {"1", "m"}, "2").node("Add", {"2", "b"}, "3");
  model.node("Div", {"3", "d"}, "4");
  if (floors) model.node("Floor", {"4"}, "5");
  return model.node("Clip", {floors ? "5" : "4"}, "9",
                    foreign::attribute("min", -3.0f) + foreign::attribute("max", 200.0f));
}

Graph read(const foreign::Model& model, const std::string& dialect = {}) {
  return onnx::read_bytes(model.bytes(10), "chain.onnx", {.dialect = dialect});
}

std::string complaint(const foreign::Model& model, const std::string& dialect = {}) {
  try {
    read(model, dialect);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Quantlab, ReadsAChainAsOneRequantisation) {
  const Graph graph = read(chain(3, 16, true));
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.stage, graph::Stage::ID);
  const auto* op = get_if<graph::Requantise>(&graph.nodes[1].op);
  ASSERT_TRUE(op);
  EXPECT_EQ(op->multiplier, (graph::Ints{3, 5}));
  EXPECT_EQ(op->addend, (graph::Ints{-7, 8}));
  EXPECT_EQ(op->shift, (graph::Ints{4, 4}));
  EXPECT_EQ(op->low, -3);
  EXPECT_EQ(op->high, 200);
}

TEST(Quantlab, ReadsADivisorThatIsNoPowerOfTwoLiterally) {
  const Graph graph = read(chain(3, 255, true));
  const auto* op = get_if<graph::FloorDivide>(&graph.nodes.back().op);
  ASSERT_TRUE(op);
  EXPECT_EQ(op->divisor, (graph::Ints{255, 255}));
}

TEST(Quantlab, NamesTheLinkThatIsNotOfIntegersOrMissing) {
  EXPECT_EQ(complaint(chain(0.5f, 16, true)),
            "onnx: chain.onnx: node '2_node' (Mul): a multiplier of 0.500000 (expected a whole number)");
  EXPECT_EQ(complaint(chain(3, 0.25f, true)),
            "onnx: chain.onnx: node '4_node' (Div): a divisor of 0.250000 (expected a whole number)");
  EXPECT_EQ(complaint(chain(3, -4, true)),
            "onnx: chain.onnx: node '4_node' (Div): a divisor of -4 (expected whole numbers above 0)");
  EXPECT_EQ(complaint(chain(3, 16, false)),
            "onnx: chain.onnx: node '9_node' (Clip): clips a quotient that nothing rounds (expected a Floor, or a Cast "
            "to integers, behind the Div)");
}

TEST(Dialects, AreGivenByNameOrTheNearestIsSaid) {
  EXPECT_EQ(complaint(chain(3, 16, true), "quantlap").substr(0, 67),
            "onnx: chain.onnx: no dialect 'quantlap' (did you mean 'quantlab'?) ");
  EXPECT_EQ(read(chain(3, 16, true), "quantlab").stage, graph::Stage::ID);
}

// ---- the golden networks

/// The integers of a text file of the dialect, in its order.
std::vector<int64_t> recorded(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  std::vector<int64_t> values;
  while (std::getline(stream, line))
    if (!line.empty()) values.push_back(static_cast<int64_t>(std::stod(line)));
  return values;
}

/// [1, C, H, W] in the order H, W, C; other ranks as they are.
std::vector<int64_t> channels_last(const Tensor& tensor) {
  const std::vector<int64_t> values = tensor.to_integers();
  if (tensor.rank() != 4) return values;
  const auto channels = static_cast<size_t>(tensor.shape()[1]);
  const size_t pixels = values.size() / channels;
  std::vector<int64_t> moved(values.size());
  for (size_t c = 0; c < channels; ++c)
    for (size_t i = 0; i < pixels; ++i) moved[i * channels + c] = values[c * pixels + i];
  return moved;
}

void expect_golden(const std::filesystem::path& folder, const Graph& graph) {
  const Shape shape = graph[graph.inputs[0]].shape;
  const std::vector<int64_t> input = recorded(folder / "input.txt");
  const auto channels = static_cast<size_t>(shape[1]);
  std::vector<int64_t> first(input.size());
  for (size_t i = 0; i < input.size(); ++i) first[i % channels * (input.size() / channels) + i / channels] = input[i];
  std::vector<std::vector<int64_t>> seen;
  graph::evaluate(graph, {Tensor(shape, first).cast(graph[graph.inputs[0]].type)},
                  [&](ValueId, const Tensor& tensor) { seen.push_back(channels_last(tensor)); });
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("out")) continue;
    ++files;
    EXPECT_TRUE(std::find(seen.begin(), seen.end(), recorded(entry.path())) != seen.end()) << name;
  }
  EXPECT_GT(files, 0);
}

TEST(Goldens, OfDronetAndEegnetComeOutAndSoDoesEegnetWrittenAndReadBack) {
  const std::filesystem::path golden = std::filesystem::path(NIBBLE_SOURCE) / "../shared/golden";
  if (!std::filesystem::exists(golden)) GTEST_SKIP() << golden << " is not there";
  expect_golden(golden / "quantlab/dronet", onnx::read(golden / "quantlab/dronet/DRONETV3_ql_integerized.onnx"));
  const Graph eegnet = onnx::read(golden / "nemo/eegnet/eegnet_id_8b.onnx");
  expect_golden(golden / "nemo/eegnet", eegnet);
  expect_golden(golden / "nemo/eegnet", written_and_read(eegnet, "nemo"));
}

TEST(Goldens, OfDronetAreThoseOfItsLayersWrittenAndReadBack) {
  const std::filesystem::path folder = std::filesystem::path(NIBBLE_SOURCE) / "../shared/golden/quantlab/dronet";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there";
  Graph graph = onnx::read(folder / "DRONETV3_ql_integerized.onnx");
  EXPECT_NE(refusal_of(graph, "quantlab").find("'Concat_83' (Concat): DORY reads a Concat and drops it"),
            std::string::npos);
  // What DORY runs ends with the last product.
  graph.outputs = {graph.find("120")};
  graph::tidy(graph);
  const Graph again = written_and_read(graph, "quantlab");
  Random random(5);
  const Tensor input = random_tensor(random, graph[graph.inputs[0]].shape, 0, 255, ElementType::Int16);
  EXPECT_EQ(graph::evaluate(again, {input})[0].to_integers(), graph::evaluate(graph, {input})[0].to_integers());
}

}  // namespace
}  // namespace nibble::tests
