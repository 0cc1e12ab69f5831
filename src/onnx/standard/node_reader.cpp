#include "onnx/standard/node_reader.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "graph/evaluate/evaluate.hpp"
#include "graph/op_traits.hpp"
#include "onnx/file/container.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "quant/range.hpp"

namespace nibble::onnx {

bool is_levels(const FileTensor& tensor) {
  const Interval range = range_of(tensor.data_type);
  return range.low <= range.high && tensor.data_type != pb::TensorProto::INT32;
}

NodeReader::NodeReader(GraphReader& reader, const pb::NodeProto& node, std::string name)
    : reader_(reader),
      node_(node),
      name_(std::move(name)),
      place_(reader.place() + ": node " + in_quotes(name_) + " (" + node.op_type() + ")"),
      attributes_(node, place_) {}

void NodeReader::fail(std::string_view found, std::string_view expected) const {
  nibble::fail("onnx", place_, found, expected);
}

int64_t NodeReader::opset() const {
  return reader_.opset();
}
bool NodeReader::native() const {
  return reader_.native();
}

bool NodeReader::has(size_t index) const {
  return index < input_count() && !input_name(index).empty();
}

void NodeReader::expect_inputs(size_t least, size_t most) const {
  const std::string range =
      least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most);
  if (input_count() < least || input_count() > most) fail(std::to_string(input_count()) + " inputs", range);
  for (size_t i = 0; i < least; ++i)
    if (!has(i)) fail("input " + std::to_string(i) + " is empty", "a value");
}

Item& NodeReader::item(size_t index) const {
  if (!has(index)) fail("no input " + std::to_string(index), "a value");
  return reader_.item(input_name(index), place_);
}

graph::ValueId NodeReader::value(size_t index) const {
  Item& found = item(index);
  if (found.integers_of && found.integers_of != moved_)
    fail("reads " + in_quotes(input_name(index)) + ", the integers of a QuantizeLinear",
         "a DequantizeLinear behind it");
  if (takes_reals_) return reader_.reals_of(found, input_name(index), place_);
  return reader_.value_of(found, input_name(index), place_);
}

bool NodeReader::reads_reals() const {
  for (size_t i = 0; i < input_count(); ++i) {
    if (!has(i) || !reader_.is_defined(input_name(i))) continue;
    const graph::ValueId id = item(i).id;
    if (id != graph::absent && is_real(typed(id).type) && !typed(id).constant) return true;
  }
  return false;
}

graph::ValueId NodeReader::optional_value(size_t index) const {
  return has(index) ? value(index) : graph::absent;
}

const graph::Value& NodeReader::typed(graph::ValueId id) const {
  return reader_.graph()[id];
}

Tensor NodeReader::quantised(const Tensor& reals, const Grid& grid, Rounding rounding) const {
  const std::vector<double> x = reals.to_reals();
  if (std::any_of(x.begin(), x.end(), [](double each) { return std::isnan(each); }))
    fail("NaN in the constant that it quantises", "numbers");
  return quant::quantise(reals, grid, rounding);
}

void NodeReader::hold_levels(size_t index) const {
  if (!has(index) || reader_.integer_form() || native()) return;
  const Item& found = item(index);
  if (!found.quantise || !found.integers_of) return;
  const graph::Node& quantiser = reader_.graph().nodes[*found.quantise];
  const Tensor* reals = reader_.graph().constant(quantiser.inputs[0]);
  if (!reals) return;
  const Grid& grid = *found.integers_of;
  Item levels;
  levels.constant = FileTensor{quantised(*reals, grid, Rounding::HalfEven), file_type(grid.container())};
  levels.cut = Interval{grid.low, grid.high};
  reader_.define(input_name(index), std::move(levels));
}

bool NodeReader::is_quantised_constant(graph::ValueId id) const {
  const graph::Graph& graph = reader_.graph();
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const graph::Node& node) {
    return node.outputs[0] == id && holds_alternative<graph::Quantise>(node.op) && graph.constant(node.inputs[0]);
  });
}

Shape NodeReader::shape_of_input(size_t index) const {
  const Item& found = item(index);
  if (found.constant) return found.constant->tensor.shape();
  if (found.folded) return found.folded->shape;
  return shape(value(index));
}

int64_t NodeReader::fixed_extent(graph::ValueId id, size_t axis) const {
  const Shape& extents = shape(id);
  if (axis >= extents.size()) fail("shape " + to_string(extents), "an axis " + std::to_string(axis));
  if (extents[axis] == any)
    fail("axis " + std::to_string(axis) + " of " + in_quotes(typed(id).name) + " is the batch",
         "a number: bind it (--batch 1)");
  return extents[axis];
}

std::optional<Folded> NodeReader::known(size_t index) const {
  const Item& found = item(index);
  if (found.folded) return found.folded;
  const Tensor* tensor = found.constant ? &found.constant->tensor : reader_.graph().constant(found.id);
  if (!tensor || static_cast<int64_t>(tensor->size()) > largest_folded) return std::nullopt;
  return folded_of(*tensor);
}

const FileTensor& NodeReader::constant(size_t index, std::string_view what) const {
  Item& found = item(index);
  if (!found.constant && found.folded && !found.folded->has_batch())
    found.constant = FileTensor{tensor_of(*found.folded), file_type(found.folded->type)};
  if (!found.constant) fail(std::string(what) + " (input " + std::to_string(index) + ") is computed", "a constant");
  return *found.constant;
}

graph::Ints NodeReader::integers(size_t index, std::string_view what, graph::Ints* batches) const {
  const auto found = known(index);
  const std::string place = std::string(what) + " (input " + std::to_string(index) + ")";
  if (!found) fail(place + " is computed", "a constant");
  if (is_real(found->type) || found->type == ElementType::Bool || found->shape.size() > 1)
    fail(place + " is " + std::string(to_string(found->type)) + " " + to_string(found->shape), "a list of integers");
  graph::Ints numbers;
  for (const Element& element : found->elements) {
    if (element.batch && !batches) fail(place + " depends on the batch", "a batch of known size: bind it (--batch 1)");
    numbers.push_back(element.batch ? any : element.integer);
    if (batches) batches->push_back(element.batch ? element.integer : 0);
  }
  return numbers;
}

std::vector<double> NodeReader::reals(size_t index, std::string_view what) const {
  const auto found = known(index);
  const std::string place = std::string(what) + " (input " + std::to_string(index) + ")";
  if (!found) fail(place + " is computed", "a constant");
  if (found->has_batch()) fail(place + " depends on the batch", "a batch of known size: bind it (--batch 1)");
  std::vector<double> numbers;
  for (const Element& element : found->elements)
    numbers.push_back(is_real(found->type) ? element.real : static_cast<double>(element.integer));
  return numbers;
}

double NodeReader::real(size_t index, std::string_view what) const {
  const std::vector<double> numbers = reals(index, what);
  if (numbers.size() != 1) fail(std::string(what) + " has " + std::to_string(numbers.size()) + " elements", "one");
  return numbers[0];
}

int64_t NodeReader::axis(int64_t axis, size_t rank) const {
  const auto extent = static_cast<int64_t>(rank);
  if (axis < -extent || axis >= extent)
    fail("axis " + std::to_string(axis) + " of " + std::to_string(rank),
         std::to_string(-extent) + " to " + std::to_string(extent - 1));
  return axis < 0 ? axis + extent : axis;
}

FileTensor NodeReader::tensor_attribute(std::string_view attribute) const {
  const auto* proto = attributes_.tensor(attribute);
  const std::string place = place_ + ": attribute " + in_quotes(attribute);
  if (!proto) nibble::fail("onnx", place, "is missing", "a tensor");
  return read_tensor(*proto, place, reader_.rules());
}

void NodeReader::give_moved(const graph::Op& op, const std::vector<graph::ValueId>& inputs, size_t outputs) {
  std::vector<Tensor> held;
  held.reserve(inputs.size());
  std::vector<const Tensor*> wide;
  for (graph::ValueId id : inputs)
    wide.push_back(&held.emplace_back(reader_.graph().constant(id)->cast(ElementType::Int64)));
  const graph::Node node{name_, op, inputs, std::vector<graph::ValueId>(outputs, graph::absent)};
  const std::vector<Tensor> results = graph::evaluate(node, wide);
  const Item& source = item(0);
  for (size_t i = 0; i < outputs && i < results.size(); ++i) {
    if (output_name(i).empty()) continue;
    Item moved;
    moved.constant = FileTensor{results[i].cast(source.constant->tensor.type()), source.constant->data_type};
    moved.cut = source.cut;
    reader_.define(output_name(i), std::move(moved));
  }
}

void NodeReader::emit(graph::Op op, std::vector<graph::ValueId> inputs, size_t outputs) {
  const auto constant = [&](graph::ValueId id) { return id != graph::absent && reader_.graph().constant(id); };
  const bool levels = !native() && has(0) && item(0).constant && is_levels(*item(0).constant);
  if (levels && graph::moves_data(op) && std::all_of(inputs.begin(), inputs.end(), constant))
    return give_moved(op, inputs, outputs);
  std::vector<std::string> names;
  for (size_t i = 0; i < outputs; ++i) {
    if (i >= output_count()) fail(std::to_string(output_count()) + " outputs", std::to_string(outputs));
    names.push_back(output_name(i).empty() ? reader_.free_value_name(name_ + ".unused") : output_name(i));
  }
  const auto ids = reader_.add_node(reader_.free_node_name(name_), std::move(op), std::move(inputs), names);
  for (size_t i = 0; i < ids.size(); ++i) {
    Item item;
    item.id = ids[i];
    item.integers_of = moved_;
    reader_.define(names[i], std::move(item));
  }
}

graph::ValueId NodeReader::step(std::string_view suffix, graph::Op op, std::vector<graph::ValueId> inputs) {
  const std::string full = name_ + "." + std::string(suffix);
  return reader_.add_node(reader_.free_node_name(full), std::move(op), std::move(inputs),
                          {reader_.free_value_name(full)})[0];
}

graph::ValueId NodeReader::add_constant(std::string_view suffix, Tensor tensor) {
  const graph::ValueId id =
      reader_.add_value(reader_.free_value_name(name_ + "." + std::string(suffix)), tensor.type(), tensor.shape());
  reader_.graph()[id].constant = std::move(tensor);
  return id;
}

void NodeReader::alias(graph::ValueId id, size_t output) {
  if (output_name(output).empty()) return;
  Item item;
  item.id = id;
  item.integers_of = moved_;
  reader_.define(output_name(output), std::move(item));
}

static bool holds(ElementType type, int64_t integer) {
  return with_element_type(type, [&](auto kind) {
    if constexpr (std::is_integral_v<decltype(kind)>)
      return std::in_range<decltype(kind)>(integer);
    else
      return true;
  });
}

void NodeReader::give(Folded folded, size_t output) {
  if (output >= output_count() || output_name(output).empty()) return;
  const bool real = is_real(folded.type);
  for (const Element& element : folded.elements) {
    if (real && std::isnan(element.real)) fail("gives NaN", "numbers");
    if (!real && !element.batch && !holds(folded.type, element.integer))
      fail("element " + std::to_string(element.integer), "one of " + std::string(to_string(folded.type)));
  }
  Item item;
  item.folded = std::move(folded);
  reader_.define(output_name(output), std::move(item));
}

void NodeReader::give_zeros(ElementType type) {
  Item item;
  item.folded = Folded{type, {}, {Element{0, 0, true}}};
  item.zeros = true;
  for (size_t i = 0; i < output_count(); ++i)
    if (!output_name(i).empty()) reader_.define(output_name(i), item);
}

void NodeReader::give(FileTensor constant) {
  Item item;
  item.constant = std::move(constant);
  reader_.define(output_name(0), std::move(item));
}

}  // namespace nibble::onnx
