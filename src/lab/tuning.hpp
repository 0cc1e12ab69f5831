#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "program/program.hpp"

namespace nibble::lab {

struct TuneOptions {
  int threads = 1;
  int64_t rounds = 50;                  ///< how often everyone runs
  uint64_t seed = 0;                    ///< of the inputs, and of whose turn it is
  std::vector<std::string> backends{};  ///< beside this CPU's kernel sets; auto: every library that there is
};

/// Who could run a step, and how long each takes here.
struct TunedStep {
  std::vector<double> seconds;  ///< of each runner, the median; negative: it does not take the step
  size_t chosen = 0;
  std::vector<std::string> refused;  ///< runners that gave other integers
};

struct Tuning {
  std::vector<program::Runner> runners;  ///< as fast as they are thought to be: kernel sets, then back ends
  std::vector<TunedStep> steps;
  std::vector<std::string> passed_over;  ///< of auto, what is no back end, and why
  program::Choices choices;
  double before = 0, after = 0;  ///< median seconds of an inference, without choices and with them
};

/// Measures a program's steps by every kernel set that this CPU runs and by back ends, in turns whose order is drawn anew
/// each round, on drawn integers. Chooses for each step the fastest of those whose every value is the reference's; another
/// than the first only where it is faster by more than what measuring twice differs by (3 %). Choices that the program
/// has are passed over. Throws UserError where a back end that is named is not to be had, or where the drawn integers meet a division by
/// 0 or leave a table.
Tuning tune(const program::Program& program, const TuneOptions& options);

}  // namespace nibble::lab
