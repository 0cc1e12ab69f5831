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
};

/// What the code takes, in bytes.
struct Footprint {
  int64_t constants = 0;
  int64_t arena = 0;    ///< activations and scratch
  int64_t scratch = 0;  ///< of that
};
Footprint footprint(const program::Program& program);

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
