#include <gtest/gtest.h>

#include "equal/onnx/random_integer_networks.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"

namespace nibble::tests {
namespace {

/// The file, or the refusal.
std::string written(const graph::Graph& graph, std::string& refusal) {
  try {
    return onnx::deeploy_bytes(graph);
  } catch (const UserError& error) {
    refusal = error.what();
    return {};
  }
}

/// How many of `seeds` networks are written; each of them computes the same integers read back, and of the rest every
/// refused node is named.
int round_trips(uint64_t seeds, Style style) {
  int count = 0;
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const graph::Graph graph = random_integer_network(seed, style);
    std::string refusal;
    const std::string bytes = written(graph, refusal);
    if (bytes.empty()) {
      EXPECT_TRUE(refusal.starts_with("onnx: dialect deeploy: network '")) << refusal;
      bool named = false;
      for (const graph::Node& node : graph.nodes)
        named = named || refusal.find("'" + node.name + "' (") != refusal.npos;
      EXPECT_TRUE(named) << refusal;
      continue;
    }
    ++count;
    const graph::Graph again = onnx::read_bytes(bytes, "back.onnx", {.dialect = "deeploy"});
    const auto inputs = random_integers(graph, seed);
    EXPECT_TRUE(graph::evaluate(again, inputs) == graph::evaluate(graph, inputs)) << graph.name;
  }
  return count;
}

}  // namespace

TEST(Deeploy, RandomNetworksOfAnyOpsComputeTheSameIntegersReadBackOrAreRefusedByName) {
  EXPECT_GT(round_trips(600, Style::Any), 50);
}

TEST(Deeploy, RandomDeployableNetworksComputeTheSameIntegersReadBackOrAreRefusedByName) {
  EXPECT_GT(round_trips(300, Style::Deployable), 100);
}

TEST(Deeploy, RandomAttentionBlocksComputeTheSameIntegersReadBackOrAreRefusedByName) {
  EXPECT_GT(round_trips(100, Style::Attention), 10);
}

}  // namespace nibble::tests
