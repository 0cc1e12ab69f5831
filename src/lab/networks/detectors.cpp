#include "lab/networks.hpp"
#include "lab/networks/blocks.hpp"

namespace nibble::lab {
namespace {

using graph::ValueId;
using Window = NetworkBuilder::Window;

/// Half of the channels through a residual block, joined with the other half. Source: Wang et al. 2020 (CSPNet).
ValueId cross_stage(NetworkBuilder& net, const std::string& name, ValueId x, int64_t to, const Activation& activation) {
  const Window point{.kernel = 1, .padding = 0};
  const ValueId a = conv_bn_act(net, name + "_a", x, to / 2, point, activation);
  ValueId b = conv_bn_act(net, name + "_b", x, to / 2, point, activation);
  b = net.add(name + "_add", conv_bn_act(net, name + "_conv", b, to / 2, {}, activation), b);
  return conv_bn_act(net, name + "_joined", net.concat(name + "_concat", {b, a}), to, point, activation);
}

/// Boxes, the score that there is something, and classes of each cell, joined: [N, 5 + classes, cells]. Boxes are in
/// pixels, scores and classes in 0..1. Source: Ge et al. 2021 (YOLOX).
ValueId detection_head(NetworkBuilder& net, const std::string& name, ValueId x, const Topology& t, int64_t cells,
                       const Activation& activation) {
  const Window point{.kernel = 1, .padding = 0, .bias = true};
  const ValueId boxes = conv_bn_act(net, name + "_box", x, 32, {}, activation);
  const ValueId kinds = conv_bn_act(net, name + "_class", x, 32, {}, activation);
  const ValueId box = net.conv(name + "_box_out", boxes, 4, point);
  const ValueId score = net.function(name + "_score", graph::Sigmoid{}, net.conv(name + "_score_out", boxes, 1, point));
  const ValueId classes =
      net.function(name + "_classes", graph::Sigmoid{}, net.conv(name + "_class_out", kinds, t.classes, point));
  return net.reshape(name + "_cells", net.concat(name + "_concat", {box, score, classes}), {5 + t.classes, cells});
}

/// A detector: a backbone of three sizes, a pyramid that takes the smaller ones up again, a head on two of them.
ValueId detector(NetworkBuilder& net, const Topology& t, const Activation& activation) {
  const Window down{.stride = 2}, point{.kernel = 1, .padding = 0};
  const int64_t cells = t.resolution / 8 * (t.resolution / 8);
  ValueId x = conv_bn_act(net, "conv1", net.input({any, 3, t.resolution, t.resolution}), 16, down, activation);
  x = cross_stage(net, "stage1", conv_bn_act(net, "down1", x, 24, down, activation), 24, activation);
  const ValueId large = cross_stage(net, "stage2", conv_bn_act(net, "down2", x, 48, down, activation), 48, activation);
  const ValueId small =
      cross_stage(net, "stage3", conv_bn_act(net, "down3", large, 64, down, activation), 64, activation);
  const ValueId lateral = conv_bn_act(net, "lateral", small, 48, point, activation);
  const ValueId fused = cross_stage(
      net, "fused", net.concat("pyramid", {net.twice_as_large("lateral_up", lateral), large}), 48, activation);
  return net.concat("detections",
                    {detection_head(net, "head1", fused, t, cells, activation),
                     detection_head(net, "head2", small, t, cells / 4, activation)},
                    2);
}
/// Features of three sizes of window, joined. Source: Najibi et al. 2017 (SSH).
ValueId context(NetworkBuilder& net, const std::string& name, ValueId x) {
  const auto normed = [&](const std::string& part, ValueId from, int64_t to) {
    return net.batch_norm(name + part + "_bn", net.conv(name + part, from, to));
  };
  const ValueId shared = net.conv_bn_relu(name + "_shared", x, 8);
  const ValueId twice = net.conv_bn_relu(name + "_twice", shared, 8);
  return net.relu(name + "_relu", net.concat(name + "_concat", {normed("_3x3", x, 16), normed("_5x5", shared, 8),
                                                                normed("_7x7", twice, 8)}));
}

/// Box, score and landmarks of each cell: [N, 15, cells].
ValueId face_head(NetworkBuilder& net, const std::string& name, ValueId x, int64_t cells) {
  const Window point{.kernel = 1, .padding = 0, .bias = true};
  const ValueId score = net.function(name + "_score", graph::Sigmoid{}, net.conv(name + "_score_out", x, 1, point));
  const ValueId joined = net.concat(
      name + "_concat", {net.conv(name + "_box", x, 4, point), score, net.conv(name + "_landmarks", x, 10, point)});
  return net.reshape(name + "_cells", joined, {15, cells});
}

}  // namespace

ValueId detector_silu(NetworkBuilder& net, const Topology& t) {
  return detector(net, t, silu());
}
ValueId detector_leaky(NetworkBuilder& net, const Topology& t) {
  return detector(net, t, {graph::LeakyRelu{0.1}, graph::Sigmoid{}});
}

/// MobileNetV1 at a quarter of its width, a pyramid by sums. Source: Deng et al. 2020 (RetinaFace).
ValueId face_detector(NetworkBuilder& net, const Topology& t) {
  const Window point{.kernel = 1, .padding = 0};
  const int64_t cells = t.resolution / 8 * (t.resolution / 8);
  const auto separable = [&](const std::string& name, ValueId x, int64_t to, int64_t stride) {
    x = net.conv_bn_relu(name + "_dw", x, net.channels(x), {.stride = stride, .group = net.channels(x)});
    return net.conv_bn_relu(name + "_pw", x, to, point);
  };
  ValueId x = net.conv_bn_relu("conv1", net.input({any, 3, t.resolution, t.resolution}), 8, {.stride = 2});
  x = separable("block2", separable("block1", x, 16, 2), 16, 1);
  const ValueId large = separable("block4", separable("block3", x, 32, 2), 32, 1);
  const ValueId small = separable("block6", separable("block5", large, 64, 2), 64, 1);
  const ValueId top = net.conv_bn_relu("lateral2", small, 32, point);
  const ValueId sum = net.add("pyramid", net.conv_bn_relu("lateral1", large, 32, point), net.twice_as_large("up", top));
  const ValueId merged = net.conv_bn_relu("merged", sum, 32);
  return net.concat("faces",
                    {face_head(net, "head1", context(net, "context1", merged), cells),
                     face_head(net, "head2", context(net, "context2", top), cells / 4)},
                    2);
}

}  // namespace nibble::lab
