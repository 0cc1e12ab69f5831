#include "lower/hold.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "graph/op_traits.hpp"

namespace nibble::lower {
namespace {

using graph::get_if;
using graph::Graph;
using graph::holds_alternative;
using graph::Node;
using graph::ValueId;

/// Gives its input's elements, some of them or in another order: input and output shift together.
bool shifts_along(const graph::Op& op) {
  // A Pad has a value, a Gather an index beside its elements.
  if (holds_alternative<graph::Pad>(op) || holds_alternative<graph::Gather>(op)) return false;
  return graph::moves_data(op);
}

bool multiplies(const Graph& graph, const Node& node, ValueId x) {
  if (node.inputs[0] != x) return false;
  if (holds_alternative<graph::Conv>(node.op)) return true;
  const bool product = holds_alternative<graph::Gemm>(node.op) || holds_alternative<graph::MatMul>(node.op);
  return product && graph.constant(node.inputs[1]) != nullptr;
}

/// Subtracts what x is shifted by somewhere in its own fields, or can be given a Requantise that does.
bool can_unshift(const Graph& graph, const Node& node, ValueId x) {
  if (multiplies(graph, node, x) || holds_alternative<graph::Add>(node.op)) return true;
  return node.inputs[0] == x &&
         (holds_alternative<graph::SumPool>(node.op) || holds_alternative<graph::ReduceSum>(node.op) ||
          holds_alternative<graph::Requantise>(node.op) || holds_alternative<graph::Table>(node.op));
}

class Holder {
 public:
  Holder(Graph& graph, Bytes bytes)
      : graph_(graph), uses_(graph), by_(bytes == Bytes::Unsigned ? 128 : -128), group_(graph.values.size()) {
    from_ = bytes == Bytes::Unsigned ? Interval{-128, 127} : Interval{0, 255};
    std::iota(group_.begin(), group_.end(), 0);
    for (const Node& node : graph.nodes)
      if (shifts_along(node.op)) {
        for (ValueId id : node.inputs) join(id, node.outputs[0]);
        for (ValueId id : node.outputs) join(id, node.outputs[0]);
      }
  }

  int run() {
    std::set<int> asked;
    for (size_t i = 0; i < group_.size(); ++i) {
      const int group = find(static_cast<int>(i));
      if (asked.insert(group).second && eligible(group)) chosen_.insert(group);
    }
    int changed = 0;
    // A snapshot: nodes are added while values are walked.
    const size_t values = group_.size();
    for (size_t i = 0; i < values; ++i)
      if (chosen_.contains(find(static_cast<int>(i)))) {
        shift(static_cast<ValueId>(i));
        ++changed;
      }
    if (changed > 0) graph::sort(graph_);
    return changed;
  }

 private:
  int find(int i) {
    while (group_[static_cast<size_t>(i)] != i)
      i = group_[static_cast<size_t>(i)] = group_[static_cast<size_t>(group_[static_cast<size_t>(i)])];
    return i;
  }
  void join(ValueId a, ValueId b) { group_[static_cast<size_t>(find(a))] = find(b); }

  /// The shift has room in 64 bits.
  static bool has_room(const graph::Requantise& op) {
    const auto small = [](int64_t x) { return x > -(int64_t{1} << 54) && x < int64_t{1} << 54; };
    return std::all_of(op.shift.begin(), op.shift.end(), [](int64_t d) { return d <= 46; }) &&
           std::all_of(op.addend.begin(), op.addend.end(), small) &&
           std::all_of(op.multiplier.begin(), op.multiplier.end(),
                       [](int64_t m) { return std::abs(m) < int64_t{1} << 46; });
  }

  bool eligible(int group) {
    bool linear = false, outside = false;
    for (size_t i = 0; i < group_.size(); ++i) {
      if (find(static_cast<int>(i)) != group) continue;
      const auto id = static_cast<ValueId>(i);
      const graph::Value& value = graph_[id];
      if (is_real(value.type) || value.constant || uses_.is_output[i] || value.bounds.empty()) return false;
      for (const Interval& bound : value.bounds) {
        if (bound.low < from_.low || bound.high > from_.high) return false;
        // What already fits the other sign needs no shift.
        outside = outside || bound.low < from_.low + by_ || bound.high > from_.high + by_;
      }
      const int writer = uses_.writer[i];
      if (writer < 0) return false;
      const graph::Op& op = graph_.nodes[static_cast<size_t>(writer)].op;
      const auto* requantise = get_if<graph::Requantise>(&op);
      if (!shifts_along(op) && (requantise == nullptr || !has_room(*requantise))) return false;
      for (int reader : uses_.readers[i]) {
        const Node& node = graph_.nodes[static_cast<size_t>(reader)];
        if (shifts_along(node.op)) continue;
        if (!can_unshift(graph_, node, id)) return false;
        if (const auto* next = get_if<graph::Requantise>(&node.op); next != nullptr && !has_room(*next)) return false;
        linear = linear || multiplies(graph_, node, id);
      }
    }
    return linear && outside;
  }

  void shift(ValueId id) {
    const auto i = static_cast<size_t>(id);
    Node& writer = graph_.nodes[static_cast<size_t>(uses_.writer[i])];
    if (auto* op = get_if<graph::Requantise>(&writer.op)) {
      for (size_t c = 0; c < op->addend.size(); ++c) op->addend[c] += by_ << op->shift[c];
      op->low += by_, op->high += by_;
    }
    for (Interval& bound : graph_[id].bounds) bound.low += by_, bound.high += by_;
    if (graph_[id].grid) graph_[id].grid->zero_point += by_, graph_[id].grid->low += by_, graph_[id].grid->high += by_;
    graph_[id].type = by_ > 0 ? ElementType::UInt8 : ElementType::Int8;
    const std::set<int> readers(uses_.readers[i].begin(), uses_.readers[i].end());
    for (int reader : readers) unshift(id, reader);
  }

  void unshift(ValueId id, int reader) {
    Node& node = graph_.nodes[static_cast<size_t>(reader)];
    if (shifts_along(node.op)) return;
    if (auto* conv = get_if<graph::Conv>(&node.op))
      conv->zero_point += by_;
    else if (auto* gemm = get_if<graph::Gemm>(&node.op))
      gemm->zero_point += by_;
    else if (auto* matmul = get_if<graph::MatMul>(&node.op))
      matmul->zero_point_a += by_;
    else if (auto* pool = get_if<graph::SumPool>(&node.op))
      pool->zero_point += by_;
    else if (auto* sum = get_if<graph::ReduceSum>(&node.op))
      sum->zero_point += by_;
    else if (auto* table = get_if<graph::Table>(&node.op))
      table->first += by_;
    else if (auto* op = get_if<graph::Requantise>(&node.op)) {
      for (size_t c = 0; c < op->addend.size(); ++c) op->addend[c] -= by_ * op->multiplier[c];
    } else {
      const Interval bounds = graph_[id].bounds.front();
      const ValueId back =
          graph_.add_node(graph_[id].name + "_held", graph::Requantise{{1}, {-by_}, {0}, from_.low, from_.high}, {id});
      graph_[back].type = by_ > 0 ? ElementType::Int8 : ElementType::UInt8;
      graph_[back].shape = graph_[id].shape;
      graph_[back].bounds = {{bounds.low - by_, bounds.high - by_}};
      if (graph_[id].bounds.size() > 1) graph_[back].bounds = {from_};
      Node& again = graph_.nodes[static_cast<size_t>(reader)];
      std::replace(again.inputs.begin(), again.inputs.end(), id, back);
    }
  }

  Graph& graph_;
  const graph::Uses uses_;
  const int64_t by_;
  Interval from_;
  std::vector<int> group_;
  std::set<int> chosen_;
};

}  // namespace

int hold_bytes(Graph& graph, Bytes bytes) {
  if (bytes == Bytes::AsTheyAre) return 0;
  return Holder(graph, bytes).run();
}

}  // namespace nibble::lower
