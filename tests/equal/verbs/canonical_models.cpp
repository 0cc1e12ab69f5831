#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "onnx/onnx.hpp"
#include "passes/canonicalise/canonicalise.hpp"
#include "passes/quantise/quantise.hpp"

/// The networks of ../shared/data/models in canonical form: nothing is left of how they were exported.
namespace nibble::tests {
namespace {

struct Case {
  std::string model;
  size_t before, after;  ///< nodes
  std::map<std::string, int> ops;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> rows{
      {"3ddfa_mb05_120x120", 84, 57, {{"Conv", 27}, {"Relu", 27}, {"ReduceMean", 1}, {"Flatten", 1}, {"Gemm", 1}}},
      {"lenet_cifar10", 12, 12, {{"Conv", 2}, {"Relu", 4}, {"MaxPool", 2}, {"Flatten", 1}, {"Gemm", 3}}},
      {"mlperf_tiny_ad_autoencoder", 19, 19, {{"Gemm", 10}, {"Relu", 9}}},
      {"mlperf_tiny_ic_resnet8",
       22,
       22,
       {{"Conv", 9}, {"Relu", 7}, {"Add", 3}, {"ReduceMean", 1}, {"Flatten", 1}, {"Gemm", 1}}},
      {"mlperf_tiny_kws_dscnn", 21, 21, {{"Conv", 9}, {"Relu", 9}, {"ReduceMean", 1}, {"Flatten", 1}, {"Gemm", 1}}},
      {"mlperf_tiny_vww_mbv1_025_96",
       57,
       57,
       {{"Conv", 27}, {"Relu", 27}, {"ReduceMean", 1}, {"Flatten", 1}, {"Gemm", 1}}},
      {"mobilenet_v1_0.75_224", 84, 57, {{"Conv", 28}, {"Clip", 27}, {"ReduceMean", 1}, {"Flatten", 1}}},
      {"mobilenet_v2_1.0_224", 100, 100, {{"Conv", 53}, {"Clip", 35}, {"Add", 10}, {"ReduceMean", 1}, {"Flatten", 1}}},
      {"resnet8_cifar10",
       30,
       22,
       {{"Conv", 9}, {"Relu", 7}, {"Add", 3}, {"ReduceMean", 1}, {"Flatten", 1}, {"Gemm", 1}}},
  };
  return rows;
}

std::map<std::string, int> ops_of(const graph::Graph& graph) {
  std::map<std::string, int> ops;
  for (const graph::Node& node : graph.nodes) ++ops[std::string(graph::name_of(node.op))];
  return ops;
}

TEST(CanonicalModels, HoldLinearOpsClipsAddsAndOneMean) {
  const std::filesystem::path models = std::filesystem::path(NIBBLE_SOURCE) / ".." / "shared" / "data" / "models";
  if (!std::filesystem::exists(models)) GTEST_SKIP() << models << " is not there";
  for (const Case& each : cases()) {
    const auto file = models / (each.model + ".onnx");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is not there";
    graph::Graph graph = onnx::read(file);
    EXPECT_EQ(graph.nodes.size(), each.before) << each.model;
    passes::run(passes::canonicalise(), graph);
    EXPECT_EQ(graph.nodes.size(), each.after) << each.model;
    EXPECT_EQ(ops_of(graph), each.ops) << each.model;
  }
}

}  // namespace
}  // namespace nibble::tests
