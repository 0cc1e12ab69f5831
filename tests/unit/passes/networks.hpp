#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "graph/graph.hpp"
#include "graph/infer/infer.hpp"
#include "passes/canonicalise/canonicalise.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/quantise/passes.hpp"

/// Small networks for the tests of passes, layer after layer, with random constants.
namespace nibble::passes::testing {
using graph::Graph;
using graph::ValueId;

struct Network {
  Graph graph;
  Random random;

  explicit Network(uint64_t seed = 1) : random(seed) { graph.name = "test"; }

  Tensor normal(const Shape& shape, double scale = 1, double shift = 0) {
    std::vector<float> values(static_cast<size_t>(element_count(shape)));
    for (float& value : values) value = static_cast<float>(random.normal() * scale + shift);
    return Tensor(shape, values);
  }
  ValueId input(Shape shape, const std::string& name = "x") {
    graph.inputs.push_back(graph.add_value(name, ElementType::Float32, std::move(shape)));
    return graph.inputs.back();
  }
  ValueId constant(const std::string& name, Tensor tensor) { return graph.add_constant(name, std::move(tensor)); }
  ValueId node(const std::string& name, graph::Op op, std::vector<ValueId> inputs) {
    const ValueId id = graph.add_node(name, std::move(op), std::move(inputs));
    graph::infer_shapes(graph);
    return id;
  }
  int64_t channels(ValueId x) const { return graph[x].shape.at(1); }

  ValueId conv(const std::string& name, ValueId x, int64_t outputs, int64_t kernel, int64_t stride = 1, int64_t pad = 0,
               int64_t group = 1, bool bias = true) {
    const auto spatial = graph[x].shape.size() - 2;
    Shape shape{outputs, channels(x) / group};
    for (size_t i = 0; i < spatial; ++i) shape.push_back(kernel);
    std::vector<ValueId> inputs{x, constant(name + "_w", normal(shape, 0.3))};
    if (bias) inputs.push_back(constant(name + "_b", normal({outputs}, 0.2)));
    return node(
        name,
        graph::Conv{graph::Ints(spatial, stride), graph::Ints(2 * spatial, pad), graph::Ints(spatial, 1), group, 0},
        std::move(inputs));
  }
  ValueId gemm(const std::string& name, ValueId x, int64_t outputs) {
    return node(
        name, graph::Gemm{1, 1, false, true, 0},
        {x, constant(name + "_w", normal({outputs, channels(x)}, 0.3)), constant(name + "_b", normal({outputs}, 0.2))});
  }
  /// Gains of both signs, and now and then zero.
  ValueId batch_norm(const std::string& name, ValueId x) {
    const int64_t c = channels(x);
    Tensor gain = normal({c});
    if (c > 2) gain.as<float>()[2] = 0;
    Tensor variance = normal({c});
    for (float& v : variance.as<float>()) v = v * v + 0.1F;
    return node(name, graph::BatchNormalization{},
                {x, constant(name + "_gamma", gain), constant(name + "_beta", normal({c})),
                 constant(name + "_mean", normal({c}, 0.3)), constant(name + "_variance", variance)});
  }
  ValueId relu(const std::string& name, ValueId x) { return node(name, graph::Relu{}, {x}); }
  ValueId max_pool(const std::string& name, ValueId x, int64_t kernel = 2, int64_t stride = 2) {
    return node(name, graph::MaxPool{{kernel, kernel}, {stride, stride}, {0, 0, 0, 0}, {1, 1}, false}, {x});
  }
  ValueId average_pool(const std::string& name, ValueId x, int64_t kernel = 2, int64_t stride = 2) {
    return node(name, graph::AveragePool{{kernel, kernel}, {stride, stride}, {0, 0, 0, 0}, {1, 1}, false, false}, {x});
  }
  ValueId add(const std::string& name, ValueId a, ValueId b) { return node(name, graph::Add{}, {a, b}); }
  /// A fully connected layer over the last axis, as exporters write it.
  ValueId project(const std::string& name, ValueId x, int64_t outputs) {
    const int64_t inputs = graph[x].shape.back();
    const ValueId product =
        node(name, graph::MatMul{},
             {x, constant(name + "_w", normal({inputs, outputs}, 1 / std::sqrt(static_cast<double>(inputs))))});
    return node(name + "_bias", graph::Add{}, {constant(name + "_b", normal({outputs}, 0.1)), product});
  }
  ValueId layer_norm(const std::string& name, ValueId x) {
    const int64_t width = graph[x].shape.back();
    return node(name, graph::LayerNormalization{},
                {x, constant(name + "_w", normal({width}, 0.2, 1)), constant(name + "_b", normal({width}, 0.2))});
  }
  ValueId rms_norm(const std::string& name, ValueId x) {
    return node(name, graph::RmsNormalization{}, {x, constant(name + "_w", normal({graph[x].shape.back()}, 0.2, 1))});
  }
  ValueId reshape(const std::string& name, ValueId x, const Shape& shape) {
    return node(name, graph::Reshape{shape, false}, {x});
  }
  ValueId transpose(const std::string& name, ValueId x, const graph::Ints& perm) {
    return node(name, graph::Transpose{perm}, {x});
  }
  /// Attention of several heads over [N, T, D]; `mask` (absent: none) is added to the scores.
  ValueId attention(const std::string& name, ValueId x, int64_t heads, ValueId mask = graph::absent) {
    const int64_t tokens = graph[x].shape[1], width = graph[x].shape[2], each = width / heads;
    const auto split = [&](const std::string& part, const graph::Ints& perm) {
      const ValueId whole = project(name + part, x, width);
      return transpose(name + part + "_t", reshape(name + part + "_r", whole, {0, tokens, heads, each}), perm);
    };
    const ValueId q = split("_q", {0, 2, 1, 3}), k = split("_k", {0, 2, 3, 1}), v = split("_v", {0, 2, 1, 3});
    ValueId scores = node(name + "_scores", graph::MatMul{}, {q, k});
    const auto root = static_cast<float>(std::sqrt(static_cast<double>(each)));
    scores =
        node(name + "_scaled", graph::Div{}, {scores, constant(name + "_root", Tensor({}, std::vector<float>{root}))});
    if (mask != graph::absent) scores = node(name + "_masked", graph::Add{}, {scores, mask});
    const ValueId shares = node(name + "_softmax", graph::Softmax{-1}, {scores});
    const ValueId mixed =
        transpose(name + "_mixed_t", node(name + "_mixed", graph::MatMul{}, {shares, v}), {0, 2, 1, 3});
    return project(name + "_out", reshape(name + "_joined", mixed, {0, tokens, width}), width);
  }
  ValueId conv_transpose(const std::string& name, ValueId x, int64_t outputs, int64_t kernel, int64_t stride,
                         int64_t pad = 0, int64_t group = 1) {
    const auto spatial = graph[x].shape.size() - 2;
    Shape shape{channels(x), outputs / group};
    for (size_t i = 0; i < spatial; ++i) shape.push_back(kernel);
    return node(name,
                graph::ConvTranspose{
                    graph::Ints(spatial, stride), graph::Ints(2 * spatial, pad), graph::Ints(spatial, 1), {}, group, 0},
                {x, constant(name + "_w", normal(shape, 0.3)), constant(name + "_b", normal({outputs}, 0.2))});
  }
  ValueId flatten(const std::string& name, ValueId x) { return node(name, graph::Flatten{1}, {x}); }

  Graph& finish(std::vector<ValueId> outputs) {
    graph.outputs = std::move(outputs);
    graph::tidy(graph);
    return graph;
  }
};

/// A batch for the network's inputs.
inline std::vector<Tensor> batch_for(const Graph& graph, Random& random, int64_t batch = 2) {
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs) {
    Shape shape = graph[id].shape;
    for (int64_t& extent : shape) extent = extent == any ? batch : extent;
    if (!is_real(graph[id].type)) {
      std::vector<int64_t> indices(static_cast<size_t>(element_count(shape)));
      for (int64_t& index : indices) index = static_cast<int64_t>(random.below(10));
      inputs.emplace_back(shape, indices);
      continue;
    }
    std::vector<float> values(static_cast<size_t>(element_count(shape)));
    for (float& value : values) value = static_cast<float>(random.normal());
    inputs.emplace_back(shape, values);
  }
  return inputs;
}

inline Batches batches_of(const Graph& graph, uint64_t seed = 99, int count = 2) {
  return [&graph, seed, count](const std::function<void(const std::vector<Tensor>&)>& use) {
    // The inputs keep their shapes through every pass.
    Random random(seed);
    for (int i = 0; i < count; ++i) use(batch_for(graph, random, 3));
  };
}

inline void quantise_by(Graph& graph, const QuantiseOptions& options = {}, uint64_t seed = 99) {
  quantise(graph, options, graph::reference_engine, batches_of(graph, seed));
}

/// Index of the node of that name, or -1.
inline int index_of(const Graph& graph, std::string_view name) {
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (graph.nodes[i].name == name) return static_cast<int>(i);
  return -1;
}
template <class Op>
int count_of(const Graph& graph) {
  int count = 0;
  for (const auto& node : graph.nodes) count += holds_alternative<Op>(node.op);
  return count;
}

/// The message of the UserError that `action` throws, or "no error".
template <class F>
std::string message_of(F&& action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace nibble::passes::testing
