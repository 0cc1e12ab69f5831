#include <algorithm>
#include <cmath>

#include "graph/op_traits.hpp"
#include "passes/integerise/propagation.hpp"
#include "passes/sums.hpp"
#include "quant/range.hpp"

namespace nibble::passes {
namespace {
using graph::absent;
using graph::Node;
using graph::ValueId;

/// Where the output channels of a linear op's weights are.
int channel_axis(const graph::Op& op) {
  if (const auto* gemm = get_if<graph::Gemm>(&op)) return gemm->transpose_b ? 0 : 1;
  return holds_alternative<graph::Conv>(op) ? 0 : 1;  // of a ConvTranspose within each group
}

/// Weights' integers minus its zero point, and the grid that they then are on: the same reals, and a sum of
/// products with nothing to correct. Eight bits stay eight where the values need no more.
Tensor without_zero_point(const Tensor& integers, Grid& grid) {
  std::vector<int64_t> values = integers.to_integers();
  for (int64_t& value : values) value -= grid.zero_point;
  grid.low -= grid.zero_point;
  grid.high -= grid.zero_point;
  grid.zero_point = 0;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (!values.empty() && *least >= INT8_MIN && *most <= INT8_MAX) {
    grid.low = std::max<int64_t>(grid.low, INT8_MIN);
    grid.high = std::min<int64_t>(grid.high, INT8_MAX);
  }
  return Tensor(integers.shape(), values).cast(grid.container());
}

/// The weights' integers without a zero point. Computed ones, of a MatMul, are as they are.
OnGrid weights_of(Propagation& p, const Node& node) {
  const ValueId id = node.inputs[1];
  if (!p.find(id)) refuse(node, "weights '" + p.from[id].name + "' are not on a grid", "a quantiser between the two");
  const OnGrid* constant = p.find_constant(id);
  if (!constant) {
    if (!holds_alternative<graph::MatMul>(node.op)) refuse(node, "has weights that are computed", "constant weights");
    return p.on_grid(node, 1);
  }
  OnGrid weights = *constant;
  if (weights.grid.zero_point == 0) return weights;
  const std::string name = p.from[id].name + "_centred";
  Tensor integers = without_zero_point(*p.to.constant(weights.id), weights.grid);
  weights.id = p.to.find(name);
  if (weights.id == absent) weights.id = p.to.add_constant(name, std::move(integers));
  p.to[weights.id].grid = weights.grid;
  return weights;
}

graph::Op integer_op(const graph::Op& op, int64_t zero_point, int64_t zero_point_b) {
  if (const auto* conv = get_if<graph::Conv>(&op)) {
    graph::Conv integer = *conv;
    integer.zero_point = zero_point;
    return integer;
  }
  if (const auto* conv = get_if<graph::ConvTranspose>(&op)) {
    graph::ConvTranspose integer = *conv;
    integer.zero_point = zero_point;
    return integer;
  }
  if (const auto* gemm = get_if<graph::Gemm>(&op))
    return graph::Gemm{1, 1, gemm->transpose_a, gemm->transpose_b, zero_point};
  return graph::MatMul{zero_point, zero_point_b};
}

/// Bias integers that stand on the accumulator's own grid, up to the float32 that a grid's scale is rounded to.
bool fits_accumulator(const Grid& bias, const std::vector<double>& scale) {
  if (bias.zero_point != 0) return false;
  const size_t channels = std::max(scale.size(), bias.scale.size());
  for (size_t c = 0; c < channels; ++c)
    if (std::abs(bias.scale_of(c) / element(scale, c) - 1) > 1e-6) return false;
  return true;
}

/// The integers of a real bias whose every element is a multiple of the accumulator's scale up to the rounding of a
/// float32: what a file holds that knows no quantised bias.
std::optional<Tensor> integers_of(const std::vector<double>& bias, const std::vector<double>& scale) {
  std::vector<int32_t> integers;
  for (size_t c = 0; c < bias.size(); ++c) {
    const double level = bias[c] / element(scale, c), nearest = std::nearbyint(level);
    if (!(std::abs(level - nearest) <= std::max(std::abs(nearest), 1.0) * 0x1p-22) || std::abs(nearest) >= 0x1p31)
      return std::nullopt;
    integers.push_back(static_cast<int32_t>(nearest));
  }
  return Tensor({static_cast<int64_t>(integers.size())}, integers);
}

/// Whether the sum has no place for a bias of reals: it leaves the network, or is moved, which takes one function for
/// all channels.
bool needs_integers(const Propagation& p, ValueId sum, const std::vector<double>& bias) {
  if (stays_a_sum(p.from, p.uses, sum)) return true;
  const auto& readers = p.uses.readers[static_cast<size_t>(sum)];
  const bool moved = std::all_of(readers.begin(), readers.end(), [&](int reader) {
    return class_of(p.from.nodes[static_cast<size_t>(reader)].op) == graph::OpClass::Movement;
  });
  return moved && std::any_of(bias.begin(), bias.end(), [&](double value) { return value != bias[0]; });
}

/// Bias into the accumulator where it is on its grid; into the affine function otherwise.
void add_bias(Propagation& p, const Node& node, double beta, Sum& result, std::vector<ValueId>& inputs) {
  const ValueId id = node.inputs.size() > 2 ? node.inputs[2] : absent;
  if (id == absent) return;
  const OnGrid* held = p.find_constant(id);
  if (!held && p.find(id)) refuse(node, "has a bias that is computed", "a constant bias");
  if (held && beta == 1 && fits_accumulator(held->grid, result.scale)) {
    inputs.push_back(held->id);
    return;
  }
  const Tensor reals = held ? quant::dequantise(*p.to.constant(held->id), held->grid) : *p.from.constant(id);
  const auto shift = per_channel(reals, 2);
  if (!shift) refuse(node, "has a bias that is not one number a channel", "a bias [O]");
  std::vector<double> bias = *shift;
  for (double& value : bias) value *= beta;
  if (needs_integers(p, node.outputs[0], bias)) {
    if (auto integers = integers_of(bias, result.scale)) {
      inputs.push_back(p.to.add_constant(p.from[id].name + "_q", std::move(*integers)));
      return;
    }
  }
  result.shift = std::move(bias);
}

}  // namespace

void carry_linear(Propagation& p, const Node& node) {
  const OnGrid& x = p.on_grid(node, 0);
  const OnGrid w = weights_of(p, node);
  const bool is_matmul = holds_alternative<graph::MatMul>(node.op);
  if (w.grid.per_channel() &&
      (w.grid.axis != channel_axis(node.op) || (is_matmul && p.from[node.outputs[0]].shape.size() != 2)))
    refuse(node, "has weight scales along an axis that is not its output channels",
           "scales along the output channels, or one: quantize the float network anew");

  const auto* gemm = get_if<graph::Gemm>(&node.op);
  Sum result;
  result.scale.clear();
  for (double scale : w.grid.scale) result.scale.push_back(scale * x.grid.scale[0] * (gemm ? gemm->alpha : 1));
  if (const auto* conv = get_if<graph::ConvTranspose>(&node.op); conv && result.scale.size() > 1) {
    const std::vector<double> group = result.scale;
    for (int64_t g = 1; g < conv->group; ++g) result.scale.insert(result.scale.end(), group.begin(), group.end());
  }
  std::vector<ValueId> inputs{x.id, w.id};
  add_bias(p, node, gemm ? gemm->beta : 1, result, inputs);
  result.id = p.emit(node.name, integer_op(node.op, x.grid.zero_point, w.grid.zero_point), std::move(inputs),
                     p.name_for(node.outputs[0], result));
  p.annotate(result);
  p.set(node.outputs[0], std::move(result));
}

}  // namespace nibble::passes
