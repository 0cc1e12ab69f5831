#include <fmt/format.h>

#include <algorithm>

#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"

namespace nibble::onnx {
namespace {

/// axes of Squeeze and Unsqueeze, an attribute until opset 12.
graph::Ints moved_axes(NodeReader& node, bool needed) {
  const bool as_input = node.opset() >= 13;
  node.expect_inputs(1, as_input ? 2 : 1);
  if (as_input ? node.has(1) : node.attributes().has("axes"))
    return as_input ? node.integers(1, "axes") : node.attributes().integers("axes");
  if (needed) node.fail("no axes", "a list of integers");
  return {};
}

void check_distinct(const NodeReader& node, graph::Ints axes) {
  std::sort(axes.begin(), axes.end());
  const auto twice = std::adjacent_find(axes.begin(), axes.end());
  if (twice != axes.end()) node.fail("axis " + std::to_string(*twice) + " twice", "each once");
}

/// What a Pad of a quantiser's integers pads with, in reals.
double real_of_level(const NodeReader& node, double level) {
  const Grid& grid = *node.moved();
  if (!(level >= static_cast<double>(grid.low) && level <= static_cast<double>(grid.high)))
    node.fail(fmt::format("pads with {}", level),
              "one of the levels, " + std::to_string(grid.low) + " to " + std::to_string(grid.high));
  const auto q = static_cast<int64_t>(level);
  if (grid.per_channel() && q != grid.zero_point)
    node.fail("pads with " + std::to_string(q) + " what has a scale for each channel",
              "its zero point, " + std::to_string(grid.zero_point));
  return grid.real(q, 0);
}

graph::Ints equal_parts(const NodeReader& node, int64_t extent, size_t pieces) {
  const auto count = static_cast<int64_t>(pieces);
  const int64_t piece = (extent + count - 1) / count;
  const int64_t last = extent - piece * (count - 1);
  if (last < 0 || (node.opset() < 18 && last != piece))
    node.fail("an extent of " + std::to_string(extent) + " in " + std::to_string(count) + " parts",
              "parts that fill it");
  graph::Ints sizes(pieces, piece);
  sizes.back() = last;
  return sizes;
}

}  // namespace

void read_concat(NodeReader& node) {
  if (node.input_count() == 0) node.fail("no inputs", "at least one");
  std::vector<graph::ValueId> inputs;
  for (size_t i = 0; i < node.input_count(); ++i) inputs.push_back(node.value(i));
  if (!node.attributes().has("axis")) node.fail("no attribute 'axis'", "an integer");
  const int64_t axis = node.attributes().integer("axis", 0);
  node.axis(axis, node.shape(inputs[0]).size());
  node.emit(graph::Concat{axis}, inputs);
}

void read_split(NodeReader& node) {
  const bool as_input = node.opset() >= 13;
  node.expect_inputs(1, as_input ? 2 : 1);
  const auto x = node.value(0);
  graph::Split split;
  split.axis = node.attributes().integer("axis", 0);
  const auto axis = static_cast<size_t>(node.axis(split.axis, node.shape(x).size()));
  const int64_t pieces = node.attributes().integer("num_outputs", static_cast<int64_t>(node.output_count()));
  if (pieces != static_cast<int64_t>(node.output_count()))
    node.fail("attribute 'num_outputs' is " + std::to_string(pieces),
              std::to_string(node.output_count()) + ", the outputs");
  if (as_input && node.has(1))
    split.sizes = node.integers(1, "sizes");
  else
    split.sizes = node.attributes().integers("split");
  const int64_t extent = node.fixed_extent(x, axis);
  if (split.sizes.empty()) split.sizes = equal_parts(node, extent, node.output_count());
  int64_t left = extent;
  for (int64_t size : split.sizes) {
    if (size < 0 || size > left)
      node.fail("parts " + to_string(split.sizes), "parts that fill " + std::to_string(extent));
    left -= size;
  }
  if (left != 0 || split.sizes.size() != node.output_count())
    node.fail("parts " + to_string(split.sizes),
              std::to_string(node.output_count()) + " parts that fill " + std::to_string(extent));
  node.emit(split, {x}, node.output_count());
}

void read_slice(NodeReader& node) {
  const bool as_input = node.opset() >= 10;
  node.expect_inputs(as_input ? 3 : 1, as_input ? 5 : 1);
  const auto x = node.value(0);
  const size_t rank = node.shape(x).size();
  graph::Slice slice;
  slice.starts = as_input ? node.integers(1, "starts") : node.attributes().integers("starts");
  slice.ends = as_input ? node.integers(2, "ends") : node.attributes().integers("ends");
  slice.axes = as_input && node.has(3) ? node.integers(3, "axes") : node.attributes().integers("axes");
  if (as_input && node.has(4)) slice.steps = node.integers(4, "steps");
  if (slice.axes.empty())
    for (size_t i = 0; i < slice.starts.size(); ++i) slice.axes.push_back(static_cast<int64_t>(i));
  if (slice.steps.empty()) slice.steps.assign(slice.starts.size(), 1);
  const size_t count = slice.starts.size();
  if (slice.ends.size() != count || slice.axes.size() != count || slice.steps.size() != count)
    node.fail("starts, ends, axes and steps of " + std::to_string(count) + ", " + std::to_string(slice.ends.size()) +
                  ", " + std::to_string(slice.axes.size()) + " and " + std::to_string(slice.steps.size()) + " numbers",
              "as many of each");
  graph::Ints axes;
  for (int64_t axis : slice.axes) axes.push_back(node.axis(axis, rank));
  check_distinct(node, axes);
  for (int64_t step : slice.steps)
    if (step == 0 || step == INT64_MIN) node.fail("a step of " + std::to_string(step), "a step");
  node.emit(slice, {x});
}

void check_pads(const NodeReader& node, const graph::Ints& pads, size_t axes) {
  if (pads.size() != 2 * axes)
    node.fail(std::to_string(pads.size()) + " pads", std::to_string(2 * axes) + ": two for each axis");
  for (int64_t each : pads)
    if (each < -INT32_MAX || each > INT32_MAX) node.fail("a pad of " + std::to_string(each), "at most 2^31");
}

graph::PadMode pad_mode_of(const NodeReader& node) {
  const std::string mode = node.attributes().text("mode", "constant");
  if (mode == "reflect") return graph::PadMode::Reflect;
  if (mode == "edge") return graph::PadMode::Edge;
  if (mode != "constant") node.fail("attribute 'mode' is " + in_quotes(mode), "constant, reflect or edge");
  return graph::PadMode::Constant;
}

void read_pad(NodeReader& node) {
  const bool as_input = node.opset() >= 11;
  node.expect_inputs(as_input ? 2 : 1, as_input ? 4 : 1);
  const auto x = node.value(0);
  const size_t rank = node.shape(x).size();
  graph::Pad pad;
  graph::Ints given = as_input ? node.integers(1, "pads") : node.attributes().integers("pads");
  graph::Ints axes;
  if (node.has(3)) {
    if (node.opset() < 18) node.fail("4 inputs at opset " + std::to_string(node.opset()), "at most 3");
    for (int64_t axis : node.integers(3, "axes")) axes.push_back(node.axis(axis, rank));
    check_distinct(node, axes);
  } else {
    for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  }
  check_pads(node, given, axes.size());
  pad.pads.assign(2 * rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    pad.pads[static_cast<size_t>(axes[i])] = given[i];
    pad.pads[static_cast<size_t>(axes[i]) + rank] = given[i + axes.size()];
  }
  pad.mode = pad_mode_of(node);
  if (as_input && node.has(2))
    pad.value = node.real(2, "value");
  else
    pad.value = node.attributes().real("value", 0);
  if (node.moved() && pad.mode == graph::PadMode::Constant) pad.value = real_of_level(node, pad.value);
  node.emit(pad, {x});
}

void read_flatten(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  const auto rank = static_cast<int64_t>(node.shape(x).size());
  const int64_t axis = node.attributes().integer("axis", 1);
  if (axis < -rank || axis > rank)
    node.fail("axis " + std::to_string(axis) + " of " + std::to_string(rank),
              std::to_string(-rank) + " to " + std::to_string(rank));
  node.emit(graph::Flatten{axis}, {x});
}

/// Whether the batch at `axis` of a Reshape is what x has there: all other elements are as many on both sides.
static bool keeps_batch(const Shape& x, const graph::Ints& to, size_t axis) {
  if (axis >= x.size() || x[axis] != any) return false;
  int64_t before = 1, after = 1;
  for (size_t i = 0; i < x.size(); ++i) before *= i == axis ? 1 : x[i];
  for (size_t i = 0; i < to.size(); ++i) after *= i == axis ? 1 : to[i] == 0 && i < x.size() ? x[i] : to[i];
  return before == after;
}

void read_reshape(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto x = node.value(0);
  const Shape& from = node.shape(x);
  graph::Ints batches;
  graph::Reshape reshape;
  reshape.shape = node.integers(1, "shape", &batches);
  const bool allow_zero = node.attributes().integer("allowzero", 0) != 0;
  reshape.allow_zero = allow_zero;
  const graph::Ints given = reshape.shape;
  const bool free = std::count(given.begin(), given.end(), -1) > 1;
  bool inferred = false;
  for (size_t i = 0; i < given.size(); ++i) {
    int64_t& extent = reshape.shape[i];
    // The batch in its own place is copied: the one -1 stays free for another axis. A multiple of it is what remains.
    const bool own = batches[i] == 1 && !allow_zero && i < from.size() && from[i] == any;
    if (own && (free || keeps_batch(from, given, i))) extent = 0;
    if (extent < -1) node.fail("an extent of " + std::to_string(extent), "at least -1");
    if (extent == -1 && inferred)
      node.fail("two extents of -1 in " + to_string(reshape.shape), "one: bind the batch (--batch 1)");
    inferred = inferred || extent == -1;
  }
  node.emit(reshape, {x});
}

void read_transpose(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.value(0);
  const size_t rank = node.shape(x).size();
  graph::Ints perm = node.attributes().integers("perm");
  if (!node.attributes().has("perm"))
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  if (perm.size() != rank) node.fail("attribute 'perm' is " + to_string(perm), std::to_string(rank) + " axes");
  for (int64_t axis : perm)
    if (axis < 0 || axis >= static_cast<int64_t>(rank))
      node.fail("attribute 'perm' is " + to_string(perm), "each axis once");
  check_distinct(node, perm);
  node.emit(graph::Transpose{perm}, {x});
}

void read_squeeze(NodeReader& node) {
  graph::Squeeze squeeze{moved_axes(node, false)};
  const auto x = node.value(0);
  // Named now, for a batch of 1 is no axis to drop.
  if (squeeze.axes.empty())
    for (size_t i = 0; i < node.shape(x).size(); ++i)
      if (node.shape(x)[i] == 1) squeeze.axes.push_back(static_cast<int64_t>(i));
  if (squeeze.axes.empty()) return node.emit(graph::Identity{}, {x});
  graph::Ints axes;
  for (int64_t axis : squeeze.axes) axes.push_back(node.axis(axis, node.shape(x).size()));
  check_distinct(node, axes);
  node.emit(squeeze, {x});
}

void read_unsqueeze(NodeReader& node) {
  graph::Unsqueeze unsqueeze{moved_axes(node, true)};
  const auto x = node.value(0);
  graph::Ints axes;
  for (int64_t axis : unsqueeze.axes) axes.push_back(node.axis(axis, node.shape(x).size() + unsqueeze.axes.size()));
  check_distinct(node, axes);
  node.emit(unsqueeze, {x});
}

void read_gather(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto x = node.value(0);
  const int64_t axis = node.attributes().integer("axis", 0);
  node.axis(axis, node.shape(x).size());
  auto indices = node.value(1);
  const auto& constant = node.typed(indices).constant;
  if (is_real(node.typed(indices).type)) node.fail("real indices", "integers");
  if (constant && constant->type() != ElementType::Int64)
    indices = node.add_constant("indices", constant->cast(ElementType::Int64));
  node.emit(graph::Gather{axis}, {x, indices});
}

}  // namespace nibble::onnx
