#include <benchmark/benchmark.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/random.hpp"
#include "quant/requantisation.hpp"

/// Claim: a channel with 8-bit outputs (255 thresholds) is solved in under 50 us.
namespace {

using namespace nibble;
using namespace nibble::quant;

struct Channel {
  RealStep step;
  Interval accumulator;
};

/// kappa near 2^-k, an interval that reaches every level.
std::vector<Channel> channels(int k, Rounding rounding, int bits = 8) {
  Random random(static_cast<uint64_t>(k));
  std::vector<Channel> result;
  for (int i = 0; i < 256; ++i) {
    const double kappa = std::ldexp(1 + random.uniform(), -k - 1);
    const int64_t reach = int64_t{1} << (k + bits + 2), last = (int64_t{1} << bits) - 1;
    result.push_back({{.kappa = kappa, .lambda = 64 * random.uniform(), .rounding = rounding, .levels = {0, last}},
                      {-reach, reach}});
  }
  return result;
}

void solve(benchmark::State& state, Widths widths, int output_bits = 8) {
  const auto problems = channels(static_cast<int>(state.range(0)), static_cast<Rounding>(state.range(1)), output_bits);
  size_t i = 0;
  int64_t inexact = 0, unproven = 0, solved = 0;
  int shift = 0, bits = 0;
  for (auto _ : state) {
    const Channel& channel = problems[i++ % problems.size()];
    const Requantisation found = solve_requantisation(channel.step, channel.accumulator, widths);
    inexact += found.differing != 0;
    unproven += !found.fewest;
    ++solved;
    shift = std::max(shift, found.shift);
    bits = std::max(bits, 1 + static_cast<int>(std::bit_width(static_cast<uint64_t>(found.multiplier))));
    benchmark::DoNotOptimize(found);
  }
  state.counters["inexact"] = static_cast<double>(inexact) / static_cast<double>(solved);
  state.counters["unproven"] = static_cast<double>(unproven) / static_cast<double>(solved);
  state.counters["largest_shift"] = shift;
  state.counters["multiplier_bits"] = bits;
}

void solve_wide(benchmark::State& state) {
  solve(state, {});
}
void solve_narrow(benchmark::State& state) {
  solve(state, {.multiplier = 8, .shift = 31, .product = 32});
}

void solve_half(benchmark::State& state) {
  solve(state, {.multiplier = 16, .shift = 31, .product = 32});
}
void solve_wide_output(benchmark::State& state) {
  solve(state, {}, 16);
}

void certify_one(benchmark::State& state) {
  const auto problems = channels(static_cast<int>(state.range(0)), Rounding::HalfUp);
  size_t i = 0;
  for (auto _ : state) {
    const Channel& channel = problems[i++ % problems.size()];
    benchmark::DoNotOptimize(nemo_requantisation(channel.step, channel.accumulator));
  }
}

// Arguments: k, rounding (0 floor, 1 half up, 2 half even).
BENCHMARK(solve_wide)->ArgsProduct({{3, 7, 11, 15}, {0, 1, 2}})->Unit(benchmark::kMicrosecond);
BENCHMARK(solve_narrow)->ArgsProduct({{3, 7, 11}, {1}})->Unit(benchmark::kMicrosecond);
BENCHMARK(solve_half)->ArgsProduct({{3, 7, 11}, {1}})->Unit(benchmark::kMicrosecond);
BENCHMARK(solve_wide_output)->ArgsProduct({{3, 7, 11}, {1}})->Unit(benchmark::kMicrosecond);
BENCHMARK(certify_one)->Arg(7)->Unit(benchmark::kMicrosecond);

}  // namespace
