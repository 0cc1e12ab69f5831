#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/windows.hpp"
#include "passes/integerise/propagation.hpp"

namespace nibble::passes {
namespace {
using graph::Ints;
using graph::Node;
using graph::ValueId;

/// The stored integers without their zero point, for a product.
ValueId centred(Propagation& p, const Node& node, size_t slot) {
  const OnGrid& x = p.integers(node, slot);
  if (x.grid.zero_point == 0) return x.id;
  const std::string name = fmt::format("{}_centred_{}", node.name, slot);
  const ValueId zero =
      p.to.add_constant(name + "_zero", Tensor({}, std::vector<int32_t>{static_cast<int32_t>(-x.grid.zero_point)}));
  return p.emit(name, graph::Add{}, {x.id, zero}, name);
}

void carry_product(Propagation& p, const Node& node) {
  Sum result;
  result.scale = {p.integers(node, 0).grid.scale[0] * p.integers(node, 1).grid.scale[0]};
  const ValueId a = centred(p, node, 0), b = centred(p, node, 1);
  result.id = p.emit(node.name, graph::Mul{}, {a, b}, p.name_for(node.outputs[0], result));
  p.annotate(result);
  p.set(node.outputs[0], std::move(result));
}

/// The scales of an Add's (or Sub's) operands as whole multiples of the least, where they are few enough bits.
std::optional<std::vector<int64_t>> multiples_of(const std::vector<const OnGrid*>& operands) {
  constexpr double most = 256;
  double least = operands[0]->grid.scale[0];
  for (const OnGrid* operand : operands) least = std::min(least, operand->grid.scale[0]);
  std::vector<int64_t> multiples;
  for (const OnGrid* operand : operands) {
    if (std::fmod(operand->grid.scale[0], least) != 0 || operand->grid.scale[0] / least > most) return std::nullopt;
    multiples.push_back(static_cast<int64_t>(operand->grid.scale[0] / least));
  }
  return multiples;
}

ValueId multiplied(Propagation& p, const std::string& name, ValueId x, int64_t by) {
  if (by == 1) return x;
  const ValueId factor =
      p.to.add_constant(name + "_factor", Tensor({}, std::vector<int32_t>{static_cast<int32_t>(by)}));
  return p.emit(name, graph::Mul{}, {x, factor}, name);
}

/// Operands on one grid, or on grids of which one divides the others: their integers add.
void add_integers(Propagation& p, const Node& node, const std::vector<const OnGrid*>& operands,
                  const std::vector<int64_t>& multiples) {
  const bool is_sub = holds_alternative<graph::Sub>(node.op);
  Sum result;
  for (size_t i = 0; i < operands.size(); ++i)
    if (multiples[i] == 1) result.scale = operands[i]->grid.scale;
  // Of integers a sum of many is a chain of two each: what every dialect can say.
  for (size_t i = 0; i < operands.size(); ++i) {
    const ValueId term = multiplied(p, fmt::format("{}_in{}", node.name, i + 1), operands[i]->id, multiples[i]);
    result.zero += (is_sub && i > 0 ? -1 : 1) * multiples[i] * operands[i]->grid.zero_point;
    result.id = i == 0 ? term : p.emit(node.name, node.op, {result.id, term}, p.name_for(node.outputs[0], result));
    if (i > 0) p.annotate(result);
  }
  p.set(node.outputs[0], std::move(result));
}

/// Operands on grids of their own: the quantiser after them takes all of them at once.
void carry_terms(Propagation& p, const Node& node, const std::vector<const OnGrid*>& operands) {
  const bool is_sub = holds_alternative<graph::Sub>(node.op);
  Sum result = *sum_of(*operands[0]);
  for (size_t i = 1; i < operands.size(); ++i)
    result.others.push_back({operands[i]->id,
                             {is_sub ? -operands[i]->grid.scale[0] : operands[i]->grid.scale[0]},
                             operands[i]->grid.zero_point});
  p.set(node.outputs[0], std::move(result));
}

void carry_sum(Propagation& p, const Node& node) {
  std::vector<const OnGrid*> operands;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) operands.push_back(&p.integers(node, slot));
  if (const auto multiples = multiples_of(operands)) return add_integers(p, node, operands, *multiples);
  carry_terms(p, node, operands);
}

int64_t least_common_multiple(const Node& node, const std::vector<int64_t>& counts) {
  int64_t all = 1;
  for (int64_t count : counts) {
    if (count == 0) refuse(node, "has windows that meet nothing of its input", "padding narrower than its windows");
    all = std::lcm(all, count);
    if (all > INT32_MAX)
      refuse(node, "divides by so many numbers at its border that no 32-bit integer is a multiple of all",
             "count_include_pad = 1, or a smaller window");
  }
  return all;
}

/// How many elements the mean of each window is over, along the spatial axes of y in order.
std::vector<int64_t> window_counts(const graph::AveragePool& pool, const Shape& x, const Shape& y) {
  std::vector<int64_t> counts{1};
  for (size_t axis = 0; axis < pool.kernel.size(); ++axis) {
    const graph::Window window =
        graph::window_of(pool.kernel, pool.strides, pool.pads, pool.dilations, pool.ceil_mode, axis);
    const int64_t low = pool.count_include_pad ? -window.pad_begin : 0;
    const int64_t high = x[axis + 2] + (pool.count_include_pad ? window.pad_end : 0);
    std::vector<int64_t> longer;
    for (int64_t count : counts)
      for (int64_t at = 0; at < y[axis + 2]; ++at) {
        int64_t inside = 0;
        for (int64_t k = 0; k < window.kernel; ++k) {
          const int64_t position = at * window.stride - window.pad_begin + k * window.dilation;
          inside += position >= low && position < high;
        }
        longer.push_back(count * inside);
      }
    counts = std::move(longer);
  }
  return counts;
}

/// The sum of each window times `all` / (its count), an integer: every mean is then the same part of it.
ValueId levelled(Propagation& p, const Node& node, ValueId sum, const std::vector<int64_t>& counts, int64_t all) {
  std::vector<int32_t> factors;
  for (int64_t count : counts) factors.push_back(static_cast<int32_t>(all / count));
  Shape shape = p.from[node.outputs[0]].shape;
  shape[0] = shape[1] = 1;
  const ValueId factor = p.to.add_constant(node.name + "_factors", Tensor(shape, factors));
  return p.emit(node.name + "_levelled", graph::Mul{}, {sum, factor}, p.from[node.outputs[0]].name + "_levelled");
}

void carry_average_pool(Propagation& p, const Node& node, const graph::AveragePool& pool) {
  const OnGrid& x = p.on_grid(node, 0);
  const auto counts = window_counts(pool, p.from[node.inputs[0]].shape, p.from[node.outputs[0]].shape);
  const int64_t all = least_common_multiple(node, counts);
  Sum result;
  result.scale = {x.grid.scale[0] / static_cast<double>(all)};
  result.id =
      p.emit(node.name,
             graph::SumPool{pool.kernel, pool.strides, pool.pads, pool.dilations, pool.ceil_mode, x.grid.zero_point},
             {x.id}, p.name_for(node.outputs[0], result));
  if (std::any_of(counts.begin(), counts.end(), [&](int64_t count) { return count != all; }))
    result.id = levelled(p, node, result.id, counts, all);
  p.annotate(result);
  p.set(node.outputs[0], std::move(result));
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
  const auto* mean = get_if<graph::ReduceMean>(&op);
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
  const std::optional<Sum> found = sum_of(p.input(node, slot));
  if (!found) refuse(node, "input '" + p.from[x].name + "' is not on a grid", "a quantiser between the two");
  const Sum& result = *found;
  size_t channels = std::max({affine.gain.size(), result.scale.size(), result.shift.size(), result.low.size()});
  for (const Sum::Term& term : result.others) channels = std::max(channels, term.scale.size());
  Sum composed = result;
  composed.scale.resize(channels), composed.shift.resize(channels);
  composed.low.resize(channels), composed.high.resize(channels);
  for (size_t c = 0; c < channels; ++c) {
    const double gain = element(affine.gain, c), shift = element(affine.shift, c);
    // 0 * infinity is no bound; without a gain the value is the shift alone.
    const auto moved = [&](double bound) { return gain == 0 ? shift : bound * gain + shift; };
    composed.scale[c] = element(result.scale, c) * gain;
    composed.shift[c] = element(result.shift, c) * gain + shift;
    const double low = moved(element(result.low, c)), high = moved(element(result.high, c));
    for (size_t i = 0; i < result.others.size(); ++i) {
      composed.others[i].scale.resize(channels);
      composed.others[i].scale[c] = element(result.others[i].scale, c) * gain;
    }
    composed.low[c] = gain == 0 ? -std::numeric_limits<double>::infinity() : std::min(low, high);
    composed.high[c] = gain == 0 ? std::numeric_limits<double>::infinity() : std::max(low, high);
  }
  // An input with a scale for each channel, brought to one.
  const auto* channels_apart = std::get_if<OnGrid>(&p.input(node, slot));
  if (channels_apart && channels_apart->grid.per_channel() && composed.is_scaled() && composed.scale[0] > 0) {
    Grid grid = channels_apart->grid;
    grid.axis = -1;
    grid.scale = {composed.scale[0]};
    return p.set(node.outputs[0], OnGrid{channels_apart->id, grid});
  }
  p.set(node.outputs[0], std::move(composed));
}

void carry_arithmetic(Propagation& p, const Node& node) {
  ValueId x = graph::absent;
  const Affine affine = affine_of(p, node, x);
  if (x != graph::absent) return carry_affine(p, node, x, affine);
  const auto is_constant = [&](size_t slot) { return p.find_constant(node.inputs[slot]) != nullptr; };
  const auto on_grid = [&](size_t slot) {
    const auto* held = std::get_if<OnGrid>(p.find(node.inputs[slot]));
    return held && !held->grid.per_channel();
  };
  if (holds_alternative<graph::Add>(node.op) && (is_constant(0) || is_constant(1)) && !(on_grid(0) && on_grid(1)))
    return carry_addend(p, node);
  if (holds_alternative<graph::Add>(node.op) || holds_alternative<graph::Sub>(node.op)) return carry_sum(p, node);
  if (holds_alternative<graph::Div>(node.op)) return carry_algorithm(p, node);
  if (holds_alternative<graph::Mul>(node.op)) return carry_product(p, node);
  refuse(node, "has no integer form", "constant parameters, or another op");
}

void carry_mean(Propagation& p, const Node& node) {
  if (const auto* pool = get_if<graph::AveragePool>(&node.op)) return carry_average_pool(p, node, *pool);
  const OnGrid& x = p.on_grid(node, 0);
  if (const auto* resize = get_if<graph::Resize>(&node.op))
    return p.set(node.outputs[0], emit_resize(p, node, *resize, x));
  const Shape& shape = p.from[node.inputs[0]].shape;
  const Ints axes = axes_of(node.op, shape.size());
  const auto* mean = get_if<graph::ReduceMean>(&node.op);
  Sum result;
  result.scale = {x.grid.scale[0] / static_cast<double>(extent_over(node, shape, axes))};
  result.id = p.emit(node.name, graph::ReduceSum{axes, mean ? mean->keep_dims : true, x.grid.zero_point}, {x.id},
                     p.name_for(node.outputs[0], result));
  p.annotate(result);
  p.set(node.outputs[0], std::move(result));
}

}  // namespace nibble::passes
