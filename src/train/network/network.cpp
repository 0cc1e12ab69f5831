#include "train/network/network.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "graph/op_traits.hpp"
#include "train/network/tensors.hpp"

namespace nibble::train {
namespace {

using namespace graph;

void check_learnable(const Graph& graph) {
  if (graph.stage != Stage::FP && graph.stage != Stage::FQ)
    fail("train", graph.name, "stage " + std::string(to_string(graph.stage)), "FP or FQ");
  if (graph.inputs.size() != 1) fail("train", graph.name, std::to_string(graph.inputs.size()) + " inputs", "one");
  if (graph.outputs.size() != 1) fail("train", graph.name, std::to_string(graph.outputs.size()) + " outputs", "one");
}

}  // namespace

Network::Network(const Graph& graph, const QuantiserRecipes& recipes, uint64_t seed, bool fold)
    : graph_(graph), writer_(Uses(graph).writer), constants_(graph.values.size()), folded_at_(graph.nodes.size(), -1) {
  check_learnable(graph);
  for (size_t id = 0; id < graph.values.size(); ++id)
    if (graph.values[id].constant) constants_[id] = to_torch(*graph.values[id].constant);
  find_learned();
  if (std::none_of(learned_.begin(), learned_.end(), [](const Learned& one) { return one.gradient; }))
    fail("train", graph.name, "no weights", "a network with float32 constants to learn");
  make_quantisers(recipes, seed);
  if (fold) find_folded();
  if (graph.stage != Stage::FQ) return;
  now_ = std::make_unique<graph::Graph>(graph);
  find_normed();
  std::vector<size_t> last(graph.values.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (ValueId id : graph.nodes[n].inputs)
      if (id != absent) last[static_cast<size_t>(id)] = n;
    for (ValueId id : graph.nodes[n].outputs) last[static_cast<size_t>(id)] = n;
  }
  released_.resize(graph.nodes.size());
  for (size_t id = 0; id < last.size(); ++id)
    if (id != static_cast<size_t>(graph.outputs[0])) released_[last[id]].push_back(static_cast<ValueId>(id));
}

void Network::learn(const std::vector<int>& writer, const Node& node, size_t input, bool gradient, bool decays) {
  if (input >= node.inputs.size() || node.inputs[input] == absent) return;
  ValueId id = node.inputs[input];
  // In an FQ graph a quantiser stands between the weights and the op.
  for (int by = writer[static_cast<size_t>(id)]; by >= 0; by = writer[static_cast<size_t>(id)]) {
    const Node& before = graph_.nodes[static_cast<size_t>(by)];
    if (!holds_alternative<Quantise>(before.op)) return;
    id = before.inputs[0];
  }
  const Value& value = graph_[id];
  if (!value.constant || value.type != ElementType::Float32) return;
  if (std::any_of(learned_.begin(), learned_.end(), [&](const Learned& one) { return one.id == id; })) return;
  at::Tensor& tensor = constants_[static_cast<size_t>(id)];
  tensor.set_requires_grad(gradient);
  learned_.push_back({id, value.name, tensor, gradient, decays, ""});
}

void Network::find_learned() {
  const std::vector<int>& writer = writer_;
  const auto by_matmul = [&](ValueId id) {
    const int by = writer[static_cast<size_t>(id)];
    return by >= 0 && holds_alternative<MatMul>(graph_.nodes[static_cast<size_t>(by)].op);
  };
  for (const Node& node : graph_.nodes) {
    const bool linear = is_linear(node.op);
    const bool rows = class_of(node.op) == OpClass::Algorithm;
    const bool batch = holds_alternative<BatchNormalization>(node.op);
    if (linear || batch || rows)
      for (size_t i = 0; i < node.inputs.size(); ++i) learn(writer, node, i, !batch || i < 3, linear && i < 2);
    if (holds_alternative<Add>(node.op) && node.inputs.size() == 2)
      for (size_t i = 0; i < 2; ++i)
        if (by_matmul(node.inputs[1 - i])) learn(writer, node, i, true, false);
  }
}

std::vector<at::Tensor> Network::start(const Mode& mode) const {
  std::vector<at::Tensor> values = constants_;
  for (const FoldableNorm& pair : folded_)
    values[static_cast<size_t>(pair.weights)] = folded_weights(pair, gain_of(pair));
  // Detached, not under NoGradGuard: there 1.13 prefers XNNPACK, here many times slower than oneDNN.
  for (at::Tensor& value : values)
    if (!mode.training && value.defined()) value = value.detach();
  return values;
}

std::vector<at::Tensor> Network::inputs_of(size_t node, const std::vector<at::Tensor>& values) const {
  std::vector<at::Tensor> inputs;
  for (ValueId id : graph_.nodes[node].inputs)
    inputs.push_back(id == absent ? at::Tensor() : values[static_cast<size_t>(id)]);
  return inputs;
}

std::vector<at::Tensor> Network::on_reals(size_t n, const std::vector<at::Tensor>& inputs, const Mode& mode) const {
  const Node& node = graph_.nodes[n];
  if (holds_alternative<Quantise>(node.op)) return {quantise(n, inputs[0], mode)};
  return folded_at_[n] >= 0 ? folded(n, inputs, mode) : forward(node, inputs, mode);
}

std::vector<bool> Network::nodes_of(const Part& part) const {
  std::vector<bool> all(part.end), leads(graph_.values.size());
  for (ValueId id : part.wanted)
    if (id != absent) leads[static_cast<size_t>(id)] = true;
  for (size_t n = part.end; n-- > 0;) {
    const Node& node = graph_.nodes[n];
    all[n] = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return leads[static_cast<size_t>(id)] && part.begun.values.count(id) == 0;
    });
    if (!all[n]) continue;
    for (ValueId id : node.inputs)
      if (id != absent) leads[static_cast<size_t>(id)] = true;
  }
  return all;
}

std::vector<at::Tensor> Network::compute(const Part& part, const Mode& mode, const Observer& observe) const {
  std::vector<at::Tensor> values = start(mode);
  for (const auto& [id, value] : part.begun.values) {
    values[static_cast<size_t>(id)] = value;
    if (observe.watches(id)) observe.see(id, value);
  }
  if (now_) {
    compute_on_levels(values, part, mode, observe);
    return values;
  }
  const std::vector<bool> nodes = nodes_of(part);
  for (size_t n = 0; n < part.end; ++n) {
    if (!nodes[n]) continue;
    const Node& node = graph_.nodes[n];
    for (ValueId id : node.inputs)
      if (id != absent && graph_[id].constant && observe.watches(id)) observe.see(id, values[static_cast<size_t>(id)]);
    const std::vector<at::Tensor> outputs = on_reals(n, inputs_of(n, values), mode);
    for (size_t i = 0; i < outputs.size(); ++i) {
      values[static_cast<size_t>(node.outputs[i])] = outputs[i];
      if (observe.watches(node.outputs[i])) observe.see(node.outputs[i], outputs[i]);
    }
  }
  return values;
}

at::Tensor Network::run(const at::Tensor& x, const Mode& mode, bool logits, const Observer& observe) const {
  ValueId result = graph_.outputs[0];
  size_t end = graph_.nodes.size();
  const auto writer_of = [&](ValueId id) {
    const int writer = writer_[static_cast<size_t>(id)];
    return writer < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(writer)];
  };
  // A quantised network has its Softmax's own quantiser behind it.
  const Node* last = writer_of(result);
  while (last && (holds_alternative<Quantise>(last->op) || holds_alternative<Identity>(last->op)))
    last = writer_of(last->inputs[0]);
  if (logits && last && holds_alternative<Softmax>(last->op)) {
    end = static_cast<size_t>(last - graph_.nodes.data());
    result = last->inputs[0];
  }
  const Begun begun = begin(x);
  return compute({begun, end, {result}}, mode, observe)[static_cast<size_t>(result)];
}

}  // namespace nibble::train
