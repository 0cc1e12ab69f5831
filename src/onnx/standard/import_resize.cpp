#include <cmath>

#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"

namespace nibble::onnx {
namespace {

void read_mode(const NodeReader& node, graph::Resize& resize) {
  const std::string mode = node.attributes().text("mode", "nearest");
  if (mode == "linear" || mode == "bilinear")
    resize.mode = graph::ResizeMode::Linear;
  else if (mode != "nearest")
    node.fail("attribute 'mode' is " + in_quotes(mode), "nearest or linear");
}

void read_coordinates(const NodeReader& node, graph::Resize& resize) {
  const std::string name = node.attributes().text("coordinate_transformation_mode", "half_pixel");
  if (name == "half_pixel")
    resize.coordinates = graph::ResizeCoordinates::HalfPixel;
  else if (name == "pytorch_half_pixel")
    resize.coordinates = graph::ResizeCoordinates::PytorchHalfPixel;
  else if (name == "align_corners")
    resize.coordinates = graph::ResizeCoordinates::AlignCorners;
  else if (name == "asymmetric")
    resize.coordinates = graph::ResizeCoordinates::Asymmetric;
  else
    node.fail("attribute 'coordinate_transformation_mode' is " + in_quotes(name),
              "half_pixel, pytorch_half_pixel, align_corners or asymmetric");
}

void read_nearest(const NodeReader& node, graph::Resize& resize) {
  const std::string name = node.attributes().text("nearest_mode", "round_prefer_floor");
  if (name == "round_prefer_floor")
    resize.nearest = graph::ResizeNearest::RoundPreferFloor;
  else if (name == "round_prefer_ceil")
    resize.nearest = graph::ResizeNearest::RoundPreferCeil;
  else if (name == "floor")
    resize.nearest = graph::ResizeNearest::Floor;
  else if (name == "ceil")
    resize.nearest = graph::ResizeNearest::Ceil;
  else
    node.fail("attribute 'nearest_mode' is " + in_quotes(name), "round_prefer_floor, round_prefer_ceil, floor or ceil");
}

void check_scales(const NodeReader& node, const std::vector<double>& scales, size_t count) {
  if (scales.size() != count) node.fail(std::to_string(scales.size()) + " scales", std::to_string(count));
  constexpr double most = 1 << 20;
  for (double scale : scales)
    if (!(scale > 0) || scale > most) node.fail("a scale of " + std::to_string(scale), "above 0, at most 2^20");
}

/// scales and sizes of opset 11 and later, for all axes.
void read_extents(const NodeReader& node, const Shape& shape, graph::Resize& resize) {
  graph::Ints axes = node.attributes().integers("axes");
  for (int64_t& axis : axes) axis = node.axis(axis, shape.size());
  if (axes.empty())
    for (size_t i = 0; i < shape.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  std::vector<double> scales;
  if (node.has(2)) scales = node.reals(2, "scales");
  if (!scales.empty()) {
    check_scales(node, scales, axes.size());
    resize.scales.assign(shape.size(), 1);
    for (size_t i = 0; i < axes.size(); ++i)
      resize.scales[static_cast<size_t>(axes[i])] = decimal_of(static_cast<float>(scales[i]));
    return;
  }
  if (!node.has(3)) node.fail("neither scales nor sizes", "one of them");
  graph::Ints batches;
  const graph::Ints sizes = node.integers(3, "sizes", &batches);
  if (sizes.size() != axes.size()) node.fail(std::to_string(sizes.size()) + " sizes", std::to_string(axes.size()));
  resize.sizes = shape;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    if (batches[i] == 0 && (sizes[i] < 0 || sizes[i] > INT32_MAX))
      node.fail("a size of " + std::to_string(sizes[i]), "0 to 2^31");
    resize.sizes[axis] = sizes[i];
  }
}

}  // namespace

void read_resize(NodeReader& node) {
  graph::Resize resize;
  read_mode(node, resize);
  if (node.opset() == 10) {
    node.expect_inputs(2, 2);
    const auto x = node.value(0);
    resize.coordinates = graph::ResizeCoordinates::Asymmetric;
    resize.nearest = graph::ResizeNearest::Floor;
    resize.scales = node.reals(1, "scales");
    check_scales(node, resize.scales, node.shape(x).size());
    return node.emit(resize, {x});
  }
  node.expect_inputs(1, 4);
  const auto x = node.value(0);
  if (node.attributes().integer("antialias", 0) != 0) node.fail("attribute 'antialias' is 1", "0");
  const std::string policy = node.attributes().text("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch") node.fail("attribute 'keep_aspect_ratio_policy' is " + in_quotes(policy), "stretch");
  read_coordinates(node, resize);
  read_nearest(node, resize);
  read_extents(node, node.shape(x), resize);
  node.emit(resize, {x});
}

void read_upsample(NodeReader& node) {
  if (node.opset() > 9) node.fail("opset " + std::to_string(node.opset()), "at most 9, then Resize");
  const bool as_input = node.opset() == 9;
  node.expect_inputs(as_input ? 2 : 1, as_input ? 2 : 1);
  const auto x = node.value(0);
  graph::Resize resize;
  read_mode(node, resize);
  resize.coordinates = graph::ResizeCoordinates::Asymmetric;
  resize.nearest = graph::ResizeNearest::Floor;
  resize.scales = as_input ? node.reals(1, "scales") : node.attributes().reals("scales");
  check_scales(node, resize.scales, node.shape(x).size());
  node.emit(resize, {x});
}

}  // namespace nibble::onnx
