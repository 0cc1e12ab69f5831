#include <gtest/gtest.h>

#include <set>

#include "base/file.hpp"
#include "graph/verify.hpp"
#include "onnx/onnx.hpp"
#include "verbs/goldens/golden_match.hpp"
#include "verbs/goldens/golden_network.hpp"

using namespace nibble;

// The golden folders of the dialect deeploy, which lie beside the repository. Skipped where they do not.
namespace {

std::vector<std::filesystem::path> folders() {
  const std::filesystem::path root = std::filesystem::path(NIBBLE_SOURCE) / "../shared/golden/deeploy";
  if (!std::filesystem::is_directory(root)) return {};
  return verbs::golden_folders(root);
}

/// Nobody says which dialect it is.
graph::Graph read_golden(const verbs::GoldenFolder& golden) {
  return verbs::read_golden_network(golden);
}

void expect_equal(const verbs::GoldenFolder& golden, const graph::Graph& graph) {
  const auto engine = graph::reference_engine(graph);
  for (const verbs::Finding& finding : verbs::compare_goldens(golden, graph, *engine)) {
    EXPECT_FALSE(finding.value.empty()) << finding.recorded->name << " is not in the network";
    EXPECT_FALSE(finding.difference.has_value()) << finding.recorded->name;
  }
}

}  // namespace

TEST(DeeployGoldens, EveryRecordedTensorHasItsIntegers) {
  if (folders().empty()) GTEST_SKIP() << "no ../shared/golden/deeploy";
  for (const auto& folder : folders()) {
    SCOPED_TRACE(folder.filename().string());
    const verbs::GoldenFolder golden = verbs::read_golden_folder(folder);
    const graph::Graph graph = read_golden(golden);
    EXPECT_EQ(graph.stage, graph::Stage::ID);
    expect_equal(golden, graph);
  }
}

TEST(DeeployGoldens, AreTheSameIntegersAfterBeingWrittenAndReadBack) {
  if (folders().empty()) GTEST_SKIP() << "no ../shared/golden/deeploy";
  for (const auto& folder : folders()) {
    SCOPED_TRACE(folder.filename().string());
    const verbs::GoldenFolder golden = verbs::read_golden_folder(folder);
    const std::string bytes = onnx::deeploy_bytes(read_golden(golden));
    const graph::Graph back = onnx::read_bytes(bytes, "back.onnx", {.dialect = "deeploy"});
    expect_equal(golden, back);
    EXPECT_TRUE(onnx::deeploy_bytes(back) == bytes) << "a second writing differs from the first";
  }
}
