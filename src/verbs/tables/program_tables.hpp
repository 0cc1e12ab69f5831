#pragma once
#include <string>

#include "base/json.hpp"
#include "program/program.hpp"
#include "runtime/nibble.h"

/// What people read of a program: `compile` and `show`.
namespace nibble::verbs {

/// Inputs and outputs: name, type, shape, what the integers stand for.
std::string describe_ports(const program::Program& program);
Json ports_json(const std::vector<program::Port>& ports);

/// One line a step: what it computes, the kernel that this CPU runs it with, how sums become levels, multiply-accumulates.
std::string describe_steps(const program::Program& program, const nibble_program* loaded);
/// Which steps the back ends that were asked did not take, and why; empty where none was asked.
std::string describe_backends(const nibble_program* loaded, const std::vector<std::string>& asked);
Json steps_json(const program::Program& program, const nibble_program* loaded);

/// The arena: its pieces in order of address, who stands there and from which step to which.
std::string describe_memory(const program::Program& program);
Json memory_json(const program::Program& program);

/// "arena 4096 bytes (1.00 of what no plan can go below), ...".
std::string describe_sizes(const program::Program& program);
Json sizes_json(const program::Program& program);

}  // namespace nibble::verbs
