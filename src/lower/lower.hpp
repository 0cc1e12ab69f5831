#pragma once
#include "graph/graph.hpp"
#include "program/program.hpp"

/// An ID graph to a program. docs/design/lower.md.
namespace nibble::lower {

struct Options {
  /// Weights packed for the fast kernels, and stages in floats where certified. Without it every step is as the network
  /// says it: for tests, and machines without a floating-point unit.
  bool fast = true;
  /// Several nodes in one step: convolution, requantisation, residual sum.
  bool fuse = true;
};

/// The program of one batch of 1 where the network leaves the batch open. Its integers are those of graph::evaluate.
/// Throws UserError "lower: node '<name>' (<op>): ..." where no step computes what a node says.
program::Program lower(const graph::Graph& graph, const Options& options = {});

}  // namespace nibble::lower
