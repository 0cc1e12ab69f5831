#pragma once
#include <string>

#include "lab/network_builder.hpp"

/// Blocks that several topologies are built of.
namespace nibble::lab {

/// An activation by its name's end: "<name>_act".
struct Activation {
  graph::Op inner;  ///< of features
  graph::Op gate;   ///< of squeeze-and-excitation
};
Activation silu();
Activation hard_swish();

/// "<name>", "<name>_bn", "<name>_act".
graph::ValueId conv_bn_act(NetworkBuilder& net, const std::string& name, graph::ValueId x, int64_t to,
                           const NetworkBuilder::Window& window, const Activation& activation);

/// Channels weighed by what the whole image says of them. Source: Hu et al. 2018.
graph::ValueId squeeze_and_excite(NetworkBuilder& net, const std::string& name, graph::ValueId x,
                                  const Activation& activation);

/// MobileNetV2's block with squeeze-and-excitation. Sources: Tan and Le 2019 (SiLU), Howard et al. 2019 (hard-swish).
graph::ValueId excited(NetworkBuilder& net, const std::string& name, graph::ValueId x, int64_t to, int64_t stride,
                       const Activation& activation);

}  // namespace nibble::lab
