#include "onnx/integer_form/make_levels_unsigned.hpp"
#include "graph/op_traits.hpp"

#include <algorithm>
#include <optional>

namespace nibble::onnx {
namespace {

using graph::Ints;
using graph::Node;
using graph::ValueId;

bool pads(const Ints& numbers) {
  return std::any_of(numbers.begin(), numbers.end(), [](int64_t pad) { return pad != 0; });
}

/// Multiplier, addend and 2^shift or divisor of a requantisation, to be read and changed.
struct Requantisation {
  Ints* multiplier;
  Ints* addend;
  int64_t *low, *high;
  const Ints* shift;
  const Ints* divisor;
};

std::optional<Requantisation> requantisation_in(graph::Op& op) {
  if (auto* r = get_if<graph::Requantise>(&op))
    return Requantisation{&r->multiplier, &r->addend, &r->low, &r->high, &r->shift, nullptr};
  if (auto* f = get_if<graph::FloorDivide>(&op))
    return Requantisation{&f->multiplier, &f->addend, &f->low, &f->high, nullptr, &f->divisor};
  return {};
}

/// addend + factor * by, one a channel; nothing where 64 bits do not hold them.
std::optional<Ints> moved(const Ints& addend, const Ints& factor, int64_t by) {
  Ints result(addend.size());
  for (size_t c = 0; c < addend.size(); ++c) {
    int64_t product = 0;
    if (__builtin_mul_overflow(factor[c], by, &product) || __builtin_add_overflow(addend[c], product, &result[c]))
      return {};
  }
  return result;
}

class Raiser {
 public:
  explicit Raiser(const graph::Graph& graph) : graph_(graph), uses_(graph) {}

  graph::Graph run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const auto op = requantisation_in(graph_.nodes[i].op);
      if (op && *op->low < 0) raise(i, -*op->low);
    }
    return std::move(graph_);
  }

 private:
  /// All or nothing: what the readers become is collected, and taken when each of them can have it.
  void raise(size_t index, int64_t by) {
    changed_.clear(), raised_.clear();
    Node writer = graph_.nodes[index];
    const auto op = requantisation_in(writer.op);
    Ints divisor;
    for (size_t c = 0; c < op->addend->size(); ++c) {
      if (op->shift && (*op->shift)[c] > 55) return;
      divisor.push_back(op->shift ? int64_t{1} << (*op->shift)[c] : (*op->divisor)[c]);
    }
    const auto addend = moved(*op->addend, divisor, by);
    if (!addend) return;
    *op->addend = *addend, *op->low += by, *op->high += by;
    changed_.emplace_back(index, writer);
    if (!raise_value(writer.outputs[0], by)) return;
    for (auto& [node, changed] : changed_) graph_.nodes[node] = std::move(changed);
    for (ValueId id : raised_) shift_value(graph_[id], by);
  }

  bool raise_value(ValueId id, int64_t by) {
    if (uses_.is_output[static_cast<size_t>(id)]) return false;
    raised_.push_back(id);
    const std::vector<int>& readers = uses_.readers[static_cast<size_t>(id)];
    return std::all_of(readers.begin(), readers.end(),
                       [&](int reader) { return read_raised(static_cast<size_t>(reader), id, by); });
  }

  bool read_raised(size_t index, ValueId id, int64_t by) {
    Node node = graph_.nodes[index];
    if (std::any_of(changed_.begin(), changed_.end(), [&](const auto& other) { return other.first == index; }))
      return false;
    if (passes_on(node.op)) return raise_value(node.outputs[0], by);
    if (holds_alternative<graph::Add>(node.op)) {
      if (std::count(node.inputs.begin(), node.inputs.end(), id) != 1) return false;
      const int behind = uses_.only_reader(node.outputs[0]);
      if (behind < 0 || !requantisation_in(graph_.nodes[static_cast<size_t>(behind)].op)) return false;
      return raise_value(node.outputs[0], by);
    }
    if (node.inputs.empty() || node.inputs[0] != id) return false;
    if (const auto op = requantisation_in(node.op)) {
      const auto addend = moved(*op->addend, *op->multiplier, -by);
      if (!addend) return false;
      *op->addend = *addend;
    } else if (auto* conv = get_if<graph::Conv>(&node.op); conv && !pads(conv->pads)) {
      conv->zero_point += by;
    } else if (auto* gemm = get_if<graph::Gemm>(&node.op)) {
      gemm->zero_point += by;
    } else if (auto* matmul = get_if<graph::MatMul>(&node.op); matmul && graph_.constant(node.inputs[1])) {
      matmul->zero_point_a += by;
    } else if (auto* pool = get_if<graph::SumPool>(&node.op); pool && !pads(pool->pads)) {
      pool->zero_point += by;
    } else if (auto* sum = get_if<graph::ReduceSum>(&node.op)) {
      sum->zero_point += by;
    } else {
      return false;
    }
    changed_.emplace_back(index, std::move(node));
    return true;
  }

  static void shift_value(graph::Value& value, int64_t by) {
    for (Interval& bound : value.bounds) bound = {bound.low + by, bound.high + by};
    value.type = ElementType::Int32;
    if (!value.grid) return;
    value.grid->zero_point += by, value.grid->low += by, value.grid->high += by;
    value.type = value.grid->container();
  }

  graph::Graph graph_;
  graph::Uses uses_;
  std::vector<std::pair<size_t, Node>> changed_;
  std::vector<ValueId> raised_;
};

}  // namespace

bool passes_on(const graph::Op& op) {
  const bool flattens = reshapes(op) && !holds_alternative<graph::Unsqueeze>(op);
  return flattens || holds_alternative<graph::MaxPool>(op) || holds_alternative<graph::Identity>(op);
}

graph::Graph make_levels_unsigned(const graph::Graph& graph) {
  return Raiser(graph).run();
}

}  // namespace nibble::onnx
