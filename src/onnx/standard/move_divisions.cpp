#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "graph/evaluate/evaluate.hpp"
#include "graph/op_traits.hpp"
#include "onnx/standard/spelled_quantisers.hpp"

namespace nibble::onnx {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

/// value = numerator / divisor, the divisor of the numerator's rank or of one number.
struct Quotient {
  ValueId numerator;
  Tensor divisor;
};

Tensor combined(const Tensor& a, const Tensor& b, const graph::Op& op) {
  return graph::evaluate(Node{"", op, {}, {}}, {&a, &b}, false).at(0);
}

/// As many axes as the tensor beside it has, by extents of 1 in front.
Tensor of_rank(const Tensor& tensor, size_t rank) {
  if (tensor.size() == 1) return tensor.reshaped({});
  Shape shape = tensor.shape();
  if (shape.size() < rank) shape.insert(shape.begin(), rank - shape.size(), 1);
  return tensor.reshaped(shape);
}

/// All elements apart by no more than what float32 rounds.
bool near(const Tensor& a, const Tensor& b) {
  const auto x = a.to_reals(), y = b.to_reals();
  return a.shape() == b.shape() && std::equal(x.begin(), x.end(), y.begin(), [](double one, double other) {
           return std::abs(one - other) <= 0x1p-20 * std::max(std::abs(one), std::abs(other));
         });
}

/// It varies along `axis` at most (counted from the end where that is negative).
bool varies_along(const Tensor& tensor, int64_t axis) {
  const auto rank = static_cast<int64_t>(tensor.rank());
  if (axis < 0) axis += rank;
  for (int64_t i = 0; i < rank; ++i)
    if (i != axis && tensor.shape()[static_cast<size_t>(i)] != 1) return false;
  return true;
}

class Mover {
 public:
  Mover(Graph& graph, const std::vector<ValueId>& quotients) : graph_(graph), quotients_(quotients) {}

  void run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      if (!is_given(node)) {
        if (auto moved = moved_behind(node)) {
          put(std::move(node), std::move(*moved));
          continue;
        }
      }
      graph_.nodes.push_back(std::move(node));
    }
  }

 private:
  /// The node with numerators in place of quotients, and what its output has to be divided by.
  struct Moved {
    graph::Op op;
    std::vector<ValueId> inputs;
    Tensor divisor;
  };

  /// Of the divisions to move, which are known by the values that they write.
  bool is_given(const Node& node) {
    if (std::find(quotients_.begin(), quotients_.end(), node.outputs[0]) == quotients_.end()) return false;
    known_.emplace(node.outputs[0],
                   Quotient{node.inputs[0], graph_.constant(node.inputs[1])->cast(ElementType::Float64)});
    return true;
  }
  const Quotient* quotient(const Node& node, size_t slot) const {
    const auto found = slot < node.inputs.size() ? known_.find(node.inputs[slot]) : known_.end();
    return found == known_.end() ? nullptr : &found->second;
  }
  size_t rank(ValueId id) const { return graph_[id].shape.size(); }
  static Tensor one() { return Tensor(Shape{}, std::vector<double>{1}); }

  std::optional<Moved> moved_behind(const Node& node) const {
    if (holds_alternative<graph::MatMul>(node.op)) return behind_matmul(node);
    if (holds_alternative<graph::Conv>(node.op)) return behind_conv(node);
    if (const auto* gemm = get_if<graph::Gemm>(&node.op)) return behind_gemm(node, *gemm);
    if (holds_alternative<graph::Add>(node.op) || holds_alternative<graph::Sub>(node.op)) return behind_sum(node);
    if (holds_alternative<graph::Mul>(node.op) || holds_alternative<graph::Div>(node.op)) return behind_product(node);
    const bool averages = class_of(node.op) == graph::OpClass::Mean;
    const bool keeps = (graph::moves_data(node.op) || averages) && node.inputs.size() == 1 && node.outputs.size() == 1;
    if (keeps || holds_alternative<graph::Relu>(node.op)) return behind_movement(node);
    return {};
  }

  /// Each channel of the output is made of the same one of the input, and divided by one number.
  bool keeps_channels(const Node& node, const Tensor& divisor) const {
    const Shape &x = graph_[node.inputs[0]].shape, &y = graph_[node.outputs[0]].shape;
    const bool windows = holds_alternative<graph::MaxPool>(node.op) || class_of(node.op) == graph::OpClass::Mean;
    return windows && x.size() == y.size() && x.size() > 1 && x[1] == y[1] && divisor.rank() == x.size() &&
           divisor.shape()[1] == x[1] && varies_along(divisor, 1);
  }

  std::optional<Moved> behind_movement(const Node& node) const {
    const Quotient* x = quotient(node, 0);
    if (!x || (holds_alternative<graph::Pad>(node.op) && get<graph::Pad>(node.op).value != 0)) return {};
    if (x->divisor.size() == 1) return Moved{node.op, {x->numerator}, x->divisor};
    const bool positive = holds_alternative<graph::Relu>(node.op) || holds_alternative<graph::Identity>(node.op);
    const auto* transpose = get_if<graph::Transpose>(&node.op);
    const Tensor divisor = of_rank(x->divisor, rank(x->numerator));
    const bool each = positive || keeps_channels(node, divisor);
    if (!each && !transpose) return {};
    if (each) return Moved{node.op, {x->numerator}, divisor};
    return Moved{node.op, {x->numerator}, graph::evaluate(node, {&divisor}, false).at(0)};
  }

  /// Quotients a and b of a product whose output has b's columns on its last axis.
  std::optional<Moved> behind_matmul(const Node& node) const {
    const Quotient *a = quotient(node, 0), *b = quotient(node, 1);
    if ((!a && !b) || (a && a->divisor.size() != 1)) return {};
    Tensor columns = b ? b->divisor : one();
    if (columns.size() > 1) {
      columns = of_rank(columns, rank(b->numerator));
      if (columns.rank() < 2 || !varies_along(columns, -1)) return {};
      columns = columns.reshaped({static_cast<int64_t>(columns.size())});
    }
    return Moved{node.op,
                 {a ? a->numerator : node.inputs[0], b ? b->numerator : node.inputs[1]},
                 combined(a ? a->divisor : one(), columns, graph::Mul{})};
  }

  /// Inputs of a linear op with a bias, which is divided by as much.
  std::optional<Moved> with_bias(const Node& node, Moved moved) const {
    if (node.inputs.size() < 3 || node.inputs[2] == graph::absent) return moved;
    const Quotient* c = quotient(node, 2);
    const size_t count = moved.divisor.size();
    const Tensor flat = count == 1 ? moved.divisor : moved.divisor.reshaped({static_cast<int64_t>(count)});
    if (!c || (c->divisor.size() != 1 && c->divisor.size() != count)) return {};
    const Tensor ones(flat.shape(), std::vector<double>(count, 1));
    const Tensor bias = combined(c->divisor.size() == 1 ? c->divisor.reshaped({}) : c->divisor.reshaped(flat.shape()),
                                 ones, graph::Mul{});
    if (!near(bias, flat)) return {};
    moved.inputs.push_back(c->numerator);
    return moved;
  }

  std::optional<Moved> behind_conv(const Node& node) const {
    const Quotient *x = quotient(node, 0), *w = quotient(node, 1);
    if ((!x && !w) || (x && x->divisor.size() != 1)) return {};
    Tensor channels = w ? w->divisor : one();
    if (channels.size() > 1) {
      channels = of_rank(channels, rank(w->numerator));
      if (!varies_along(channels, 0)) return {};
      Shape shape(rank(w->numerator), 1);
      shape[1] = static_cast<int64_t>(channels.size());
      channels = channels.reshaped(shape);
    }
    return with_bias(node, {node.op,
                            {x ? x->numerator : node.inputs[0], w ? w->numerator : node.inputs[1]},
                            combined(x ? x->divisor : one(), channels, graph::Mul{})});
  }

  std::optional<Moved> behind_gemm(const Node& node, const graph::Gemm& op) const {
    const Quotient *a = quotient(node, 0), *b = quotient(node, 1);
    if ((!a && !b) || (a && a->divisor.size() != 1)) return {};
    Tensor columns = b ? b->divisor : one();
    if (columns.size() > 1) {
      columns = of_rank(columns, 2);
      if (!varies_along(columns, op.transpose_b ? 0 : 1)) return {};
      columns = columns.reshaped({static_cast<int64_t>(columns.size())});
    }
    return with_bias(node, {node.op,
                            {a ? a->numerator : node.inputs[0], b ? b->numerator : node.inputs[1]},
                            combined(a ? a->divisor : one(), columns, graph::Mul{})});
  }

  /// a / d + b / d = (a + b) / d; a / d + c = (a + c d) / d of a constant c.
  std::optional<Moved> behind_sum(const Node& node) const {
    if (node.inputs.size() != 2) return {};
    const Quotient *a = quotient(node, 0), *b = quotient(node, 1);
    if (!a && !b) return {};
    const size_t most = std::max(rank(node.inputs[0]), rank(node.inputs[1]));
    if (a && b) {
      Tensor first = of_rank(a->divisor, most), second = of_rank(b->divisor, most);
      // One number beside as many that are the same.
      if (first.size() == 1 && second.size() > 1) std::swap(first, second);
      if (second.size() == 1 && first.size() > 1)
        second = combined(Tensor(first.shape(), std::vector<double>(first.size(), 1)), second, graph::Mul{});
      if (!near(first, second)) return {};
      return Moved{node.op, {a->numerator, b->numerator}, (a->divisor.size() > 1 ? a : b)->divisor};
    }
    const size_t slot = a ? 1 : 0;
    const Quotient& x = a ? *a : *b;
    const Tensor* constant = graph_.constant(node.inputs[slot]);
    if (!constant || !is_real(constant->type()) || rank(x.numerator) < most) return {};
    const Tensor scaled = combined(constant->cast(ElementType::Float64), of_rank(x.divisor, most), graph::Mul{});
    const auto reals = scaled.to_reals();
    const bool nothing = std::all_of(reals.begin(), reals.end(), [](double real) { return real == 0; });
    if (nothing && scaled.size() == 1 && (slot == 1 || holds_alternative<graph::Add>(node.op)))
      return Moved{graph::Identity{}, {x.numerator}, x.divisor};
    const ValueId added = graph_.add_constant(node.name + ".scaled", scaled.cast(ElementType::Float32));
    std::vector<ValueId> inputs{x.numerator, added};
    if (slot == 0) std::swap(inputs[0], inputs[1]);
    return Moved{node.op, inputs, x.divisor};
  }

  std::optional<Moved> behind_product(const Node& node) const {
    const bool divides = holds_alternative<graph::Div>(node.op);
    const size_t slot = quotient(node, 0) ? 0 : 1;
    const Quotient* x = quotient(node, slot);
    if (!x || (divides && slot == 1)) return {};
    const Tensor* constant = graph_.constant(node.inputs[1 - slot]);
    if (!constant || !is_real(constant->type()) || constant->rank() > rank(x->numerator)) return {};
    const Tensor by = of_rank(constant->cast(ElementType::Float64), rank(x->numerator));
    const auto numbers = by.to_reals();
    if (std::any_of(numbers.begin(), numbers.end(), [](double number) { return !(number > 0); })) return {};
    const Shape& shape = graph_[x->numerator].shape;
    for (size_t i = 0; i < by.rank(); ++i)
      if (by.shape()[i] != 1 && by.shape()[i] != shape[i]) return {};
    const Tensor divisor = of_rank(x->divisor, rank(x->numerator));
    return Moved{graph::Identity{},
                 {x->numerator},
                 divides ? combined(divisor, by, graph::Mul{}) : combined(divisor, by, graph::Div{})};
  }

  /// The node on numerators, and a division behind it where it does not divide by 1.
  void put(Node node, Moved moved) {
    const ValueId output = node.outputs[0];
    node.op = std::move(moved.op), node.inputs = std::move(moved.inputs);
    const Tensor ones(moved.divisor.shape(), std::vector<double>(moved.divisor.size(), 1));
    if (near(moved.divisor, ones)) return graph_.nodes.push_back(std::move(node));
    const ValueId numerator = graph_.add_value(node.name + ".numerator", graph_[output].type, graph_[output].shape);
    const ValueId divisor = graph_.add_constant(node.name + ".divisor", moved.divisor.cast(ElementType::Float32));
    node.outputs = {numerator};
    const std::string name = node.name + ".quotient";
    graph_.nodes.push_back(std::move(node));
    graph_.nodes.push_back(Node{name, graph::Div{}, {numerator, divisor}, {output}});
    known_.insert_or_assign(output, Quotient{numerator, std::move(moved.divisor)});
  }

  Graph& graph_;
  const std::vector<ValueId>& quotients_;
  std::map<ValueId, Quotient> known_;
};

}  // namespace

void move_divisions(Graph& graph, const std::vector<ValueId>& quotients) {
  if (!quotients.empty()) Mover(graph, quotients).run();
}

}  // namespace nibble::onnx
