#include <gtest/gtest.h>

#include "equal/onnx/random_integer_networks.hpp"
#include "graph/evaluate/evaluate.hpp"

namespace nibble::tests {
namespace {

TEST(RandomIntegerNetworks, StayWithinTheRangesTheyStateAndHaveEveryIntegerOp) {
  std::set<std::string_view> ops;
  for (const Batch& batch : batches)
    for (uint64_t seed = 0; seed < batch.count; ++seed) {
      const graph::Graph graph = random_integer_network(seed, batch.style);
      for (const graph::Node& node : graph.nodes) ops.insert(graph::name_of(node.op));
      graph::evaluate(graph, random_integers(graph, seed), [&](graph::ValueId id, const Tensor& tensor) {
        for (int64_t x : tensor.to_integers())
          ASSERT_TRUE(graph[id].bounds.front().contains(x)) << graph.name << ": " << graph[id].name << " holds " << x;
        EXPECT_NO_THROW(tensor.cast(graph[id].type));
      });
    }
  EXPECT_EQ(ops, ops_of_random_integer_networks);
}

}  // namespace
}  // namespace nibble::tests
