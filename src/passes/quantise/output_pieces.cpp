#include "passes/quantise/output_pieces.hpp"

#include <algorithm>
#include <optional>

#include "graph/op_traits.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

class Search {
 public:
  Search(const Graph& graph, const QuantiseOptions& options) : graph_(graph), options_(options), uses_(graph) {}

  std::set<size_t> of(ValueId output) {
    found_.clear();
    const int writer = writer_of(output);
    if (writer < 0 || !uses_.readers[static_cast<size_t>(output)].empty()) return {};
    // A Transpose at the very end takes the channels elsewhere.
    const bool turned = holds_alternative<graph::Transpose>(node(writer).op);
    if (turned && !is_only_for(node(writer).inputs[0], writer)) return {};
    return pieces_of(turned ? node(writer).inputs[0] : output) ? found_ : std::set<size_t>{};
  }

 private:
  int writer_of(ValueId id) const { return uses_.writer[static_cast<size_t>(id)]; }
  const Node& node(int index) const { return graph_.nodes[static_cast<size_t>(index)]; }
  bool is_only_for(ValueId id, int reader) const { return !graph_.constant(id) && uses_.only_reader(id) == reader; }

  /// The extents of the branches along axis 1, the same for all Concats of which the value is made.
  std::optional<graph::Ints> pieces_of(ValueId id) {
    const int writer = writer_of(id);
    if (writer < 0) return std::nullopt;
    const Node& made = node(writer);
    if (made.inputs.empty() || !is_only_for(made.inputs[0], writer)) return std::nullopt;
    const Shape &from = graph_[made.inputs[0]].shape, &to = graph_[id].shape;
    const bool stays = from.size() > 1 && to.size() > 1 && from[0] == to[0] && from[1] == to[1];
    if (graph::reshapes(made.op) && stays) return pieces_of(made.inputs[0]);
    const auto* concat = get_if<graph::Concat>(&made.op);
    if (!concat) return std::nullopt;
    const bool alone =
        std::all_of(made.inputs.begin(), made.inputs.end(), [&](ValueId input) { return is_only_for(input, writer); });
    if (!alone) return std::nullopt;
    if (normalise_axis(concat->axis, to.size()) == 1) return branches_of(made, static_cast<size_t>(writer));
    const auto first = pieces_of(made.inputs[0]);
    for (size_t i = 1; i < made.inputs.size(); ++i)
      if (!first || pieces_of(made.inputs[i]) != first) return std::nullopt;
    return first;
  }

  std::optional<graph::Ints> branches_of(const Node& joined, size_t index) {
    const bool free = !options_.trains_folded && options_.policy.of(joined.name).branches == Branches::Measured;
    if (!are_given(joined) && !free) return std::nullopt;
    graph::Ints extents;
    for (ValueId input : joined.inputs) {
      const int writer = writer_of(input);
      const bool will_be = !are_given(joined) && writer >= 0 && gets_a_quantiser(node(writer));
      if (graph_[input].shape[1] == any || !(are_given(joined) || will_be)) return std::nullopt;
      extents.push_back(graph_[input].shape[1]);
    }
    found_.insert(index);
    return extents;
  }

  /// Whether every branch has its quantiser already, with levels that can be joined as they are.
  bool are_given(const Node& joined) const {
    const graph::Quantise* first = nullptr;
    for (ValueId input : joined.inputs) {
      const int writer = writer_of(input);
      const auto* own = writer < 0 ? nullptr : get_if<graph::Quantise>(&node(writer).op);
      if (!own || own->grid.per_channel()) return false;
      if (!first) first = own;
      if (own->grid.zero_point != first->grid.zero_point || own->grid.low != first->grid.low ||
          own->grid.high != first->grid.high)
        return false;
    }
    return first != nullptr;
  }

  /// Whether no grid is known of what a node writes before a Concat asks for one.
  bool gets_a_quantiser(const Node& writer) const {
    const graph::OpClass is = class_of(writer.op);
    return options_.policy.of(writer.name).enabled && (is == graph::OpClass::Linear || is == graph::OpClass::Affine ||
                                                       is == graph::OpClass::Clip || is == graph::OpClass::Function);
  }

  const Graph& graph_;
  const QuantiseOptions& options_;
  graph::Uses uses_;
  std::set<size_t> found_;
};

}  // namespace

std::set<size_t> output_pieces(const Graph& graph, const QuantiseOptions& options) {
  std::set<size_t> all;
  Search search(graph, options);
  for (ValueId output : graph.outputs) all.merge(search.of(output));
  return all;
}

}  // namespace nibble::passes
