#include "train/network/images.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "graph/infer/infer.hpp"
#include "graph/input_rounding.hpp"
#include "graph/op_traits.hpp"
#include "passes/integerise/meaning.hpp"
#include "passes/integerise/passes.hpp"
#include "train/network/forward_exact.hpp"
#include "train/network/pointwise.hpp"
#include "train/network/reals.hpp"
#include "train/network/tensors.hpp"

namespace nibble::train {
namespace {

using graph::Node;
using graph::ValueId;
using passes::OnGrid;
using passes::Sum;

bool integers_only(const passes::Carried& carried) {
  return std::holds_alternative<OnGrid>(carried) || std::holds_alternative<Sum>(carried);
}

/// What a sum's integers stand for, one a channel or one for all.
std::vector<quant::LevelReals> level_reals(const Sum& sum) {
  std::vector<quant::LevelReals> how(std::max({sum.scale.size(), sum.shift.size(), sum.low.size(), sum.high.size()}));
  for (const Sum::Term& term : sum.others) how.resize(std::max(how.size(), term.scale.size()));
  using passes::element;
  for (size_t c = 0; c < how.size(); ++c) {
    how[c] = {{element(sum.scale, c)},
              {static_cast<double>(sum.zero)},
              element(sum.shift, c),
              element(sum.low, c),
              element(sum.high, c)};
    for (const Sum::Term& term : sum.others) {
      how[c].scale.push_back(element(term.scale, c));
      how[c].zero.push_back(static_cast<double>(term.zero));
    }
  }
  return how;
}

}  // namespace

Images::Images(const graph::Graph& now) : walk_(now), types_(walk_.to) {
  walk_.to.stage = graph::Stage::QD;
}

void Images::start(const at::Tensor& x) {
  const ValueId id = walk_.from.inputs[0];
  try {
    passes::carry_graph_input(walk_, id);
  } catch (const UserError&) {
    return;
  }
  const auto* carried = std::get_if<OnGrid>(walk_.find(id));
  if (!carried) return;
  types_.add_input(carried->id);
  // As an integer network takes reals (graph::prepare_inputs).
  const graph::Quantise op{carried->grid, graph::input_rounding(walk_.to, walk_.to[carried->id].name)};
  image(carried->id) = quantise(op, x.detach(), torch_type(types_.of(carried->id)), false);
  ++users_[carried->id];
}

bool Images::carry(const Node& node, const Linear& linear) {
  return follow(
      node, [&] { passes::carry(walk_, node); }, linear);
}

bool Images::carry_affine(const Node& node, const passes::Affine& affine) {
  return follow(node, [&] { passes::carry_affine(walk_, node, node.inputs[0], affine); }, {});
}

bool Images::follow(const Node& followed, const std::function<void()>& carry, const Linear& linear) {
  const std::vector<ValueId>&outputs = followed.outputs, &reads = followed.inputs;
  const size_t before = walk_.to.nodes.size();
  try {
    carry();
  } catch (const UserError&) {
    walk_.to.nodes.resize(before);
    for (ValueId id : outputs) walk_.carried[static_cast<size_t>(id)].reset();
    return false;
  }
  for (size_t node = before; node < walk_.to.nodes.size(); ++node) compute(node, linear);
  bool all = true;
  for (ValueId id : outputs) {
    // What stands between levels and the quantiser of a function is computed there, of those levels.
    const passes::Carried* carried = walk_.find(id);
    if (carried && !integers_only(*carried))
      for (ValueId read : reads)
        if (read != graph::absent)
          for (ValueId term : terms_of(read)) ++users_[term];
    for (ValueId term : terms_of(id)) ++users_[term];
    all &= has(id);
  }
  return all;
}

void Images::compute(size_t index, const Linear& linear) {
  passes::tabulate_node(walk_.to, index);
  const Node& node = walk_.to.nodes[index];
  graph::infer_shapes(walk_.to, node);
  const Carrier computes = types_.add(node);
  // Reals stand between a Dequantise and the table that is made of them.
  if (is_real(walk_.to[node.outputs[0]].type)) return;
  std::vector<at::Tensor> inputs;
  for (ValueId id : node.inputs) inputs.push_back(id == graph::absent ? at::Tensor() : image(id));
  const Carrier gives = types_.of(node.outputs[0]);
  const std::vector<at::Tensor> outputs =
      linear && graph::is_linear(node.op)
          ? std::vector<at::Tensor>{linear(node, inputs, computes).to(torch_type(gives))}
          : forward_exact(walk_.to, node, inputs, computes, gives);
  for (size_t i = 0; i < outputs.size(); ++i) image(node.outputs[i]) = outputs[i].detach();
}

at::Tensor& Images::image(ValueId id) {
  const auto at = static_cast<size_t>(id);
  if (at >= images_.size()) images_.resize(walk_.to.values.size());
  at::Tensor& held = images_[at];
  if (const auto& constant = walk_.to[id].constant; constant && !held.defined())
    held = to_torch(*constant).to(torch_type(types_.of(id)));
  return held;
}

void Images::place(const Node& quantiser, const at::Tensor& y) {
  const auto* op = get_if<graph::Quantise>(&quantiser.op);
  const ValueId output = quantiser.outputs[0];
  if (op == nullptr || op->grid.per_channel()) return;
  const graph::Value& value = walk_.from[output];
  const ValueId id = walk_.to.add_value(value.name, op->grid.container(), value.shape);
  walk_.set(output, OnGrid{id, op->grid});
  types_.add_input(id);
  image(id) = quantise({op->grid, Rounding::HalfUp}, y.detach(), torch_type(types_.of(id)), false);
  ++users_[id];
}

bool Images::has(ValueId id) const {
  const passes::Carried* carried = walk_.find(id);
  return carried && integers_only(*carried);
}

std::vector<ValueId> Images::terms_of(ValueId id) const {
  return has(id) ? passes::terms_of(*walk_.find(id)) : std::vector<ValueId>();
}

Images::Image Images::image_of(ValueId id) {
  const passes::Carried& carried = *walk_.find(id);
  if (const auto* x = std::get_if<OnGrid>(&carried)) {
    Sum levels;
    levels.scale = x->grid.scale, levels.zero = x->grid.zero_point;
    return {level_reals(levels), {image(x->id)}, x->grid.axis};
  }
  const Sum sum = passes::as_declared(std::get<Sum>(carried), walk_.from[id]);
  Image all{level_reals(sum), {image(sum.id)}, 1};
  for (const Sum::Term& term : sum.others) all.integers.push_back(image(term.id));
  return all;
}

at::Tensor Images::real(ValueId id) {
  const Image from = image_of(id);
  return reals_of(from.how, from.integers, from.axis);
}

void Images::write_later(const at::Tensor& y, ValueId id) {
  unwritten_[id] = y;
}

void Images::write(ValueId id) {
  const auto found = unwritten_.find(id);
  if (found == unwritten_.end()) return;
  const Image from = image_of(id);
  write_reals(found->second, from.how, from.integers, from.axis);
  unwritten_.erase(found);
}

void Images::release(const std::vector<ValueId>& values) {
  for (ValueId id : values) {
    unwritten_.erase(id);
    for (ValueId term : terms_of(id))
      if (--users_[term] == 0) image(term).reset();
  }
}

}  // namespace nibble::train
