#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>

#include "graph/op_traits.hpp"
#include "graph/output_grids.hpp"
#include "passes/quantise/passes.hpp"
#include "passes/rewrite.hpp"
#include "passes/scales.hpp"
#include "quant/scale.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::ValueId;

ValueId add_quantiser(Graph& graph, const std::string& name, ValueId source, const Grid& grid, Rounding rounding) {
  const ValueId id = graph.add_node(name, graph::Quantise{grid, rounding}, {source});
  graph[id].grid = grid;
  return id;
}

/// From eight bits on the lowest level is given up, so that weights are symmetric and products of saturating
/// instructions stay inside; with fewer a level is worth more.
quant::GridSpec weight_spec(const LayerPolicy& policy) {
  const bool narrow = policy.weight_levels >= 256 && policy.weight_levels % 2 == 0;
  return {policy.weight_levels, narrow ? quant::Symmetry::Narrow : quant::Symmetry::Symmetric, Rounding::HalfUp};
}

void check_bias(const Tensor& bias, const Grid& accumulator, const std::string& place) {
  const std::vector<double> values = bias.to_reals();
  for (size_t i = 0; i < values.size(); ++i)
    if (const double scale = accumulator.scale[i % accumulator.scale.size()]; !(std::abs(values[i] / scale) < 0x1p31))
      fail("passes", place, fmt::format("bias {} needs more than 32 bits at scale {}", values[i], scale),
           "weights and inputs that are not all but zero");
}

/// The node that writes a value, or nullptr.
const graph::Node* writer_of(const Graph& graph, ValueId id) {
  for (const graph::Node& node : graph.nodes)
    if (std::find(node.outputs.begin(), node.outputs.end(), id) != node.outputs.end()) return &node;
  return nullptr;
}

const graph::Quantise* quantiser_of(const Graph& graph, ValueId id) {
  const graph::Node* writer = writer_of(graph, id);
  return writer ? get_if<graph::Quantise>(&writer->op) : nullptr;
}

/// What the value's quantiser reads.
ValueId quantised_by(const Graph& graph, ValueId id) {
  return writer_of(graph, id)->inputs[0];
}

/// Up to the float32 that a product of scales is rounded to.
bool same_scales(const Grid& a, const Grid& b) {
  return std::equal(a.scale.begin(), a.scale.end(), b.scale.begin(), b.scale.end(),
                    [](double x, double y) { return std::abs(x / y - 1) < 1e-6; });
}

void quantise_bias(Graph& graph, size_t index, const Grid& accumulator) {
  graph::Node& node = graph.nodes[index];
  if (node.inputs.size() < 3 || node.inputs[2] == graph::absent) return;
  ValueId bias = node.inputs[2];
  if (const graph::Quantise* kept = quantiser_of(graph, bias)) {
    if (same_scales(kept->grid, accumulator)) return;
    bias = quantised_by(graph, bias);
  }
  check_bias(*graph.constant(bias), accumulator, place_of(node));
  const ValueId placed = add_quantiser(graph, graph[bias].name + "_q", bias, accumulator, Rounding::HalfUp);
  graph.nodes[index].inputs[2] = placed;
}

/// A linear op that writes a graph output: its sum is the output, on the grid of the accumulator. Weights that kept a
/// scale for each output channel give it one for each.
void settle_output(Graph& graph, const LinearPoint& linear, const Grid& weights, const Grid& x) {
  const graph::Node& node = graph.nodes[linear.node];
  const auto last = static_cast<int>(graph[node.outputs[0]].shape.size()) - 1;
  const int axis = holds_alternative<graph::MatMul>(node.op) ? last : 1;
  Grid accumulator{{}, weights.per_channel() ? axis : -1, 0, INT32_MIN, INT32_MAX};
  for (double scale : weights.scale) accumulator.scale.push_back(float_product(scale, x.scale[0]));
  check_grid(accumulator, "passes", place_of(graph.nodes[linear.node]));
  graph[graph.nodes[linear.node].outputs[0]].grid = accumulator;
  if (weights.per_channel()) accumulator.axis = 0;
  quantise_bias(graph, linear.node, accumulator);
}

int place_weights(Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids) {
  std::map<ValueId, std::pair<Grid, ValueId>> placed;  // weights that two layers share have one quantiser
  for (const LinearPoint& linear : plan.linears) {
    const ValueId weights = graph.nodes[linear.node].inputs[linear.slot];
    const Grid grid = linear.kept ? *linear.kept : weight_grid(graph, linear);
    if (linear.kept) {
      if (linear.writes_output && linear.point >= 0)
        settle_output(graph, linear, grid, grids[static_cast<size_t>(linear.point)]);
      continue;
    }
    auto found = placed.find(weights);
    if (found == placed.end() || !(found->second.first == grid)) {
      const ValueId id = add_quantiser(graph, graph[weights].name + "_q", weights, grid, Rounding::HalfUp);
      found = placed.insert_or_assign(weights, std::make_pair(grid, id)).first;
    }
    graph.nodes[linear.node].inputs[linear.slot] = found->second.second;
    if (linear.writes_output && linear.point >= 0)
      settle_output(graph, linear, grid, grids[static_cast<size_t>(linear.point)]);
  }
  return static_cast<int>(placed.size());
}

/// The grid of a constant that is added to a sum of integers.
Grid grid_of_addend(const Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids,
                    const Addend& addend) {
  constexpr int64_t far_below = -(int64_t{1} << 24);  // a float32 integer, and further than any levels reach
  if (addend.linear < 0) return {grids[static_cast<size_t>(addend.point)].scale, -1, 0, far_below, 0};
  const LinearPoint& linear = plan.linears[static_cast<size_t>(addend.linear)];
  const Grid& weights = *graph[graph.nodes[linear.node].inputs[linear.slot]].grid;
  const Grid& x = grids[static_cast<size_t>(linear.point)];
  Grid grid{{}, -1, 0, INT32_MIN, INT32_MAX};
  for (double scale : weights.scale) grid.scale.push_back(float_product(scale, x.scale[0]));
  if (weights.per_channel())
    grid.axis = static_cast<int>(graph[graph.nodes[addend.node].inputs[addend.slot]].shape.size()) - 1;
  return grid;
}

int place_addends(Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids) {
  for (const Addend& addend : plan.addends) {
    const Grid grid = grid_of_addend(graph, plan, grids, addend);
    const std::string place = place_of(graph.nodes[addend.node]);
    check_grid(grid, "passes", place);
    const ValueId constant = graph.nodes[addend.node].inputs[addend.slot];
    if (addend.linear >= 0) check_bias(*graph.constant(constant), grid, place);
    const ValueId placed = add_quantiser(graph, graph[constant].name + "_q", constant, grid, Rounding::HalfUp);
    graph.nodes[addend.node].inputs[addend.slot] = placed;
    if (addend.linear >= 0 && plan.linears[static_cast<size_t>(addend.linear)].writes_output)
      graph[graph.nodes[addend.node].outputs[0]].grid = grid;
  }
  return static_cast<int>(plan.addends.size());
}

/// The quantised value takes over an output's name; the reals behind it are "<name>_real".
void quantise_output(Graph& graph, size_t index, ValueId quantised) {
  const ValueId real = graph.outputs[index];
  graph.outputs[index] = quantised;
  for (ValueId input : graph.inputs)
    if (input == real) return;
  const ValueId spare = graph.add_value(graph[real].name + "_real");
  graph.swap_names(real, spare);
  graph.swap_names(quantised, spare);
}

/// What the grid is for: the constant, or what training will make of it.
Tensor weights_to_quantise(const Graph& graph, const LinearPoint& linear, int axis) {
  const graph::Node& node = graph.nodes[linear.node];
  const Tensor& weights = *graph.constant(node.inputs[linear.slot]);
  if (linear.gain.empty()) return weights;
  std::vector<double> values = weights.to_reals();
  const auto inner = static_cast<size_t>(strides_of(weights.shape()).at(static_cast<size_t>(axis)));
  for (size_t i = 0; i < values.size(); ++i) values[i] *= linear.gain[i / inner % linear.gain.size()];
  return float_tensor(weights.shape(), values);
}

}  // namespace

Rounding rounding_of(const Point& point) {
  // A pixel is a whole number of levels but for its float's last bit.
  return point.given && point.behind < 0 ? Rounding::HalfUp : point.policy.rounding;
}

Grid weight_grid(const Graph& graph, const LinearPoint& linear) {
  if (linear.rounded) return *linear.rounded;
  const graph::Node& node = graph.nodes[linear.node];
  const ValueId weights = node.inputs[linear.slot];
  // Channels of a MatMul are not on axis 1 of its result, where a requantisation could tell them apart.
  const bool per_channel =
      linear.policy.per_channel && !linear.writes_output && !holds_alternative<graph::MatMul>(node.op);
  const int axis = holds_alternative<graph::ConvTranspose>(node.op) ? 1 : 0;
  Grid grid = quant::grid_of_weights(weights_to_quantise(graph, linear, axis), per_channel ? axis : -1,
                                     weight_spec(linear.policy), linear.policy.weight_range,
                                     place_of(node) + ": weights '" + graph[weights].name + "'");
  if (linear.writes_output)
    for (double& scale : grid.scale) scale = quant::shortened(scale);
  return grid;
}

int place_quantisers(Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids) {
  std::vector<ValueId> placed;
  for (size_t p = 0; p < plan.points.size(); ++p) {
    const Point& point = plan.points[p];
    const ValueId source = point.behind < 0 ? point.source : placed[static_cast<size_t>(point.behind)];
    if (point.kept != graph::absent) {
      placed.push_back(point.kept);
      continue;
    }
    placed.push_back(add_quantiser(graph, point.layer + "_q", source, grids[p], rounding_of(point)));
  }
  for (const Reading& reading : plan.readings)
    graph.nodes[reading.node].inputs[reading.slot] = placed[static_cast<size_t>(reading.point)];
  const int constants = place_weights(graph, plan, grids) + place_addends(graph, plan, grids);
  const auto kept = std::count_if(plan.points.begin(), plan.points.end(),
                                  [](const Point& point) { return point.kept != graph::absent; });
  for (const auto& [index, point] : plan.outputs) quantise_output(graph, index, placed[static_cast<size_t>(point)]);
  graph::spread_output_grids(graph, [](const graph::Op& op) { return class_of(op) == graph::OpClass::Movement; });
  graph.stage = graph::Stage::FQ;
  return static_cast<int>(placed.size()) - static_cast<int>(kept) + constants;
}

}  // namespace nibble::passes
