#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"
#include "onnx/standard/window.hpp"

namespace nibble::onnx {
namespace {

template <class Reduce>
void read_reduction(NodeReader& node, int64_t first_as_input) {
  const Reduction found = reduction_of(node, first_as_input);
  Reduce op;
  op.axes = found.axes;
  op.keep_dims = found.keep_dims;
  node.emit(found.nothing ? graph::Op(graph::Identity{}) : graph::Op(op), {node.value(0)});
}

}  // namespace

Reduction reduction_of(NodeReader& node, int64_t first_as_input) {
  const bool as_input = node.opset() >= first_as_input;
  node.expect_inputs(1, as_input ? 2 : 1);
  Reduction found;
  if (as_input && node.has(1)) found.axes = node.integers(1, "axes");
  if (!as_input) found.axes = node.attributes().integers("axes");
  found.nothing = found.axes.empty() && node.attributes().integer("noop_with_empty_axes", 0) != 0;
  found.keep_dims = node.attributes().integer("keepdims", 1) != 0;
  const size_t rank = node.shape(node.value(0)).size();
  for (int64_t& axis : found.axes) axis = node.axis(axis, rank);
  return found;
}

void read_max_pool(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  const Window window = read_window(node, x);
  graph::MaxPool op;
  op.kernel = window.kernel, op.strides = window.strides, op.pads = window.pads, op.dilations = window.dilations;
  op.ceil_mode = node.attributes().integer("ceil_mode", 0) != 0;
  node.emit(op, {x});
}

void read_average_pool(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  const Window window = read_window(node, x);
  graph::AveragePool op;
  op.kernel = window.kernel, op.strides = window.strides, op.pads = window.pads, op.dilations = window.dilations;
  op.ceil_mode = node.attributes().integer("ceil_mode", 0) != 0;
  op.count_include_pad = node.attributes().integer("count_include_pad", 0) != 0;
  node.emit(op, {x});
}

void read_global_average_pool(NodeReader& node) {
  node.expect_inputs(1, 1);
  node.emit(graph::GlobalAveragePool{}, {node.value(0)});
}

void read_global_max_pool(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  const size_t rank = node.shape(x).size();
  if (rank < 3) node.fail("input of shape " + to_string(node.shape(x)), "[N, C, spatial...]");
  graph::MaxPool op;
  for (size_t axis = 2; axis < rank; ++axis) op.kernel.push_back(node.fixed_extent(x, axis));
  op.strides = op.dilations = graph::Ints(rank - 2, 1);
  op.pads = graph::Ints(2 * (rank - 2), 0);
  node.emit(op, {x});
}

void read_reduce_mean(NodeReader& node) {
  read_reduction<graph::ReduceMean>(node, 18);
}
void read_reduce_sum(NodeReader& node) {
  read_reduction<graph::ReduceSum>(node, 13);
}
void read_reduce_max(NodeReader& node) {
  read_reduction<graph::ReduceMax>(node, 18);
}
void read_arg_max(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  graph::ArgMax op;
  op.axis = node.axis(node.attributes().integer("axis", 0), node.shape(x).size());
  op.keep_dims = node.attributes().integer("keepdims", 1) != 0;
  op.last = node.attributes().integer("select_last_index", 0) != 0;
  node.emit(op, {x});
}

}  // namespace nibble::onnx
