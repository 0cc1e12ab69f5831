#pragma once
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "graph/graph.hpp"
#include "graph/infer/infer.hpp"
#include "graph/verify.hpp"

/// Integer networks made of random parts: the same on every run and machine, every accumulator within 32 bits.
namespace nibble::tests {

/// A value of a network that is being made, and the range that its integers cannot leave.
struct Live {
  graph::ValueId id = graph::absent;
  Interval range;
};

/// Integer ops with random fields, one after the other.
class IntegerNetwork {
 public:
  explicit IntegerNetwork(uint64_t seed) : random(seed) {
    graph.name = "random" + std::to_string(seed);
    graph.stage = graph::Stage::ID;
  }

  graph::Graph graph;
  Random random;

  // ---- chance

  /// In [least, most].
  int64_t between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random.below(static_cast<uint64_t>(most - least + 1)));
  }
  bool chance(int64_t one_in) { return random.below(static_cast<uint64_t>(one_in)) == 0; }
  template <class T>
  T one_of(const std::vector<T>& choices) {
    return choices[random.below(choices.size())];
  }
  /// The levels of 1 to 8 bits, signed or not; now and then a number of levels that is no power of two.
  Interval levels(int64_t bits) {
    const int64_t n = int64_t{1} << bits;
    if (chance(8)) return {-n / 2, std::max<int64_t>(n / 2 - 2, 0)};
    return chance(2) ? Interval{0, n - 1} : Interval{-n / 2, n / 2 - 1};
  }

  // ---- construction

  const Shape& shape(const Live& x) const { return graph[x.id].shape; }
  size_t spatial(const Live& x) const { return shape(x).size() - 2; }
  int64_t elements(const Live& x) const { return element_count(shape(x), 1); }

  Live input(Shape extents, Interval range) {
    Grid grid{.low = range.low, .high = range.high};
    grid.scale = {std::ldexp(1.0, static_cast<int>(-between(0, 8)))};
    grid.zero_point = std::clamp<int64_t>(0, range.low, range.high);
    const graph::ValueId id =
        graph.add_value("x" + std::to_string(graph.inputs.size()), grid.container(), std::move(extents));
    graph[id].grid = grid;
    graph[id].bounds = {range};
    graph.inputs.push_back(id);
    return {id, range};
  }

  /// Random integers of `range` in the smallest type that holds it, or in the type given.
  graph::ValueId constant(const std::string& what, const Shape& extents, Interval range,
                          std::optional<ElementType> type = {}) {
    Tensor tensor(ElementType::Int64, extents);
    for (int64_t& value : tensor.as<int64_t>()) value = between(range.low, range.high);
    const Grid grid{.scale = {0.25}, .low = range.low, .high = range.high};
    const graph::ValueId id = graph.add_constant(what, tensor.cast(type.value_or(grid.container())));
    if (!type) graph[id].grid = grid;
    return id;
  }

  Live node(const std::string& what, graph::Op op, std::vector<graph::ValueId> inputs, Interval range) {
    const std::string name = what + std::to_string(graph.nodes.size());
    const graph::ValueId id = graph.add_node(name, std::move(op), std::move(inputs));
    infer(id);
    graph[id].bounds = {range};
    return {id, range};
  }

  // ---- ranges

  static int64_t largest(Interval range) { return std::max(std::abs(range.low), std::abs(range.high)); }
  static Interval united(Interval a, Interval b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }
  /// Of up to `terms` products of x - zero_point with integers of at most `weight`, and an addend.
  static Interval sum_of(Interval x, int64_t zero_point, int64_t terms, int64_t weight, int64_t addend = 0) {
    const int64_t most =
        std::max(std::abs(x.low - zero_point), std::abs(x.high - zero_point)) * weight * terms + addend;
    return {-most, most};
  }
  static bool narrow(const Live& x) { return x.range.high - x.range.low < 256; }

  /// A zero point of x: mostly none.
  int64_t zero_point(const Live& x) { return chance(3) ? between(x.range.low, x.range.high) : 0; }

  // ---- layers

  Live conv(const Live& x, int64_t outputs, int64_t group, Interval weights, graph::Conv op, int64_t kernel,
            bool bias) {
    Shape extents{outputs, shape(x)[1] / group};
    extents.resize(shape(x).size(), kernel);
    op.group = group;
    const int64_t terms = element_count(extents) / outputs;
    std::vector<graph::ValueId> inputs{x.id, constant(graph.name + "_w", extents, weights)};
    if (bias) inputs.push_back(constant(graph.name + "_b", {outputs}, {-bias_most, bias_most}, ElementType::Int32));
    return node("conv", op, inputs, sum_of(x.range, op.zero_point, terms, largest(weights), bias ? bias_most : 0));
  }

  Live gemm(const Live& x, int64_t outputs, Interval weights, bool transposed, int64_t zero, bool bias) {
    const int64_t terms = shape(x)[1];
    const Shape extents = transposed ? Shape{outputs, terms} : Shape{terms, outputs};
    std::vector<graph::ValueId> inputs{x.id, constant(graph.name + "_w", extents, weights)};
    if (bias) inputs.push_back(constant(graph.name + "_b", {outputs}, {-bias_most, bias_most}, ElementType::Int32));
    return node("gemm", graph::Gemm{1, 1, false, transposed, zero}, inputs,
                sum_of(x.range, zero, terms, largest(weights), bias ? bias_most : 0));
  }

  /// Parameters that spread x over the levels, a little more or less; one set or one a channel.
  Live requantise(const Live& x, Interval to, bool per_channel, int64_t multiplier_bits, bool negative) {
    graph::Requantise op;
    op.low = to.low, op.high = to.high;
    const int64_t count = per_channel && shape(x).size() >= 2 ? shape(x)[1] : 1;
    const double reach = static_cast<double>(std::max<int64_t>(largest(x.range), 1));
    const double wanted = static_cast<double>(std::max<int64_t>(to.high - to.low, 1));
    for (int64_t c = 0; c < count; ++c) {
      const int64_t m = between(1, (int64_t{1} << multiplier_bits) - 1);
      const double bits = std::log2(reach * static_cast<double>(m) / wanted);
      const int64_t shift = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(bits)) - between(0, 2), 1, 31);
      op.multiplier.push_back(negative && chance(4) ? -m : m);
      op.shift.push_back(shift);
      op.addend.push_back(between(to.low, to.high) * (int64_t{1} << (shift - 1)) + between(-3, 3));
    }
    return node("rq", op, {x.id}, to);
  }

  Live max_pool(const Live& x, graph::MaxPool op) { return node("maxpool", std::move(op), {x.id}, x.range); }

  Live sum_pool(const Live& x, graph::SumPool op) {
    int64_t count = 1;
    for (int64_t extent : op.kernel) count *= extent;
    return node("sumpool", op, {x.id}, sum_of(x.range, op.zero_point, count, 1));
  }

  Live add(const Live& a, const Live& b) {
    return node("add", graph::Add{}, {a.id, b.id}, {a.range.low + b.range.low, a.range.high + b.range.high});
  }

  /// Values that nothing reads become outputs: the last ones, at most `most`.
  graph::Graph finish(int64_t most) {
    const graph::Uses uses(graph);
    for (size_t i = graph.nodes.size(); i-- > 0 && static_cast<int64_t>(graph.outputs.size()) < most;)
      for (graph::ValueId id : graph.nodes[i].outputs)
        if (uses.readers[static_cast<size_t>(id)].empty()) graph.outputs.push_back(id);
    graph::tidy(graph);
    graph::verify(graph);
    return graph;
  }

  static constexpr int64_t bias_most = 500;

 private:
  void infer(graph::ValueId id) {
    const graph::Node& node = graph.nodes.back();
    std::vector<graph::TypedShape> held;
    held.reserve(node.inputs.size());
    std::vector<const graph::TypedShape*> types;
    std::vector<const Tensor*> constants;
    for (graph::ValueId input : node.inputs) {
      held.push_back({graph[input].type, graph[input].shape});
      types.push_back(&held.back());
      constants.push_back(graph.constant(input));
    }
    const auto inferred = graph::infer(node, types, constants);
    for (size_t i = 0; i < inferred.size(); ++i) {
      graph::Value& value = graph[i == 0 ? id : node.outputs[i]];
      value.type = inferred[i].type;
      value.shape = inferred[i].shape;
    }
  }
};

}  // namespace nibble::tests
