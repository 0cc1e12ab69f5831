#include "lab/networks.hpp"
#include "lab/networks/blocks.hpp"

namespace nibble::lab {

using graph::ValueId;
using Window = NetworkBuilder::Window;

/// MobileNetV3's blocks, a pyramid whose floors are added downwards, then joined at one size. Source: Liao et al. 2020
/// (DBNet).
ValueId text_detector(NetworkBuilder& net, const Topology& t) {
  const Window point{.kernel = 1, .padding = 0};
  const Activation activation = hard_swish();
  ValueId x = conv_bn_act(net, "conv1", net.input({any, 3, t.resolution, t.resolution}), 16, {.stride = 2}, activation);
  const ValueId c2 = excited(net, "block2", excited(net, "block1", x, 16, 2, activation), 16, 1, activation);
  const ValueId c3 = excited(net, "block4", excited(net, "block3", c2, 24, 2, activation), 24, 1, activation);
  const ValueId c4 = excited(net, "block6", excited(net, "block5", c3, 40, 2, activation), 40, 1, activation);
  const ValueId p4 = net.conv("lateral4", c4, 24, point);
  const ValueId p3 = net.add("pyramid3", net.conv("lateral3", c3, 24, point), net.twice_as_large("up4", p4));
  const ValueId p2 = net.add("pyramid2", net.conv("lateral2", c2, 24, point), net.twice_as_large("up3", p3));
  const ValueId f4 = net.twice_as_large("again4", net.twice_as_large("larger4", net.conv("smooth4", p4, 8)));
  const ValueId f3 = net.twice_as_large("larger3", net.conv("smooth3", p3, 8));
  x = net.conv_bn_relu("fused", net.concat("floors", {f4, f3, net.conv("smooth2", p2, 8)}), 16);
  x = net.conv_bn_relu("half", net.twice_as_large("half_up", x), 8);
  x = net.conv("map", net.twice_as_large("map_up", x), 1, Window{.bias = true});
  return net.function("text", graph::Sigmoid{}, x);
}

/// Residual blocks downwards, upwards ELUs with what has the same size joined. Source: Godard et al. 2019 (Monodepth2).
ValueId depth_network(NetworkBuilder& net, const Topology& t) {
  const auto down = [&](const std::string& name, ValueId x, int64_t to) {
    ValueId y = net.conv_bn_relu(name + "_conv1", x, to, {.stride = 2});
    y = net.batch_norm(name + "_conv2_bn", net.conv(name + "_conv2", y, to));
    x = net.batch_norm(name + "_shortcut_bn",
                       net.conv(name + "_shortcut", x, to, {.kernel = 1, .stride = 2, .padding = 0}));
    return net.relu(name + "_relu", net.add(name + "_add", y, x));
  };
  const auto up = [&](const std::string& name, ValueId x, ValueId skip, int64_t to) {
    const auto activated = [&](const std::string& part, ValueId from) {
      return net.function(name + part + "_act", graph::Elu{}, net.conv(name + part, from, to, Window{.bias = true}));
    };
    x = net.twice_as_large(name + "_larger", activated("_conv1", x));
    return activated("_conv2", net.concat(name + "_concat", {x, skip}));
  };
  const ValueId first =
      net.conv_bn_relu("conv1", net.input({any, 3, t.resolution, t.resolution}), 16, {.kernel = 7, .stride = 2});
  const ValueId second = down("stage1", first, 24), third = down("stage2", second, 32);
  ValueId x = up("up3", down("stage3", third, 48), third, 32);
  x = up("up1", up("up2", x, second, 24), first, 16);
  x = net.conv("map", net.twice_as_large("map_up", x), 1, Window{.bias = true});
  return net.function("disparity", graph::Sigmoid{}, x);
}

}  // namespace nibble::lab
