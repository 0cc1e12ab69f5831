#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "graph/infer.hpp"

/// What the files of shape inference share: a node as its rule sees it, and the rules, one an op.
namespace nibble::graph {

using Types = std::vector<TypedShape>;

/// What a rule sees of its node: inputs, constants, and a way to complain that names it.
struct Context {
  const Node& node;
  const std::vector<const TypedShape*>& inputs;
  const std::vector<const Tensor*>& constants;

  [[noreturn]] void complain(const std::string& found, const std::string& expected = {}) const {
    fail("graph", "node '" + node.name + "' (" + std::string(name_of(node.op)) + ")", found, expected);
  }
  void check(bool holds, const std::string& found, const std::string& expected = {}) const {
    if (!holds) complain(found, expected);
  }
  bool has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  const TypedShape& input(size_t i) const {
    check(has(i), "input " + std::to_string(i) + " is absent", "it to be there");
    return *inputs[i];
  }
  const Shape& shape(size_t i) const { return input(i).shape; }
  ElementType type(size_t i) const { return input(i).type; }
  void count_inputs(size_t least, size_t most) const {
    check(inputs.size() >= least && inputs.size() <= most, std::to_string(inputs.size()) + " inputs",
          least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most));
    for (size_t i = 0; i < least; ++i) input(i);
  }
  void reals(size_t i) const {
    check(is_real(type(i)), "input " + std::to_string(i) + " of " + std::string(to_string(type(i))), "reals");
  }
  /// Reals where input 0 is of reals, integers where it is of integers.
  void like_first(size_t i) const { is_real(type(0)) ? reals(i) : integers(i); }
  void integers(size_t i) const {
    check(!is_real(type(i)), "input " + std::to_string(i) + " of " + std::string(to_string(type(i))), "integers");
  }
};

/// The type of a sum or product of these inputs.
ElementType accumulated(const Context& c, std::initializer_list<size_t> inputs);
/// base's broadcast; a complaint names the node.
Shape broadcast_of(const Context& c, const Shape& a, const Shape& b);
/// Whether two extents can be equal.
inline bool same_extent(int64_t a, int64_t b) {
  return a == b || a == any || b == any;
}

Types rule(const Context& c, const Conv& op);
Types rule(const Context& c, const MaxPool& op);
Types rule(const Context& c, const AveragePool& op);
Types rule(const Context& c, const SumPool& op);
Types rule(const Context& c, const GlobalAveragePool& op);
Types rule(const Context& c, const ReduceMean& op);
Types rule(const Context& c, const ReduceSum& op);
Types rule(const Context& c, const Gemm& op);
Types rule(const Context& c, const MatMul& op);
Types rule(const Context& c, const BatchNormalization& op);
Types rule(const Context& c, const LayerNormalization& op);
Types rule(const Context& c, const Identity& op);
Types rule(const Context& c, const Dropout& op);
Types rule(const Context& c, const Relu& op);
Types rule(const Context& c, const Abs& op);
Types rule(const Context& c, const Neg& op);
Types rule(const Context& c, const HardSwish& op);
Types rule(const Context& c, const Sigmoid& op);
Types rule(const Context& c, const Tanh& op);
Types rule(const Context& c, const Erf& op);
Types rule(const Context& c, const Exp& op);
Types rule(const Context& c, const Log& op);
Types rule(const Context& c, const Sqrt& op);
Types rule(const Context& c, const Reciprocal& op);
Types rule(const Context& c, const Softplus& op);
Types rule(const Context& c, const LeakyRelu& op);
Types rule(const Context& c, const HardSigmoid& op);
Types rule(const Context& c, const Gelu& op);
Types rule(const Context& c, const Clip& op);
Types rule(const Context& c, const Softmax& op);
Types rule(const Context& c, const Add& op);
Types rule(const Context& c, const Sub& op);
Types rule(const Context& c, const Mul& op);
Types rule(const Context& c, const Div& op);
Types rule(const Context& c, const Pow& op);
Types rule(const Context& c, const Concat& op);
Types rule(const Context& c, const Split& op);
Types rule(const Context& c, const Slice& op);
Types rule(const Context& c, const Pad& op);
Types rule(const Context& c, const Flatten& op);
Types rule(const Context& c, const Reshape& op);
Types rule(const Context& c, const Transpose& op);
Types rule(const Context& c, const Squeeze& op);
Types rule(const Context& c, const Unsqueeze& op);
Types rule(const Context& c, const Gather& op);
Types rule(const Context& c, const Resize& op);
Types rule(const Context& c, const Quantise& op);
Types rule(const Context& c, const Dequantise& op);
Types rule(const Context& c, const Rescale& op);
Types rule(const Context& c, const Requantise& op);
Types rule(const Context& c, const FloorDivide& op);
Types rule(const Context& c, const Threshold& op);
Types rule(const Context& c, const Table& op);
Types rule(const Context& c, const ConvTranspose& op);
Types rule(const Context& c, const RmsNormalization& op);
Types rule(const Context& c, const Mish& op);
Types rule(const Context& c, const Min& op);
Types rule(const Context& c, const Max& op);
Types rule(const Context& c, const Where& op);
Types rule(const Context& c, const Elu& op);
Types rule(const Context& c, const Swish& op);
Types rule(const Context& c, const LogSoftmax& op);
Types rule(const Context& c, const ReduceMax& op);
Types rule(const Context& c, const ArgMax& op);
Types rule(const Context& c, const InterpolatedTable& op);
Types rule(const Context& c, const TableSoftmax& op);
Types rule(const Context& c, const IntegerNormalization& op);
Types rule(const Context& c, const RoundedDivision& op);
Types rule(const Context& c, const ISoftmax& op);
Types rule(const Context& c, const ItaMax& op);
Types rule(const Context& c, const ItaPartialMax& op);
Types rule(const Context& c, const IGelu& op);
Types rule(const Context& c, const ILayerNorm& op);
Types rule(const Context& c, const IRmsNorm& op);
Types rule(const Context& c, const IHardSwish& op);
Types rule(const Context& c, const IntegerDiv& op);
Types rule(const Context& c, const TrueIntegerDiv& op);
Types rule(const Context& c, const INoNorm& op);

}  // namespace nibble::graph
