#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "equal/runtime/integer_net.hpp"
#include "equal/runtime/wild_networks.hpp"
#include "onnx/onnx.hpp"
#include "text/verbs/script.hpp"

/// Random networks through `generate` and `validate`: every layer of the compiled C against the evaluator.
namespace nibble::tests {
namespace {

namespace fs = std::filesystem;

std::string from_environment(const char* name, const char* otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : text;
}

bool holds_reals(const graph::Graph& graph) {
  return std::any_of(graph.values.begin(), graph.values.end(),
                     [](const graph::Value& value) { return is_real(value.type); });
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// The code of this seed's network, built with the sanitizers on this machine, else for the board. Whether there was one:
/// integers beyond 64 bits are refused.
bool expect_code_is_evaluator(uint64_t seed, const std::string& board, const fs::path& folder) {
  graph::Graph graph;
  try {
    graph = any_network(seed);
  } catch (const UserError&) {
    return false;  // extents that do not meet
  }
  // The libraries of other machines give other reals.
  if (board != "host" && holds_reals(graph)) return false;
  const char* const machines[] = {"cortex-m4", "host", "cortex-m4", "rv32imc"};
  const std::string machine = board == "qemu-rv32"  ? "rv32imc"
                              : board == "qemu-m55" ? "cortex-m55"
                              : board == "qemu-m7"  ? "cortex-m7"
                              : board == "qemu-m4"  ? "cortex-m4"
                                                    : machines[seed % 4];
  try {
    onnx::write_native(graph, folder / "network.onnx");
  } catch (const std::exception&) {
    return false;  // beyond what files hold
  }
  fs::remove_all(folder / "code");
  const char* const ways[] = {"", " --external 512", " --inputs referenced --outputs referenced", " --pack always",
                              " --external 20000 --memory .rodata.hot=300"};
  const std::string more = ways[seed / 4 % 5];
  const Step generated = run("${NIBBLE:-" NIBBLE_BINARY "} generate network.onnx -o code --quiet --seed " +
                                 std::to_string(seed) + " --machine " + machine + more,
                             folder);
  if (generated.exit_code == 2) return false;
  EXPECT_EQ(generated.exit_code, 0) << joined(generated.errors);
  const Step validated = run(
      "${NIBBLE:-" NIBBLE_BINARY "} validate code --on " + board + (board == "host" ? " --sanitize --optimise 0" : ""),
      folder);
  EXPECT_EQ(validated.exit_code, 0) << joined(validated.output) << joined(validated.errors);
  return true;
}

// NIBBLE_RANDOM_NETWORKS=N makes N of them, NIBBLE_RANDOM_SEED where they begin, NIBBLE_RANDOM_BOARD where they run.
TEST(GeneratedCode, GivesTheIntegersOfTheEvaluatorOnRandomNetworks) {
  const uint64_t first = std::stoull(from_environment("NIBBLE_RANDOM_SEED", "0"));
  const uint64_t count = std::stoull(from_environment("NIBBLE_RANDOM_NETWORKS", "4"));
  const std::string board = from_environment("NIBBLE_RANDOM_BOARD", "host");
  const fs::path folder = fs::temp_directory_path() / ("nibble_code_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  uint64_t seen = 0;
  for (uint64_t seed = first; seed < first + 3 * count && seen < count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    if (expect_code_is_evaluator(seed, board, folder)) ++seen;
    if (HasFailure() && std::getenv("NIBBLE_RANDOM_ALL") == nullptr) break;
  }
  EXPECT_GT(seen, count / 2);
  fs::remove_all(folder);
}

/// The code of folder/network.onnx with these options is built and validated with those.
void expect_code_validates(const fs::path& folder, const std::string& generate, const std::string& validate) {
  const Step generated = run("${NIBBLE:-" NIBBLE_BINARY "} generate network.onnx -o code --quiet" + generate, folder);
  EXPECT_EQ(generated.exit_code, 0) << joined(generated.errors);
  const Step validated = run("${NIBBLE:-" NIBBLE_BINARY "} validate code" + validate, folder);
  EXPECT_EQ(validated.exit_code, 0) << joined(validated.output) << joined(validated.errors);
}

/// A depthwise convolution of so many rows of four and one over its channels, of weights within that range.
graph::Graph depthwise_and_pointwise(int64_t channels, int64_t rows, Interval weights) {
  IntegerNet net;
  const graph::ValueId x = net.input({1, channels, rows, 4}, {0, 15});
  const graph::ValueId each =
      net.node(graph::Conv{{1, 1}, {1, 1, 1, 1}, {1, 1}, channels, 0}, {x, net.constant({channels, 1, 3, 3}, weights)});
  const graph::ValueId y = net.requantise(each, 1, 0, 1, {0, 15});
  const graph::ValueId all =
      net.node(graph::Conv{{1, 1}, {0, 0, 0, 0}, {1, 1}, 1, 0}, {y, net.constant({5, channels, 1, 1}, weights)});
  return net.give({net.requantise(all, 1, 0, 2, {-128, 127})});
}

// Each tap of a depthwise convolution's begins on a byte; what is fetched whole is computed whole, and what of few
// positions is split by channels.
TEST(GeneratedCode, FetchesAllWeightsOfEveryWidthAndNumberOfChannels) {
  struct Case {
    int64_t channels, rows;
    Interval weights;
    int64_t room;
  };
  const fs::path folder = fs::temp_directory_path() / ("nibble_fetched_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  for (const Case& c : {Case{3, 5, {-2, 1}, 512}, Case{11, 5, {-2, 1}, 512}, Case{3, 5, {-7, 8}, 512},
                        Case{11, 5, {-7, 8}, 512}, Case{18, 1, {-7, 8}, 512}, Case{37, 1, {-2, 1}, 20000},
                        Case{37, 1, {-128, 127}, 20000}, Case{37, 5, {-128, 127}, 20000}}) {
    SCOPED_TRACE(std::to_string(c.channels) + " channels, weights from " + std::to_string(c.weights.low));
    onnx::write_native(depthwise_and_pointwise(c.channels, c.rows, c.weights), folder / "network.onnx");
    expect_code_validates(folder, " --machine rv32imc --external " + std::to_string(c.room), " --on host --optimise 0");
  }
  fs::remove_all(folder);
}

// Outputs of no elements, in the arena and outside, beside an input that nothing reads.
TEST(GeneratedCode, CopiesNothingOfOutputsWithoutElements) {
  const fs::path folder = fs::temp_directory_path() / ("nibble_empty_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  IntegerNet net;
  const graph::ValueId x = net.input({1, 3, 4}, {-128, 127});
  net.input({2, 5}, {0, 255});
  const graph::ValueId none = net.node(graph::Slice{{1}, {1}, {1}, {1}}, {net.node(graph::Abs{}, {x})});
  onnx::write_native(net.give({none, net.node(graph::Relu{}, {x}), net.node(graph::Relu{}, {none})}),
                     folder / "network.onnx");
  for (const std::string more : {"", " --inputs referenced --outputs referenced"})
    expect_code_validates(folder, more, " --on host --sanitize --optimise 0");
  fs::remove_all(folder);
}

// Words of C and C++, names that differ in case alone, those of the code's own parts, and layers whose names end comments
// and strings.
TEST(GeneratedCode, TakesNamesThatAreNoneInC) {
  const fs::path folder = fs::temp_directory_path() / ("nibble_names_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  IntegerNet net;
  std::vector<graph::ValueId> outputs;
  for (const char* name : {"int", "class", "c0", "A", "step_1", "arena", "exp", "uint8_t", "golden_a", "call"}) {
    const graph::ValueId x = net.input({1, 3, 4}, {-128, 127});
    net.graph[x].name = name;
    outputs.push_back(net.node(graph::Abs{}, {x}));
  }
  const char* const names[] = {"float", "new", "c1", "a", "fault", "run", "log", "int_t", "memcpy", "layer"};
  for (size_t i = 0; i < outputs.size(); ++i) net.graph[outputs[i]].name = names[i];
  net.graph.nodes[0].name = "what\?\?/";
  net.graph.nodes[1].name = "a\x01\"quoted\" \\ one */ with \xc3\xa9";
  onnx::write_native(net.give(outputs), folder / "network.onnx");
  expect_code_validates(folder, "", " --on host --sanitize --optimise 0");
  const Step included = run("echo '#include \"code/model.h\"' | g++ -x c++ -fsyntax-only -Wall -Werror -I. -", folder);
  EXPECT_EQ(included.exit_code, 0) << joined(included.errors);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace nibble::tests
