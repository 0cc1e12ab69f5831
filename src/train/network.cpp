#include "train/network.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "train/tensors.hpp"

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

Network::Network(const Graph& graph, const QuantiserRecipes& recipes, uint64_t seed)
    : graph_(graph), writer_(Uses(graph).writer), constants_(graph.values.size()) {
  check_learnable(graph);
  for (size_t id = 0; id < graph.values.size(); ++id)
    if (graph.values[id].constant) constants_[id] = to_torch(*graph.values[id].constant);
  find_learned();
  if (std::none_of(learned_.begin(), learned_.end(), [](const Learned& one) { return one.gradient; }))
    fail("train", graph.name, "no weights", "a network with float32 constants to learn");
  make_quantisers(recipes, seed);
}

void Network::learn(const std::vector<int>& writer, const Node& node, size_t input, bool gradient, bool decays) {
  if (input >= node.inputs.size() || node.inputs[input] == absent) return;
  ValueId id = node.inputs[input];
  // In an FQ graph a quantiser stands between the weights and the op.
  for (int by = writer[static_cast<size_t>(id)]; by >= 0; by = writer[static_cast<size_t>(id)]) {
    const Node& before = graph_.nodes[static_cast<size_t>(by)];
    if (!std::holds_alternative<Quantise>(before.op)) return;
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
    return by >= 0 && std::holds_alternative<MatMul>(graph_.nodes[static_cast<size_t>(by)].op);
  };
  for (const Node& node : graph_.nodes) {
    const bool linear = std::holds_alternative<Conv>(node.op) || std::holds_alternative<ConvTranspose>(node.op) ||
                        std::holds_alternative<Gemm>(node.op) || std::holds_alternative<MatMul>(node.op);
    const bool rows =
        std::holds_alternative<LayerNormalization>(node.op) || std::holds_alternative<RmsNormalization>(node.op);
    const bool batch = std::holds_alternative<BatchNormalization>(node.op);
    if (linear || batch || rows)
      for (size_t i = 0; i < node.inputs.size(); ++i) learn(writer, node, i, !batch || i < 3, linear && i < 2);
    if (std::holds_alternative<Add>(node.op) && node.inputs.size() == 2)
      for (size_t i = 0; i < 2; ++i)
        if (by_matmul(node.inputs[1 - i])) learn(writer, node, i, true, false);
  }
}

at::Tensor Network::run(const at::Tensor& x, const Mode& mode, bool logits, const Observer& observe) const {
  std::vector<at::Tensor> values = constants_;
  // Detached, not under NoGradGuard: there 1.13 prefers XNNPACK, here many times slower than oneDNN.
  for (at::Tensor& value : values)
    if (!mode.training && value.defined()) value = value.detach();
  values[static_cast<size_t>(graph_.inputs[0])] = x;
  if (observe) observe(graph_.inputs[0], x);
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    std::vector<at::Tensor> inputs;
    for (ValueId id : node.inputs) inputs.push_back(id == absent ? at::Tensor() : values[static_cast<size_t>(id)]);
    if (observe)
      for (ValueId id : node.inputs)
        if (id != absent && graph_[id].constant) observe(id, values[static_cast<size_t>(id)]);
    const bool last = node.outputs[0] == graph_.outputs[0];
    if (logits && last && std::holds_alternative<Softmax>(node.op)) return inputs[0];
    const std::vector<at::Tensor> outputs = std::holds_alternative<Quantise>(node.op)
                                                ? std::vector<at::Tensor>{quantise(n, inputs[0], mode)}
                                                : forward(node, inputs, mode);
    for (size_t i = 0; i < outputs.size(); ++i) {
      values[static_cast<size_t>(node.outputs[i])] = outputs[i];
      if (observe) observe(node.outputs[i], outputs[i]);
    }
  }
  return values[static_cast<size_t>(graph_.outputs[0])];
}

}  // namespace nibble::train
