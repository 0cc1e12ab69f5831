#include <gtest/gtest.h>

#include "equal/runtime/integer_net.hpp"
#include "equal/runtime/wild_networks.hpp"
#include "graph/text.hpp"
#include "lab/runtime_engine.hpp"

namespace nibble::tests {
namespace {

constexpr Interval bytes{0, 255};

/// A batch of three, example after example.
void expect_batches(const graph::Graph& graph, uint64_t seed) {
  const std::vector<Tensor> inputs = inputs_of(graph, seed, 3);
  std::vector<Tensor> expected;
  try {
    expected = graph::evaluate(graph, inputs);
  } catch (const UserError&) {
    return;
  }
  const std::vector<Tensor> got = lab::runtime_engine(graph)->run(inputs);
  for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], expected[i]) << "output " << i << " of a batch of three";
}

bool is_symbolic(const graph::Graph& graph) {
  return std::any_of(graph.inputs.begin(), graph.inputs.end(),
                     [&](graph::ValueId id) { return !is_static(graph[id].shape); });
}

TEST(RuntimeEngine, GivesABatchOfRandomNetworksExampleAfterExample) {
  int symbolic = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const graph::Graph graph = any_network(seed);
    if (!is_symbolic(graph)) continue;
    ++symbolic;
    SCOPED_TRACE("seed " + std::to_string(seed));
    expect_batches(graph, seed);
    ASSERT_FALSE(HasFailure()) << to_text(graph, graph::Constants::Whole);
  }
  EXPECT_GT(symbolic, 50);
}

TEST(RuntimeEngine, GathersExamplesWhoseRowsStandUnderOneAxis) {
  IntegerNet net;
  const graph::ValueId x = net.input({any, 3, 4}, bytes);
  const graph::ValueId rows = net.node(graph::Reshape{{-1, 4}, false}, {x});
  const graph::Graph& graph = net.give({net.requantise(rows, 3, 1, 2, bytes)});
  Tensor input(ElementType::Int64, {5, 3, 4});
  for (size_t i = 0; i < input.size(); ++i) input.as<int64_t>()[i] = static_cast<int64_t>(4 * i);
  EXPECT_EQ(lab::runtime_engine(graph)->run({input}), graph::evaluate(graph, {input}));
}

}  // namespace
}  // namespace nibble::tests
