#pragma once
#include "graph/graph.hpp"
#include "program/program.hpp"

/// An ID graph to a program. docs/design/lower.md.
namespace nibble::lower {

/// The sign of 8-bit activations that a machine's products want (hold.hpp).
enum class Bytes : uint8_t { AsTheyAre, Unsigned, Signed };

struct Options {
  /// Weights packed for the fast kernels, and stages in floats where certified. Without it every step is as the network
  /// says it: for tests, and machines without a floating-point unit.
  bool fast = true;
  /// Several nodes in one step: convolution, requantisation, residual sum.
  bool fuse = true;
#if defined(__aarch64__)
  Bytes bytes = Bytes::Signed;
#else
  Bytes bytes = Bytes::Unsigned;
#endif
};

/// The program of one batch of 1 where the network leaves the batch open. Its integers are those of graph::evaluate.
/// Throws UserError "lower: node '<name>' (<op>): ..." where no step computes what a node says.
program::Program lower(const graph::Graph& graph, const Options& options = {});

}  // namespace nibble::lower
