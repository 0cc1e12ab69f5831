#include "graph/evaluate.hpp"

#include <cmath>
#include <optional>

#include "graph/arrays.hpp"

namespace nibble::graph {
namespace {

/// Which of the evaluator's files an op belongs to: one line an op, so that the compiler names a new one.
struct Dispatch {
  const Call& call;
  bool integer_output;

  Tensors operator()(const Conv& op) const { return evaluate_linear(call, op); }
  Tensors operator()(const Gemm& op) const { return evaluate_linear(call, op); }
  Tensors operator()(const MatMul& op) const { return evaluate_linear(call, op); }
  Tensors operator()(const BatchNormalization& op) const { return evaluate_normalisation(call, op); }
  Tensors operator()(const LayerNormalization& op) const { return evaluate_normalisation(call, op); }
  Tensors operator()(const Softmax& op) const { return evaluate_normalisation(call, op); }
  Tensors operator()(const MaxPool& op) const { return evaluate_window(call, op); }
  Tensors operator()(const AveragePool& op) const { return evaluate_window(call, op); }
  Tensors operator()(const SumPool& op) const { return evaluate_window(call, op); }
  Tensors operator()(const GlobalAveragePool&) const {
    Ints axes;
    for (size_t i = 2; i < call[0].rank(); ++i) axes.push_back(static_cast<int64_t>(i));
    return axes.empty() ? Tensors{call[0]} : evaluate_reduction(call, axes, true, true, 0);
  }
  Tensors operator()(const ReduceMean& op) const { return evaluate_reduction(call, op.axes, op.keep_dims, true, 0); }
  Tensors operator()(const ReduceSum& op) const {
    return evaluate_reduction(call, op.axes, op.keep_dims, false, op.zero_point);
  }
#define NIBBLE_GROUP(FUNCTION, OP)      \
  Tensors operator()(const OP&) const { \
    return FUNCTION;                    \
  }
  // clang-format off
  NIBBLE_GROUP(evaluate_pointwise(call), Identity) NIBBLE_GROUP(evaluate_pointwise(call), Dropout)
  NIBBLE_GROUP(evaluate_pointwise(call), Relu) NIBBLE_GROUP(evaluate_pointwise(call), HardSwish)
  NIBBLE_GROUP(evaluate_pointwise(call), Sigmoid) NIBBLE_GROUP(evaluate_pointwise(call), Tanh)
  NIBBLE_GROUP(evaluate_pointwise(call), Erf) NIBBLE_GROUP(evaluate_pointwise(call), Exp)
  NIBBLE_GROUP(evaluate_pointwise(call), Log) NIBBLE_GROUP(evaluate_pointwise(call), Sqrt)
  NIBBLE_GROUP(evaluate_pointwise(call), Neg) NIBBLE_GROUP(evaluate_pointwise(call), Abs)
  NIBBLE_GROUP(evaluate_pointwise(call), Reciprocal) NIBBLE_GROUP(evaluate_pointwise(call), Softplus)
  NIBBLE_GROUP(evaluate_pointwise(call), Add) NIBBLE_GROUP(evaluate_pointwise(call), Sub)
  NIBBLE_GROUP(evaluate_pointwise(call), Mul) NIBBLE_GROUP(evaluate_pointwise(call), Div)
  NIBBLE_GROUP(evaluate_pointwise(call), Pow) NIBBLE_GROUP(evaluate_pointwise(call), Clip)
  NIBBLE_GROUP(evaluate_pointwise(call), LeakyRelu) NIBBLE_GROUP(evaluate_pointwise(call), HardSigmoid)
  NIBBLE_GROUP(evaluate_pointwise(call), Gelu)
  NIBBLE_GROUP(evaluate_movement(call), Concat) NIBBLE_GROUP(evaluate_movement(call), Split)
  NIBBLE_GROUP(evaluate_movement(call), Slice) NIBBLE_GROUP(evaluate_movement(call), Pad)
  NIBBLE_GROUP(evaluate_movement(call), Flatten) NIBBLE_GROUP(evaluate_movement(call), Reshape)
  NIBBLE_GROUP(evaluate_movement(call), Transpose) NIBBLE_GROUP(evaluate_movement(call), Squeeze)
  NIBBLE_GROUP(evaluate_movement(call), Unsqueeze) NIBBLE_GROUP(evaluate_movement(call), Gather)
  NIBBLE_GROUP(evaluate_movement(call), Resize)
  NIBBLE_GROUP(evaluate_quantisation(call, integer_output), Quantise)
  NIBBLE_GROUP(evaluate_quantisation(call, integer_output), Dequantise)
  NIBBLE_GROUP(evaluate_quantisation(call, integer_output), Rescale)
  NIBBLE_GROUP(evaluate_quantisation(call, integer_output), Requantise)
  NIBBLE_GROUP(evaluate_quantisation(call, integer_output), Threshold)
  NIBBLE_GROUP(evaluate_quantisation(call, integer_output), Table)
  // clang-format on
#undef NIBBLE_GROUP
};

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

/// Reals for an input that holds integers.
Tensor quantised(const Value& input, const Tensor& reals) {
  if (!input.grid) fail("graph", place_of(input), "reals for integers without a grid", "integers");
  Node node{input.name, Quantise{*input.grid, Rounding::HalfUp}, {}, {}};
  const Tensor x = reals.cast(ElementType::Float64);
  const auto values = x.as<double>();
  for (size_t i = 0; i < values.size(); ++i)
    if (std::isnan(values[i])) fail("graph", place_of(input), "NaN at index " + std::to_string(i), "finite numbers");
  return evaluate(node, {&x}, true).front();
}

Tensor prepared(const Value& input, const Tensor& given) {
  if (!fits(given.shape(), input.shape))
    fail("graph", place_of(input), "shape " + to_string(given.shape()), to_string(input.shape));
  if (is_real(input.type)) return given.cast(ElementType::Float64);
  if (is_real(given.type())) return quantised(input, given);
  const Tensor integers = given.cast(ElementType::Int64);
  if (!input.grid) return integers;
  for (int64_t q : integers.as<int64_t>())
    if (q < input.grid->low || q > input.grid->high)
      fail("graph", place_of(input), "integer " + std::to_string(q),
           std::to_string(input.grid->low) + " to " + std::to_string(input.grid->high));
  return integers;
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
  for (size_t i = 0; i < inputs.size(); ++i) result.push_back(prepared(graph[graph.inputs[i]], inputs[i]));
  return result;
}

std::vector<Tensor> evaluate(const Node& node, const std::vector<const Tensor*>& inputs, bool integer_output) {
  const Call call{node, inputs};
  return std::visit(Dispatch{call, integer_output}, node.op);
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
    std::vector<Tensor> written = evaluate(node, read, !is_real(graph[node.outputs.front()].type));
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
