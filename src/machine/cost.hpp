#pragma once
#include "machine/machine.hpp"
#include "program/program.hpp"

namespace nibble::machine {

/// Cycles of each step, estimated: multiply-accumulates, bytes read and written once each, and a requantisation for each
/// element that it stores, at the machine's cost.
std::vector<double> cycles_of(const program::Program& program, const Machine& machine);

}  // namespace nibble::machine
