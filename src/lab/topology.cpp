#include "lab/topology.hpp"

#include <array>
#include <cmath>

#include "base/error.hpp"
#include "graph/verify.hpp"
#include "lab/network_builder.hpp"
#include "lab/networks.hpp"
#include "lab/networks/blocks.hpp"

namespace nibble::lab {
namespace {

using graph::ValueId;
using Window = NetworkBuilder::Window;

/// Channels times the width, to the nearest multiple of 8 that loses no tenth. Source: MobileNetV2's reference code.
int64_t rounded_to_eight(double channels) {
  const int64_t nearest = std::max<int64_t>(8, static_cast<int64_t>(channels + 4) / 8 * 8);
  return static_cast<double>(nearest) < 0.9 * channels ? nearest + 8 : nearest;
}

int64_t scaled(double channels, const Topology& t) {
  return std::max<int64_t>(1, static_cast<int64_t>(std::lround(channels * t.width)));
}

/// Two convolutions with batch-norm and max-pool, one more convolution, a classifier.
ValueId mnist_cnn(NetworkBuilder& net, const Topology& t) {
  ValueId x = net.input({any, 1, 28, 28});
  x = net.max_pool("pool1", net.conv_bn_relu("conv1", x, 16), 2);
  x = net.max_pool("pool2", net.conv_bn_relu("conv2", x, 32), 2);
  x = net.conv_bn_relu("conv3", x, 32, {.stride = 2});
  return net.fully_connected("classifier", net.flatten("flatten", x), t.classes);
}

/// The university lab's network: two convolutions, three fully connected layers. Source: LeCun et al. 1998.
ValueId lenet(NetworkBuilder& net, const Topology& t) {
  const Window window{.kernel = 5, .padding = 0, .bias = true};
  ValueId x = net.input({any, 3, 32, 32});
  x = net.max_pool("pool1", net.relu("relu1", net.conv("conv1", x, 6, window)), 2);
  x = net.max_pool("pool2", net.relu("relu2", net.conv("conv2", x, 16, window)), 2);
  x = net.relu("relu3", net.fully_connected("fc1", net.flatten("flatten", x), 120));
  x = net.relu("relu4", net.fully_connected("fc2", x, 84));
  return net.fully_connected("fc3", x, t.classes);
}

/// Two 3x3 convolutions beside the identity, or beside a strided 1x1 convolution where the shape changes; that one has
/// a batch-norm (He's option B) or a bias (MLPerf Tiny).
ValueId residual(NetworkBuilder& net, const std::string& name, ValueId x, int64_t to, int64_t stride, bool tiny) {
  ValueId y = net.conv_bn_relu(name + "_conv1", x, to, {.stride = stride});
  y = net.batch_norm(name + "_conv2_bn", net.conv(name + "_conv2", y, to));
  if (stride != 1 || net.channels(x) != to) {
    x = net.conv(name + "_shortcut", x, to, {.kernel = 1, .stride = stride, .bias = tiny});
    if (!tiny) x = net.batch_norm(name + "_shortcut_bn", x);
  }
  return net.relu(name + "_relu", net.add(name + "_add", y, x));
}

ValueId resnet(NetworkBuilder& net, const Topology& t, int blocks, bool tiny) {
  ValueId x = net.conv_bn_relu("conv1", net.input({any, 3, 32, 32}), scaled(16, t));
  for (int stage = 1; stage <= 3; ++stage)
    for (int block = 1; block <= blocks; ++block)
      x = residual(net, "stage" + std::to_string(stage) + "_block" + std::to_string(block), x, scaled(8 << stage, t),
                   stage > 1 && block == 1 ? 2 : 1, tiny);
  return net.fully_connected("classifier", net.global_mean("mean", x), t.classes);
}

/// MLPerf Tiny's image classification. Source: Banbury et al. 2021.
ValueId resnet8(NetworkBuilder& net, const Topology& t) {
  return resnet(net, t, 1, true);
}
/// CIFAR-10's ResNets. Source: He et al. 2016, shortcuts by projection.
ValueId resnet20(NetworkBuilder& net, const Topology& t) {
  return resnet(net, t, 3, false);
}
ValueId resnet32(NetworkBuilder& net, const Topology& t) {
  return resnet(net, t, 5, false);
}

/// ImageNet's smallest ResNet. Source: He et al. 2016, shortcuts by projection.
ValueId resnet18(NetworkBuilder& net, const Topology& t) {
  ValueId x = net.conv_bn_relu("conv1", net.input({any, 3, t.resolution, t.resolution}), scaled(64, t),
                               {.kernel = 7, .stride = 2});
  x = net.max_pool("pool1", x, Window{.stride = 2});
  for (int stage = 1; stage <= 4; ++stage)
    for (int block = 1; block <= 2; ++block)
      x = residual(net, "stage" + std::to_string(stage) + "_block" + std::to_string(block), x, scaled(32 << stage, t),
                   stage > 1 && block == 1 ? 2 : 1, false);
  return net.fully_connected("classifier", net.global_mean("mean", x), t.classes);
}

/// Six 3x3 convolutions, a pool after each second.
ValueId vgg_features(NetworkBuilder& net, const Topology& t) {
  ValueId x = net.input({any, 3, 32, 32});
  for (int i = 0; i < 6; ++i) {
    x = net.conv_bn_relu("conv" + std::to_string(i + 1), x, scaled(128 << (i / 2), t));
    if (i % 2 == 1) x = net.max_pool("pool" + std::to_string(i / 2 + 1), x, 2);
  }
  return net.flatten("flatten", x);
}

/// Of the binary-network papers. Source: Courbariaux et al. 2016, with three fully connected layers.
ValueId vgg9(NetworkBuilder& net, const Topology& t) {
  ValueId x = vgg_features(net, t);
  for (const char* name : {"fc1", "fc2"})
    x = net.relu(std::string(name) + "_relu",
                 net.batch_norm(std::string(name) + "_bn", net.fully_connected(name, x, scaled(1024, t))));
  return net.fully_connected("classifier", x, t.classes);
}
/// The same with one classifier. Source: Zhang et al. 2018 (LQ-Nets).
ValueId vgg_small(NetworkBuilder& net, const Topology& t) {
  return net.fully_connected("classifier", vgg_features(net, t), t.classes);
}

/// A depthwise and a pointwise convolution; the activation after each is the network's.
template <class Activated>
ValueId separable(NetworkBuilder& net, const std::string& name, ValueId x, int64_t to, int64_t stride,
                  Activated activated) {
  x = activated(name + "_dw", x, net.channels(x), Window{.stride = stride, .group = net.channels(x)});
  return activated(name + "_pw", x, to, Window{.kernel = 1});
}

/// Output channels and stride of MobileNetV1's 13 separable convolutions. Source: Howard et al. 2017.
constexpr std::array<std::array<int64_t, 2>, 13> mobilenet_v1_layers{{{64, 1},
                                                                      {128, 2},
                                                                      {128, 1},
                                                                      {256, 2},
                                                                      {256, 1},
                                                                      {512, 2},
                                                                      {512, 1},
                                                                      {512, 1},
                                                                      {512, 1},
                                                                      {512, 1},
                                                                      {512, 1},
                                                                      {1024, 2},
                                                                      {1024, 1}}};

template <class Activated>
ValueId mobilenet_v1_of(NetworkBuilder& net, const Topology& t, Activated activated) {
  ValueId x = net.input({any, 3, t.resolution, t.resolution});
  x = activated("conv1", x, scaled(32, t), Window{.stride = 2});
  int number = 0;
  for (const auto& [channels, stride] : mobilenet_v1_layers)
    x = separable(net, "block" + std::to_string(++number), x, scaled(static_cast<double>(channels), t), stride,
                  activated);
  return net.fully_connected("classifier", net.global_mean("mean", x), t.classes);
}

ValueId mobilenet_v1(NetworkBuilder& net, const Topology& t) {
  return mobilenet_v1_of(net, t, [&](const std::string& name, ValueId x, int64_t to, const Window& window) {
    return net.conv_bn_relu6(name, x, to, window);
  });
}
/// The face network of 3DDFA: MobileNetV1 with plain ReLUs and 62 outputs. Source: Guo et al. 2020 (3DDFA_V2).
ValueId mobilenet_3ddfa(NetworkBuilder& net, const Topology& t) {
  return mobilenet_v1_of(net, t, [&](const std::string& name, ValueId x, int64_t to, const Window& window) {
    return net.conv_bn_relu(name, x, to, window);
  });
}

/// Expansion, output channels, blocks and stride of the first. Source: Sandler et al. 2018, table 2.
constexpr std::array<std::array<int64_t, 4>, 7> mobilenet_v2_stages{
    {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};

ValueId mobilenet_v2(NetworkBuilder& net, const Topology& t) {
  ValueId x = net.input({any, 3, t.resolution, t.resolution});
  x = net.conv_bn_relu6("conv1", x, rounded_to_eight(32 * t.width), {.stride = 2});
  int number = 0;
  for (const auto& [expansion, channels, blocks, first] : mobilenet_v2_stages)
    for (int64_t block = 0; block < blocks; ++block) {
      const std::string name = "block" + std::to_string(++number);
      const int64_t from = net.channels(x), inner = from * expansion, stride = block == 0 ? first : 1;
      const int64_t to = rounded_to_eight(static_cast<double>(channels) * t.width);
      ValueId y = expansion == 1 ? x : net.conv_bn_relu6(name + "_expand", x, inner, {.kernel = 1});
      y = net.conv_bn_relu6(name + "_dw", y, inner, {.stride = stride, .group = inner});
      y = net.batch_norm(name + "_project_bn", net.conv(name + "_project", y, to, {.kernel = 1}));
      x = stride == 1 && from == to ? net.add(name + "_add", y, x) : y;
    }
  x = net.conv_bn_relu6("last", x, rounded_to_eight(1280 * std::max(1.0, t.width)), {.kernel = 1});
  return net.fully_connected("classifier", net.global_mean("mean", x), t.classes);
}

/// MLPerf Tiny's keyword spotting: 49 frames of 10 coefficients. Source: Zhang et al. 2017, DS-CNN small.
ValueId ds_cnn(NetworkBuilder& net, const Topology& t) {
  ValueId x = net.input({any, 1, 49, 10});
  graph::Conv op;
  op.strides = {2, 2};
  op.pads = {4, 1, 5, 1};
  x = net.relu("conv1_relu", net.batch_norm("conv1_bn", net.conv("conv1", x, 64, std::move(op), {10, 4}, false)));
  for (int i = 1; i <= 4; ++i)
    x = separable(net, "block" + std::to_string(i), x, 64, 1,
                  [&](const std::string& name, ValueId y, int64_t to, const Window& window) {
                    return net.conv_bn_relu(name, y, to, window);
                  });
  return net.fully_connected("classifier", net.global_mean("mean", x), t.classes);
}

/// MLPerf Tiny's anomaly detection: 640 log-mel features to themselves through 8 numbers.
ValueId autoencoder(NetworkBuilder& net, const Topology&) {
  ValueId x = net.input({any, 640});
  int number = 0;
  for (int64_t to : {128, 128, 128, 128, 8, 128, 128, 128, 128}) {
    const std::string name = "fc" + std::to_string(++number);
    x = net.relu(name + "_relu", net.batch_norm(name + "_bn", net.fully_connected(name, x, to)));
  }
  return net.fully_connected("fc10", x, 640);
}

ValueId excited_backbone(NetworkBuilder& net, const Topology& t, const Activation& activation) {
  ValueId x = conv_bn_act(net, "conv1", net.input({any, 3, t.resolution, t.resolution}), 16, {.stride = 2}, activation);
  int number = 0;
  for (const auto& [to, stride] : std::array<std::array<int64_t, 2>, 5>{{{16, 1}, {24, 2}, {24, 1}, {40, 2}, {40, 1}}})
    x = excited(net, "block" + std::to_string(++number), x, to, stride, activation);
  x = conv_bn_act(net, "last", x, 128, {.kernel = 1, .padding = 0}, activation);
  return net.fully_connected("classifier", net.global_mean("mean", x), t.classes);
}
/// EfficientNet's blocks at a microcontroller's size.
ValueId efficientnet_tiny(NetworkBuilder& net, const Topology& t) {
  return excited_backbone(net, t, silu());
}
/// MobileNetV3's.
ValueId mobilenet_v3_tiny(NetworkBuilder& net, const Topology& t) {
  return excited_backbone(net, t, hard_swish());
}

/// A control network: 17 measurements to actions in -1..1 through fully connected layers. Source: Haarnoja et al. 2018.
ValueId controller(NetworkBuilder& net, const Topology& t) {
  ValueId x = net.input({any, 17});
  for (const char* name : {"fc1", "fc2", "fc3"})
    x = net.function(std::string(name) + "_act", graph::Elu{}, net.fully_connected(name, x, 64));
  return net.function("actions", graph::Tanh{}, net.fully_connected("fc4", x, t.classes));
}

/// A row: resolution 0 and scales false where the network has only its own.
struct Row {
  std::string_view name;
  ValueId (*build)(NetworkBuilder&, const Topology&);
  int64_t classes, resolution;
  bool scales;
};
constexpr std::array<Row, 21> rows{{{"mnist_cnn", mnist_cnn, 10, 0, false},
                                    {"lenet", lenet, 10, 0, false},
                                    {"resnet8", resnet8, 10, 0, true},
                                    {"resnet20", resnet20, 10, 0, true},
                                    {"resnet32", resnet32, 10, 0, true},
                                    {"resnet18", resnet18, 1000, 224, true},
                                    {"vgg9", vgg9, 10, 0, true},
                                    {"vgg_small", vgg_small, 10, 0, true},
                                    {"mobilenet_v1", mobilenet_v1, 1000, 224, true},
                                    {"mobilenet_v2", mobilenet_v2, 1000, 224, true},
                                    {"mobilenet_3ddfa", mobilenet_3ddfa, 62, 120, true},
                                    {"ds_cnn", ds_cnn, 12, 0, false},
                                    {"autoencoder", autoencoder, 0, 0, false},
                                    {"efficientnet_tiny", efficientnet_tiny, 10, 64, false},
                                    {"mobilenet_v3_tiny", mobilenet_v3_tiny, 10, 64, false},
                                    {"detector_silu", detector_silu, 3, 64, false},
                                    {"detector_leaky", detector_leaky, 3, 64, false},
                                    {"face_detector", face_detector, 0, 64, false},
                                    {"text_detector", text_detector, 0, 64, false},
                                    {"depth_network", depth_network, 0, 64, false},
                                    {"controller", controller, 6, 0, false}}};

const Row& row_of(const std::string& name, const std::string& place) {
  std::string known;
  std::vector<std::string_view> names;
  for (const Row& row : rows) {
    if (row.name == name) return row;
    names.push_back(row.name);
    known.append(known.empty() ? "" : ", ").append(row.name);
  }
  fail("lab", place, "no '" + name + "'" + did_you_mean(name, names), known);
}

/// Refuses a key that the topology does not have.
void check_has(const Section& section, std::string_view key, bool has, const Row& row) {
  if (section.has(key) && !has) section.refuse(key, "none: " + std::string(row.name) + " has only its own");
}

}  // namespace

Topology topology_from_json(const Json& json, const std::string& place) {
  const Section section(json, "lab", place, {"topology", "width", "resolution", "classes"});
  const Row& row = row_of(section.text("topology"), section.at("topology"));
  Topology topology{.name = std::string(row.name), .resolution = row.resolution, .classes = row.classes};
  check_has(section, "classes", row.classes > 0, row);
  check_has(section, "resolution", row.resolution > 0, row);
  check_has(section, "width", row.scales, row);
  section.whole("classes", topology.classes, 1, 1 << 16);
  section.whole("resolution", topology.resolution, 1, 1 << 16);
  section.real("width", topology.width, Section::above_zero, 16, "a number above 0, at most 16");
  return topology;
}

graph::Graph build(const Topology& topology, uint64_t seed) {
  const Row& row = row_of(topology.name, "topology");
  Topology whole = topology;
  if (whole.classes == 0) whole.classes = row.classes;
  if (whole.resolution == 0) whole.resolution = row.resolution;
  graph::Graph graph;
  graph.name = topology.name;
  NetworkBuilder net(graph, seed);
  graph.outputs = {row.build(net, whole)};
  graph::tidy(graph);
  graph::verify(graph);
  return graph;
}

std::vector<std::string_view> topology_names() {
  std::vector<std::string_view> names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

}  // namespace nibble::lab
