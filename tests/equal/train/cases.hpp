#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "graph/verify.hpp"
#include "train/engine.hpp"

/// Random small networks and the comparison of an engine with the naive evaluator.
namespace nibble::test {

inline Tensor random_reals(Shape shape, Random& random, double low = -2, double high = 2) {
  Tensor tensor(ElementType::Float32, std::move(shape));
  for (float& x : tensor.as<float>()) x = static_cast<float>(low + (high - low) * random.uniform());
  return tensor;
}

inline Tensor random_integers(Shape shape, Random& random, int64_t low, int64_t high,
                              ElementType type = ElementType::Int64) {
  Tensor tensor(ElementType::Int64, std::move(shape));
  for (int64_t& x : tensor.as<int64_t>())
    x = low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
  return tensor.cast(type);
}

/// A graph built node by node; the last node's values are its outputs.
struct Builder {
  graph::Graph graph;
  explicit Builder(graph::Stage stage) { graph.stage = stage, graph.name = "case"; }
  graph::ValueId input(Shape shape) {
    shape[0] = any;
    const auto id = graph.add_value("x" + std::to_string(graph.inputs.size()), ElementType::Float32, std::move(shape));
    graph.inputs.push_back(id);
    return id;
  }
  graph::ValueId integer_input(Shape shape, int64_t low, int64_t high) {
    const auto id = input(std::move(shape));
    Grid grid;
    grid.low = low, grid.high = high, grid.zero_point = low;
    graph[id].grid = grid;
    graph[id].type = grid.container();
    return id;
  }
  graph::ValueId constant(Tensor tensor) { return graph.add_constant("c", std::move(tensor)); }
  graph::ValueId node(graph::Op op, std::vector<graph::ValueId> inputs) {
    return graph.add_node(std::string(graph::name_of(op)), std::move(op), std::move(inputs));
  }
  graph::Graph& done(std::vector<graph::ValueId> outputs) {
    graph.outputs = std::move(outputs);
    graph::tidy(graph);
    return graph;
  }
};

struct Observed {
  graph::ValueId id;
  Tensor value;
};

inline std::vector<Observed> observe(graph::Engine& engine, const std::vector<Tensor>& inputs) {
  std::vector<Observed> values;
  engine.run(inputs, [&](graph::ValueId id, const Tensor& value) { values.push_back({id, value}); });
  return values;
}

/// Every value that either engine shows, equal: integers exactly, reals within `tolerance` of the tensor's largest.
inline void expect_same(const graph::Graph& graph, const std::vector<Tensor>& inputs, double tolerance = 1e-5) {
  const auto engine = train::make_engine(graph, {});
  const auto reference = graph::reference_engine(graph);
  const auto found = observe(*engine, inputs), expected = observe(*reference, inputs);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string name = graph[expected[i].id].name;
    ASSERT_EQ(found[i].id, expected[i].id);
    ASSERT_EQ(found[i].value.shape(), expected[i].value.shape()) << name;
    if (!is_real(expected[i].value.type())) {
      ASSERT_EQ(found[i].value.to_integers(), expected[i].value.to_integers()) << name;
      continue;
    }
    const auto y = found[i].value.to_reals(), truth = expected[i].value.to_reals();
    double largest = 1e-30;
    for (double t : truth) largest = std::max(largest, std::isfinite(t) ? std::abs(t) : 0);
    for (size_t k = 0; k < y.size(); ++k) ASSERT_NEAR(y[k], truth[k], tolerance * largest) << name << " at " << k;
  }
}

}  // namespace nibble::test
