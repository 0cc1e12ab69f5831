#pragma once
#include <functional>

#include "graph/graph.hpp"
#include "kernels/kernels.h"
#include "program/program.hpp"

/// An ID graph to a program. docs/design/lower.md.
namespace nibble::lower {

/// The sign of 8-bit activations that a machine's products want (hold.hpp).
enum class Bytes : uint8_t { AsTheyAre, Unsigned, Signed };

/// Whether activations of at most 4 bits are packed (arena/packing.hpp).
enum class PackActivations : uint8_t {
  Never,
  Needed,  ///< the fewest that bring the arena within `Options::room`, where it exceeds that without
  Always   ///< all that may be
};

enum class Weights : uint8_t { Plain, Blocked, Folded };

struct Options {
  /// Stages in floats where certified.
  bool floats = true;
  /// How weights of 8-bit convolutions lie (nibble_weights): in blocks for vectors, folded for small machines, plain as the
  /// network says them.
  Weights weights = Weights::Blocked;
  /// Weights of at most 4 bits are packed.
  bool pack = true;
  /// Several nodes in one step: convolution, requantisation, residual sum.
  bool fuse = true;
#if defined(__aarch64__)
  Bytes bytes = Bytes::Signed;
#else
  Bytes bytes = Bytes::Unsigned;
#endif
  /// How the kernel that will run a step goes through memory, asked of the kind and its parameters. Where it is given one
  /// thread runs the program: a result may lie over what it is made of, and each step's scratch stands in the arena.
  std::function<nibble_order(int kind, const void* parameters)> order = nullptr;
  int64_t alignment = 64;  ///< of buffers in the arena
  /// With `order`: into how many strips of rows a run of convolutions and pools is cut, so that what is between them is
  /// never whole. 0: where that takes less memory, and at most a twentieth more multiply-accumulates; 1: nowhere.
  int strips = 0;
  PackActivations pack_activations = PackActivations::Never;
  int64_t room = INT64_MAX;  ///< bytes of the arena that there is memory for
  /// Inputs, and outputs that are whole buffers, are the caller's: they stand behind the arena, at offsets that tell them
  /// apart.
  bool inputs_outside = false, outputs_outside = false;
};

/// The program of one batch of 1 where the network leaves the batch open. Its integers are those of graph::evaluate.
/// Throws UserError "lower: node '<name>' (<op>): ..." where no step computes what a node says.
program::Program lower(const graph::Graph& graph, const Options& options = {});

}  // namespace nibble::lower
