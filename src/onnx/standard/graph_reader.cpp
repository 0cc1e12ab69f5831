#include "onnx/standard/graph_reader.hpp"

#include <algorithm>
#include <queue>

#include "base/interval.hpp"
#include "graph/infer/infer.hpp"
#include "graph/verify.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/integers.hpp"
#include "onnx/file/metadata.hpp"
#include "onnx/file/tensors.hpp"
#include "onnx/standard/import.hpp"
#include "onnx/standard/input_shapes.hpp"
#include "onnx/standard/normalise_quantisers.hpp"

namespace nibble::onnx {
namespace {

std::string node_name(const pb::NodeProto& node) {
  if (!node.name().empty()) return node.name();
  for (const std::string& output : node.output())
    if (!output.empty()) return output;
  return node.op_type();
}

std::string place_of(const std::string& file, const pb::NodeProto& node) {
  return file + ": node " + in_quotes(node_name(node)) + " (" + node.op_type() + ")";
}

/// Doubles hold every integer up to here.
constexpr int64_t largest_level = int64_t{1} << 53;

bool has_integer_ops(const pb::ModelProto& model) {
  return std::any_of(model.graph().node().begin(), model.graph().node().end(), [](const pb::NodeProto& node) {
    const std::string_view op = node.op_type();
    return op.starts_with("QLinear") || op == "QGemm" || op == "ConvInteger" || op == "MatMulInteger";
  });
}

}  // namespace

std::string_view found_part(std::string_view message) {
  if (const size_t room = message.find(": "); room != message.npos) message.remove_prefix(room + 2);
  const size_t node = message.find("): ");
  if (message.starts_with("node '") && node != message.npos) message.remove_prefix(node + 3);
  return message;
}

GraphReader::GraphReader(const pb::ModelProto& model, std::string place, const ReadOptions& options, TensorRules rules,
                         DialectRules dialect)
    : model_(model), place_(std::move(place)), options_(options), rules_(std::move(rules)), dialect_(dialect) {}

graph::Graph GraphReader::run() {
  opset_ = standard_opset(model_, place_);
  graph_.name = model_.graph().name();
  read_metadata();
  for (const auto& node : model_.graph().node()) {
    value_names_.insert(node.output().begin(), node.output().end());
    if (!node.name().empty()) file_node_names_.insert(node.name());
  }
  integer_form_ = !native_ && !dialect_.integers && has_integer_ops(model_);
  read_initialisers();
  read_inputs();
  if (dialect_.importer) dialect_.importer->begin(*this);
  read_nodes();
  if (dialect_.importer) dialect_.importer->end(*this);
  read_outputs();
  finish();
  return std::move(graph_);
}

std::vector<std::string> GraphReader::output_names() const {
  std::vector<std::string> names;
  for (const auto& output : model_.graph().output()) names.push_back(output.name());
  return names;
}

void GraphReader::read_metadata() {
  for (const auto& entry : model_.metadata_props()) {
    if (entry.key() == metadata_key)
      metadata_ = parse_metadata(entry.value(), place_);
    else if (!graph_.metadata.emplace(entry.key(), entry.value()).second)
      fail("onnx", place_, "metadata " + in_quotes(entry.key()) + " twice", "once");
  }
  native_ = is_native(metadata_);
  rules_.keep_doubles = native_;
}

void GraphReader::read_initialisers() {
  if (model_.graph().sparse_initializer_size() > 0) fail("onnx", place_, "a sparse initializer", "dense ones");
  for (const auto& proto : model_.graph().initializer()) {
    const std::string where = place_ + ": initializer " + in_quotes(proto.name());
    if (proto.name().empty()) fail("onnx", where, "no name", "one");
    if (items_.contains(proto.name())) fail("onnx", where, "the name twice", "once");
    Item item;
    item.constant = read_tensor(proto, where, rules_);
    define(proto.name(), std::move(item));
  }
}

void GraphReader::read_inputs() {
  InputShapes shapes(model_.graph(), options_, place_);
  std::unordered_set<std::string> seen;
  for (const auto& input : model_.graph().input()) {
    const std::string where = place_ + ": input " + in_quotes(input.name());
    if (input.name().empty()) fail("onnx", where, "no name", "one");
    if (!seen.insert(input.name()).second) fail("onnx", where, "the name twice", "once");
    if (items_.contains(input.name())) continue;
    if (!input.type().has_tensor_type()) fail("onnx", where, "not a tensor", "a tensor");
    const auto& type = input.type().tensor_type();
    ElementType element = element_type_of_file(type.elem_type(), where, native_);
    if (dialect_.integers && is_real(element)) element = ElementType::Int32;
    const bool of_pixels = !native_ && !dialect_.integers && !is_real(element) && is_cast_to_reals(input.name());
    if (of_pixels) element = ElementType::Float32;
    const Shape shape = as_error_of(where, [&] { return shapes.of(input.name(), type); });
    Item item;
    item.id = add_value(input.name(), element, shape);
    graph_.inputs.push_back(item.id);
    define(input.name(), std::move(item));
    // Integers are pixels as they come.
    if (of_pixels && shape.size() == 4) graph_.metadata.emplace("preprocess", R"({"scale": 1})");
  }
  shapes.check_batch();
}

std::vector<int> GraphReader::order_of_nodes() const {
  const auto& nodes = model_.graph().node();
  std::unordered_map<std::string_view, int> writer;
  for (int i = 0; i < nodes.size(); ++i)
    for (const std::string& output : nodes[i].output())
      if (!output.empty() && (items_.contains(output) || !writer.emplace(output, i).second))
        fail("onnx", place_of(place_, nodes[i]), "writes " + in_quotes(output) + ", which has a writer", "a new name");
  std::vector<int> waits(static_cast<size_t>(nodes.size()));
  std::vector<std::vector<int>> readers(waits.size());
  for (int i = 0; i < nodes.size(); ++i)
    for (const std::string& input : nodes[i].input())
      if (const auto found = writer.find(input); found != writer.end())
        ++waits[static_cast<size_t>(i)], readers[static_cast<size_t>(found->second)].push_back(i);
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < nodes.size(); ++i)
    if (waits[static_cast<size_t>(i)] == 0) ready.push(i);
  std::vector<int> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (int reader : readers[static_cast<size_t>(order.back())])
      if (--waits[static_cast<size_t>(reader)] == 0) ready.push(reader);
  }
  for (int i = 0; i < nodes.size(); ++i)
    if (waits[static_cast<size_t>(i)] > 0)
      fail("onnx", place_of(place_, nodes[i]), "waits for its own output", "a graph without cycles");
  return order;
}

void GraphReader::read_nodes() {
  for (int index : order_of_nodes()) {
    const auto& proto = model_.graph().node(index);
    as_error_of(place_of(place_, proto), [&] {
      NodeReader node(*this, proto, node_name(proto));
      if (node.output_count() == 0) node.fail("no first output", "a name");
      read_node(node);
    });
  }
}

void GraphReader::read_node(NodeReader& node) {
  const std::string& domain = node.domain();
  const bool standard = domain.empty() || domain == "ai.onnx";
  // What reads reals in a file of integers belongs to the tail behind its last integers.
  if (dialect_.integers && standard && node.reads_reals()) {
    if (dialect_.importer) dialect_.importer->settle_inputs(node);
    return import_tail(node);
  }
  if (domain != nibble_domain && dialect_.read_node && dialect_.read_node(node)) return;
  if (standard && dialect_.importer)
    dialect_.importer->read(node);
  else if (standard)
    dialect_.integers&& begins_tail(node) ? import_tail(node) : import_standard(node);
  else if (domain == nibble_domain)
    import_nibble(node);
  else if (domain == microsoft_domain)
    import_microsoft(node);
  else if (is_qonnx_domain(domain))
    import_qonnx(node);
  else
    node.fail("an op of domain " + in_quotes(domain),
              "the standard domain, 'com.microsoft', 'qonnx.custom_op.general' or 'nibble'");
}

void GraphReader::read_outputs() {
  if (model_.graph().output_size() == 0) fail("onnx", place_, "a graph without outputs", "at least one");
  for (const auto& output : model_.graph().output()) {
    const std::string where = place_ + ": output " + in_quotes(output.name());
    Item& found = item(output.name(), where);
    if (found.reals_of) {
      graph_.outputs.push_back(give_integers(found, output.name()));
      continue;
    }
    graph::ValueId id = value_of(found, output.name(), where);
    if (found.integers_of) {
      const graph::ValueId reals = found.quantise ? graph_.nodes[*found.quantise].inputs[0] : id;
      id = add_node(free_node_name(output.name()), graph::Quantise{*found.integers_of, Rounding::HalfEven}, {reals},
                    {free_value_name(output.name() + ".integers")})[0];
      graph_[id].type = found.integers_of->container();
      rename(id, output.name());
    } else if (graph_[id].name != output.name()) {
      id = add_node(free_node_name(output.name()), graph::Identity{}, {id}, {output.name()})[0];
    }
    graph_.outputs.push_back(id);
  }
}

void GraphReader::finish() {
  bool quantised = false, real = false;
  for (const auto& node : graph_.nodes) {
    quantised |= holds_alternative<graph::Quantise>(node.op);
    for (graph::ValueId id : node.outputs) real |= is_real(graph_[id].type);
  }
  graph_.stage = quantised ? graph::Stage::FQ : graph::Stage::FP;
  if (integer_form_) {
    graph_.stage = real ? graph::Stage::QD : graph::Stage::ID;
    graph::tidy(graph_);
  } else if (dialect_.integers) {
    graph_.stage = graph::Stage::ID;
    if (dialect_.importer)
      for (graph::Value& value : graph_.values)
        if (auto grid = declared_grid(metadata_of(value.name), place_)) value.grid = std::move(grid);
    graph::tidy(graph_);
  } else if (native_) {
    apply_metadata(metadata_, graph_, place_);
  } else {
    // What an importer read and took back must not look like a reader.
    if (dialect_.importer) graph::tidy(graph_);
    if (quantised) normalise_quantisers(graph_, metadata_, place_);
    graph::tidy(graph_);
  }
  graph::verify(graph_);
}

Item& GraphReader::item(const std::string& name, const std::string& node_place) {
  const auto found = items_.find(name);
  if (found == items_.end())
    fail("onnx", node_place, "value " + in_quotes(name) + ", which nothing writes",
         "an input, an initializer or an output");
  if (!found->second.refusal.empty())
    fail("onnx", node_place, "reads " + in_quotes(name) + ", " + found->second.refusal, "the first output");
  return found->second;
}

void GraphReader::define(const std::string& name, Item item) {
  value_names_.insert(name);
  items_[name] = std::move(item);
}

graph::ValueId GraphReader::value_of(Item& item, const std::string& name, const std::string& node_place) {
  if (item.id != graph::absent) return item.id;
  if (item.reals_of) {
    item.id = add_node(free_node_name(name), graph::Dequantise{item.reals_of->grid}, {item.reals_of->integers},
                       {free_value_name(name + ".real")})[0];
    rename(item.id, name);
    return item.id;
  }
  if (!item.constant) {
    ensure(item.folded.has_value(), "what is read is a value, a constant or folded");
    if (item.folded->has_batch())
      fail("onnx", node_place, "value " + in_quotes(name) + " depends on the batch",
           "a batch of known size: bind it (--batch 1)");
    item.constant = FileTensor{tensor_of(*item.folded), file_type(item.folded->type)};
  }
  Tensor tensor = item.constant->tensor;
  if (dialect_.integers && is_real(tensor.type()))
    tensor = narrowest_integers(tensor, place_ + ": constant " + in_quotes(name));
  item.id = add_value(name, tensor.type(), tensor.shape());
  graph_[item.id].constant = std::move(tensor);
  return item.id;
}

graph::ValueId GraphReader::reals_of(Item& item, const std::string& name, const std::string& node_place) {
  if (const auto known = reals_.find(name); known != reals_.end()) return known->second;
  if (!item.constant && item.folded && is_real(item.folded->type) && !item.folded->has_batch())
    item.constant = FileTensor{tensor_of(*item.folded), file_type(item.folded->type)};
  if (item.constant && is_real(item.constant->tensor.type())) {
    const graph::ValueId id =
        add_value(free_value_name(name + ".real"), item.constant->tensor.type(), item.constant->tensor.shape());
    graph_[id].constant = item.constant->tensor;
    return reals_[name] = id;
  }
  const graph::ValueId id = value_of(item, name, node_place);
  const graph::Value& value = graph_[id];
  if (is_real(value.type) || value.constant) return id;
  const Interval levels = value.bounds.size() == 1 ? value.bounds[0] : nibble::range_of(value.type);
  Grid grid{.low = std::max(levels.low, -largest_level), .high = std::min(levels.high, largest_level)};
  if (const auto declared = declared_grid(metadata_of(name), place_)) grid = *declared;
  return reals_[name] = add_node(free_node_name(name + ".dequantise"), graph::Dequantise{grid}, {id},
                                 {free_value_name(name + ".real")})[0];
}

graph::ValueId GraphReader::give_integers(const Item& item, const std::string& name) {
  graph::ValueId id = item.reals_of->integers;
  const auto taken = [&](const std::vector<graph::ValueId>& ids) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  // Where something reads the reals too, the name is theirs.
  const bool named = item.id == graph::absent;
  if (taken(graph_.inputs) || taken(graph_.outputs))
    id = add_node(free_node_name(name), graph::Identity{}, {id}, {free_value_name(name + ".integers")})[0];
  if (named) rename(id, name);
  graph_[id].grid = item.reals_of->grid;
  return id;
}

bool GraphReader::read_only_by(const std::string& name, std::string_view op) const {
  bool found = false;
  for (const auto& node : model_.graph().node())
    for (const std::string& input : node.input()) {
      if (input == name && node.op_type() != op) return false;
      found |= input == name;
    }
  return found;
}

bool GraphReader::is_cast_to_reals(const std::string& input) const {
  constexpr size_t most = 16;  // names: a file may hold a circle
  std::vector<std::string> names{input};
  bool found = false;
  for (size_t i = 0; i < names.size(); ++i) {
    for (const auto& output : model_.graph().output())
      if (output.name() == names[i]) return false;
    for (const auto& node : model_.graph().node())
      for (int slot = 0; slot < node.input_size(); ++slot) {
        if (node.input(slot) != names[i]) continue;
        const Import* row = import_of(node.op_type());
        const bool moved = row != nullptr && row->moves;
        const bool cast = node.op_type() == "Cast" &&
                          std::any_of(node.attribute().begin(), node.attribute().end(), [](const auto& attribute) {
                            return attribute.name() == "to" && attribute.i() == pb::TensorProto::FLOAT;
                          });
        if (slot != 0 || node.output_size() != 1 || (!cast && !moved) || names.size() > most) return false;
        if (moved) names.push_back(node.output(0));
        found |= cast;
      }
  }
  return found;
}

bool GraphReader::read_once(const std::string& name) const {
  const auto& outputs = model_.graph().output();
  int readers = 0;
  for (const auto& node : model_.graph().node())
    readers += static_cast<int>(std::count(node.input().begin(), node.input().end(), name));
  return readers == 1 && std::none_of(outputs.begin(), outputs.end(), [&](const auto& o) { return o.name() == name; });
}

bool GraphReader::writes(std::string_view op, const std::string& input, const std::string& output) const {
  const auto& nodes = model_.graph().node();
  return std::any_of(nodes.begin(), nodes.end(), [&](const auto& node) {
    return node.op_type() == op && node.input_size() > 0 && node.input(0) == input && node.output_size() > 0 &&
           node.output(0) == output;
  });
}

std::string GraphReader::free_value_name(std::string name) {
  if (value_names_.insert(name).second) return name;
  for (int& number = numbers_[name];;)
    if (std::string numbered = name + "_" + std::to_string(++number); value_names_.insert(numbered).second)
      return numbered;
}

std::string GraphReader::free_node_name(std::string name) {
  if (node_names_.insert(name).second) return name;
  for (int& number = numbers_[name];;) {
    std::string numbered = name + "_" + std::to_string(++number);
    if (!file_node_names_.contains(numbered) && node_names_.insert(numbered).second) return numbered;
  }
}

graph::ValueId GraphReader::add_value(std::string name, ElementType type, Shape shape) {
  graph::Value value;
  value.name = std::move(name);
  value.type = type;
  value.shape = std::move(shape);
  graph_.values.push_back(std::move(value));
  return static_cast<graph::ValueId>(graph_.values.size() - 1);
}

std::vector<graph::ValueId> GraphReader::add_node(std::string name, graph::Op op, std::vector<graph::ValueId> inputs,
                                                  const std::vector<std::string>& names) {
  graph::Node node{std::move(name), std::move(op), std::move(inputs),
                   std::vector<graph::ValueId>(names.size(), graph::absent)};
  std::vector<graph::TypedShape> held;
  held.reserve(node.inputs.size());
  std::vector<const graph::TypedShape*> typed;
  std::vector<const Tensor*> constants;
  for (graph::ValueId id : node.inputs) {
    typed.push_back(id == graph::absent ? nullptr
                                        : &held.emplace_back(graph::TypedShape{graph_[id].type, graph_[id].shape}));
    constants.push_back(graph_.constant(id));
  }
  const std::vector<graph::TypedShape> inferred = graph::infer(node, typed, constants);
  if (inferred.size() < names.size())
    fail("graph", "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")",
         std::to_string(names.size()) + " outputs", std::to_string(inferred.size()));
  for (size_t i = 0; i < names.size(); ++i) {
    element_count(inferred[i].shape, 1);
    ElementType type = inferred[i].type;
    if (holds_alternative<graph::Quantise>(node.op)) type = declared_type(metadata_of(names[i]), type, place_);
    node.outputs[i] = add_value(names[i], type, inferred[i].shape);
  }
  graph_.nodes.push_back(node);
  return node.outputs;
}

const Json* GraphReader::metadata_of(const std::string& value) const {
  return value_metadata(metadata_, value);
}

}  // namespace nibble::onnx
