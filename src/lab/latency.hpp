#pragma once
#include <cstdint>
#include <vector>

#include "lab/loaded_program.hpp"

/// How long a program takes, here and now.
namespace nibble::lab {

/// Seconds, from many runs.
struct Spread {
  double median = 0, low = 0, high = 0;  ///< 50, 5 and 95 % of the runs take at most that
};
/// Of at least one number.
Spread spread_of(std::vector<double> seconds);

struct Latency {
  Spread run;                  ///< of nibble_run alone
  Spread transfer;             ///< of setting the inputs and reading the outputs
  int64_t runs = 0;            ///< that were measured
  std::vector<double> layers;  ///< median seconds of each step, where asked for
};

/// What is measured.
struct Measurement {
  int64_t runs = 0;     ///< below 1: as many as `seconds` hold, 10 to 100000
  double seconds = 1;   ///< of which a tenth warms up before
  uint64_t seed = 0;    ///< of the integers that are drawn
  bool layers = false;  ///< each step too, in as many runs more
};

/// Runs a program on drawn integers. Throws UserError where a step finds a fault.
Latency measure(const LoadedProgram& program, const Measurement& how);

/// What this CPU can do at most (runtime/peak.h).
struct Peak {
  double operations = 0;  ///< multiply-accumulates a second with the instructions of a set; 0: not known
  double bandwidth = 0;   ///< bytes a second from memory
};
Peak peak_of(const std::string& kernels, int threads);

}  // namespace nibble::lab
