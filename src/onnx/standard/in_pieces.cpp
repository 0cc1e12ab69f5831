#include "onnx/standard/in_pieces.hpp"

#include <cmath>
#include <numbers>
#include <set>

#include "graph/op_table.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/standard/import.hpp"

namespace nibble::onnx {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

/// One op on its way into others; each overload gives the last of them, or `absent` where it stays.
class Pieces {
 public:
  Pieces(Graph& graph, const Node& node, std::set<std::string>& names) : graph_(graph), node_(node), names_(names) {}

  /// x * clip(x/6 + 1/2, 0, 1)
  ValueId operator()(const graph::HardSwish&) {
    return times(x(), add(graph::Clip{0, 1}, plus(times(x(), number(1.0 / 6)), number(0.5))));
  }
  ValueId operator()(const graph::Swish& op) {
    if (!survives_float(op.alpha)) return graph::absent;
    return times(x(), add(graph::Sigmoid{}, op.alpha == 1 ? x() : times(x(), number(op.alpha))));
  }
  ValueId operator()(const graph::Mish&) { return times(x(), add(graph::Tanh{}, add(graph::Softplus{}, x()))); }
  /// x/2 * (1 + erf(x/sqrt 2)), x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
  ValueId operator()(const graph::Gelu& op) {
    ValueId bent;
    if (op.tanh_form) {
      const ValueId cube = times(times(times(x(), x()), x()), number(0.044715));
      bent = add(graph::Tanh{}, times(plus(x(), cube), number(std::sqrt(2 / std::numbers::pi))));
    } else {
      bent = add(graph::Erf{}, times(x(), number(1 / std::numbers::sqrt2)));
    }
    return times(times(x(), plus(bent, number(1))), number(0.5));
  }
  ValueId operator()(const graph::LayerNormalization& op) {
    if (!survives_float(op.epsilon)) return graph::absent;
    const ValueId rest = add(graph::Sub{}, {x(), mean(op.axis, x())});
    return scaled(add(graph::Div{}, {rest, root_of_mean_square(op, rest)}));
  }
  ValueId operator()(const graph::RmsNormalization& op) {
    if (!survives_float(op.epsilon)) return graph::absent;
    return scaled(add(graph::Div{}, {x(), root_of_mean_square(op, x())}));
  }
  template <class Op>
  ValueId operator()(const Op&) {
    return graph::absent;
  }

 private:
  ValueId x() const { return node_.inputs[0]; }
  ValueId add(graph::Op op, std::vector<ValueId> inputs) {
    std::string name = node_.name + "." + std::string(graph::name_of(op));
    while (!names_.insert(name).second) name += "_";
    return graph_.add_node(name, std::move(op), std::move(inputs));
  }
  ValueId add(graph::Op op, ValueId input) { return add(std::move(op), std::vector<ValueId>{input}); }
  ValueId times(ValueId a, ValueId b) { return add(graph::Mul{}, {a, b}); }
  ValueId plus(ValueId a, ValueId b) { return add(graph::Add{}, {a, b}); }
  ValueId number(double value) {
    return graph_.add_constant(node_.name + ".number", Tensor(Shape{}, std::vector<float>{static_cast<float>(value)}));
  }
  ValueId mean(int64_t axis, ValueId of) {
    const auto rank = static_cast<int64_t>(graph_[x()].shape.size());
    graph::ReduceMean op;
    for (int64_t i = axis < 0 ? axis + rank : axis; i < rank; ++i) op.axes.push_back(i);
    return add(op, of);
  }
  template <class Normalization>
  ValueId root_of_mean_square(const Normalization& op, ValueId of) {
    return add(graph::Sqrt{}, plus(mean(op.axis, times(of, of)), number(op.epsilon)));
  }
  /// Times the gain, plus the bias where there is one.
  ValueId scaled(ValueId normal) {
    const ValueId y = times(normal, node_.inputs[1]);
    return node_.inputs.size() > 2 && node_.inputs[2] != graph::absent ? plus(y, node_.inputs[2]) : y;
  }

  Graph& graph_;
  const Node& node_;
  std::set<std::string>& names_;
};

}  // namespace

Graph in_pieces(Graph graph, int64_t opset) {
  std::set<std::string> names;
  for (const Node& node : graph.nodes) names.insert(node.name);
  const size_t count = graph.nodes.size();
  bool changed = false;
  for (size_t i = 0; i < count; ++i) {
    const Node node = graph.nodes[i];
    const int64_t first = opset_of(node.op);
    if (first <= opset || first == no_opset || !is_real(graph[node.inputs[0]].type)) continue;
    const ValueId y = visit(Pieces(graph, node, names), node.op);
    if (y == graph::absent) continue;
    Node& last = graph.nodes.back();
    std::swap(last.outputs, graph.nodes[i].outputs);
    std::swap(last.name, graph.nodes[i].name);
    changed = true;
  }
  if (changed) graph::tidy(graph);
  return graph;
}

}  // namespace nibble::onnx
