#include "lab/networks/blocks.hpp"

#include <algorithm>

namespace nibble::lab {

using graph::ValueId;
using Window = NetworkBuilder::Window;

Activation silu() {
  return {graph::Swish{}, graph::Sigmoid{}};
}
Activation hard_swish() {
  return {graph::HardSwish{}, graph::HardSigmoid{1.0 / 6, 0.5}};
}

ValueId conv_bn_act(NetworkBuilder& net, const std::string& name, ValueId x, int64_t to, const Window& window,
                    const Activation& activation) {
  return net.function(name + "_act", activation.inner, net.batch_norm(name + "_bn", net.conv(name, x, to, window)));
}

ValueId squeeze_and_excite(NetworkBuilder& net, const std::string& name, ValueId x, const Activation& activation) {
  const int64_t channels = net.channels(x);
  ValueId gate = net.mean_of_image(name + "_mean", x);
  gate = net.relu(name + "_relu", net.conv(name + "_reduce", gate, std::max<int64_t>(4, channels / 4),
                                           {.kernel = 1, .padding = 0, .bias = true}));
  gate = net.conv(name + "_expand", gate, channels, {.kernel = 1, .padding = 0, .bias = true});
  return net.multiply(name, x, net.function(name + "_gate", activation.gate, gate));
}

ValueId excited(NetworkBuilder& net, const std::string& name, ValueId x, int64_t to, int64_t stride,
                const Activation& activation) {
  const int64_t inner = 4 * net.channels(x);
  ValueId y = conv_bn_act(net, name + "_expand", x, inner, {.kernel = 1, .padding = 0}, activation);
  y = conv_bn_act(net, name + "_dw", y, inner, {.stride = stride, .group = inner}, activation);
  y = squeeze_and_excite(net, name + "_se", y, activation);
  y = net.batch_norm(name + "_project_bn", net.conv(name + "_project", y, to, {.kernel = 1, .padding = 0}));
  return stride == 1 && net.channels(x) == to ? net.add(name + "_add", y, x) : y;
}

}  // namespace nibble::lab
