#pragma once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

/// A peer's program stands ready while others are measured: it says "ready NAME" once it has run three times, then
/// answers each line "SECONDS" by running for so long and saying "MEDIAN P5 P95 RUNS", in milliseconds a run.
template <class Run>
void serve(const std::string& name, Run&& run) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < 3; ++i) run();
  std::printf("ready %s\n", name.c_str());
  std::fflush(stdout);
  double seconds = 0;
  std::vector<double> times;
  times.reserve(1 << 20);
  while (std::cin >> seconds) {
    times.clear();
    run();  // what others left in the caches is not this peer's
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (auto start = Clock::now(); start < end || times.size() < 3;) {
      run();
      const auto stop = Clock::now();
      times.push_back(std::chrono::duration<double, std::milli>(stop - start).count());
      start = stop;
    }
    std::ranges::sort(times);
    const auto at = [&](double share) {
      return times[static_cast<size_t>(share * static_cast<double>(times.size() - 1))];
    };
    std::printf("%.6f %.6f %.6f %zu\n", at(0.5), at(0.05), at(0.95), times.size());
    std::fflush(stdout);
  }
}

/// Runs a peer's program; what it throws is one line on stderr and exit code 2.
template <class Main>
int reported(const char* name, Main&& main) {
  try {
    main();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 2;
  }
}
