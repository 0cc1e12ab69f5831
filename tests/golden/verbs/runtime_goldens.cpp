#include <gtest/gtest.h>

#include "lab/runtime_engine.hpp"
#include "runtime/nibble.h"
#include "verbs/goldens/golden_match.hpp"
#include "verbs/goldens/golden_network.hpp"

namespace nibble::verbs {
namespace {

std::vector<std::filesystem::path> folders() {
  std::vector<std::filesystem::path> all;
  for (const char* dialect : {"deeploy", "nemo", "quantlab"}) {
    const auto root = std::filesystem::path(NIBBLE_SOURCE) / "../shared/golden" / dialect;
    if (!std::filesystem::exists(root)) continue;
    for (const auto& folder : golden_folders(root)) all.push_back(folder);
  }
  return all;
}

TEST(RuntimeGoldens, HaveTheirIntegersInEveryRecordedTensorOnEveryKernelSet) {
  if (folders().empty()) GTEST_SKIP() << "no ../shared/golden";
  for (const auto& folder : folders()) {
    SCOPED_TRACE(folder.string());
    const GoldenFolder golden = read_golden_folder(folder);
    const graph::Graph graph = read_golden_network(golden);
    for (size_t i = 0; nibble_kernel_set_name(i) != nullptr; ++i) {
      SCOPED_TRACE(nibble_kernel_set_name(i));
      lab::RuntimeOptions options;
      options.kernels = nibble_kernel_set_name(i);
      options.threads = 1 + static_cast<int>(i) % 2;
      const auto engine = lab::runtime_engine(graph, options);
      const std::vector<Finding> findings = compare_goldens(golden, graph, *engine);
      EXPECT_GE(findings.size(), golden.outputs.size());
      for (const Finding& finding : findings)
        EXPECT_FALSE(finding.difference.has_value()) << finding.recorded->name << ": " << finding.difference->count;
    }
  }
}

}  // namespace
}  // namespace nibble::verbs
