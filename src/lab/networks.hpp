#pragma once
#include "lab/network_builder.hpp"
#include "lab/topology.hpp"

/// Topologies that have a file of their own (detectors.cpp, dense_networks.cpp).
namespace nibble::lab {

/// Two sizes of cells, [N, 5 + classes, cells]: boxes in pixels, a score and classes in 0..1.
graph::ValueId detector_silu(NetworkBuilder& net, const Topology& topology);
graph::ValueId detector_leaky(NetworkBuilder& net, const Topology& topology);
/// Two sizes of cells, [N, 15, cells]: boxes and five landmarks in pixels, and a score in 0..1.
graph::ValueId face_detector(NetworkBuilder& net, const Topology& topology);

/// Where text is, in 0..1 for each pixel: [N, 1, height, width].
graph::ValueId text_detector(NetworkBuilder& net, const Topology& topology);
/// One over the distance, in 0..1 for each pixel: [N, 1, height, width].
graph::ValueId depth_network(NetworkBuilder& net, const Topology& topology);

}  // namespace nibble::lab
