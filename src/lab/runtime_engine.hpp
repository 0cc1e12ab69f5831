#pragma once
#include <memory>

#include "graph/evaluate/evaluate.hpp"
#include "lab/loaded_program.hpp"

namespace nibble::lab {

/// An ID graph lowered and run as a program, example after example. For an observer it is run a second time node by node,
/// and the outputs compared. Throws UserError where the graph cannot be lowered, or a step finds a fault.
std::unique_ptr<graph::Engine> runtime_engine(const graph::Graph& graph, const RuntimeOptions& options = {});

/// A program that is loaded already; `network` is network_of it and outlives the engine. An observer is told of what the
/// steps keep: what stands within a step, it does not see.
std::unique_ptr<graph::Engine> program_engine(const graph::Graph& network, LoadedProgram program);

}  // namespace nibble::lab
