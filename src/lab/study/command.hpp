#pragma once
#include <string>
#include <vector>

namespace nibble::lab {

struct CommandResult {
  int status = 0;       ///< what it ended with; 128 + the signal that killed it
  std::string output;   ///< stdout
  std::string message;  ///< stderr
};

/// Runs a program found in PATH to its end, without a shell. Throws UserError "lab: <program>: ..." where it cannot be
/// started.
CommandResult run_command(const std::vector<std::string>& words);

}  // namespace nibble::lab
