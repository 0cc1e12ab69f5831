#pragma once
#include "equal/onnx/integer_functions.hpp"

namespace nibble::tests {

/// Values are picked at random, so branches, residuals and several outputs come about; what moves integers.
class WiredNetwork : public FunctionNetwork {
 public:
  using FunctionNetwork::FunctionNetwork;

 protected:
  std::vector<Live> live_;

  void keep(const Live& x) { live_.push_back(x); }

  bool has_space(const Live& x) const { return shape(x).size() >= 3 && shape(x).size() <= 4; }

  /// Recent values more often than old ones.
  Live pick() {
    const auto from_end = std::min(random.below(live_.size()), random.below(live_.size()));
    return live_[live_.size() - 1 - from_end];
  }

  std::optional<Live> partner(const Live& x, bool same_type) {
    std::vector<Live> found;
    for (const Live& y : live_)
      if (shape(y) == shape(x) && (!same_type || graph[y.id].type == graph[x.id].type)) found.push_back(y);
    if (found.empty()) return {};
    return one_of(found);
  }

  /// kernel, strides, pads and dilations such that a window fits; pads smaller than the window.
  template <class Op>
  int64_t window(Op& op, const Live& x) {
    const int64_t kernel = between(1, 3);
    for (size_t i = 0; i < spatial(x); ++i) {
      const int64_t extent = shape(x)[i + 2];
      int64_t dilation = between(1, 2);
      if ((kernel - 1) * dilation + 1 > extent) dilation = 1;
      op.strides.push_back(between(1, 2));
      op.dilations.push_back(dilation);
    }
    const auto pads = [&](size_t i) {
      const int64_t reach = (kernel - 1) * op.dilations[i], extent = shape(x)[i + 2];
      const int64_t needed = std::max<int64_t>(reach + 1 - extent, 0);
      return std::min(std::max(needed, between(0, reach)), std::max<int64_t>(kernel - 1, 0));
    };
    for (size_t side = 0; side < 2; ++side)
      for (size_t i = 0; i < spatial(x); ++i) op.pads.push_back(pads(i));
    return kernel;
  }

  Live any_max_pool(const Live& x) {
    graph::MaxPool op;
    op.kernel.assign(spatial(x), window(op, x));
    op.ceil_mode = chance(3);
    return max_pool(x, op);
  }

  void concat(const Live& x) {
    const auto other = partner(x, true);
    if (!other || elements(x) > 200 || shape(x).size() < 2) return;
    const int64_t axis = chance(3) ? between(1, static_cast<int64_t>(shape(x).size()) - 1) : 1;
    keep(node("concat", graph::Concat{axis}, {x.id, other->id}, united(x.range, other->range)));
  }

  void split(const Live& x) {
    if (shape(x).size() < 2 || shape(x)[1] < 2) return;
    const int64_t first = between(1, shape(x)[1] - 1);
    const std::string name = "split" + std::to_string(graph.nodes.size());
    graph::Node node{name, graph::Split{1, {first, shape(x)[1] - first}}, {x.id}, {}};
    for (const char* end : {"_a", "_b"}) {
      const graph::ValueId id = graph.add_value(name + end, graph[x.id].type, shape(x));
      graph[id].shape[1] = node.outputs.empty() ? first : shape(x)[1] - first;
      graph[id].bounds = {x.range};
      node.outputs.push_back(id);
    }
    graph.nodes.push_back(node);
    for (graph::ValueId id : node.outputs) keep({id, x.range});
  }

  void slice(const Live& x) {
    if (shape(x).size() < 2) return;
    const int64_t axis = between(1, static_cast<int64_t>(shape(x).size()) - 1);
    const int64_t extent = shape(x)[static_cast<size_t>(axis)];
    if (extent < 2) return;
    graph::Slice op{{between(0, extent - 2)}, {extent}, {axis}, {between(1, 2)}};
    if (chance(3)) op = {{extent - 1}, {-extent - 1}, {axis}, {-between(1, 2)}};
    keep(node("slice", op, {x.id}, x.range));
  }

  void pad(const Live& x) {
    if (shape(x).size() < 3 || elements(x) > 200) return;
    graph::Pad op;
    op.mode = one_of<graph::PadMode>({graph::PadMode::Constant, graph::PadMode::Reflect, graph::PadMode::Edge});
    const auto rank = shape(x).size();
    for (size_t i = 0; i < 2 * rank; ++i) {
      const int64_t extent = shape(x)[i % rank];
      op.pads.push_back(i % rank < 2 ? 0 : std::min(between(0, 2), extent - 1));
    }
    if (op.mode == graph::PadMode::Constant) op.value = static_cast<double>(between(x.range.low, x.range.high));
    keep(node("pad", op, {x.id}, x.range));
  }

  Live reshaped(const Live& x) {
    const Shape& extents = shape(x);
    if (extents.size() >= 3 && extents.back() == 1 && !chance(4))
      return node("squeeze", graph::Squeeze{{static_cast<int64_t>(extents.size()) - 1}}, {x.id}, x.range);
    if (extents.size() <= 3 && extents.size() >= 2 && chance(2))
      return node("unsqueeze", graph::Unsqueeze{{between(1, static_cast<int64_t>(extents.size()))}}, {x.id}, x.range);
    if (extents.size() >= 3 && chance(2))
      return node("reshape", graph::Reshape{{0, extents[1], -1}, false}, {x.id}, x.range);
    return node("flatten", graph::Flatten{1}, {x.id}, x.range);
  }

  Live transposed(const Live& x) {
    graph::Transpose op;
    for (int64_t i = 0; i < static_cast<int64_t>(shape(x).size()); ++i) op.perm.push_back(i);
    if (op.perm.size() >= 3) std::rotate(op.perm.begin() + 1, op.perm.begin() + between(1, 2), op.perm.end());
    return node("transpose", op, {x.id}, x.range);
  }

  Live gather(const Live& x) {
    const int64_t axis = between(1, static_cast<int64_t>(shape(x).size()) - 1);
    const int64_t extent = shape(x)[static_cast<size_t>(axis)];
    return node("gather", graph::Gather{axis},
                {x.id, constant("at", {between(1, 3)}, {-extent, extent - 1}, ElementType::Int64)}, x.range);
  }
};

}  // namespace nibble::tests
