#include <gtest/gtest.h>

#include "onnx/onnx.hpp"
#include "passes/integerise/integerise.hpp"
#include "scratch.hpp"
#include "verbs/goldens/golden_match.hpp"
#include "verbs/goldens/golden_network.hpp"

// tests/golden/folders: small networks of the kinds that other tools write, computed by make_folders.py.
namespace nibble::verbs {
namespace {

std::vector<std::filesystem::path> folders() {
  return golden_folders(std::filesystem::path(NIBBLE_SOURCE) / "tests/golden/folders");
}

void expect_equal(const GoldenFolder& golden, const graph::Graph& graph) {
  const auto engine = graph::reference_engine(graph);
  const std::vector<Finding> findings = compare_goldens(golden, graph, *engine);
  EXPECT_EQ(findings.size(), golden.activations.size() + golden.outputs.size());
  for (const Finding& finding : findings) {
    EXPECT_FALSE(finding.value.empty()) << finding.recorded->file << " is not in the network";
    EXPECT_FALSE(finding.difference.has_value()) << finding.recorded->file << ": " << finding.difference->count;
  }
}

TEST(GoldenFolders, HaveTheirNumbersInEveryRecordedTensor) {
  EXPECT_EQ(folders().size(), 9);
  for (const auto& folder : folders()) {
    SCOPED_TRACE(folder.filename().string());
    const GoldenFolder golden = read_golden_folder(folder);
    const graph::Graph graph = read_golden_network(golden);
    const bool spelled = folder.filename().string().starts_with("spelled");
    EXPECT_EQ(graph.stage, spelled ? graph::Stage::FQ : graph::Stage::ID);
    expect_equal(golden, graph);
  }
}

TEST(GoldenFolders, HaveThemAfterANativeFileToo) {
  for (const auto& folder : folders()) {
    SCOPED_TRACE(folder.filename().string());
    const GoldenFolder golden = read_golden_folder(folder);
    const auto file = nibble::tests::scratch("native.onnx");
    onnx::write_native(read_golden_network(golden), file);
    expect_equal(golden, onnx::read(file));
  }
}

TEST(GoldenFolders, OfSpelledQuantisersAreIntegerizedToTheirLevels) {
  for (const char* name : {"spelled", "spelled_attention"}) {
    SCOPED_TRACE(name);
    const GoldenFolder golden =
        read_golden_folder(std::filesystem::path(NIBBLE_SOURCE) / "tests/golden/folders" / name);
    graph::Graph graph = read_golden_network(golden);
    std::vector<const Recorded*> constants;
    const std::vector<Tensor> inputs = golden_inputs(golden, graph, constants);
    passes::integerise(graph, {});
    const graph::Value& y = graph[graph.outputs[0]];
    const std::vector<int64_t> levels = graph::evaluate(graph, inputs).at(0).to_integers();
    const std::vector<double> expected = golden.outputs.at(0).tensor.to_reals();
    int beside = 0;
    for (size_t i = 0; i < levels.size(); ++i)
      beside += std::abs(y.grid->real(levels[i], 0) - expected[i]) > y.grid->scale[0] / 2;
    // A Softmax is an integer algorithm: next to the real function.
    EXPECT_LE(beside, std::string_view(name) == "spelled" ? 0 : 1);
  }
}

TEST(GoldenFolders, WithSeveralInferencesHoldEachOfThem) {
  const auto root = std::filesystem::path(NIBBLE_SOURCE) / "tests/golden/folders";
  for (const auto& [name, count] : {std::pair{"quantlab_frames", 3}, {"quantlab_frames_apart", 2}}) {
    const GoldenFolder golden = read_golden_folder(root / name);
    EXPECT_EQ(golden.inferences, count);
    ASSERT_EQ(golden.inputs.size(), count);
    EXPECT_EQ(golden.activations.size(), 2 * count);
    EXPECT_EQ(golden.activations.back().inference, count - 1);
    for (int i = 1; i < count; ++i)
      EXPECT_NE(golden.inputs[i].tensor.to_integers(), golden.inputs[0].tensor.to_integers());
  }
}

TEST(GoldenFolders, OfAnotherInferenceDiffer) {
  GoldenFolder golden =
      read_golden_folder(std::filesystem::path(NIBBLE_SOURCE) / "tests/golden/folders/quantlab_frames");
  std::swap(golden.inputs[0].tensor, golden.inputs[1].tensor);
  const graph::Graph graph = read_golden_network(golden);
  const auto engine = graph::reference_engine(graph);
  for (const Finding& finding : compare_goldens(golden, graph, *engine))
    EXPECT_EQ(finding.difference.has_value(), finding.recorded->inference < 2) << finding.recorded->file;
}

}  // namespace
}  // namespace nibble::verbs
