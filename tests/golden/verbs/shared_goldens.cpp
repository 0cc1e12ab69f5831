#include <gtest/gtest.h>

#include "onnx/onnx.hpp"
#include "verbs/golden_match.hpp"

/// Networks that other tools wrote, with the integers that those tools computed: ../shared/golden, which is no part of
/// the repository.
namespace nibble::verbs {
namespace {

const std::filesystem::path shared = NIBBLE_SOURCE "/../shared/golden";

#define NEEDS_SHARED_GOLDENS() \
  if (!std::filesystem::exists(shared)) GTEST_SKIP() << shared << " is not here"

void expect_equal(const GoldenFolder& golden, const graph::Graph& graph) {
  const auto engine = graph::reference_engine(graph);
  const std::vector<Finding> findings = compare_goldens(golden, graph, *engine);
  EXPECT_GE(findings.size(), golden.activations.size() + golden.outputs.size());
  for (const Finding& finding : findings) {
    EXPECT_FALSE(finding.value.empty()) << finding.recorded->name << " is not in the network";
    EXPECT_FALSE(finding.difference.has_value())
        << finding.recorded->name << ": " << finding.difference->count << " of " << finding.recorded->tensor.size();
  }
}

TEST(SharedGoldens, HaveTheirExpectedIntegersInEveryRecordedTensor) {
  NEEDS_SHARED_GOLDENS();
  for (const std::filesystem::path& folder : golden_folders(shared)) {
    SCOPED_TRACE(folder.string());
    const GoldenFolder golden = read_golden_folder(folder);
    expect_equal(golden, onnx::read(golden.network));
  }
}

}  // namespace
}  // namespace nibble::verbs
