#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "machine/machine.hpp"
#include "program/program.hpp"

/// A program as standalone C99. docs/design/codegen.md.
namespace nibble::codegen {

/// One inference whose result is known: bytes as the program's ports hold them, in memory's order.
struct Golden {
  std::vector<std::vector<uint8_t>> inputs, outputs;
};

struct Options {
  std::string prefix = "model";  ///< of every name that the code has outside its files
  std::vector<Golden> goldens;   ///< for test/
  std::string optimise = "-O2";  ///< of the build files
  std::string hot_section;       ///< of the linker, for the constants that are read most often for their size;
  int64_t hot_bytes = 0;         ///< of them together
  /// Bytes of the arena for weights that the caller fetches from elsewhere, a layer or a tile of output channels at a
  /// time; 0: weights are constants.
  int64_t external_room = 0;
  std::map<std::string, std::string> beside;  ///< further files; those in C in the folder itself are built too
  std::string about_beside;                   ///< a paragraph of README.md on them
};

/// Names of inputs and outputs in C.
struct PortNames {
  std::vector<std::string> inputs, outputs;
};
PortNames port_names(const program::Program& program);

/// What the code takes, in bytes.
struct Footprint {
  int64_t constants = 0;
  int64_t arena = 0;     ///< activations and scratch
  int64_t scratch = 0;   ///< of that
  int64_t external = 0;  ///< weights that are fetched
  int64_t room_at = 0;   ///< where, in the arena
};
Footprint footprint(const program::Program& program, const Options& options = {});

/// Bytes of code, estimated: the kernels that the steps call, their parameters and the calls. Throws UserError as
/// kernels_for.
int64_t code_bytes(const program::Program& program, const machine::Machine& machine);

/// Text of each file below the folder, by its path. The same program gives the same text. Throws UserError where the
/// prefix is no C identifier, or the machine has no kernel for a step.
std::map<std::string, std::string> generate(const program::Program& program, const machine::Machine& machine,
                                            const Options& options);

/// How the kernel that computes a step on the machine goes through memory, by kind and parameters. Of one that does not
/// say: nothing may overlap.
std::function<nibble_order(int kind, const void* parameters)> orders_of(const machine::Machine& machine);

/// Which kernel of which set computes each step on the machine.
struct Choice {
  std::string set, function;
};
std::vector<Choice> kernels_for(const program::Program& program, const machine::Machine& machine);

}  // namespace nibble::codegen
