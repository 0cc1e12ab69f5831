#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "graph/evaluate/evaluate.hpp"
#include "graph/op_traits.hpp"
#include "passes/integerise/propagation.hpp"
#include "passes/scales.hpp"
#include "quant/range.hpp"

namespace nibble::passes {
namespace {
using graph::Node;
using graph::ValueId;

/// The constant reals of a function's second input, in doubles as the evaluator has them.
ValueId parameter_of(Propagation& p, const Node& node, ValueId id) {
  const OnGrid* held = p.find_constant(id);
  if (!held && !p.from.constant(id)) refuse(node, "has parameters that are computed", "constant parameters");
  if (!held) return p.to.add_constant(p.from[id].name, *p.from.constant(id));
  const Tensor levels = p.to.constant(held->id)->cast(ElementType::Int64);
  const Node reals{node.name, graph::Dequantise{held->grid}, {}, {}};
  return p.to.add_constant(p.from[id].name + "_real", graph::evaluate(reals, {&levels}).at(0));
}

/// A node between a Dequantise and its Quantise stays as it is.
void keep_real(Propagation& p, const Node& node, ValueId x) {
  std::vector<ValueId> inputs{x};
  for (size_t slot = 1; slot < node.inputs.size(); ++slot) inputs.push_back(parameter_of(p, node, node.inputs[slot]));
  p.set(node.outputs[0], RealValue{p.emit(node.name, node.op, std::move(inputs), p.from[node.outputs[0]].name)});
}

void quantise_constant(Propagation& p, const Node& node, const graph::Quantise& quantiser) {
  const ValueId id = node.outputs[0];
  const Tensor& reals = *p.from.constant(node.inputs[0]);
  for (double value : reals.to_reals())
    if (!std::isfinite(value))
      refuse(node, "constant '" + p.from[node.inputs[0]].name + "' holds NaN or infinity", "finite numbers");
  const ValueId constant =
      p.to.add_constant(p.from[id].name, quant::quantise(reals, quantiser.grid, quantiser.rounding));
  p.set(id, OnGrid{constant, quantiser.grid});
}

/// The levels that the clip leaves, the same for every channel: rounding is monotone, so clipping levels is clipping
/// reals.
Interval levels_of(const Node& node, const Sum& x, const graph::Quantise& quantiser) {
  const Grid& grid = quantiser.grid;
  const auto level = [&](double bound) {
    if (std::isinf(bound)) return bound < 0 ? grid.low : grid.high;
    return grid.quantise(bound, 0, quantiser.rounding);
  };
  const Interval levels{level(x.low[0]), level(x.high[0])};
  for (size_t c = 0; c < x.low.size(); ++c)
    if (level(x.low[c]) != levels.low || level(x.high[c]) != levels.high)
      refuse(node, "clips each channel at its own level", "a quantiser right after the clip");
  return levels;
}

/// Real zero of several integers, each at its zero point, is 0 exactly, as exact_at makes it of one: every ratio a
/// multiple of one power of two.
void align(std::vector<double>& ratios, const std::vector<int64_t>& zeros) {
  double largest = 0;
  for (double ratio : ratios) largest = std::max(largest, std::abs(ratio));
  int64_t widest = 1;
  for (int64_t zero : zeros) widest += std::abs(zero);
  if (widest == 1 || !std::isfinite(largest) || largest == 0) return;
  const double unit = std::ldexp(static_cast<double>(widest), std::ilogb(largest) - 51);
  const double step = std::ldexp(1.0, std::ilogb(unit) + 1);
  for (double& ratio : ratios) ratio = std::nearbyint(ratio / step) * step;
}

/// One channel of a Rescale: kappa of the value's own integers, then of the others of a sum.
struct Step {
  std::vector<double> kappa;
  double lambda = 0;
  int64_t divisor = 1;
};

Step step_of(const Sum& x, size_t channel, double eps) {
  const double shift = element(x.shift, channel);
  Step step{{element(x.scale, channel) / eps}, shift / eps};
  std::vector<int64_t> zeros{x.zero};
  for (const Sum::Term& term : x.others) {
    step.kappa.push_back(element(term.scale, channel) / eps);
    zeros.push_back(term.zero);
  }
  const auto quotient = shift == 0 && x.others.empty() ? quotient_of(step.kappa[0]) : std::nullopt;
  if (quotient) {
    step.kappa[0] = static_cast<double>(quotient->whole);
    step.divisor = quotient->divisor;
  } else if (shift == 0 && x.others.empty()) {
    step.kappa[0] = exact_at(step.kappa[0], x.zero);
  } else if (shift == 0) {
    align(step.kappa, zeros);
  }
  for (size_t i = 0; i < zeros.size(); ++i) step.lambda -= static_cast<double>(zeros[i]) * step.kappa[i];
  return step;
}

graph::Rescale rescale_of(const Sum& x, const graph::Quantise& quantiser) {
  size_t channels = std::max(x.scale.size(), x.shift.size());
  for (const Sum::Term& term : x.others) channels = std::max(channels, term.scale.size());
  graph::Rescale rescale;
  rescale.kappa.resize(channels * (1 + x.others.size()));
  for (size_t c = 0; c < channels; ++c) {
    const Step step = step_of(x, c, quantiser.grid.scale[0]);
    for (size_t i = 0; i < step.kappa.size(); ++i) rescale.kappa[i * channels + c] = step.kappa[i];
    rescale.lambda.push_back(step.lambda);
    rescale.divisor.push_back(step.divisor);
  }
  if (std::all_of(rescale.divisor.begin(), rescale.divisor.end(), [](int64_t d) { return d == 1; }))
    rescale.divisor.clear();
  rescale.rounding = quantiser.rounding;
  rescale.zero_point = quantiser.grid.zero_point;
  rescale.low = quantiser.grid.low;
  rescale.high = quantiser.grid.high;
  return rescale;
}

void check_finite(const Node& node, const graph::Rescale& rescale) {
  for (size_t i = 0; i < rescale.kappa.size(); ++i) {
    const size_t c = i % rescale.lambda.size();
    if (!std::isfinite(rescale.kappa[i]) || !std::isfinite(rescale.lambda[c]))
      refuse(node, fmt::format("channel {} has kappa {} and lambda {}", c, rescale.kappa[i], rescale.lambda[c]),
             "finite numbers");
  }
}

/// The integers that a quantiser makes of what it reads.
ValueId quantised(Propagation& p, const Node& node, const Carried& x, const graph::Quantise& quantiser) {
  const std::string& name = p.from[node.outputs[0]].name;
  if (const auto* pending = std::get_if<Pending>(&x)) return emit_algorithm(p, *pending->function, quantiser, name);
  if (const auto* real = std::get_if<RealValue>(&x)) {
    const ValueId id = p.emit(node.name, quantiser, {real->id}, name);
    p.to[id].type = quantiser.grid.container();
    return id;
  }
  const auto* there = std::get_if<OnGrid>(&x);
  return there && there->grid == quantiser.grid ? there->id
                                                : requantise(p, node, *sum_of(x), quantiser, node.name, name);
}

}  // namespace

ValueId requantise(Propagation& p, const Node& node, const Sum& x, const graph::Quantise& quantiser,
                   const std::string& node_name, const std::string& name) {
  graph::Rescale rescale = rescale_of(x, quantiser);
  check_finite(node, rescale);
  const Interval levels = levels_of(node, x, quantiser);
  std::vector<ValueId> inputs{x.id};
  for (const Sum::Term& term : x.others) inputs.push_back(term.id);
  Grid clipped = quantiser.grid;
  clipped.low = levels.low;
  clipped.high = levels.high;
  // Values on one grid are of one integer type, whatever a clip leaves of it: a Concat joins them.
  if (clipped.container() == quantiser.grid.container()) {
    rescale.low = levels.low;
    rescale.high = levels.high;
    const ValueId id = p.emit(node_name, rescale, std::move(inputs), name);
    p.to[id].grid = quantiser.grid;
    return id;
  }
  const ValueId wide = p.emit(node_name, rescale, std::move(inputs), name + "_wide");
  p.to[wide].grid = quantiser.grid;
  return p.emit(node_name + "_clip", graph::Clip{static_cast<double>(levels.low), static_cast<double>(levels.high)},
                {wide}, name);
}

void carry_clip(Propagation& p, const Node& node) {
  const Carried& carried = p.input(node, 0);
  if (const auto* real = std::get_if<RealValue>(&carried)) return keep_real(p, node, real->id);
  const graph::ClipBounds clip = graph::clip_bounds(node.op).value();
  if (!(clip.low <= clip.high)) refuse(node, fmt::format("clips to {} .. {}", clip.low, clip.high), "low below high");
  const auto* x = std::get_if<OnGrid>(&carried);
  if (x && !x->grid.per_channel() && x->grid.real(x->grid.low, 0) >= clip.low &&
      x->grid.real(x->grid.high, 0) <= clip.high)
    return p.set(node.outputs[0], *x);
  Sum result = *sum_of(carried);
  for (double& low : result.low) low = std::clamp(low, clip.low, clip.high);
  for (double& high : result.high) high = std::clamp(high, clip.low, clip.high);
  p.set(node.outputs[0], std::move(result));
}

void carry_function(Propagation& p, const Node& node) {
  if (const auto* real = std::get_if<RealValue>(&p.input(node, 0))) return keep_real(p, node, real->id);
  const OnGrid& x = p.on_grid(node, 0);
  const std::string name = node.name + "_dequantised";
  keep_real(p, node, p.emit(name, graph::Dequantise{x.grid}, {x.id}, name));
}

void carry_quantise(Propagation& p, const Node& node) {
  const auto* quantiser = get_if<graph::Quantise>(&node.op);
  if (!quantiser) refuse(node, "is of an integer network", "a fake-quantised network");
  if (p.from.constant(node.inputs[0])) return quantise_constant(p, node, *quantiser);
  const Carried* held = p.find(node.inputs[0]);
  const Carried& x = held && std::holds_alternative<Pending>(*held) ? *held : p.input(node, 0);
  if (quantiser->grid.per_channel())
    refuse(node, "gives an activation a scale for each channel", "one scale for the tensor");
  p.set(node.outputs[0], OnGrid{quantised(p, node, x, *quantiser), quantiser->grid});
}

}  // namespace nibble::passes
