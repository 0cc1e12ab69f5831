#include "train/engine.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "train/exact_types.hpp"
#include "train/network/forward.hpp"
#include "train/network/pointwise.hpp"
#include "train/network/tensors.hpp"

namespace nibble::train {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

at::ScalarType torch_type(Carrier carrier) {
  switch (carrier) {
    case Carrier::Float32: return at::kFloat;
    case Carrier::Float64: return at::kDouble;
    case Carrier::Int64: return at::kLong;
  }
  throw InternalError("a carrier is one of the enumeration");
}

template <class Values>
auto& of(Values& values, ValueId id) {
  return values[static_cast<size_t>(id)];
}

class TorchEngine : public graph::Engine {
 public:
  TorchEngine(const Graph& graph, const EngineOptions& options)
      : graph_(graph),
        threads_(options.threads),
        plan_(plan_exact_types(graph)),
        last_reader_(graph.values.size(), -1) {
    use_direct_convolutions();
    constants_.resize(graph.values.size());
    for (size_t id = 0; id < graph.values.size(); ++id)
      if (graph.values[id].constant)
        constants_[id] = to_torch(*graph.values[id].constant).to(torch_type(plan_.values[id]));
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      fixed_.push_back(fixed_inputs(n));
      for (ValueId id : graph.nodes[n].inputs)
        if (id != graph::absent) last_reader_[static_cast<size_t>(id)] = static_cast<int>(n);
    }
    for (ValueId id : graph.outputs) last_reader_[static_cast<size_t>(id)] = static_cast<int>(graph.nodes.size());
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const graph::Observer& observer) override {
    const c10::AutoGradMode one_dnn(true);  // without gradients 1.13 prefers XNNPACK, here many times slower
    at::set_num_threads(threads_);
    const std::vector<Tensor> prepared = graph::prepare_inputs(graph_, inputs);
    std::vector<at::Tensor> values = constants_;
    for (size_t i = 0; i < prepared.size(); ++i) {
      const ValueId id = graph_.inputs[i];
      const at::Tensor x = to_torch(prepared[i]);
      // Integers outside what the plan was made for have no proven carriers: the naive evaluator's.
      if (!fits(id, x)) return graph::evaluate(graph_, inputs, observer);
      of(values, id) = x.to(torch_type(of(plan_.values, id)));
      tell(observer, id, of(values, id));
    }
    for (size_t n = 0; n < graph_.nodes.size(); ++n) step(n, values, observer);
    std::vector<Tensor> outputs;
    for (ValueId id : graph_.outputs) outputs.push_back(from_torch(of(values, id), type_of(id)));
    return outputs;
  }

 private:
  bool integer(ValueId id) const { return !is_real(graph_[id].type); }
  /// The declared type, or Int64 where the plan cannot show that it holds what is computed.
  ElementType type_of(ValueId id) const {
    if (!integer(id)) return of(plan_.values, id) == Carrier::Float64 ? ElementType::Float64 : ElementType::Float32;
    const Reach held = reach_of(graph_[id].type), &reach = of(plan_.reaches, id);
    return held.low <= reach.low && reach.high <= held.high ? graph_[id].type : ElementType::Int64;
  }

  bool fits(ValueId id, const at::Tensor& x) const {
    if (!integer(id) || x.numel() == 0) return true;
    const Reach& reach = of(plan_.reaches, id);
    return static_cast<double>(x.min().item<int64_t>()) >= reach.low &&
           static_cast<double>(x.max().item<int64_t>()) <= reach.high;
  }

  void tell(const graph::Observer& observer, ValueId id, const at::Tensor& value) const {
    if (observer) observer(id, from_torch(value, type_of(id)));
  }

  /// The constants that a node reads, as the floats it computes in; undefined elsewhere.
  std::vector<at::Tensor> fixed_inputs(size_t n) const {
    const Node& node = graph_.nodes[n];
    std::vector<at::Tensor> fixed(node.inputs.size());
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i] != graph::absent && of(constants_, node.inputs[i]).defined())
        fixed[i] = as_read(n, i, of(constants_, node.inputs[i]));
    return fixed;
  }

  at::Tensor as_read(size_t n, size_t i, const at::Tensor& x) const {
    const Node& node = graph_.nodes[n];
    const bool indices = holds_alternative<graph::Gather>(node.op) && i == 1;
    if (plan_.nodes[n] == Carrier::Int64 || indices) return x;
    return x.to(torch_type(plan_.nodes[n]));
  }

  void step(size_t n, std::vector<at::Tensor>& values, const graph::Observer& observer) {
    const Node& node = graph_.nodes[n];
    const std::vector<at::Tensor> results = compute(n, values);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      of(values, id) = results[i].to(torch_type(of(plan_.values, id)));
      tell(observer, id, of(values, id));
    }
    for (ValueId id : node.inputs)
      if (id != graph::absent && of(last_reader_, id) == static_cast<int>(n)) of(values, id).reset();
  }

  std::vector<at::Tensor> compute(size_t n, const std::vector<at::Tensor>& values) const {
    const Node& node = graph_.nodes[n];
    if (plan_.nodes[n] == Carrier::Int64) return by_reference(node, values);
    const at::ScalarType type = torch_type(of(plan_.values, node.outputs[0]));
    const auto x = [&]() -> const at::Tensor& { return of(values, node.inputs[0]); };
    const auto table = [&] { return graph_.constant(node.inputs[1])->to_integers(); };
    if (const auto* op = get_if<graph::Quantise>(&node.op); op != nullptr && integer(node.outputs[0]))
      return {quantise(*op, x(), type, false)};
    if (const auto* op = get_if<graph::Dequantise>(&node.op)) return {dequantise(*op, x())};
    if (const auto* op = get_if<graph::Rescale>(&node.op)) {
      std::vector<at::Tensor> terms;
      for (ValueId id : node.inputs) terms.push_back(of(values, id));
      return {rescale(*op, terms, type)};
    }
    if (const auto* op = get_if<graph::Requantise>(&node.op)) return {requantise(*op, x(), type)};
    if (const auto* op = get_if<graph::Threshold>(&node.op))
      return {threshold(*op, x(), table(), static_cast<size_t>(graph_[node.inputs[1]].shape[0]), type)};
    if (const auto* op = get_if<graph::Table>(&node.op)) return {look_up(*op, x(), table(), type)};
    std::vector<at::Tensor> inputs = fixed_[n];
    for (size_t i = 0; i < inputs.size(); ++i)
      if (node.inputs[i] != graph::absent && !inputs[i].defined())
        inputs[i] = as_read(n, i, of(values, node.inputs[i]));
    return forward(node, inputs);
  }

  std::vector<at::Tensor> by_reference(const Node& node, const std::vector<at::Tensor>& values) const {
    std::vector<Tensor> inputs;
    for (ValueId id : node.inputs)
      inputs.push_back(id == graph::absent
                           ? Tensor()
                           : from_torch(of(values, id), integer(id) ? ElementType::Int64 : ElementType::Float64));
    std::vector<const Tensor*> read;
    for (size_t i = 0; i < inputs.size(); ++i) read.push_back(node.inputs[i] == graph::absent ? nullptr : &inputs[i]);
    std::vector<at::Tensor> outputs;
    for (const Tensor& output : graph::evaluate(node, read, integer(node.outputs[0])))
      outputs.push_back(to_torch(output));
    return outputs;
  }

  const Graph& graph_;
  int threads_;
  Plan plan_;
  std::vector<int> last_reader_;                ///< by value: the node after which it is not needed
  std::vector<at::Tensor> constants_;           ///< by value, undefined where it is none
  std::vector<std::vector<at::Tensor>> fixed_;  ///< by node and input: constants as it reads them
};

template <class Context>
void disable_nnpack(Context& context) {
  // 1.13 has no such switch: it takes NNPACK for single float images only where it was built in; Debian's has none.
  if constexpr (requires { context.setUserEnabledNNPACK(false); }) context.setUserEnabledNNPACK(false);
}

}  // namespace

void use_direct_convolutions() {
  disable_nnpack(at::globalContext());
}

std::unique_ptr<graph::Engine> make_engine(const Graph& graph, const EngineOptions& options) {
  return std::make_unique<TorchEngine>(graph, options);
}

}  // namespace nibble::train
