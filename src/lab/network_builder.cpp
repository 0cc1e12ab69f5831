#include "lab/network_builder.hpp"

#include <cmath>

#include "graph/infer/infer.hpp"

namespace nibble::lab {

using graph::ValueId;

ValueId NetworkBuilder::input(Shape shape) {
  const ValueId id = graph_.add_value("input", ElementType::Float32, std::move(shape));
  graph_.inputs.push_back(id);
  return id;
}

ValueId NetworkBuilder::conv(const std::string& name, ValueId x, int64_t to, const Window& window) {
  graph::Conv op;
  op.strides = {window.stride, window.stride};
  op.pads.assign(4, window.padding < 0 ? window.kernel / 2 : window.padding);
  op.group = window.group;
  return conv(name, x, to, std::move(op), {window.kernel, window.kernel}, window.bias);
}

ValueId NetworkBuilder::conv(const std::string& name, ValueId x, int64_t to, graph::Conv op, Shape kernel, bool bias) {
  op.dilations = {1, 1};
  const int64_t from = channels(x) / op.group;
  std::vector<ValueId> inputs{x,
                              drawn(name + ".weight", {to, from, kernel[0], kernel[1]}, from * kernel[0] * kernel[1])};
  if (bias) inputs.push_back(zeros(name + ".bias", to));
  return put(name, std::move(op), std::move(inputs));
}

ValueId NetworkBuilder::batch_norm(const std::string& name, ValueId x) {
  const int64_t count = channels(x);
  const auto filled = [&](const char* part, float value) {
    return graph_.add_constant(name + part, Tensor({count}, std::vector<float>(static_cast<size_t>(count), value)));
  };
  const ValueId scale = filled(".weight", 1), bias = filled(".bias", 0);
  const ValueId mean = filled(".mean", 0), variance = filled(".variance", 1);
  return put(name, graph::BatchNormalization{}, {x, scale, bias, mean, variance});
}

ValueId NetworkBuilder::max_pool(const std::string& name, ValueId x, const Window& window) {
  graph::MaxPool op;
  op.kernel = {window.kernel, window.kernel};
  op.strides = {window.stride, window.stride};
  op.pads.assign(4, window.padding < 0 ? window.kernel / 2 : window.padding);
  op.dilations = {1, 1};
  return put(name, op, {x});
}

ValueId NetworkBuilder::global_mean(const std::string& name, ValueId x) {
  return flatten(name + "_flatten", put(name, graph::GlobalAveragePool{}, {x}));
}

ValueId NetworkBuilder::twice_as_large(const std::string& name, ValueId x) {
  graph::Resize op;
  op.scales = {1, 1, 2, 2};
  op.coordinates = graph::ResizeCoordinates::Asymmetric;
  op.nearest = graph::ResizeNearest::Floor;
  return put(name, std::move(op), {x});
}

ValueId NetworkBuilder::reshape(const std::string& name, ValueId x, Shape extents) {
  graph::Ints shape{0};
  shape.insert(shape.end(), extents.begin(), extents.end());
  return put(name, graph::Reshape{std::move(shape)}, {x});
}

ValueId NetworkBuilder::fully_connected(const std::string& name, ValueId x, int64_t to) {
  graph::Gemm op;
  op.transpose_b = true;
  const int64_t from = channels(x);
  const ValueId weights = drawn(name + ".weight", {to, from}, from);
  return put(name, op, {x, weights, zeros(name + ".bias", to)});
}

ValueId NetworkBuilder::conv_bn_relu(const std::string& name, ValueId x, int64_t to, const Window& window) {
  return relu(name + "_relu", batch_norm(name + "_bn", conv(name, x, to, window)));
}

ValueId NetworkBuilder::conv_bn_relu6(const std::string& name, ValueId x, int64_t to, const Window& window) {
  return relu6(name + "_relu", batch_norm(name + "_bn", conv(name, x, to, window)));
}

ValueId NetworkBuilder::put(const std::string& name, graph::Op op, std::vector<ValueId> inputs) {
  const ValueId output = graph_.add_node(name, std::move(op), std::move(inputs));
  const graph::Node& node = graph_.nodes.back();
  std::vector<graph::TypedShape> held;
  for (ValueId id : node.inputs) held.push_back({graph_[id].type, graph_[id].shape});
  std::vector<const graph::TypedShape*> types;
  for (const graph::TypedShape& each : held) types.push_back(&each);
  const graph::TypedShape inferred =
      graph::infer(node, types, std::vector<const Tensor*>(node.inputs.size(), nullptr)).front();
  graph_[output].type = inferred.type;
  graph_[output].shape = inferred.shape;
  return output;
}

ValueId NetworkBuilder::drawn(const std::string& name, Shape shape, int64_t fan_in) {
  Tensor weights(ElementType::Float32, std::move(shape));
  const double deviation = std::sqrt(2.0 / static_cast<double>(fan_in));
  for (float& weight : weights.as<float>()) weight = static_cast<float>(deviation * random_.normal());
  return graph_.add_constant(name, std::move(weights));
}

ValueId NetworkBuilder::zeros(const std::string& name, int64_t count) {
  return graph_.add_constant(name, Tensor({count}, std::vector<float>(static_cast<size_t>(count), 0)));
}

}  // namespace nibble::lab
