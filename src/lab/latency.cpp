#include "lab/latency.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "runtime/peak.h"

namespace nibble::lab {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A program's inputs and outputs, in its own types.
class Buffers {
 public:
  Buffers(const LoadedProgram& program, Random random) : program_(program), inputs_(drawn_inputs(program, random)) {
    for (size_t i = 0; i < nibble_outputs(program.program()); ++i) {
      nibble_port port;
      ensure(nibble_output(program.program(), i, &port) == NIBBLE_OK, "an output has a port");
      outputs_.emplace_back(port.bytes);
    }
  }

  void set() const { set_inputs(program_, inputs_); }
  void read() {
    for (size_t i = 0; i < outputs_.size(); ++i)
      ensure(nibble_get(program_.context(), i, outputs_[i].data()) == NIBBLE_OK, "an output can be read");
  }

 private:
  const LoadedProgram& program_;
  std::vector<std::vector<std::byte>> inputs_, outputs_;
};

void run_once(const LoadedProgram& program) {
  const nibble_status status = nibble_run(program.context());
  if (status == NIBBLE_FAULT)
    fail("runtime", std::string("program '") + nibble_program_name(program.program()) + "'",
         "a division by 0, or a value beyond a table, on drawn integers", "integers that every step takes");
  if (status == NIBBLE_NO_MEMORY) throw std::bad_alloc();
  ensure(status == NIBBLE_OK, "a checked program runs");
}

/// Calls f `runs` times, or for a second, and at most for `most` seconds.
template <class F>
int64_t repeat(int64_t runs, double most, F&& f) {
  const auto start = Clock::now();
  const int64_t least = runs > 0 ? 1 : 10, limit = runs > 0 ? runs : 100000;
  int64_t done = 0;
  do {
    f();
    ++done;
  } while (done < limit && (done < least || seconds_since(start) < most));
  return done;
}

std::vector<double> step_medians(const LoadedProgram& program, const Buffers& buffers, const Measurement& how) {
  std::vector<double> seconds(nibble_steps(program.program()));
  std::vector<std::vector<double>> all(seconds.size());
  nibble_time(program.context(), seconds.data());
  repeat(how.runs, how.seconds, [&] {
    buffers.set();
    run_once(program);
    for (size_t i = 0; i < seconds.size(); ++i) all[i].push_back(seconds[i]);
  });
  nibble_time(program.context(), nullptr);
  for (size_t i = 0; i < seconds.size(); ++i) seconds[i] = spread_of(std::move(all[i])).median;
  return seconds;
}

}  // namespace

Spread spread_of(std::vector<double> seconds) {
  ensure(!seconds.empty(), "a spread is of numbers");
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double share) {
    return seconds[static_cast<size_t>(std::lround(share * static_cast<double>(seconds.size() - 1)))];
  };
  return {at(0.5), at(0.05), at(0.95)};
}

Latency measure(const LoadedProgram& program, const Measurement& how) {
  Buffers buffers(program, Random(how.seed));
  repeat(0, how.seconds / 10, [&] {
    buffers.set();
    run_once(program);
  });
  Latency latency;
  std::vector<double> running, moving;
  latency.runs = repeat(how.runs, how.runs > 0 ? INFINITY : how.seconds, [&] {
    const auto start = Clock::now();
    buffers.set();
    const auto set = Clock::now();
    run_once(program);
    const auto ran = Clock::now();
    buffers.read();
    running.push_back(std::chrono::duration<double>(ran - set).count());
    moving.push_back(std::chrono::duration<double>(set - start).count() + seconds_since(ran));
  });
  latency.run = spread_of(std::move(running));
  latency.transfer = spread_of(std::move(moving));
  if (how.layers) latency.layers = step_medians(program, buffers, how);
  return latency;
}

Peak peak_of(const std::string& kernels, int threads) {
  return {nibble_peak_operations(kernels.c_str(), threads), nibble_peak_bandwidth(threads)};
}

}  // namespace nibble::lab
