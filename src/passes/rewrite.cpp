#include "passes/rewrite.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/channels.hpp"
#include "base/decimal.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

double at(const std::vector<double>& values, size_t channel) {
  return values.size() == 1 ? values[0] : values[channel];
}

/// Weights [O, ...], and nothing but them and a bias of one number an output.
bool weighs_outputs_first(const Graph& graph, const Node& node) {
  if (holds_alternative<graph::Conv>(node.op)) return true;
  const auto* gemm = get_if<graph::Gemm>(&node.op);
  return gemm && gemm->alpha == 1 && gemm->beta == 1 && !gemm->transpose_a && gemm->transpose_b &&
         (node.inputs.size() < 3 || node.inputs[2] == graph::absent || graph[node.inputs[2]].shape.size() == 1);
}

}  // namespace

std::string place_of(const Node& node) {
  return "node '" + node.name + "' (" + std::string(graph::name_of(node.op)) + ")";
}

Node* writer_of(Graph& graph, ValueId id) {
  for (Node& node : graph.nodes)
    if (std::find(node.outputs.begin(), node.outputs.end(), id) != node.outputs.end()) return &node;
  return nullptr;
}

int count_readers(const Graph& graph, ValueId id) {
  auto count = std::count(graph.outputs.begin(), graph.outputs.end(), id);
  for (const Node& node : graph.nodes) count += std::count(node.inputs.begin(), node.inputs.end(), id);
  return static_cast<int>(count);
}

double attribute_of(double number) {
  return decimal_of(static_cast<float>(number));
}

Tensor float_tensor(Shape shape, const std::vector<double>& values) {
  return Tensor(std::move(shape), std::vector<float>(values.begin(), values.end()));
}

ValueId rewrite_constant(Graph& graph, ValueId old, Tensor tensor) {
  if (count_readers(graph, old) > 1) return graph.add_constant(graph[old].name, std::move(tensor));
  graph::Value& value = graph[old];
  value.type = tensor.type();
  value.shape = tensor.shape();
  value.constant = std::move(tensor);
  return old;
}

std::optional<std::vector<double>> per_channel(const Tensor& constant, size_t rank) {
  if (constant.size() == 0 || !is_per_channel(constant.shape(), rank)) return std::nullopt;
  return constant.to_reals();
}

Tensor permuted(const Tensor& tensor, const graph::Ints& perm) {
  ensure(perm.size() == tensor.rank(), "a permutation names every axis");
  const size_t rank = perm.size(), width = size_of(tensor.type());
  std::vector<size_t> strides(rank, 1), steps(rank), extents(rank), index(rank);
  for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * static_cast<size_t>(tensor.shape()[i]);
  Shape shape;
  for (size_t i = 0; i < rank; ++i) {
    const auto axis = static_cast<size_t>(perm[i]);
    shape.push_back(tensor.shape()[axis]);
    steps[i] = strides[axis], extents[i] = static_cast<size_t>(tensor.shape()[axis]);
  }
  Tensor result(tensor.type(), std::move(shape));
  for (size_t to = 0; to < tensor.size(); ++to) {
    size_t from = 0;
    for (size_t i = 0; i < rank; ++i) from += index[i] * steps[i];
    std::memcpy(result.bytes().data() + to * width, tensor.bytes().data() + from * width, width);
    for (size_t i = rank; i-- > 0 && ++index[i] == extents[i];) index[i] = 0;
  }
  return result;
}

void scale_linear(Graph& graph, size_t linear, const std::vector<double>& gain, const std::vector<double>& shift) {
  const ValueId weights = graph.nodes[linear].inputs[1];
  const Tensor old = *graph.constant(weights);
  std::vector<double> values = old.to_reals();
  const auto channels = static_cast<size_t>(old.shape()[0]);
  const size_t each = values.size() / std::max<size_t>(channels, 1);
  for (size_t i = 0; i < values.size(); ++i) values[i] *= at(gain, i / each);
  const ValueId scaled = rewrite_constant(graph, weights, float_tensor(old.shape(), values));
  graph.nodes[linear].inputs[1] = scaled;

  graph.nodes[linear].inputs.resize(3, graph::absent);
  const ValueId bias = graph.nodes[linear].inputs[2];
  std::vector<double> biases = bias == graph::absent ? std::vector<double>(channels) : graph.constant(bias)->to_reals();
  for (size_t o = 0; o < channels; ++o) biases[o] = biases[o] * at(gain, o) + at(shift, o);
  Tensor tensor = float_tensor({static_cast<int64_t>(channels)}, biases);
  const ValueId id = bias == graph::absent ? graph.add_constant(graph.nodes[linear].name + "_bias", std::move(tensor))
                                           : rewrite_constant(graph, bias, std::move(tensor));
  graph.nodes[linear].inputs[2] = id;
}

int foldable_linear(const Graph& graph, const graph::Uses& uses, ValueId id, size_t reader) {
  const int writer = uses.writer[static_cast<size_t>(id)];
  if (writer < 0 || uses.only_reader(id) != static_cast<int>(reader)) return -1;
  const Node& node = graph.nodes[static_cast<size_t>(writer)];
  if (!weighs_outputs_first(graph, node) || !graph.constant(node.inputs[1])) return -1;
  const bool real_bias = node.inputs.size() < 3 || node.inputs[2] == graph::absent || graph.constant(node.inputs[2]);
  return real_bias && is_real(graph[node.inputs[1]].type) ? writer : -1;
}

std::optional<Affine> affine_of_batch_norm(const Graph& graph, const Node& node) {
  const auto* op = get_if<graph::BatchNormalization>(&node.op);
  if (!op) return std::nullopt;
  std::vector<std::vector<double>> parameters;
  for (size_t i = 1; i < 5; ++i) {
    const Tensor* constant = graph.constant(node.inputs[i]);
    if (!constant) return std::nullopt;
    parameters.push_back(constant->to_reals());
  }
  Affine affine;
  for (size_t c = 0; c < parameters[0].size(); ++c) {
    const double gain = parameters[0][c] / std::sqrt(parameters[3][c] + op->epsilon);
    affine.gain.push_back(gain);
    affine.shift.push_back(parameters[1][c] - parameters[2][c] * gain);
  }
  return affine;
}

std::optional<AffineNode> affine_of_arithmetic(const Graph& graph, const Node& node) {
  const bool add = holds_alternative<graph::Add>(node.op), sub = holds_alternative<graph::Sub>(node.op);
  const bool mul = holds_alternative<graph::Mul>(node.op), div = holds_alternative<graph::Div>(node.op);
  if (holds_alternative<graph::Neg>(node.op)) return AffineNode{node.inputs[0], {{-1.0}, {0.0}}};
  if ((!add && !sub && !mul && !div) || node.inputs.size() != 2) return std::nullopt;
  const bool constant_first = graph.constant(node.inputs[0]) != nullptr;
  const ValueId x = node.inputs[constant_first ? 1 : 0];
  const Tensor* constant = graph.constant(node.inputs[constant_first ? 0 : 1]);
  if (!constant || !is_real(constant->type()) || graph.constant(x) || (div && constant_first)) return std::nullopt;
  const Shape& shape = graph[x].shape;
  auto values = per_channel(*constant, shape.size());
  // A constant that widens x is no affine function of it.
  if (!values || (values->size() > 1 && (shape.size() < 2 || static_cast<size_t>(shape[1]) != values->size())))
    return std::nullopt;
  AffineNode found{x, {std::vector<double>(values->size(), 1.0), std::vector<double>(values->size(), 0.0)}};
  if (add) found.affine.shift = *values;
  if (mul) found.affine.gain = *values;
  for (size_t i = 0; i < values->size(); ++i) {
    if (div) found.affine.gain[i] = 1 / (*values)[i];
    if (sub) found.affine.shift[i] = constant_first ? (*values)[i] : -(*values)[i];
    if (sub && constant_first) found.affine.gain[i] = -1;
    if (!std::isfinite(found.affine.gain[i]) || !std::isfinite(found.affine.shift[i])) return std::nullopt;
  }
  return found;
}

}  // namespace nibble::passes
