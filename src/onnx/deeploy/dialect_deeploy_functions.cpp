#include <algorithm>

#include "onnx/deeploy/dialect_deeploy.hpp"
#include "onnx/file/container.hpp"

namespace nibble::onnx {
namespace {

/// A function of rows along the attribute axis (the last where it is not there).
void put_rows(NodeReader& node, graph::Op op) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  const size_t rank = node.shape(x).size();
  if (rank == 0) node.fail("a scalar", "at least one axis");
  const auto last = static_cast<int64_t>(rank) - 1;
  const int64_t axis = node.attributes().has("axis") ? node.axis(whole_number(node, "axis"), rank) : last;
  if (axis == last) return node.emit(std::move(op), {x});
  graph::Transpose swap;
  for (int64_t i = 0; i <= last; ++i) swap.perm.push_back(i == axis ? last : i == last ? axis : i);
  const auto rows = node.step("rows", swap, {x});
  node.emit(swap, {node.step("function", std::move(op), {rows})});
}

}  // namespace

void read_isoftmax(NodeReader& node) {
  graph::ISoftmax op;
  op.a = whole_number(node, "coeffA"), op.b = whole_number(node, "coeffB"), op.c = whole_number(node, "coeffC");
  op.log2 = whole_number(node, "log2"), op.levels = whole_number(node, "n_levels");
  put_rows(node, op);
}

void read_ita_max(NodeReader& node) {
  put_rows(node, graph::ItaMax{whole_number(node, "n_levels")});
}

void read_ita_partial_max(NodeReader& node) {
  put_rows(node, graph::ItaPartialMax{whole_number(node, "n_levels"), whole_number(node, "group_width")});
}

graph::Op gelu_of(const NodeReader& node) {
  return graph::IGelu{whole_number(node, "b"), whole_number(node, "one")};
}

void read_igelu(NodeReader& node) {
  node.expect_inputs(1, 1);
  node.emit(gelu_of(node), {node.value(0)});
}

graph::Op hard_swish_of(const NodeReader& node) {
  return graph::IHardSwish{whole_number(node, "three"), whole_number(node, "six"), whole_number(node, "one_over_six")};
}

void read_ihard_swish(NodeReader& node) {
  node.expect_inputs(1, 1);
  node.emit(hard_swish_of(node), {node.value(0)});
}

void read_ilayer_norm(NodeReader& node) {
  node.expect_inputs(3, 3);
  node.emit(graph::ILayerNorm{shift_of(node, "D"), whole_number(node, "n_levels")},
            {node.value(0), node.value(1), node.value(2)});
}

void read_irms_norm(NodeReader& node) {
  node.expect_inputs(2, 2);
  node.emit(graph::IRmsNorm{shift_of(node, "D"), whole_number(node, "n_levels")}, {node.value(0), node.value(1)});
}

void read_inonorm(NodeReader& node) {
  node.expect_inputs(3, 3);
  node.emit(graph::INoNorm{whole_number(node, "mul"), shift_of(node, "D"), whole_number(node, "n_levels")},
            {node.value(0), node.value(1), node.value(2)});
}

graph::Op division_of(const NodeReader& node) {
  return graph::IntegerDiv{whole_number(node, "Delta"), whole_number(node, "eps"), whole_number(node, "eta")};
}

void read_integer_division(NodeReader& node) {
  node.expect_inputs(2, 2);
  node.emit(division_of(node), {node.value(0), node.value(1)});
}

void read_true_integer_division(NodeReader& node) {
  node.expect_inputs(1, 2);
  graph::TrueIntegerDiv op{whole_number(node, "Delta"), whole_number(node, "eps"), whole_number(node, "eta"), 1};
  std::vector<graph::ValueId> inputs{node.value(0)};
  if (node.has(1))
    inputs.push_back(node.value(1));
  else
    op.y = whole_number(node, "y");
  node.emit(op, inputs);
}

}  // namespace nibble::onnx
