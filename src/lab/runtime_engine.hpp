#pragma once
#include <memory>
#include <string>

#include "graph/evaluate/evaluate.hpp"

namespace nibble::lab {

struct RuntimeOptions {
  int threads = 1;
  std::string kernels;  ///< a kernel set's name; empty: NIBBLE_KERNELS, else the fastest
  bool fast = true;     ///< packed weights and floats where certified; else every step as the network says it
  bool fuse = true;     ///< several nodes in one step
};

/// An ID graph lowered and run as a program, example after example. For an observer it is run a second time node by node,
/// and the outputs compared. Throws UserError where the graph cannot be lowered, or a step finds a fault.
std::unique_ptr<graph::Engine> runtime_engine(const graph::Graph& graph, const RuntimeOptions& options = {});

}  // namespace nibble::lab
