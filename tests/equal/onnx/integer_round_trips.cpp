#include <gtest/gtest.h>

#include <set>

#include "equal/onnx/random_integer_networks.hpp"
#include "graph/evaluate.hpp"
#include "onnx/onnx.hpp"

namespace nibble::tests {
namespace {

constexpr uint64_t networks = 1000;

/// Half of any wiring, half of what is deployed.
graph::Graph network(uint64_t seed) {
  if (seed % 2 == 0) return random_integer_network(seed, Style::Any);
  return random_integer_network(seed, seed % 8 == 1 ? Style::Attention : Style::Deployable);
}

TEST(RandomIntegerNetworks, StayWithinTheRangesTheyStateAndHaveEveryIntegerOp) {
  std::set<std::string_view> ops;
  for (uint64_t seed = 0; seed < networks; ++seed) {
    const graph::Graph graph = network(seed);
    for (const graph::Node& node : graph.nodes) ops.insert(graph::name_of(node.op));
    graph::evaluate(graph, random_integers(graph, seed), [&](graph::ValueId id, const Tensor& tensor) {
      for (int64_t x : tensor.to_integers())
        ASSERT_TRUE(graph[id].bounds.front().contains(x)) << graph.name << ": " << graph[id].name << " holds " << x;
      EXPECT_NO_THROW(tensor.cast(graph[id].type));
    });
  }
  const std::set<std::string_view> all{"Add",
                                       "ArgMax",
                                       "Clip",
                                       "Concat",
                                       "Conv",
                                       "ConvTranspose",
                                       "Div",
                                       "Flatten",
                                       "FloorDivide",
                                       "Gather",
                                       "Gemm",
                                       "IGelu",
                                       "IHardSwish",
                                       "ILayerNorm",
                                       "INoNorm",
                                       "IRmsNorm",
                                       "ISoftmax",
                                       "IntegerDiv",
                                       "IntegerNormalization",
                                       "InterpolatedTable",
                                       "ItaMax",
                                       "ItaPartialMax",
                                       "MatMul",
                                       "Max",
                                       "MaxPool",
                                       "Min",
                                       "Mul",
                                       "Pad",
                                       "ReduceMax",
                                       "ReduceSum",
                                       "Relu",
                                       "Requantise",
                                       "Reshape",
                                       "Resize",
                                       "RoundedDivision",
                                       "Slice",
                                       "Split",
                                       "Squeeze",
                                       "Sub",
                                       "SumPool",
                                       "Table",
                                       "TableSoftmax",
                                       "Threshold",
                                       "Transpose",
                                       "TrueIntegerDiv",
                                       "Unsqueeze",
                                       "Where"};
  EXPECT_EQ(ops, all);
}

TEST(Native, RandomIntegerNetworksComputeTheSameIntegersReadBack) {
  for (uint64_t seed = 0; seed < networks; ++seed) {
    const graph::Graph graph = network(seed);
    const auto inputs = random_integers(graph, seed);
    const graph::Graph again = onnx::read_bytes(onnx::native_bytes(graph), "read back");
    EXPECT_EQ(graph::evaluate(again, inputs), graph::evaluate(graph, inputs)) << graph.name;
  }
}

}  // namespace
}  // namespace nibble::tests
