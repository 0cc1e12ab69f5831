#include <algorithm>

#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"

// Ops of the standard that move elements and are read as Reshape, Transpose and Concat.
namespace nibble::onnx {
namespace {

using graph::Ints;
using graph::ValueId;

/// `any` is -1, which takes what the others leave.
graph::Reshape reshape_to(Ints shape) {
  return {std::move(shape), true};
}

int64_t block_of(const NodeReader& node) {
  const int64_t block = node.attributes().integer("blocksize", 0);
  if (block < 1 || block > INT16_MAX)
    node.fail("attribute 'blocksize' is " + std::to_string(block), "1 to " + std::to_string(INT16_MAX));
  return block;
}

/// The extents N, C, H, W of the input; H and W known.
Shape image_shape(const NodeReader& node, ValueId x) {
  const Shape shape = node.shape(x);
  if (shape.size() != 4) node.fail("an input of shape " + to_string(shape), "[N, C, H, W]");
  for (size_t axis = 1; axis < 4; ++axis) node.fixed_extent(x, axis);
  return shape;
}

int64_t divided(const NodeReader& node, int64_t extent, int64_t by, std::string_view what) {
  if (extent % by != 0)
    node.fail(std::to_string(extent) + " " + std::string(what), "a multiple of " + std::to_string(by));
  return extent / by;
}

/// x with its axis repeated so many times, as copies side by side.
graph::Op copies(size_t axis) {
  return graph::Concat{static_cast<int64_t>(axis)};
}

/// Repeats x along its axes, the last of the steps as the node itself.
void repeat(NodeReader& node, ValueId x, const Ints& repeats) {
  constexpr int64_t most = 4096;
  std::vector<size_t> axes;
  for (size_t axis = 0; axis < repeats.size(); ++axis) {
    if (repeats[axis] < 1 || repeats[axis] > most)
      node.fail(std::to_string(repeats[axis]) + " copies along axis " + std::to_string(axis),
                "1 to " + std::to_string(most));
    if (repeats[axis] != 1) axes.push_back(axis);
  }
  if (axes.empty()) return node.emit(graph::Identity{}, {x});
  for (size_t i = 0; i < axes.size(); ++i) {
    node.fixed_extent(x, axes[i]);
    const std::vector<ValueId> inputs(static_cast<size_t>(repeats[axes[i]]), x);
    if (i + 1 == axes.size()) return node.emit(copies(axes[i]), inputs);
    x = node.step("axis" + std::to_string(axes[i]), copies(axes[i]), inputs);
  }
}

}  // namespace

void read_depth_to_space(NodeReader& node) {
  node.expect_inputs(1, 1);
  const ValueId x = node.value(0);
  const Shape shape = image_shape(node, x);
  const int64_t b = block_of(node), channels = divided(node, shape[1], b * b, "channels");
  const std::string mode = node.attributes().text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") node.fail("attribute 'mode' is " + in_quotes(mode), "DCR or CRD");
  const bool depth_first = mode == "DCR";
  const Ints blocks = depth_first ? Ints{shape[0], b, b, channels, shape[2], shape[3]}
                                  : Ints{shape[0], channels, b, b, shape[2], shape[3]};
  const Ints perm = depth_first ? Ints{0, 3, 4, 1, 5, 2} : Ints{0, 1, 4, 2, 5, 3};
  const ValueId split = node.step("blocks", reshape_to(blocks), {x});
  const ValueId turned = node.step("turned", graph::Transpose{perm}, {split});
  node.emit(reshape_to({shape[0], channels, shape[2] * b, shape[3] * b}), {turned});
}

void read_space_to_depth(NodeReader& node) {
  node.expect_inputs(1, 1);
  const ValueId x = node.value(0);
  const Shape shape = image_shape(node, x);
  const int64_t b = block_of(node);
  const int64_t height = divided(node, shape[2], b, "rows"), width = divided(node, shape[3], b, "columns");
  const ValueId split = node.step("blocks", reshape_to({shape[0], shape[1], height, b, width, b}), {x});
  const ValueId turned = node.step("turned", graph::Transpose{{0, 3, 5, 1, 2, 4}}, {split});
  node.emit(reshape_to({shape[0], shape[1] * b * b, height, width}), {turned});
}

void read_tile(NodeReader& node) {
  node.expect_inputs(2, 2);
  const ValueId x = node.value(0);
  const Ints repeats = node.integers(1, "repeats");
  if (repeats.size() != node.shape(x).size())
    node.fail(std::to_string(repeats.size()) + " repeats for " + to_string(node.shape(x)), "one for each axis");
  repeat(node, x, repeats);
}

void read_expand(NodeReader& node) {
  node.expect_inputs(2, 2);
  ValueId x = node.value(0);
  Ints batches;
  Ints wanted = node.integers(1, "shape", &batches);
  Shape shape = node.shape(x);
  if (shape.size() < wanted.size()) {
    shape.insert(shape.begin(), wanted.size() - shape.size(), 1);
    x = node.step("axes", reshape_to(shape), {x});
  }
  const size_t skipped = shape.size() - wanted.size();
  Ints repeats(shape.size(), 1);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const int64_t own = shape[skipped + i];
    if (own == any || wanted[i] == 1 || wanted[i] == own) continue;
    if (batches[i] != 0) node.fail("copies for each of the batch", "a batch of known size: bind it (--batch 1)");
    if (own != 1)
      node.fail("an extent of " + std::to_string(own) + " to " + std::to_string(wanted[i]), "an extent of 1");
    repeats[skipped + i] = wanted[i];
  }
  repeat(node, x, repeats);
}

}  // namespace nibble::onnx
