#include <algorithm>

#include "base/error.hpp"
#include "train/network/network.hpp"
#include "train/network/tensors.hpp"

/// The batch-norms of a network that trains: which are folded into the weights before them, and what is then computed.
namespace nibble::train {
using namespace graph;

void Network::find_folded() {
  // Without any the caller says so.
  if (batch_norms().empty()) return;
  for (const FoldableNorm& pair : foldable_norms(graph_)) {
    const Node& linear = graph_.nodes[pair.linear];
    const int by = writer_[static_cast<size_t>(linear.inputs[1])];
    if (by < 0) continue;
    const Quantiser* quantiser = quantisers_[static_cast<size_t>(by)].get();
    if (quantiser && quant::algorithm_of(quantiser->recipe().learning).sets_weights)
      fail("train", "batch-norm '" + graph_.nodes[pair.norm].name + "'",
           "folded into weights that " + std::string(quant::to_string(quantiser->recipe().learning)) +
               " sets on levels: they would leave them with the next statistics",
           "another algorithm for the weights of '" + linear.name + "', or no fold");
    folded_at_[pair.norm] = folded_at_[pair.linear] = static_cast<int>(folded_.size());
    folded_.push_back(pair);
  }
  if (folded_.empty())
    fail("train", graph_.name, "no batch-norm to fold into quantised weights before it",
         "one that alone reads a Conv or Gemm; in a policy \"batch_norm\": \"keep\" leaves them in the network");
}

std::vector<size_t> Network::batch_norms() const {
  std::vector<size_t> all;
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    if (holds_alternative<BatchNormalization>(node.op) && graph_.constant(node.inputs[3]) &&
        graph_.constant(node.inputs[4]))
      all.push_back(n);
  }
  return all;
}

at::Tensor Network::parameter(size_t batch_norm, size_t slot) const {
  return constants_[static_cast<size_t>(graph_.nodes[batch_norm].inputs[slot])];
}

at::Tensor Network::gamma_of(const FoldableNorm& pair) const {
  const at::Tensor gamma = parameter(pair.norm, 1), given = gamma.detach();
  const at::Tensor least = at::where(given < 0, at::full_like(given, -least_gamma), at::full_like(given, least_gamma));
  // Straight through: a gamma that passes 0 goes on.
  return gamma + (at::where(given.abs() < least_gamma, least, given) - given);
}

at::Tensor Network::gain_of(const FoldableNorm& pair) const {
  const double epsilon = get<BatchNormalization>(graph_.nodes[pair.norm].op).epsilon;
  return gamma_of(pair) / at::sqrt(variance_of(pair.norm) + epsilon);
}

at::Tensor Network::folded_weights(const FoldableNorm& pair, const at::Tensor& gain) const {
  const at::Tensor& weights = constants_[static_cast<size_t>(pair.weights)];
  return weights * along(gain, weights.dim(), pair.axis);
}

at::Tensor Network::weights_read(ValueId weights) const {
  for (const FoldableNorm& pair : folded_)
    if (pair.weights == weights) return folded_weights(pair, gain_of(pair)).detach();
  return constants_[static_cast<size_t>(weights)];
}

at::Tensor Network::bias_of(const FoldableNorm& pair, const at::Tensor& gain) const {
  const std::vector<ValueId>& inputs = graph_.nodes[pair.linear].inputs;
  at::Tensor moved = -mean_of(pair.norm);
  if (inputs.size() > 2 && inputs[2] != absent) moved = moved + constants_[static_cast<size_t>(inputs[2])];
  return parameter(pair.norm, 2) + moved * gain;
}

at::Tensor Network::without_gain(const FoldableNorm& pair, const at::Tensor& z, const at::Tensor& gain) const {
  const std::vector<ValueId>& inputs = graph_.nodes[pair.linear].inputs;
  const at::Tensor y = z / along(gain, z.dim(), 1);
  if (inputs.size() < 3 || inputs[2] == absent) return y;
  return y + along(constants_[static_cast<size_t>(inputs[2])], z.dim(), 1);
}

at::Tensor Network::folded_bias(size_t node, const Mode& mode) const {
  if (mode.training && !mode.frozen_statistics) return {};
  const FoldableNorm& pair = folded_[static_cast<size_t>(folded_at_[node])];
  const at::Tensor bias = bias_of(pair, gain_of(pair));
  return mode.training ? bias : bias.detach();
}

std::vector<at::Tensor> Network::normalised_inputs(size_t node, std::vector<at::Tensor> inputs) const {
  const FoldableNorm& pair = folded_[static_cast<size_t>(folded_at_[node])];
  inputs[0] = without_gain(pair, inputs[0], gain_of(pair));
  inputs[1] = gamma_of(pair);
  return inputs;
}

std::vector<double> Network::folded_gain(size_t node) const {
  return doubles(gain_of(folded_[static_cast<size_t>(folded_at_[node])]));
}

passes::Affine Network::behind_gain(passes::Affine affine, size_t node, const std::vector<double>& gain) const {
  const FoldableNorm& pair = folded_[static_cast<size_t>(folded_at_[node])];
  const std::vector<ValueId>& inputs = graph_.nodes[pair.linear].inputs;
  const bool biased = inputs.size() > 2 && inputs[2] != absent;
  const std::vector<double> bias = biased ? doubles(constants_[static_cast<size_t>(inputs[2])]) : std::vector<double>();
  for (size_t c = 0; c < affine.gain.size(); ++c) {
    if (biased) affine.shift[c] += bias[c] * affine.gain[c];
    affine.gain[c] /= gain[c];
  }
  return affine;
}

std::vector<at::Tensor> Network::folded(size_t node, std::vector<at::Tensor> inputs, const Mode& mode) const {
  const FoldableNorm& pair = folded_[static_cast<size_t>(folded_at_[node])];
  if (node == pair.linear) {
    inputs.resize(3);
    inputs[2] = folded_bias(node, mode);
    return forward(graph_.nodes[node], inputs, mode);
  }
  if (!mode.training || mode.frozen_statistics) return {inputs[0]};
  return forward(graph_.nodes[node], normalised_inputs(node, std::move(inputs)), mode);
}

size_t Network::end_before(size_t batch_norm) const {
  return is_folded(batch_norm) ? folded_[static_cast<size_t>(folded_at_[batch_norm])].linear : batch_norm;
}

std::pair<size_t, std::vector<ValueId>> Network::pause_before(size_t batch_norm, size_t begun) const {
  size_t most = graph_.nodes.size();
  for (size_t norm : batch_norms())
    if (norm >= batch_norm) most = std::min(most, end_before(norm));
  // What depends on the network's input: by value, and the last node that reads it.
  std::vector<bool> depends(graph_.values.size());
  std::vector<size_t> last(graph_.values.size());
  depends[static_cast<size_t>(graph_.inputs[0])] = true;
  for (size_t n = 0; n < graph_.nodes.size(); ++n)
    for (ValueId id : graph_.nodes[n].inputs)
      if (id != absent && depends[static_cast<size_t>(id)]) {
        last[static_cast<size_t>(id)] = n;
        for (ValueId output : graph_.nodes[n].outputs) depends[static_cast<size_t>(output)] = true;
      }
  for (size_t next = most;; --next) {
    std::vector<ValueId> kept;
    for (size_t id = 0; id < graph_.values.size(); ++id)
      if (depends[id] && last[id] >= next && writer_[id] < static_cast<int>(next))
        kept.push_back(static_cast<ValueId>(id));
    if (next == begun || std::all_of(kept.begin(), kept.end(), [this](ValueId id) { return may_be_kept(id); }))
      return {next, kept};
  }
}

at::Tensor Network::normalised_by(size_t batch_norm, Begun& begun) const {
  const size_t end = end_before(batch_norm);
  const auto [next, kept] = pause_before(batch_norm, begun.next);
  std::vector<ValueId> wanted = graph_.nodes[end].inputs;
  wanted.insert(wanted.end(), kept.begin(), kept.end());
  const std::vector<at::Tensor> values = compute({begun, end, wanted}, {}, {});
  std::vector<at::Tensor> inputs = inputs_of(end, values);
  begun = {next, {}};
  for (ValueId id : kept) begun.values[id] = values[static_cast<size_t>(id)];
  if (!is_folded(batch_norm)) return inputs[0];
  const FoldableNorm& pair = folded_[static_cast<size_t>(folded_at_[batch_norm])];
  inputs.resize(3);
  inputs[2] = at::Tensor();
  return without_gain(pair, forward(graph_.nodes[pair.linear], inputs)[0], gain_of(pair)).detach();
}

void Network::write_folded(Graph& graph) const {
  for (const FoldableNorm& pair : folded_) {
    const Tensor bias = from_torch(bias_of(pair, gain_of(pair)).detach(), ElementType::Float32);
    const ValueId placed = graph.add_constant(graph.nodes[pair.linear].name + "_folded_bias", bias);
    Node& linear = graph.nodes[pair.linear];
    linear.inputs.resize(3, absent);
    linear.inputs[2] = placed;
    linear.outputs = graph.nodes[pair.norm].outputs;
  }
  std::vector<Node> kept;
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    if (folded_at_[n] < 0 || folded_[static_cast<size_t>(folded_at_[n])].linear == n)
      kept.push_back(std::move(graph.nodes[n]));
  graph.nodes = std::move(kept);
  tidy(graph);
}

}  // namespace nibble::train
