#include "train/network/forward_exact.hpp"

#include "base/error.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "train/network/forward.hpp"
#include "train/network/pointwise.hpp"
#include "train/network/tensors.hpp"

namespace nibble::train {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

bool is_integer(const Graph& graph, ValueId id) {
  return !is_real(graph[id].type);
}

std::vector<at::Tensor> by_reference(const Graph& graph, const Node& node, const std::vector<at::Tensor>& inputs) {
  std::vector<Tensor> held;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    held.push_back(id == graph::absent
                       ? Tensor()
                       : from_torch(inputs[i], is_integer(graph, id) ? ElementType::Int64 : ElementType::Float64));
  }
  std::vector<const Tensor*> read;
  for (size_t i = 0; i < held.size(); ++i) read.push_back(node.inputs[i] == graph::absent ? nullptr : &held[i]);
  std::vector<at::Tensor> outputs;
  for (const Tensor& output : graph::evaluate(node, read, is_integer(graph, node.outputs[0])))
    outputs.push_back(to_torch(output));
  return outputs;
}

}  // namespace

at::ScalarType torch_type(Carrier carrier) {
  switch (carrier) {
    case Carrier::Float32: return at::kFloat;
    case Carrier::Float64: return at::kDouble;
    case Carrier::Int64: return at::kLong;
  }
  throw InternalError("a carrier is one of the enumeration");
}

at::Tensor as_read(const Node& node, size_t input, const at::Tensor& x, Carrier computes) {
  const bool places = holds_alternative<graph::Gather>(node.op) && input == 1;
  return computes == Carrier::Int64 || places ? x : x.to(torch_type(computes));
}

std::vector<at::Tensor> forward_exact(const Graph& graph, const Node& node, const std::vector<at::Tensor>& inputs,
                                      Carrier computes, Carrier gives) {
  if (computes == Carrier::Int64) return by_reference(graph, node, inputs);
  const at::ScalarType type = torch_type(gives);
  const auto table = [&] { return graph.constant(node.inputs[1])->to_integers(); };
  if (const auto* op = get_if<graph::Quantise>(&node.op); op != nullptr && is_integer(graph, node.outputs[0]))
    return {quantise(*op, inputs[0], type, false)};
  if (const auto* op = get_if<graph::Dequantise>(&node.op)) return {dequantise(*op, inputs[0])};
  if (const auto* op = get_if<graph::Rescale>(&node.op)) return {rescale(*op, inputs, type)};
  if (const auto* op = get_if<graph::Requantise>(&node.op)) return {requantise(*op, inputs[0], type)};
  if (const auto* op = get_if<graph::Threshold>(&node.op))
    return {threshold(*op, inputs[0], table(), static_cast<size_t>(graph[node.inputs[1]].shape[0]), type)};
  if (const auto* op = get_if<graph::Table>(&node.op)) return {look_up(*op, inputs[0], table(), type)};
  std::vector<at::Tensor> read(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined()) read[i] = as_read(node, i, inputs[i], computes);
  return forward(node, read);
}

}  // namespace nibble::train
