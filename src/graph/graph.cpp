#include "graph/graph.hpp"

#include <algorithm>
#include <queue>
#include <unordered_set>

#include "graph/infer/infer.hpp"

namespace nibble::graph {

Graph::Graph() = default;
Graph::Graph(const Graph&) = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(const Graph&) = default;
Graph& Graph::operator=(Graph&&) noexcept = default;
Graph::~Graph() = default;

namespace {

bool name_is_taken(const Graph& graph, std::string_view name) {
  return graph.find(name) != absent;
}

std::string free_name(const Graph& graph, std::string name) {
  if (!name.empty() && !name_is_taken(graph, name)) return name;
  if (name.empty()) name = "value";
  for (int number = 1;; ++number) {
    std::string numbered = name + "_" + std::to_string(number);
    if (!name_is_taken(graph, numbered)) return numbered;
  }
}

std::string free_node_name(const Graph& graph, std::string name) {
  const auto has_name = [&](const Node& node) { return node.name == name; };
  if (!name.empty() && std::none_of(graph.nodes.begin(), graph.nodes.end(), has_name)) return name;
  if (name.empty()) name = "node";
  std::unordered_set<std::string_view> taken;
  for (const Node& node : graph.nodes) taken.insert(node.name);
  for (int number = 1;; ++number) {
    std::string numbered = name + "_" + std::to_string(number);
    if (!taken.contains(numbered)) return numbered;
  }
}

/// Marks what the outputs need, drops the other nodes; returns how many went.
int drop_dead_nodes(Graph& graph) {
  const Uses uses(graph);
  std::vector<bool> alive(graph.nodes.size());
  std::vector<ValueId> pending = graph.outputs;
  while (!pending.empty()) {
    const int writer = uses.writer[static_cast<size_t>(pending.back())];
    pending.pop_back();
    if (writer < 0 || alive[static_cast<size_t>(writer)]) continue;
    alive[static_cast<size_t>(writer)] = true;
    for (ValueId input : graph.nodes[static_cast<size_t>(writer)].inputs)
      if (input != absent) pending.push_back(input);
  }
  std::vector<Node> kept;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (alive[i]) kept.push_back(std::move(graph.nodes[i]));
  const int dropped = static_cast<int>(graph.nodes.size() - kept.size());
  graph.nodes = std::move(kept);
  return dropped;
}

void drop_dead_values(Graph& graph) {
  std::vector<ValueId> renumbered(graph.values.size(), absent);
  const auto mark = [&](const std::vector<ValueId>& ids) {
    for (ValueId id : ids)
      if (id != absent) renumbered[static_cast<size_t>(id)] = 0;
  };
  mark(graph.inputs);
  mark(graph.outputs);
  for (const Node& node : graph.nodes) mark(node.inputs), mark(node.outputs);
  std::vector<Value> kept;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (renumbered[i] == absent) continue;
    renumbered[i] = static_cast<ValueId>(kept.size());
    kept.push_back(std::move(graph.values[i]));
  }
  graph.values = std::move(kept);
  const auto rename = [&](std::vector<ValueId>& ids) {
    for (ValueId& id : ids)
      if (id != absent) id = renumbered[static_cast<size_t>(id)];
  };
  rename(graph.inputs);
  rename(graph.outputs);
  for (Node& node : graph.nodes) rename(node.inputs), rename(node.outputs);
}

}  // namespace

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::FP: return "FP";
    case Stage::FQ: return "FQ";
    case Stage::QD: return "QD";
    case Stage::ID: return "ID";
  }
  throw InternalError("a stage is one of the enumeration");
}

Stage stage_named(std::string_view name) {
  for (Stage stage : {Stage::FP, Stage::FQ, Stage::QD, Stage::ID})
    if (to_string(stage) == name) return stage;
  fail("graph", "stage", "'" + std::string(name) + "'", "FP, FQ, QD or ID");
}

ValueId Graph::add_value(std::string value_name, ElementType type, Shape shape) {
  Value value;
  value.name = free_name(*this, std::move(value_name));
  value.type = type;
  value.shape = std::move(shape);
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add_constant(std::string value_name, Tensor tensor) {
  const ValueId id = add_value(std::move(value_name), tensor.type(), tensor.shape());
  (*this)[id].constant = std::move(tensor);
  return id;
}

ValueId Graph::add_node(std::string node_name, Op op, std::vector<ValueId> node_inputs) {
  const ValueId output = add_value(node_name);
  nodes.push_back({free_node_name(*this, std::move(node_name)), std::move(op), std::move(node_inputs), {output}});
  return output;
}

ValueId Graph::find(std::string_view value_name) const {
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].name == value_name) return static_cast<ValueId>(i);
  return absent;
}

const Tensor* Graph::constant(ValueId id) const {
  if (id == absent) return nullptr;
  const auto& held = (*this)[id].constant;
  return held ? &*held : nullptr;
}

void Graph::replace(ValueId from, ValueId to) {
  for (Node& node : nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(outputs.begin(), outputs.end(), from, to);
}

void Graph::swap_names(ValueId a, ValueId b) {
  std::swap((*this)[a].name, (*this)[b].name);
}

Uses::Uses(const Graph& graph)
    : writer(graph.values.size(), -1), readers(graph.values.size()), is_output(graph.values.size()) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId id : graph.nodes[i].outputs) writer.at(static_cast<size_t>(id)) = static_cast<int>(i);
    for (ValueId id : graph.nodes[i].inputs)
      if (id != absent) readers.at(static_cast<size_t>(id)).push_back(static_cast<int>(i));
  }
  for (ValueId id : graph.outputs) is_output.at(static_cast<size_t>(id)) = true;
}

int Uses::only_reader(ValueId id) const {
  const auto index = static_cast<size_t>(id);
  return readers[index].size() == 1 && !is_output[index] ? readers[index].front() : -1;
}

void sort(Graph& graph) {
  const Uses uses(graph);
  std::vector<size_t> waits(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (ValueId id : graph.nodes[i].inputs)
      if (id != absent && uses.writer[static_cast<size_t>(id)] >= 0) ++waits[i];
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < waits.size(); ++i)
    if (waits[i] == 0) ready.push(i);
  std::vector<Node> sorted;
  sorted.reserve(graph.nodes.size());
  std::vector<bool> done(graph.nodes.size());
  while (!ready.empty()) {
    const size_t next = ready.top();
    ready.pop();
    done[next] = true;
    for (ValueId id : graph.nodes[next].outputs)
      for (int reader : uses.readers[static_cast<size_t>(id)])
        if (--waits[static_cast<size_t>(reader)] == 0) ready.push(static_cast<size_t>(reader));
    sorted.push_back(graph.nodes[next]);
  }
  if (sorted.size() != graph.nodes.size()) {
    const auto stuck = static_cast<size_t>(std::find(done.begin(), done.end(), false) - done.begin());
    fail("graph", "node '" + graph.nodes[stuck].name + "'", "waits for itself", "a graph without cycles");
  }
  graph.nodes = std::move(sorted);
}

int tidy(Graph& graph) {
  const int dropped = drop_dead_nodes(graph);
  drop_dead_values(graph);
  sort(graph);
  infer_shapes(graph);
  return dropped;
}

}  // namespace nibble::graph
