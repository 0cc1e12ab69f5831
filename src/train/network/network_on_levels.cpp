#include <algorithm>
#include <optional>
#include <utility>

#include "graph/op_traits.hpp"
#include "passes/integerise/meaning.hpp"
#include "train/network/forward_exact.hpp"
#include "train/network/levels_gradient.hpp"
#include "train/network/network.hpp"
#include "train/network/tensors.hpp"

/// A fake-quantised network on the integers that it means: what is computed, and what gradients flow through.
namespace nibble::train {
namespace {

using namespace graph;
using passes::OnGrid;
using passes::Sum;

std::vector<double> quotients(std::vector<double> a, double b) {
  for (double& each : a) each /= b;
  return a;
}

std::vector<double> quotients(double a, std::vector<double> b) {
  for (double& each : b) each = a / each;
  return b;
}

/// What has an image alone gets its reals where something reads them.
void give_reals(at::Tensor& held, Images& images, ValueId id) {
  if (held.defined())
    images.write(id);
  else
    held = images.real(id);
}

bool of_one_shape(const std::vector<at::Tensor>& all) {
  return std::all_of(all.begin(), all.end(), [&](const at::Tensor& x) { return x.sizes() == all[0].sizes(); });
}

}  // namespace

void Network::compute_on_levels(std::vector<at::Tensor>& values, const Part& part, const Mode& mode,
                                const Observer& observe) const {
  write_learned(*now_);
  Images images(*now_);
  for (const auto& [id, value] : part.begun.values) {
    const int by = writer_[static_cast<size_t>(id)];
    if (by < 0)
      images.start(value);
    else if (is_exact(static_cast<size_t>(by), mode))
      images.place(now_->nodes[static_cast<size_t>(by)], value);
  }
  const std::vector<bool> nodes = nodes_of(part);
  std::vector<bool> done(graph_.nodes.size());
  for (size_t n = 0; n < part.end; ++n) {
    if (!nodes[n]) continue;
    const Node& node = now_->nodes[n];
    for (ValueId id : node.inputs)
      if (id != absent && graph_[id].constant && observe.watches(id)) observe.see(id, values[static_cast<size_t>(id)]);
    std::vector<at::Tensor> outputs;
    if (const NormedQuantiser* behind = normed_behind(n, part, nodes, mode, observe)) {
      if (normed_on_levels(n, *behind, values, images, mode)) {
        done[behind->norm] = done[behind->quantiser] = true;
        if (behind->clip) done[*behind->clip] = true;
      }
    } else if (!done[n]) {
      outputs = on_levels(n, values, images, mode);
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      at::Tensor& held = values[static_cast<size_t>(id)];
      if (i < outputs.size()) held = outputs[i];
      const bool watched = observe.watches(id);
      if (watched || part.wants(id)) give_reals(held, images, id);
      if (watched) observe.see(id, held);
    }
    std::vector<ValueId> released;
    for (ValueId id : released_[n])
      if (!part.wants(id)) released.push_back(id);
    images.release(released);
  }
}

std::vector<at::Tensor> Network::on_levels(size_t n, std::vector<at::Tensor>& values, Images& images,
                                           const Mode& mode) const {
  const Node& node = now_->nodes[n];
  const bool folds = folded_at_[n] >= 0, trains = mode.training;
  const bool quantises = holds_alternative<Quantise>(node.op);
  const auto inputs = [&] {
    for (ValueId id : node.inputs)
      if (id != absent) give_reals(values[static_cast<size_t>(id)], images, id);
    return inputs_of(n, values);
  };
  if (quantises && !is_exact(n, mode)) return {quantise(n, inputs()[0], mode)};
  if (!trains && !folds) {
    if (images.carry(node)) return {};
    std::vector<at::Tensor> outputs = on_reals(n, inputs(), mode);
    if (quantises) images.place(node, outputs[0]);
    return outputs;
  }
  if (quantises) return quantised_on_levels(n, inputs()[0], images, mode);
  if (is_linear(node.op)) return linear_on_levels(n, values, images, mode);
  if (holds_alternative<BatchNormalization>(node.op)) return normalised_on_levels(n, inputs(), images, mode);
  const bool carried = trains && !holds_alternative<Dropout>(node.op) && images.carry(node);
  // Of levels, so that branches of a sum need no reals of their own.
  if (const std::vector<at::Tensor> terms = inputs_of(n, values);
      carried && holds_alternative<Add>(node.op) && of_one_shape(terms))
    return {as_sum_of(images.real(node.outputs[0]), terms)};
  return forward(node, inputs(), mode);
}

bool Network::may_be_kept(ValueId id) const {
  const int by = writer_[static_cast<size_t>(id)];
  if (!now_ || by < 0 || !is_exact(static_cast<size_t>(by), {})) return true;
  const auto* quantiser = get_if<Quantise>(&graph_.nodes[static_cast<size_t>(by)].op);
  return quantiser && !quantiser->grid.per_channel() && quantiser->grid.levels() <= 1 << 16;
}

bool Network::is_exact(size_t node, const Mode& mode) const {
  const Quantiser* quantiser = quantisers_[node].get();
  return !quantiser || quantiser->is_exact(mode.training);
}

std::vector<at::Tensor> Network::quantised_on_levels(size_t n, const at::Tensor& x, Images& images,
                                                     const Mode& mode) const {
  const Node& node = now_->nodes[n];
  const bool carried = images.carry(node), written = !carried || graph_.constant(node.inputs[0]);
  const at::Tensor y = quantise(n, x, mode, written ? Values::Here : Values::Elsewhere);
  if (!carried) images.place(node, y);
  if (!written) images.write_later(y, node.outputs[0]);
  return {y};
}

/// A linear op's accumulator from levels, in Float32 with the gradients of the reals, else without. The bias that a
/// folded batch-norm adds is in its reals, and in the norm's image.
std::vector<at::Tensor> Network::linear_on_levels(size_t n, std::vector<at::Tensor>& values, Images& images,
                                                  const Mode& mode, Accumulated* unwritten) const {
  Node node = now_->nodes[n];
  std::vector<at::Tensor> inputs = inputs_of(n, values);
  inputs.resize(3);
  if (folded_at_[n] >= 0) {
    node.inputs.resize(2);
    inputs[2] = folded_bias(n, mode);
  }
  const auto* x = std::get_if<OnGrid>(images.find(node.inputs[0]));
  const auto* w = std::get_if<OnGrid>(images.find(node.inputs[1]));
  at::Tensor a;
  std::optional<ConvolvedLevels> convolved;
  const auto accumulate = [&](const Node& integer, std::vector<at::Tensor> levels, Carrier carrier) {
    if (carrier != Carrier::Float32) return forward_exact(images.integers(), integer, levels, carrier, carrier)[0];
    Node plain = integer;
    if (auto* conv = get_if<Conv>(&plain.op)) {
      if (conv->zero_point != 0) levels[0] = levels[0] - std::exchange(conv->zero_point, 0);
      convolved = {*conv, inputs[0], inputs[1], levels[0], levels[1], w->grid.scale};
    } else {
      levels[0] = as_levels_of(inputs[0], levels[0], {1.0}, -1);
      levels[1] = as_levels_of(inputs[1], levels[1], quotients(x->grid.scale[0], w->grid.scale), w->grid.axis);
    }
    a = forward(plain, levels)[0];
    return a;
  };
  const bool carried = images.carry(node, accumulate);
  if (!carried || !a.defined())
    for (ValueId id : node.inputs)
      if (id != absent) give_reals(values[static_cast<size_t>(id)], images, id);
  if (!carried) return on_reals(n, inputs_of(n, values), mode);
  const Sum sum = passes::as_declared(std::get<Sum>(*images.find(node.outputs[0])), (*now_)[node.outputs[0]]);
  if (!a.defined()) {
    const std::vector<at::Tensor> read = inputs_of(n, values);
    const at::Tensor z = forward(node, {read[0], read[1], node.inputs.size() > 2 ? inputs[2] : at::Tensor()}, mode)[0];
    z.detach().copy_(images.real(node.outputs[0]));
    return {folded_at_[n] >= 0 && inputs[2].defined() ? z + along(inputs[2], z.dim(), 1) : z};
  }
  const auto* gemm = get_if<Gemm>(&node.op);
  AccumulatorReals how{sum.scale, sum.shift, quotients(sum.scale, x->grid.scale[0]), gemm ? gemm->beta : 1};
  if (folded_at_[n] >= 0 && inputs[2].defined()) how.shift = doubles(inputs[2]), how.beta = 1;
  if (!convolved || !mode.training) return {reals_of_accumulator(a, how, inputs[2])};
  const bool leaves = unwritten != nullptr && a.dim() > 2 && a.is_contiguous();
  if (leaves) *unwritten = {a.detach(), how.scale, how.shift};
  return {reals_of_convolution(a, how, *convolved, inputs[2], leaves ? Values::Elsewhere : Values::Here)};
}

void Network::find_normed() {
  const Uses uses(graph_);
  const auto only_reader = [&](size_t n) { return uses.only_reader(graph_.nodes[n].outputs[0]); };
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const int norm = holds_alternative<Conv>(graph_.nodes[n].op) ? only_reader(n) : -1;
    if (norm < 0 || !holds_alternative<BatchNormalization>(graph_.nodes[static_cast<size_t>(norm)].op)) continue;
    NormedQuantiser behind{static_cast<size_t>(norm), 0, {}};
    int reader = only_reader(behind.norm);
    if (reader >= 0 && clip_bounds(graph_.nodes[static_cast<size_t>(reader)].op)) {
      behind.clip = static_cast<size_t>(reader);
      reader = only_reader(*behind.clip);
    }
    if (reader < 0) continue;
    behind.quantiser = static_cast<size_t>(reader);
    if (quantisers_[behind.quantiser]) normed_[n] = behind;
  }
}

const Network::NormedQuantiser* Network::normed_behind(size_t n, const Part& part, const std::vector<bool>& nodes,
                                                       const Mode& mode, const Observer& observe) const {
  const auto found = normed_.find(n);
  if (found == normed_.end() || !mode.training || mode.frozen_statistics) return nullptr;
  const NormedQuantiser& behind = found->second;
  std::optional<ClipBounds> clip;
  if (behind.clip) clip = clip_bounds(graph_.nodes[*behind.clip].op);
  if (folded_at_[behind.norm] >= 0 || !quantisers_[behind.quantiser]->takes_norm(clip)) return nullptr;
  for (size_t node : {n, behind.norm, behind.clip.value_or(n)}) {
    const ValueId id = graph_.nodes[node].outputs[0];
    if (part.wants(id) || observe.watches(id)) return nullptr;
  }
  return behind.quantiser < nodes.size() && nodes[behind.quantiser] ? &behind : nullptr;
}

bool Network::normed_on_levels(size_t n, const NormedQuantiser& behind, std::vector<at::Tensor>& values, Images& images,
                               const Mode& mode) const {
  Accumulated z;
  at::Tensor& reals = values[static_cast<size_t>(graph_.nodes[n].outputs[0])];
  reals = linear_on_levels(n, values, images, mode, &z)[0];
  if (!z.a.defined()) return false;
  const Node &node = now_->nodes[behind.norm], &quantiser = now_->nodes[behind.quantiser];
  const std::vector<at::Tensor> inputs = inputs_of(behind.norm, values);
  const BatchMoments moments = moments_of(z, get<BatchNormalization>(node.op).epsilon, mode.share);
  if (moments.count < 2 || !images.carry_affine(node, affine_of(inputs[1], inputs[2], moments.mean, moments.inverse)) ||
      (behind.clip && !images.carry(now_->nodes[*behind.clip])) || !images.carry(quantiser)) {
    reals.detach().copy_(images.real(graph_.nodes[n].outputs[0]));
    return false;
  }
  move_statistics(moments, batch_norm_momentum, inputs[3], inputs[4]);
  const at::Tensor y = quantisers_[behind.quantiser]->forward({reals, inputs[1], inputs[2], behind.clip.has_value()}, z,
                                                              moments, mode.share);
  values[static_cast<size_t>(quantiser.outputs[0])] = y;
  images.write_later(y, quantiser.outputs[0]);
  return true;
}

/// A batch-norm by the batch's own statistics has those of its image, too.
std::vector<at::Tensor> Network::normalised_on_levels(size_t n, const std::vector<at::Tensor>& given, Images& images,
                                                      const Mode& mode) const {
  const Node& node = now_->nodes[n];
  const bool folds = folded_at_[n] >= 0;
  if (!mode.training || mode.frozen_statistics) {
    if (folds) {
      const std::vector<double> bias = doubles(folded_bias(n, mode));
      images.carry_affine(node, {std::vector<double>(bias.size(), 1.0), bias});
    } else {
      images.carry(node);
    }
    return on_reals(n, given, mode);
  }
  const std::vector<at::Tensor> inputs = folds ? normalised_inputs(n, given) : given;
  // Of the running statistics that the weights were folded with: the batch moves them.
  const std::vector<double> gain = folds ? folded_gain(n) : std::vector<double>();
  const auto [y, mean, inverse] = normalise_by_batch(node, inputs, mode.share);
  passes::Affine affine = affine_of(inputs[1], inputs[2], doubles(mean), doubles(inverse));
  if (folds) affine = behind_gain(std::move(affine), n, gain);
  images.carry_affine(node, affine);
  return {y};
}

}  // namespace nibble::train
