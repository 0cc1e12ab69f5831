#include "passes/quantise/batch_norm_ways.hpp"

#include "base/json.hpp"
#include "graph/op_traits.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {

constexpr const char* key = "batch_norm";
constexpr const char* place = "metadata 'batch_norm'";

}  // namespace

BatchNormWays read_ways(const graph::Graph& graph) {
  BatchNormWays ways;
  const auto found = graph.metadata.find(key);
  if (found == graph.metadata.end()) return ways;
  const Json json = parse_json(found->second, "passes", place);
  if (!json.is_object()) fail("passes", place, found->second, "an object of fold, integer, threshold or keep by node");
  for (const auto& [node, way] : json.items()) {
    if (!way.is_string()) fail("passes", place, way.dump(), "fold, integer, threshold or keep");
    ways[node] = batch_norm_named(way.get<std::string>(), place);
  }
  return ways;
}

void write_ways(graph::Graph& graph, const BatchNormWays& ways) {
  graph.metadata.erase(key);
  if (ways.empty()) return;
  Json json = Json::object();
  for (const auto& [node, way] : ways) json[node] = to_string(way);
  graph.metadata[key] = json.dump();
}

void forget_ways_of_gone(graph::Graph& graph) {
  BatchNormWays ways;
  const BatchNormWays all = read_ways(graph);
  for (const graph::Node& node : graph.nodes)
    if (const auto found = all.find(node.name); found != all.end()) ways.insert(*found);
  write_ways(graph, ways);
}

BatchNormWays ways_of_quantisers(const graph::Graph& fake) {
  const BatchNormWays asked = read_ways(fake);
  BatchNormWays ways;
  if (asked.empty()) return ways;
  const graph::Uses uses(fake);
  const auto writer_of = [&](graph::ValueId id) {
    const int index = uses.writer[static_cast<size_t>(id)];
    return index < 0 ? nullptr : &fake.nodes[static_cast<size_t>(index)];
  };
  for (const graph::Node& quantiser : fake.nodes) {
    if (!holds_alternative<graph::Quantise>(quantiser.op)) continue;
    const graph::Node* node = writer_of(quantiser.inputs[0]);
    while (node) {
      if (const auto found = asked.find(node->name); found != asked.end()) ways[quantiser.name] = found->second;
      const graph::OpClass kind = class_of(node->op);
      if (kind != graph::OpClass::Affine && kind != graph::OpClass::Arithmetic && kind != graph::OpClass::Clip) break;
      const auto affine = affine_of_arithmetic(fake, *node);
      if (kind == graph::OpClass::Arithmetic && !affine) break;
      node = writer_of(affine ? affine->x : node->inputs[0]);
    }
  }
  return ways;
}

BatchNorm way_of(const graph::Graph& graph, const graph::Node& rescale, const BatchNormWays& ways,
                 std::optional<BatchNorm> asked) {
  if (asked) {
    for (const graph::Node& node : graph.nodes)
      if (node.outputs[0] == rescale.inputs[0] && class_of(node.op) == graph::OpClass::Linear) return *asked;
    if (*asked == BatchNorm::Fold) return *asked;
  }
  const auto found = ways.find(rescale.name);
  return found == ways.end() ? BatchNorm::Fold : asked.value_or(found->second);
}

}  // namespace nibble::passes
