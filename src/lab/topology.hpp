#pragma once
#include <string>
#include <vector>

#include "base/json.hpp"
#include "graph/graph.hpp"

namespace nibble::lab {

/// A built-in float network and its dimensions. What is 0 is the topology's own.
struct Topology {
  std::string name;
  double width = 1;        ///< factor of the channels: of the MobileNets and VGGs
  int64_t resolution = 0;  ///< height and width of the input: of the MobileNets and of ResNet-18
  int64_t classes = 0;     ///< outputs: of all but the autoencoder
};

/// Keys topology, width, resolution, classes. Throws UserError "lab: <place>: ..." on what the topology does not have.
Topology topology_from_json(const Json& json, const std::string& place);

/// Its graph, at stage FP, weights drawn from `seed`.
graph::Graph build(const Topology& topology, uint64_t seed);

/// The names there are, in the reference's order.
std::vector<std::string_view> topology_names();

}  // namespace nibble::lab
