#include "graph/evaluate/evaluate.hpp"

#include <cmath>
#include <optional>

#include "graph/evaluate/rules.hpp"
#include "graph/infer/infer.hpp"
#include "graph/input_rounding.hpp"

namespace nibble::graph {
namespace {

Tensor widened(const Tensor& tensor) {
  return tensor.cast(is_real(tensor.type()) ? ElementType::Float64 : ElementType::Int64);
}

std::string place_of(const Value& input) {
  return "input '" + input.name + "'";
}

bool fits(const Shape& given, const Shape& declared) {
  if (given.size() != declared.size()) return false;
  for (size_t i = 0; i < given.size(); ++i)
    if (declared[i] != any && declared[i] != given[i]) return false;
  return true;
}

/// Whole numbers held as reals, for an input whose integers stand for themselves: tokens.
Tensor whole(const Value& input, const Tensor& reals) {
  constexpr double limit = 0x1p53;
  const std::vector<double> values = reals.to_reals();
  for (size_t i = 0; i < values.size(); ++i)
    if (!(std::abs(values[i]) <= limit) || values[i] != std::floor(values[i]))
      fail("graph", place_of(input), "a real number for integers without a grid, at index " + std::to_string(i),
           "integers");
  return reals.cast(ElementType::Int64);
}

/// Reals for an input that holds integers.
Tensor quantised(const Value& input, const Tensor& reals, Rounding rounding) {
  if (!input.grid) return whole(input, reals);
  Node node{input.name, Quantise{*input.grid, rounding}, {}, {}};
  const Tensor x = reals.cast(ElementType::Float64);
  const auto values = x.as<double>();
  for (size_t i = 0; i < values.size(); ++i)
    if (std::isnan(values[i])) fail("graph", place_of(input), "NaN at index " + std::to_string(i), "finite numbers");
  return evaluate(node, {&x}, true).front();
}

/// Integers that the input cannot hold: beyond its grid or, where the proven bounds are narrower, beyond those.
void check_range(const Value& input, const Tensor& integers) {
  std::vector<Interval> ranges = input.bounds;
  if (ranges.empty() && input.grid) ranges = {{input.grid->low, input.grid->high}};
  if (ranges.empty()) return;
  const auto values = integers.as<int64_t>();
  const size_t inner = ranges.size() == 1 ? values.size() : static_cast<size_t>(strides_of(integers.shape()).at(1));
  for (size_t i = 0; i < values.size(); ++i) {
    const Interval& range = ranges[i / inner % ranges.size()];
    if (!range.contains(values[i]))
      fail("graph", place_of(input), "integer " + std::to_string(values[i]),
           std::to_string(range.low) + " to " + std::to_string(range.high));
  }
}

Tensor prepared(const Graph& graph, const Value& input, const Tensor& given) {
  if (!fits(given.shape(), input.shape))
    fail("graph", place_of(input), "shape " + to_string(given.shape()), to_string(input.shape));
  if (is_real(input.type)) return given.cast(ElementType::Float64);
  if (is_real(given.type())) return quantised(input, given, input_rounding(graph, input.name));
  Tensor integers = given.cast(ElementType::Int64);
  check_range(input, integers);
  return integers;
}

/// All inputs with a symbolic batch have the same one.
void check_batch(const Graph& graph, const std::vector<Tensor>& given) {
  std::optional<size_t> first;
  for (size_t i = 0; i < given.size(); ++i) {
    const Value& input = graph[graph.inputs[i]];
    if (input.shape.empty() || input.shape[0] != any) continue;
    if (!first) first = i;
    const int64_t batch = given[*first].shape()[0];
    if (given[i].shape()[0] != batch)
      fail("graph", place_of(input), "a batch of " + std::to_string(given[i].shape()[0]),
           std::to_string(batch) + ", that of " + place_of(graph[graph.inputs[*first]]));
  }
}

/// Types and shapes of what a node writes, with the batch that it reads.
std::vector<TypedShape> written_shapes(const Graph& graph, const Node& node, const std::vector<const Tensor*>& read) {
  std::vector<TypedShape> held(node.inputs.size());
  std::vector<const TypedShape*> inputs;
  std::vector<const Tensor*> constants;
  for (size_t i = 0; i < held.size(); ++i) {
    const ValueId id = node.inputs[i];
    if (id != absent) held[i] = {graph[id].type, read[i]->shape()};
    inputs.push_back(id == absent ? nullptr : &held[i]);
    constants.push_back(graph.constant(id));
  }
  return infer(node, inputs, constants);
}

/// Reads a value whose extents only this batch decides.
bool reads_symbolic(const Graph& graph, const Node& node) {
  return std::any_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId id) { return id != absent && !is_static(graph[id].shape); });
}

/// Writes no element, whatever the batch. The other extents may then be of any size: no op is to walk them.
bool writes_nothing(const Graph& graph, const Node& node) {
  return std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](ValueId id) { return element_count(graph[id].shape, 1) == 0; });
}

std::vector<Tensor> empty_tensors(const std::vector<TypedShape>& shapes) {
  std::vector<Tensor> tensors;
  for (const TypedShape& of : shapes)
    tensors.emplace_back(is_real(of.type) ? ElementType::Float64 : ElementType::Int64, of.shape);
  return tensors;
}

/// What a graph's node makes of its inputs. Throws UserError naming it where they do not fit, or a sum 64 bits.
std::vector<Tensor> evaluate(const Graph& graph, const Node& node, const std::vector<const Tensor*>& read) {
  const bool nothing = writes_nothing(graph, node);
  // Extents that a symbolic batch may have, and this one may not.
  if (nothing || reads_symbolic(graph, node)) {
    const std::vector<TypedShape> shapes = written_shapes(graph, node, read);
    if (nothing) return empty_tensors(shapes);
  }
  const Call call{node, read, !is_real(graph[node.outputs.front()].type)};
  try {
    return evaluate(node, read, call.integer_output);
  } catch (const Overflow&) {
    fail("graph", call.place(), "a sum or product beyond 64 bits", "integers whose results fit");
  }
}

class Reference : public Engine {
 public:
  explicit Reference(const Graph& graph) : graph_(graph) {}
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const Observer& observer) override {
    return evaluate(graph_, inputs, observer);
  }

 private:
  const Graph& graph_;
};

}  // namespace

std::vector<Tensor> prepare_inputs(const Graph& graph, const std::vector<Tensor>& inputs) {
  if (inputs.size() != graph.inputs.size())
    fail("graph", "network '" + graph.name + "'", std::to_string(inputs.size()) + " inputs",
         std::to_string(graph.inputs.size()));
  std::vector<Tensor> result;
  for (size_t i = 0; i < inputs.size(); ++i) result.push_back(prepared(graph, graph[graph.inputs[i]], inputs[i]));
  check_batch(graph, result);
  return result;
}

std::vector<Tensor> evaluate(const Node& node, const std::vector<const Tensor*>& inputs, bool integer_output) {
  const Call call{node, inputs, integer_output};
  return visit([&](const auto& op) { return meaning(call, op); }, node.op);
}

std::vector<Tensor> evaluate(const Graph& graph, const std::vector<Tensor>& inputs, const Observer& observer) {
  std::vector<std::optional<Tensor>> values(graph.values.size());
  std::vector<int> readers(graph.values.size(), 0);
  for (const Node& node : graph.nodes)
    for (ValueId id : node.inputs)
      if (id != absent) ++readers[static_cast<size_t>(id)];
  for (ValueId id : graph.outputs) ++readers[static_cast<size_t>(id)];
  const auto keep = [&](ValueId id, Tensor tensor) {
    if (observer) observer(id, tensor);
    values[static_cast<size_t>(id)] = std::move(tensor);
  };
  std::vector<Tensor> given = prepare_inputs(graph, inputs);
  for (size_t i = 0; i < given.size(); ++i) keep(graph.inputs[i], std::move(given[i]));
  const auto value = [&](ValueId id) -> const Tensor* {
    if (id == absent) return nullptr;
    auto& held = values[static_cast<size_t>(id)];
    if (!held && graph[id].constant) held = widened(*graph[id].constant);
    ensure(held.has_value(), "a value is written before it is read");
    return &*held;
  };
  for (const Node& node : graph.nodes) {
    std::vector<const Tensor*> read;
    for (ValueId id : node.inputs) read.push_back(value(id));
    std::vector<Tensor> written = evaluate(graph, node, read);
    for (size_t i = 0; i < written.size(); ++i) keep(node.outputs[i], std::move(written[i]));
    for (ValueId id : node.inputs)
      if (id != absent && --readers[static_cast<size_t>(id)] == 0) values[static_cast<size_t>(id)].reset();
  }
  std::vector<Tensor> outputs;
  for (ValueId id : graph.outputs) outputs.push_back(*value(id));
  return outputs;
}

std::unique_ptr<Engine> reference_engine(const Graph& graph) {
  return std::make_unique<Reference>(graph);
}

}  // namespace nibble::graph
