#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.hpp"

/// What a target can do, as data: machines/*.json, and whatever file a user adds. docs/design/codegen.md.
namespace nibble::machine {

struct Memory {
  std::string name;
  int64_t bytes = 0;
  std::vector<std::string> holds;  ///< of code, constants, activations, stack
  double bytes_per_cycle = 4;

  bool may_hold(std::string_view what) const;
};

/// Cycles, for estimates: never for a choice that could change an integer.
struct Cost {
  double multiply_accumulate = 1, byte_moved = 1, requantisation = 10;
};

struct Machine {
  std::string name, description;
  std::string instruction_set;
  std::vector<std::string> kernels;  ///< kernel sets, the fastest first
  std::string activations;           ///< "signed" or "unsigned": the 8-bit ones that its products want; "": either
  std::vector<Memory> memories;      ///< empty: of no size
  int alignment = 8;                 ///< of the arena, bytes
  std::string compiler, flags;       ///< what `validate` builds with
  Cost cost;
  double clock_hz = 0;  ///< 0: not known

  /// Bytes of all memories that may hold that; -1 where the machine has no size.
  int64_t bytes_for(std::string_view what) const;
  /// Bytes of the largest of them: what stands in one piece. -1 likewise.
  int64_t largest_for(std::string_view what) const;
};

/// Throws UserError "machine: <place>: ..." naming the key.
Machine machine_from_json(const Json& json, const std::string& place);

/// The machines that come with Nibble and those of the folder $NIBBLE_MACHINES, by name.
std::vector<Machine> machines();

/// By name, or read from a file whose name ends in .json. Throws UserError with the nearest name.
Machine machine_named(const std::string& name);

}  // namespace nibble::machine
