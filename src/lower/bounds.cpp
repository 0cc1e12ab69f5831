#include "lower/bounds.hpp"

#include <algorithm>
#include <limits>

#include "graph/ranges.hpp"

namespace nibble::lower {
namespace {

Interval range_of_type(ElementType type) {
  return with_element_type(type, [](auto kind) {
    using T = decltype(kind);
    if constexpr (std::is_floating_point_v<T>)
      return Interval{};
    else
      return Interval{static_cast<int64_t>(std::numeric_limits<T>::min()),
                      static_cast<int64_t>(std::numeric_limits<T>::max())};
  });
}

/// Whether the value lacks bounds that it should have.
bool lacks(const graph::Value& value) {
  return !is_real(value.type) && !value.constant && value.bounds.empty();
}

}  // namespace

void fill_bounds(graph::Graph& graph) {
  for (graph::ValueId id : graph.inputs)
    if (graph::Value& value = graph[id]; lacks(value))
      value.bounds = {value.grid ? Interval{value.grid->low, value.grid->high} : range_of_type(value.type)};
  const auto range = [&](graph::ValueId id) -> graph::Ranges {
    const graph::Value& value = graph[id];
    if (is_real(value.type)) return {Interval{}};
    if (value.constant) return {graph::range_of_constant(*value.constant)};
    return value.bounds;
  };
  for (const graph::Node& node : graph.nodes) {
    const bool any =
        std::any_of(node.outputs.begin(), node.outputs.end(), [&](graph::ValueId id) { return lacks(graph[id]); });
    if (!any) continue;
    const graph::Ranges computed = graph::integer_range(graph, node, range);
    for (graph::ValueId id : node.outputs)
      if (lacks(graph[id])) graph[id].bounds = computed;
  }
}

}  // namespace nibble::lower
