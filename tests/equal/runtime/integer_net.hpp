#pragma once
#include "base/random.hpp"
#include "graph/graph.hpp"
#include "graph/infer/infer.hpp"
#include "graph/verify.hpp"

namespace nibble::tests {

/// A small integer network, built node by node; ranges are left to whoever wants them.
struct IntegerNet {
  graph::Graph graph;
  Random random{7};

  IntegerNet() {
    graph.name = "net";
    graph.stage = graph::Stage::ID;
  }
  graph::ValueId input(Shape shape, Interval range) {
    const Grid grid{.low = range.low, .high = range.high};
    const graph::ValueId id =
        graph.add_value("x" + std::to_string(graph.inputs.size()),
                        range.low < INT32_MIN || range.high > INT32_MAX ? ElementType::Int64 : grid.container(), shape);
    graph[id].bounds = {range};
    graph.inputs.push_back(id);
    return id;
  }
  /// Of random integers, or of those given.
  graph::ValueId constant(const Shape& shape, Interval range) {
    Tensor tensor(ElementType::Int64, shape);
    for (int64_t& value : tensor.as<int64_t>())
      value = range.low + static_cast<int64_t>(random.below(static_cast<uint64_t>(range.high - range.low) + 1));
    return graph.add_constant("c", tensor);
  }
  graph::ValueId constant(const Shape& shape, const std::vector<int64_t>& values) {
    return graph.add_constant("c", Tensor(shape, values));
  }
  graph::ValueId node(graph::Op op, std::vector<graph::ValueId> inputs) {
    const graph::ValueId id = graph.add_node("n", std::move(op), std::move(inputs));
    graph::infer_shapes(graph);
    return id;
  }
  graph::ValueId requantise(graph::ValueId x, int64_t multiplier, int64_t addend, int64_t shift, Interval to) {
    return node(graph::Requantise{{multiplier}, {addend}, {shift}, to.low, to.high}, {x});
  }
  const graph::Graph& give(std::vector<graph::ValueId> outputs) {
    graph.outputs = std::move(outputs);
    graph::tidy(graph);
    graph::verify(graph);
    return graph;
  }
};

}  // namespace nibble::tests
