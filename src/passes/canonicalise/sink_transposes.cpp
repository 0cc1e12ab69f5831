#include <algorithm>
#include <map>
#include <optional>

#include "graph/op_traits.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::absent;
using graph::Graph;
using graph::Ints;
using graph::Node;
using graph::ValueId;

size_t at(const Ints& perm, int64_t axis) {
  return static_cast<size_t>(perm[static_cast<size_t>(normalise_axis(axis, perm.size()))]);
}

/// The op that does to x what it did to transpose(x, perm), and the transposition that its result still needs.
struct Passed {
  graph::Op op;
  Ints perm;
};

/// What stands at axis i of the transposed tensor stands at perm[i] of x.
template <class T>
std::vector<T> moved(const std::vector<T>& values, const Ints& perm) {
  std::vector<T> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) result[at(perm, static_cast<int64_t>(i))] = values[i];
  return result;
}

Ints moved_axes(const Ints& axes, const Ints& perm) {
  Ints result;
  for (int64_t axis : axes) result.push_back(static_cast<int64_t>(at(perm, axis)));
  return result;
}

Ints moved_pads(const Ints& pads, const Ints& perm) {
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(perm.size());
  Ints begin = moved(Ints(pads.begin(), middle), perm), end = moved(Ints(middle, pads.end()), perm);
  begin.insert(begin.end(), end.begin(), end.end());
  return begin;
}

/// What perm does to the axes that a mean over `axes` (of the transposed tensor) leaves.
Ints without_axes(const Ints& perm, const Ints& axes) {
  std::vector<bool> gone(perm.size());
  for (int64_t axis : axes) gone[at(perm, axis)] = true;
  Ints rest;
  for (int64_t source : perm) {
    if (gone[static_cast<size_t>(source)]) continue;
    rest.push_back(std::count(gone.begin(), gone.begin() + source, false));
  }
  return rest;
}

std::optional<Passed> passed_mean(const graph::ReduceMean& mean, const Ints& perm) {
  Ints axes = moved_axes(mean.axes, perm);
  std::sort(axes.begin(), axes.end());
  if (mean.axes.empty()) return Passed{mean, mean.keep_dims ? perm : Ints{}};
  return Passed{graph::ReduceMean{axes, mean.keep_dims}, mean.keep_dims ? perm : without_axes(perm, mean.axes)};
}

std::optional<Passed> passed_resize(graph::Resize op, const Ints& perm) {
  if (!op.scales.empty()) op.scales = moved(op.scales, perm);
  if (!op.sizes.empty()) op.sizes = moved(op.sizes, perm);
  return Passed{std::move(op), perm};
}

std::optional<Passed> passed(const Node& node, const Ints& perm) {
  const graph::Op& op = node.op;
  const auto* quantiser = get_if<graph::Quantise>(&op);
  const bool alike = quantiser && !quantiser->grid.per_channel();
  if (is_pointwise(op) || alike || elements_of(op) == graph::Elements::Same) return Passed{op, perm};
  if (const auto* transpose = get_if<graph::Transpose>(&op))
    return Passed{graph::Transpose{moved_axes(transpose->perm, perm)}, {}};
  if (const auto* concat = get_if<graph::Concat>(&op))
    return Passed{graph::Concat{static_cast<int64_t>(at(perm, concat->axis))}, perm};
  if (const auto* split = get_if<graph::Split>(&op))
    return Passed{graph::Split{static_cast<int64_t>(at(perm, split->axis)), split->sizes}, perm};
  if (const auto* slice = get_if<graph::Slice>(&op); slice && slice->axes.size() == slice->starts.size())
    return Passed{graph::Slice{slice->starts, slice->ends, moved_axes(slice->axes, perm), slice->steps}, perm};
  if (const auto* pad = get_if<graph::Pad>(&op))
    return Passed{graph::Pad{moved_pads(pad->pads, perm), pad->mode, pad->value}, perm};
  if (const auto* softmax = get_if<graph::Softmax>(&op))
    return Passed{graph::Softmax{static_cast<int64_t>(at(perm, softmax->axis))}, perm};
  if (const auto* mean = get_if<graph::ReduceMean>(&op)) return passed_mean(*mean, perm);
  if (const auto* resize = get_if<graph::Resize>(&op)) return passed_resize(*resize, perm);
  if (holds_alternative<graph::BatchNormalization>(op) && perm.size() > 1 && perm[1] == 1) return Passed{op, perm};
  return std::nullopt;
}

class Sinker {
 public:
  explicit Sinker(Graph& graph) : graph_(graph), uses_(graph) {}

  /// Moves the transposition before a node behind it, if that may be.
  bool sink(size_t index) {
    const auto perm = perm_before(index);
    if (!perm) return false;
    const bool merges = holds_alternative<graph::Transpose>(graph_.nodes[index].op);
    if (!merges && !all_pass(index)) return false;
    auto after = passed(graph_.nodes[index], *perm);
    if (!after) return false;
    for (size_t slot = 0; slot < graph_.nodes[index].inputs.size(); ++slot) replace_input(index, slot, *perm);
    graph_.nodes[index].op = std::move(after->op);
    if (after->perm.empty() || std::is_sorted(after->perm.begin(), after->perm.end())) return true;
    const auto outputs = graph_.nodes[index].outputs.size();
    for (size_t i = 0; i < outputs; ++i) append_transpose(index, i, after->perm);
    return true;
  }

 private:
  const graph::Transpose* transpose_of(ValueId id) const {
    const int writer = id == absent ? -1 : uses_.writer[static_cast<size_t>(id)];
    return writer < 0 ? nullptr : get_if<graph::Transpose>(&graph_.nodes[static_cast<size_t>(writer)].op);
  }

  /// Inputs beside the first that parameters are, not what is transposed.
  static bool has_parameters(const Node& node) {
    return holds_alternative<graph::BatchNormalization>(node.op) || holds_alternative<graph::Resize>(node.op);
  }

  /// The one transposition behind all activations of a node, as `perm_of` knows it of each.
  template <class PermOf>
  std::optional<Ints> common_perm(const Node& node, PermOf perm_of) {
    std::optional<Ints> perm;
    const size_t slots = has_parameters(node) ? std::min<size_t>(node.inputs.size(), 1) : node.inputs.size();
    for (size_t slot = 0; slot < slots; ++slot) {
      const ValueId id = node.inputs[slot];
      if (graph_.constant(id) && is_pointwise(node.op)) continue;
      const std::optional<Ints> own = perm_of(id);
      if (!own || (perm && *perm != *own)) return std::nullopt;
      perm = own;
    }
    if (!perm || !passed(node, *perm)) return std::nullopt;
    for (ValueId id : node.inputs)
      if (const Tensor* constant = graph_.constant(id); constant && constant->rank() > perm->size())
        return std::nullopt;
    return perm;
  }

  /// Of nodes right behind their transpositions.
  std::optional<Ints> perm_before(size_t index) {
    return common_perm(graph_.nodes[index], [&](ValueId id) {
      const auto* transpose = transpose_of(id);
      return transpose ? std::optional(transpose->perm) : std::nullopt;
    });
  }

  /// The transposition that can be moved down to a value through all that lies between.
  std::optional<Ints> turn_of(ValueId id) {
    if (const auto* transpose = transpose_of(id)) return transpose->perm;
    const int writer = id == absent ? -1 : uses_.writer[static_cast<size_t>(id)];
    if (writer < 0) return std::nullopt;
    if (const auto found = turns_.find(id); found != turns_.end()) return found->second;
    const Node& node = graph_.nodes[static_cast<size_t>(writer)];
    std::optional<Ints> turn = common_perm(node, [&](ValueId input) { return turn_of(input); });
    if (turn) turn = passed(node, *turn)->perm;
    if (turn && turn->empty()) turn.reset();
    return turns_[id] = turn;
  }

  /// Whether no reader of the transposed values would keep the transposition where it is.
  bool all_pass(size_t index) {
    for (ValueId id : graph_.nodes[index].inputs) {
      if (!transpose_of(id)) continue;
      if (uses_.is_output[static_cast<size_t>(id)]) return false;
      for (int reader : uses_.readers[static_cast<size_t>(id)]) {
        const Node& node = graph_.nodes[static_cast<size_t>(reader)];
        const bool merges = holds_alternative<graph::Transpose>(node.op);
        if (!merges && !common_perm(node, [&](ValueId input) { return turn_of(input); })) return false;
      }
    }
    return true;
  }

  void replace_input(size_t index, size_t slot, const Ints& perm) {
    const ValueId id = graph_.nodes[index].inputs[slot];
    if (transpose_of(id)) {
      const int writer = uses_.writer[static_cast<size_t>(id)];
      graph_.nodes[index].inputs[slot] = graph_.nodes[static_cast<size_t>(writer)].inputs[0];
      return;
    }
    const Tensor* constant = graph_.constant(id);
    if (!constant || constant->size() == 1 || has_parameters(graph_.nodes[index])) return;
    Shape shape(perm.size() - constant->rank(), 1);
    shape.insert(shape.end(), constant->shape().begin(), constant->shape().end());
    Ints inverse(perm.size());
    for (size_t i = 0; i < perm.size(); ++i) inverse[at(perm, static_cast<int64_t>(i))] = static_cast<int64_t>(i);
    const ValueId turned = graph_.add_constant(graph_[id].name, permuted(constant->reshaped(shape), inverse));
    graph_.nodes[index].inputs[slot] = turned;
  }

  void append_transpose(size_t index, size_t output, const Ints& perm) {
    const ValueId old = graph_.nodes[index].outputs[output];
    const std::string name = graph_.nodes[index].name + "_transpose";
    const ValueId written = graph_.add_value(graph_[old].name + "_moved", graph_[old].type);
    graph_[written].grid = graph_[old].grid;
    graph_.nodes[index].outputs[output] = written;
    graph_.add_node(name, graph::Transpose{perm}, {written});
    graph_.nodes.back().outputs = {old};
  }

  Graph& graph_;
  graph::Uses uses_;
  std::map<ValueId, std::optional<Ints>> turns_;
};

}  // namespace

int sink_transposes(Graph& graph) {
  int changed = 0;
  const size_t count = graph.nodes.size();
  for (size_t i = 0; i < count; ++i) changed += Sinker(graph).sink(i);
  return changed;
}

}  // namespace nibble::passes
