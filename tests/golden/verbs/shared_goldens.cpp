#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "onnx/dialects.hpp"
#include "scratch.hpp"
#include "verbs/goldens/golden_match.hpp"
#include "verbs/goldens/golden_network.hpp"

namespace nibble::verbs {
namespace {

/// The golden folders beside the repository, <dialect>/..., of the dialects that we read; none where they are not here.
std::vector<std::filesystem::path> folders() {
  std::vector<std::filesystem::path> all;
  for (const onnx::Dialect& dialect : onnx::dialects()) {
    const auto root = std::filesystem::path(NIBBLE_SOURCE) / "../shared/golden" / dialect.name;
    if (!std::filesystem::exists(root)) continue;
    for (const auto& folder : golden_folders(root)) all.push_back(folder);
  }
  return all;
}

TEST(SharedGoldens, HaveTheirIntegersInEveryRecordedTensorInTheDialectThatTheyShow) {
  if (folders().empty()) GTEST_SKIP() << "no ../shared/golden";
  for (const auto& folder : folders()) {
    SCOPED_TRACE(folder.string());
    const GoldenFolder golden = read_golden_folder(folder);
    const graph::Graph graph = read_golden_network(golden);
    EXPECT_EQ(graph.stage, graph::Stage::ID);
    const auto engine = graph::reference_engine(graph);
    const std::vector<Finding> findings = compare_goldens(golden, graph, *engine);
    EXPECT_GE(findings.size(), golden.activations.size() + golden.outputs.size());
    for (const Finding& finding : findings) {
      EXPECT_FALSE(finding.value.empty()) << finding.recorded->name << " is not in the network";
      EXPECT_FALSE(finding.difference.has_value()) << finding.recorded->name << ": " << finding.difference->count;
    }
  }
}

/// The outputs' integers, or nothing where the dialect refuses, naming a node or the input.
std::optional<std::vector<Tensor>> through(const onnx::Dialect& dialect, const graph::Graph& graph,
                                           const std::vector<Tensor>& inputs) {
  const auto file = nibble::tests::scratch("through.onnx");
  try {
    dialect.write(graph, file);
  } catch (const UserError& error) {
    const std::string message = error.what();
    const auto named = [&](const std::string& name) { return message.find("'" + name + "'") != message.npos; };
    EXPECT_TRUE(
        std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const auto& node) { return named(node.name); }) ||
        named(graph[graph.inputs.front()].name))
        << message;
    return {};
  }
  return graph::evaluate(onnx::read(file, {.dialect = std::string(dialect.name)}), inputs);
}

TEST(SharedGoldens, ComputeTheSameIntegersThroughEveryDialectOrAreRefusedByName) {
  if (folders().empty()) GTEST_SKIP() << "no ../shared/golden";
  std::map<std::string_view, int> written;
  for (const auto& folder : folders()) {
    const GoldenFolder golden = read_golden_folder(folder);
    const graph::Graph graph = read_golden_network(golden);
    std::vector<const Recorded*> constants;
    const std::vector<Tensor> inputs = golden_inputs(golden, graph, constants);
    const std::vector<Tensor> expected = graph::evaluate(graph, inputs);
    for (const onnx::Dialect& dialect : onnx::dialects()) {
      if (!dialect.holds(graph::Stage::ID)) continue;
      SCOPED_TRACE(folder.string() + " as " + std::string(dialect.name));
      const auto outputs = through(dialect, graph, inputs);
      if (!outputs) continue;
      ++written[dialect.name];
      for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(outputs->at(i).to_integers(), expected[i].to_integers());
    }
  }
  EXPECT_EQ(written["native"], static_cast<int>(folders().size()));
  EXPECT_GE(written["deeploy"], 24);
  for (const auto& [dialect, count] : written)
    std::cout << dialect << ": " << count << " of " << folders().size() << "\n";
}

}  // namespace
}  // namespace nibble::verbs
