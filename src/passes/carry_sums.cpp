#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "passes/propagation.hpp"

namespace nibble::passes {
namespace {
using graph::Ints;
using graph::Node;
using graph::ValueId;

/// The stored integers without their zero point, for a product.
ValueId centred(Propagation& p, const Node& node, size_t slot) {
  const Carried& x = p.integers(node, slot);
  if (x.zero == 0) return x.id;
  const std::string name = fmt::format("{}_centred_{}", node.name, slot);
  const ValueId zero =
      p.to.add_constant(name + "_zero", Tensor({}, std::vector<int32_t>{static_cast<int32_t>(-x.zero)}));
  return p.emit(name, graph::Add{}, {x.id, zero}, name);
}

void carry_product(Propagation& p, const Node& node) {
  Carried result;
  result.scale = {p.integers(node, 0).scale[0] * p.integers(node, 1).scale[0]};
  const ValueId a = centred(p, node, 0), b = centred(p, node, 1);
  result.id = p.emit(node.name, graph::Mul{}, {a, b}, p.name_for(node.outputs[0], result));
  p.annotate(result);
  p.set(node.outputs[0], std::move(result));
}

void check_one_grid(const Propagation& p, const Node& node, size_t slots) {
  const Grid& first = *p.integers(node, 0).grid;
  for (size_t slot = 1; slot < slots; ++slot) {
    const Grid& grid = *p.integers(node, slot).grid;
    if (grid.scale[0] != first.scale[0] || grid.zero_point != first.zero_point)
      refuse(node,
             fmt::format("inputs '{}' and '{}' are on grids of scale {} and {}, zero point {} and {}",
                         p.from[node.inputs[0]].name, p.from[node.inputs[slot]].name, first.scale[0], grid.scale[0],
                         first.zero_point, grid.zero_point),
             "one grid for both: a quantiser on each branch that shares scale and zero point");
  }
}

void carry_sum(Propagation& p, const Node& node) {
  check_one_grid(p, node, node.inputs.size());
  Carried result;
  result.scale = p.integers(node, 0).scale;
  result.zero = p.integers(node, 0).zero;
  result.id = p.integers(node, 0).id;
  // Of integers a sum of many is a chain of two each: what every dialect can say.
  for (size_t slot = 1; slot < node.inputs.size(); ++slot) {
    const Carried& term = p.integers(node, slot);
    result.zero += std::holds_alternative<graph::Add>(node.op) ? term.zero : -term.zero;
    result.id = p.emit(node.name, node.op, {result.id, term.id}, p.name_for(node.outputs[0], result));
    p.annotate(result);
  }
  p.set(node.outputs[0], std::move(result));
}

/// Elements of each window, where all have as many.
int64_t window_of(const Node& node, const graph::AveragePool& pool, const Shape& x, const Shape& y) {
  int64_t count = 1;
  const size_t spatial = pool.kernel.size();
  const auto at = [](const Ints& values, size_t i, int64_t otherwise) {
    return values.empty() ? otherwise : values[i];
  };
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t begin = at(pool.pads, i, 0), end = at(pool.pads, i + spatial, 0);
    if ((begin != 0 || end != 0) && !pool.count_include_pad)
      refuse(node, "divides by a number that differs at the border",
             "count_include_pad = 1, or no padding (a Pad before it)");
    const int64_t last = (y[i + 2] - 1) * at(pool.strides, i, 1) + (pool.kernel[i] - 1) * at(pool.dilations, i, 1);
    if (last >= begin + x[i + 2] + end)
      refuse(node, "has windows that reach beyond the padding (ceil_mode)", "windows that end inside it");
    count *= pool.kernel[i];
  }
  return count;
}

int64_t extent_over(const Node& node, const Shape& x, const Ints& axes) {
  int64_t count = 1;
  for (int64_t axis : axes) {
    const int64_t extent = x[static_cast<size_t>(normalise_axis(axis, x.size()))];
    if (extent == any) refuse(node, "takes a mean over the batch", "a mean over other axes");
    count *= extent;
  }
  return count;
}

Ints axes_of(const graph::Op& op, size_t rank) {
  const auto* mean = std::get_if<graph::ReduceMean>(&op);
  if (mean && !mean->axes.empty()) return mean->axes;
  Ints axes;
  for (size_t axis = mean ? 0 : 2; axis < rank; ++axis) axes.push_back(static_cast<int64_t>(axis));
  return axes;
}

Affine affine_of(const Propagation& p, const Node& node, ValueId& x) {
  if (auto affine = affine_of_batch_norm(p.from, node)) {
    x = node.inputs[0];
    return *affine;
  }
  auto found = affine_of_arithmetic(p.from, node);
  if (!found) return {};
  x = found->x;
  return found->affine;
}

}  // namespace

void carry_affine(Propagation& p, const Node& node, ValueId x, const Affine& affine) {
  const size_t slot = node.inputs[0] == x ? 0 : 1;
  Carried result = p.input(node, slot);
  if (result.real) refuse(node, "input '" + p.from[x].name + "' is not on a grid", "a quantiser between the two");
  const size_t channels = std::max({affine.gain.size(), result.scale.size(), result.shift.size(), result.low.size()});
  Carried composed = result;
  composed.grid.reset();
  composed.scale.resize(channels), composed.shift.resize(channels);
  composed.low.resize(channels), composed.high.resize(channels);
  for (size_t c = 0; c < channels; ++c) {
    const double gain = element(affine.gain, c), shift = element(affine.shift, c);
    // 0 * infinity is no bound; without a gain the value is the shift alone.
    const auto moved = [&](double bound) { return gain == 0 ? shift : bound * gain + shift; };
    composed.scale[c] = element(result.scale, c) * gain;
    composed.shift[c] = element(result.shift, c) * gain + shift;
    const double low = moved(element(result.low, c)), high = moved(element(result.high, c));
    composed.low[c] = gain == 0 ? -std::numeric_limits<double>::infinity() : std::min(low, high);
    composed.high[c] = gain == 0 ? std::numeric_limits<double>::infinity() : std::max(low, high);
  }
  p.set(node.outputs[0], std::move(composed));
}

void carry_arithmetic(Propagation& p, const Node& node) {
  ValueId x = graph::absent;
  const Affine affine = affine_of(p, node, x);
  if (x != graph::absent) return carry_affine(p, node, x, affine);
  const auto is_constant = [&](size_t slot) {
    const auto& held = p.carried[static_cast<size_t>(node.inputs[slot])];
    return held && held->constant;
  };
  if (std::holds_alternative<graph::Add>(node.op) && (is_constant(0) || is_constant(1))) return carry_addend(p, node);
  if (std::holds_alternative<graph::Add>(node.op) || std::holds_alternative<graph::Sub>(node.op))
    return carry_sum(p, node);
  if (std::holds_alternative<graph::Div>(node.op)) return carry_algorithm(p, node);
  if (std::holds_alternative<graph::Mul>(node.op)) return carry_product(p, node);
  refuse(node, "has no integer form", "constant parameters, or another op");
}

void carry_mean(Propagation& p, const Node& node) {
  const Carried& x = p.on_grid(node, 0);
  if (const auto* resize = std::get_if<graph::Resize>(&node.op))
    return p.set(node.outputs[0], emit_resize(p, node, *resize, x));
  const Shape& shape = p.from[node.inputs[0]].shape;
  Carried result;
  graph::Op op;
  int64_t count = 0;
  if (const auto* pool = std::get_if<graph::AveragePool>(&node.op)) {
    count = window_of(node, *pool, shape, p.from[node.outputs[0]].shape);
    op = graph::SumPool{pool->kernel, pool->strides, pool->pads, pool->dilations, pool->ceil_mode, x.zero};
  } else {
    const Ints axes = axes_of(node.op, shape.size());
    const auto* mean = std::get_if<graph::ReduceMean>(&node.op);
    count = extent_over(node, shape, axes);
    op = graph::ReduceSum{axes, mean ? mean->keep_dims : true, x.zero};
  }
  result.scale = {x.scale[0] / static_cast<double>(count)};
  result.id = p.emit(node.name, std::move(op), {x.id}, p.name_for(node.outputs[0], result));
  p.annotate(result);
  p.set(node.outputs[0], std::move(result));
}

void carry_concat(Propagation& p, const Node& node) {
  check_one_grid(p, node, node.inputs.size());
  Carried result = p.integers(node, 0);
  result.constant = false;
  std::vector<ValueId> inputs;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    inputs.push_back(p.integers(node, slot).id);
    result.grid->low = std::min(result.grid->low, p.integers(node, slot).grid->low);
    result.grid->high = std::max(result.grid->high, p.integers(node, slot).grid->high);
  }
  result.id = p.emit(node.name, node.op, std::move(inputs), p.name_for(node.outputs[0], result));
  p.set(node.outputs[0], std::move(result));
}

}  // namespace nibble::passes
