#include <gtest/gtest.h>

#include "base/random.hpp"
#include "graph/count.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "lab/topology.hpp"

using namespace nibble;

namespace {

struct Size {
  int64_t parameters = 0, multiply_accumulates = 0;
  bool operator==(const Size&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Size& size) {
  return out << size.parameters << " parameters, " << size.multiply_accumulates << " MACs";
}

/// Parameters with a batch-norm's four numbers a channel.
Size size_of(const lab::Topology& topology) {
  const graph::Graph graph = lab::build(topology, 1);
  const graph::Uses uses(graph);
  Size size;
  for (const graph::Node& node : graph.nodes) {
    const graph::Counts counts = graph::counts(graph, uses, node);
    size.parameters += counts.parameters;
    size.multiply_accumulates += counts.multiply_accumulates;
  }
  return size;
}

}  // namespace

/// Sizes of the published networks, as `nibble show` counts those of others.
TEST(Topologies, HaveThePublishedSizes) {
  EXPECT_EQ(size_of({"lenet"}), (Size{62006, 651720}));
  EXPECT_EQ(size_of({"resnet8"}), (Size{78426, 12501632}));
  EXPECT_EQ(size_of({"resnet8", 0.5}).multiply_accumulates, 3236160);
  EXPECT_EQ(size_of({"resnet18"}), (Size{11699112, 1814073344}));
  EXPECT_EQ(size_of({"mobilenet_3ddfa", 0.5}), (Size{861342, 46455872}));
  EXPECT_EQ(size_of({"mobilenet_v1", 0.75}), (Size{2601976, 325400448}));
  EXPECT_EQ(size_of({"mobilenet_v2"}).multiply_accumulates, 300774272);
  EXPECT_EQ(size_of({"ds_cnn"}).multiply_accumulates, 2656768);
  EXPECT_EQ(size_of({"autoencoder"}).multiply_accumulates, 264192);
}

TEST(Topologies, HaveTheDimensionsAskedFor) {
  const graph::Graph graph = lab::build({"mobilenet_v2", 0.35, 96, 5}, 1);
  EXPECT_EQ(graph[graph.inputs[0]].shape, (Shape{any, 3, 96, 96}));
  EXPECT_EQ(graph[graph.outputs[0]].shape, (Shape{any, 5}));
}

TEST(Topologies, AreDrawnFromTheirSeed) {
  const auto first_weight = [](uint64_t seed) {
    const graph::Graph graph = lab::build({"lenet"}, seed);
    return graph.constant(graph.find("conv1.weight"))->to_reals()[0];
  };
  EXPECT_EQ(first_weight(3), first_weight(3));
  EXPECT_NE(first_weight(3), first_weight(4));
}

/// He's rule keeps what flows through finite, though residual branches add up before any batch-norm has statistics.
TEST(Topologies, StartWithFiniteOutputsOfAReasonableSize) {
  for (std::string_view name : lab::topology_names()) {
    if (name.starts_with("mobilenet") || name.starts_with("vgg") || name == "resnet18")
      continue;  // slow by the naive evaluator
    const graph::Graph graph = lab::build({std::string(name)}, 1);
    Shape shape = graph[graph.inputs[0]].shape;
    shape[0] = 1;
    Random random(2);
    Tensor x(ElementType::Float32, shape);
    for (float& each : x.as<float>()) each = static_cast<float>(random.normal());
    double largest = 0;
    for (double y : graph::evaluate(graph, {x}).at(0).to_reals()) largest = std::max(largest, std::abs(y));
    EXPECT_GT(largest, 1e-3) << name;
    EXPECT_LT(largest, 1e4) << name;
  }
}
