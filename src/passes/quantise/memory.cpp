#include "passes/quantise/memory.hpp"

#include <algorithm>
#include <set>

#include "graph/count.hpp"
#include "graph/op_traits.hpp"

namespace nibble::passes {
namespace {
using graph::absent;
using graph::Graph;
using graph::Node;
using graph::ValueId;

class Finder {
 public:
  explicit Finder(const Graph& graph)
      : graph_(graph),
        uses_(graph),
        root_(graph.values.size()),
        stored_(graph.values.size()),
        tensor_(graph.values.size(), none) {}

  MemoryTable find() {
    find_roots();
    find_stored();
    for (ValueId id : graph_.inputs) number_input(id);
    for (const Node& node : graph_.nodes)
      if (is_head(node)) add_layer(node);
    for (ValueId id : graph_.outputs) table_.tensors[number(id)].returned = true;
    table_.update_live();
    return std::move(table_);
  }

 private:
  static constexpr size_t none = static_cast<size_t>(-1);

  ValueId& root(ValueId id) { return root_[static_cast<size_t>(id)]; }
  bool is_stored(ValueId id) { return stored_[static_cast<size_t>(root(id))]; }
  bool is_activation(ValueId id) const { return id != absent && graph::constant_bits(graph_, uses_, id) == 0; }

  std::vector<ValueId> activations(const Node& node) const {
    std::vector<ValueId> found;
    for (ValueId id : node.inputs)
      if (is_activation(id)) found.push_back(id);
    return found;
  }

  /// Whether the output is the input's memory under another shape.
  bool is_view(const Node& node) const {
    if (const auto* quantiser = get_if<graph::Quantise>(&node.op))
      return is_activation(node.inputs[0]) && graph_[node.inputs[0]].grid == quantiser->grid;
    return reshapes(node.op) || elements_of(node.op) == graph::Elements::Same;
  }

  /// Whether it can be computed element by element as its input is written.
  bool is_fused(const Node& node) const {
    if (activations(node).size() != 1) return false;
    switch (class_of(node.op)) {
      case graph::OpClass::Affine:
      case graph::OpClass::Arithmetic:
      case graph::OpClass::Clip:
      case graph::OpClass::Function:
      case graph::OpClass::Quantiser: return true;
      case graph::OpClass::Integer: return requantises(node.op);
      default: return is_view(node);
    }
  }

  void find_roots() {
    for (size_t i = 0; i < root_.size(); ++i) root_[i] = static_cast<ValueId>(i);
    for (const Node& node : graph_.nodes)
      if (is_view(node) && is_activation(node.inputs[0])) root(node.outputs[0]) = root(node.inputs[0]);
  }

  /// The quantised images of a real graph input stand for it.
  std::vector<ValueId> images_of(ValueId input) const {
    std::vector<ValueId> images;
    for (int reader : uses_.readers[static_cast<size_t>(input)]) {
      const Node& node = graph_.nodes[static_cast<size_t>(reader)];
      if (!holds_alternative<graph::Quantise>(node.op)) return {};
      images.push_back(node.outputs[0]);
    }
    return images;
  }

  void find_stored() {
    const auto store = [&](ValueId id) { stored_[static_cast<size_t>(root(id))] = true; };
    for (ValueId id : graph_.inputs) {
      const auto images = images_of(id);
      if (images.empty()) store(id);
      for (ValueId image : images) store(image);
    }
    for (ValueId id : graph_.outputs) store(id);
    for (const Node& node : graph_.nodes)
      if (!is_fused(node) && !is_view(node))
        for (ValueId id : activations(node)) store(id);
  }

  void number_input(ValueId id) {
    const auto images = images_of(id);
    if (images.empty()) number(id);
    for (ValueId image : images) {
      number(image);
      images_.insert(image);
    }
  }

  bool is_head(const Node& node) {
    const auto read = activations(node);
    if (read.empty() || is_view(node) || images_.count(node.outputs[0]) > 0) return false;
    return !is_fused(node) || is_stored(read[0]);
  }

  int bits_of(ValueId id) const {
    const graph::Value& value = graph_[id];
    if (value.grid) return value.grid->bits();
    const int writer = uses_.writer[static_cast<size_t>(id)];
    if (writer >= 0) {
      const Node& node = graph_.nodes[static_cast<size_t>(writer)];
      if (const auto* quantiser = get_if<graph::Quantise>(&node.op)) return quantiser->grid.bits();
      const graph::OpClass kind = class_of(node.op);
      if (kind == graph::OpClass::Movement || kind == graph::OpClass::Concat) return bits_of(node.inputs[0]);
    }
    return static_cast<int>(8 * size_of(value.type));
  }

  size_t number(ValueId id) {
    size_t& index = tensor_[static_cast<size_t>(root(id))];
    if (index != none) return index;
    index = table_.tensors.size();
    const ValueId held = root(id);
    table_.tensors.push_back({held, graph_[held].name, element_count(graph_[held].shape, 1), bits_of(held)});
    return index;
  }

  static void insert(std::vector<size_t>& indices, size_t index) {
    if (std::find(indices.begin(), indices.end(), index) == indices.end()) indices.push_back(index);
  }

  /// The first stored tensors on the way from a value that its layer writes.
  void follow(ValueId id, std::vector<size_t>& outputs) {
    if (is_stored(id)) return insert(outputs, number(id));
    for (int reader : uses_.readers[static_cast<size_t>(id)])
      follow(graph_.nodes[static_cast<size_t>(reader)].outputs[0], outputs);
  }

  void add_layer(const Node& node) {
    MemoryLayer layer;
    layer.name = node.name;
    layer.op = graph::name_of(node.op);
    for (ValueId id : activations(node)) insert(layer.inputs, number(id));
    for (ValueId id : node.outputs) follow(id, layer.outputs);
    if (class_of(node.op) == graph::OpClass::Linear && !is_activation(node.inputs[1])) {
      layer.weights = node.inputs[1];
      layer.weight_elements = element_count(graph_[layer.weights].shape, 1);
      layer.weight_bits = static_cast<int>(graph::constant_bits(graph_, uses_, layer.weights));
    }
    table_.layers.push_back(std::move(layer));
  }

  const Graph& graph_;
  graph::Uses uses_;
  std::vector<ValueId> root_;
  std::vector<bool> stored_;
  std::vector<size_t> tensor_;
  std::set<ValueId> images_;
  MemoryTable table_;
};

int64_t sum_of(const MemoryTable& table, const std::vector<size_t>& tensors) {
  int64_t bytes = 0;
  for (size_t tensor : tensors) bytes += table.tensors[tensor].bytes();
  return bytes;
}

Json tensors_json(const MemoryTable& table, const std::vector<size_t>& tensors) {
  Json list = Json::array();
  for (size_t index : tensors) {
    const StoredTensor& tensor = table.tensors[index];
    list.push_back({{"name", tensor.name}, {"bits", tensor.bits}, {"bytes", tensor.bytes()}});
  }
  return list;
}

}  // namespace

int64_t MemoryTable::input_bytes(const MemoryLayer& layer) const {
  return sum_of(*this, layer.inputs);
}

int64_t MemoryTable::output_bytes(const MemoryLayer& layer) const {
  return sum_of(*this, layer.outputs);
}

int64_t MemoryTable::largest_layer() const {
  int64_t most = 0;
  for (const MemoryLayer& layer : layers) most = std::max(most, input_bytes(layer) + output_bytes(layer));
  return most;
}

int64_t MemoryTable::peak() const {
  int64_t most = 0;
  for (const MemoryLayer& layer : layers) most = std::max(most, layer.live);
  return most;
}

int64_t MemoryTable::weight_bytes() const {
  std::set<graph::ValueId> counted;
  int64_t bytes = 0;
  for (const MemoryLayer& layer : layers)
    if (layer.weights != absent && counted.insert(layer.weights).second) bytes += layer.weight_bytes();
  return bytes;
}

void MemoryTable::update_live() {
  std::vector<size_t> first(tensors.size(), 0), last(tensors.size(), 0);
  for (size_t i = 0; i < layers.size(); ++i) {
    for (size_t tensor : layers[i].outputs) first[tensor] = last[tensor] = i;
    for (size_t tensor : layers[i].inputs) last[tensor] = i;
  }
  for (size_t t = 0; t < tensors.size(); ++t)
    if (tensors[t].returned) last[t] = layers.size();
  for (size_t i = 0; i < layers.size(); ++i) {
    layers[i].live = 0;
    for (size_t t = 0; t < tensors.size(); ++t)
      if (first[t] <= i && i <= last[t]) layers[i].live += tensors[t].bytes();
  }
}

MemoryTable memory_of(const Graph& graph) {
  if (graph.stage == graph::Stage::FP)
    fail("passes", "memory", "the network is FP, without integers to keep", "a quantised network: FQ, QD or ID");
  return Finder(graph).find();
}

Json to_json(const MemoryTable& table) {
  Json layers = Json::array();
  for (const MemoryLayer& layer : table.layers) {
    Json json = {{"name", layer.name},
                 {"op", layer.op},
                 {"inputs", tensors_json(table, layer.inputs)},
                 {"outputs", tensors_json(table, layer.outputs)},
                 {"bytes", table.input_bytes(layer) + table.output_bytes(layer)},
                 {"live", layer.live}};
    if (layer.weight_bits > 0) {
      json["weight_bits"] = layer.weight_bits;
      json["weight_bytes"] = layer.weight_bytes();
    }
    layers.push_back(std::move(json));
  }
  return {{"layers", std::move(layers)},
          {"largest_layer", table.largest_layer()},
          {"peak", table.peak()},
          {"weight_bytes", table.weight_bytes()}};
}

}  // namespace nibble::passes
