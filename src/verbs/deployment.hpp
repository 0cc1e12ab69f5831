#pragma once
#include <optional>
#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "graph/graph.hpp"
#include "lower/lower.hpp"
#include "machine/machine.hpp"

/// What a network takes on a machine, before any code is written.
namespace nibble::verbs {

/// A memory that is too small.
struct Excess {
  std::string memory;  ///< flash, or RAM
  std::string needs;   ///< what it would hold, with its bytes
  int64_t needed = 0, there = 0;
  std::string advice;  ///< which layers' bits to cut
};

/// What may make the arena smaller: lower::Options'.
struct ArenaOptions {
  int strips = 0;
  lower::PackActivations pack = lower::PackActivations::Needed;
  bool inputs_outside = false, outputs_outside = false;
};

struct Deployment {
  machine::Machine machine;
  ArenaOptions arena;
  program::Program program;
  codegen::Footprint bytes;
  int64_t code = 0;   ///< estimated
  int64_t flash = 0;  ///< constants, and code where it lies in the same memories
  std::vector<codegen::Choice> kernels;
  std::vector<double> cycles;  ///< estimated, of each step
  std::vector<Excess> excess;
};

/// How generated code computes: integers alone, weights in as few bits as they have levels, results over what they are made
/// of where the machine's kernels allow.
lower::Options lowering_for(const machine::Machine& machine, const codegen::Options& options,
                            const ArenaOptions& arena);

/// Lowers an integer network so. Throws UserError where the machine's kernel sets lack a step.
Deployment deploy(const graph::Graph& graph, const machine::Machine& machine, const codegen::Options& options = {},
                  const ArenaOptions& arena = {});

/// Throws UserError where a memory is too small, naming each, by how much and what to do.
void require_fit(const Deployment& deployment);

}  // namespace nibble::verbs
