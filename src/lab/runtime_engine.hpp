#pragma once
#include <memory>
#include <string>

#include "graph/evaluate/evaluate.hpp"

namespace nibble::lab {

struct RuntimeOptions {
  int threads = 1;
  std::string kernels;  ///< a kernel set's name; empty: NIBBLE_KERNELS, else the fastest
  bool fast = true;     ///< lower::Options
  bool fuse = true;
};

/// An ID graph lowered and run as a program, example after example. An observer sees what the program keeps: not the
/// accumulators of steps that requantise. Throws UserError where the graph cannot be lowered, or a step finds a fault.
std::unique_ptr<graph::Engine> runtime_engine(const graph::Graph& graph, const RuntimeOptions& options = {});

}  // namespace nibble::lab
