#pragma once
#include "unit/train/quantised.hpp"

namespace nibble::test {

inline graph::ValueId quantised(graph::Graph& graph, const std::string& name, graph::ValueId x, const Grid& grid) {
  const graph::ValueId id = graph.add_node(name, graph::Quantise{grid, Rounding::HalfUp}, {x});
  graph[id].grid = grid;
  return id;
}

/// A Conv of quantised weights and a batch-norm of drawn statistics, some gains negative, the first channel's `gamma`.
inline graph::ValueId conv_norm(graph::Graph& graph, const std::string& number, graph::ValueId x, int64_t from,
                                int64_t to, bool bias, float gamma) {
  Random random(17 + static_cast<uint64_t>(number[0]));
  const auto drawn = [&](const std::string& name, Shape shape, double middle, double deviation) {
    Tensor tensor(ElementType::Float32, std::move(shape));
    for (float& each : tensor.as<float>()) each = static_cast<float>(middle + deviation * random.normal());
    return graph.add_constant(name, std::move(tensor));
  };
  graph::Conv conv;
  conv.strides = {1, 1}, conv.dilations = {1, 1}, conv.pads = {1, 1, 1, 1};
  const graph::ValueId w = drawn("conv" + number + ".weight", {to, from, 3, 3}, 0, 0.3);
  Grid grid = grid_of(0.07, -8, 7);
  if (bias) grid.scale.assign(static_cast<size_t>(to), 0.0625), grid.axis = 0;
  std::vector<graph::ValueId> inputs{x, quantised(graph, "conv" + number + ".weight_q", w, grid)};
  if (bias) inputs.push_back(drawn("conv" + number + ".bias", {to}, 0, 0.5));
  x = graph.add_node("conv" + number, conv, inputs);
  const std::string norm = "bn" + number;
  const graph::ValueId scale = drawn(norm + ".weight", {to}, 0.5, 1), shift = drawn(norm + ".bias", {to}, 0, 0.5);
  graph[scale].constant->as<float>()[0] = gamma;
  const graph::ValueId mean = drawn(norm + ".mean", {to}, 0, 0.3), variance = drawn(norm + ".variance", {to}, 2, 0.3);
  return graph.add_node(norm, graph::BatchNormalization{}, {x, scale, shift, mean, variance});
}

/// Two of them, with a bias and without, and a last layer whose sum is the output. `wide`: the first one's weights have
/// 16 bits. `apart`: a ReLU stands between the
/// second convolution and its batch-norm.
inline graph::Graph network_of_norms(float gamma = 0.7F, bool apart = false, bool wide = false) {
  graph::Graph graph;
  graph.name = "norms", graph.stage = graph::Stage::FQ;
  graph::ValueId x = graph.add_value("input", ElementType::Float32, {any, 1, 8, 8});
  graph.inputs = {x};
  x = conv_norm(graph, "1", quantised(graph, "input_q", x, grid_of(0.5, -8, 7)), 1, 6, true, gamma);
  x = quantised(graph, "relu_q", graph.add_node("relu", graph::Relu{}, {x}), grid_of(0.25, 0, 15));
  x = conv_norm(graph, "2", x, 6, 4, false, gamma);
  if (apart) {
    graph::Node& norm = graph.nodes.back();
    const graph::ValueId before = norm.inputs[0];
    const graph::ValueId between = graph.add_node("between", graph::Relu{}, {before});
    for (graph::Node& node : graph.nodes)
      if (node.name == "bn2") node.inputs[0] = between;
  }
  x = quantised(graph, "bn2_q", x, grid_of(0.25, -8, 7));
  graph::MaxPool pool;
  pool.kernel = pool.strides = {2, 2}, pool.pads = {0, 0, 0, 0}, pool.dilations = {1, 1};
  x = graph.add_node("flatten", graph::Flatten{}, {graph.add_node("pool", pool, {x})});
  Tensor weights(ElementType::Float32, {4, 64});
  Random random(3);
  for (float& each : weights.as<float>()) each = static_cast<float>(0.1 * random.normal());
  const Grid last = grid_of(0.03125, -8, 7), sum = grid_of(0.25 * 0.03125, INT32_MIN, INT32_MAX);
  const graph::ValueId w = quantised(graph, "fc.weight_q", graph.add_constant("fc.weight", weights), last);
  const graph::ValueId b = quantised(
      graph, "fc.bias_q", graph.add_constant("fc.bias", Tensor({4}, std::vector<float>{0.1F, 0, -0.1F, 0.2F})), sum);
  graph::Gemm gemm;
  gemm.transpose_b = true;
  x = graph.add_node("fc", gemm, {x, w, b});
  graph[x].grid = sum;
  graph.outputs = {x};
  for (graph::Node& node : graph.nodes)
    if (wide && node.name == "conv1.weight_q") {
      Grid& grid = get<graph::Quantise>(node.op).grid;
      grid.scale.assign(6, 0x1p-12), grid.low = INT16_MIN, grid.high = INT16_MAX;
      graph[node.outputs[0]].grid = grid;
    }
  graph::tidy(graph);
  return graph;
}

}  // namespace nibble::test
