#include "graph/infer/infer.hpp"

#include "graph/infer/rules.hpp"

namespace nibble::graph {

ElementType accumulated(const Context& c, std::initializer_list<size_t> inputs) {
  bool real = false, wide_real = false, wide = false;
  for (size_t i : inputs) {
    if (!c.has(i)) continue;
    const ElementType type = c.type(i);
    real |= is_real(type);
    wide_real |= type == ElementType::Float64;
    wide |= type == ElementType::Int64;
  }
  for (size_t i : inputs)
    if (c.has(i)) c.check(is_real(c.type(i)) == real, "reals and integers mixed", "inputs of one kind");
  if (real) return wide_real ? ElementType::Float64 : ElementType::Float32;
  return wide ? ElementType::Int64 : ElementType::Int32;
}

Shape broadcast_of(const Context& c, const Shape& a, const Shape& b) {
  try {
    return broadcast(a, b);
  } catch (const UserError&) {
    c.complain("shapes " + to_string(a) + " and " + to_string(b), "shapes that broadcast");
  }
}

void check_extents(const Value& value) {
  try {
    element_count(value.shape, 1);
  } catch (const UserError& error) {
    const std::string_view message = error.what();
    throw UserError("graph: value '" + value.name + "': " + std::string(message.substr(message.find(": ") + 2)));
  }
}

std::vector<TypedShape> infer(const Node& node, const std::vector<const TypedShape*>& inputs,
                              const std::vector<const Tensor*>& constants) {
  const Context context{node, inputs, constants};
  const std::string place = "graph: node '" + node.name + "' (" + std::string(name_of(node.op)) + "): ";
  try {
    Types types = visit([&](const auto& op) { return rule(context, op); }, node.op);
    for (const TypedShape& type : types) element_count(type.shape, 1);
    return types;
  } catch (const UserError& error) {
    const std::string_view message = error.what();
    if (message.starts_with(place)) throw;
    // Shared arithmetic knows no node: its room gives way to the node's name.
    throw UserError(place + std::string(message.substr(message.find(": ") + 2)));
  }
}

void infer_shapes(Graph& graph, const Node& node) {
  std::vector<TypedShape> held;
  std::vector<const TypedShape*> inputs;
  std::vector<const Tensor*> constants;
  held.reserve(node.inputs.size());
  for (ValueId id : node.inputs) {
    if (id != absent) held.push_back({graph[id].type, graph[id].shape});
    inputs.push_back(id == absent ? nullptr : &held.back());
    constants.push_back(graph.constant(id));
  }
  const std::vector<TypedShape> types = infer(node, inputs, constants);
  if (types.size() != node.outputs.size())
    fail("graph", "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")",
         std::to_string(node.outputs.size()) + " outputs", std::to_string(types.size()));
  const bool quantiser = holds_alternative<Quantise>(node.op);
  for (size_t i = 0; i < types.size(); ++i) {
    Value& value = graph[node.outputs[i]];
    value.shape = types[i].shape;
    if (!(quantiser && !is_real(value.type))) value.type = types[i].type;
  }
}

void infer_shapes(Graph& graph) {
  for (ValueId id : graph.inputs) check_extents(graph[id]);
  for (const Node& node : graph.nodes) infer_shapes(graph, node);
}

}  // namespace nibble::graph
