#include "lab/tuning.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.hpp"
#include "base/random.hpp"
#include "lab/loaded_program.hpp"

namespace nibble::lab {
namespace {

constexpr double worth_a_change = 0.97;
constexpr int equality_runs = 3;

using Bytes = std::vector<std::byte>;

void run(const LoadedProgram& program, const std::vector<Bytes>& inputs) {
  set_inputs(program, inputs);
  const nibble_status status = nibble_run(program.context());
  if (status == NIBBLE_NO_MEMORY) throw std::bad_alloc();
  if (status != NIBBLE_OK)
    fail("runtime", std::string("program '") + nibble_program_name(program.program()) + "'",
         "a division by 0, or a value beyond a table, on drawn integers", "integers that every step takes");
}

/// What each step completed: its values' bytes, one after another.
using Seen = std::vector<Bytes>;

void keep(void* user, const nibble_seen* what) {
  Bytes& bytes = (*static_cast<Seen*>(user))[what->step];
  const size_t before = bytes.size();
  bytes.resize(before + what->port.bytes);
  if (what->port.bytes > 0) nibble_copy_seen(what, bytes.data() + before);
}

Seen seen_of(const LoadedProgram& program, const std::vector<Bytes>& inputs) {
  Seen seen(nibble_steps(program.program()));
  nibble_observe(program.context(), keep, &seen);
  run(program, inputs);
  nibble_observe(program.context(), nullptr, nullptr);
  return seen;
}

RuntimeOptions options_of(int threads, const std::string& kernels, const std::vector<std::string>& backends) {
  RuntimeOptions options;
  options.threads = threads;
  options.kernels = kernels;
  options.backends = backends;
  return options;
}

/// A runner with the program: its own kernels where it has them.
struct Candidate {
  program::Runner runner;
  LoadedProgram program;
  std::vector<bool> takes{};
};

bool runs_step(const Candidate& candidate, size_t step) {
  nibble_step_info info;
  ensure(nibble_step(candidate.program.program(), step, &info) == NIBBLE_OK, "a step says who runs it");
  // A back end is known by its file's name; what it did not take, it gave a reason for.
  if (candidate.runner.backend) return *info.why == 0;
  return info.set == candidate.runner.name;
}

/// Every library that there is, by its name; of those that cannot be used only the reason is kept.
void add_whatever_is_there(const std::vector<uint8_t>& bytes, const TuneOptions& options, std::vector<Candidate>& all,
                           std::vector<std::string>& passed_over) {
  char name[32];
  for (size_t i = 0; nibble_backend_name(i, name, sizeof name) != 0; ++i) {
    try {
      all.push_back({{name, true}, LoadedProgram(bytes, options_of(options.threads, "", {name}))});
    } catch (const UserError& error) {
      passed_over.emplace_back(error.what());
    }
  }
}

std::vector<Candidate> candidates_of(const std::vector<uint8_t>& bytes, const TuneOptions& options,
                                     std::vector<std::string>& passed_over) {
  std::vector<Candidate> all;
  for (size_t i = 0; const char* name = nibble_kernel_set_name(i); ++i)
    all.push_back({{name, false}, LoadedProgram(bytes, options_of(options.threads, name, {}))});
  for (const std::string& name : options.backends) {
    if (name == "auto")
      add_whatever_is_there(bytes, options, all, passed_over);
    else
      all.push_back({{name, true}, LoadedProgram(bytes, options_of(options.threads, "", {name}))});
  }
  for (Candidate& candidate : all)
    for (size_t i = 0; i < nibble_steps(candidate.program.program()); ++i)
      candidate.takes.push_back(runs_step(candidate, i));
  return all;
}

/// The definition's kernels take every step: they run only those that no other takes.
void leave_to_others(std::vector<Candidate>& candidates) {
  for (Candidate& candidate : candidates) {
    if (candidate.runner != program::Runner{"reference", false}) continue;
    for (size_t i = 0; i < candidate.takes.size(); ++i)
      candidate.takes[i] = std::none_of(candidates.begin(), candidates.end(), [&](const Candidate& other) {
        return &other != &candidate && !other.runner.backend && other.takes[i];
      });
  }
}

/// Who gives other integers than the reference loses the step, and those behind it: they had other inputs, so that
/// nothing is known of them.
void compare(const LoadedProgram& reference, std::vector<Candidate>& candidates, Random& random,
             std::vector<TunedStep>& steps) {
  for (int round = 0; round < equality_runs; ++round) {
    const std::vector<Bytes> inputs = drawn_inputs(reference, random);
    const Seen wanted = seen_of(reference, inputs);
    for (Candidate& candidate : candidates) {
      const Seen found = seen_of(candidate.program, inputs);
      for (size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] == found[i]) continue;
        if (candidate.takes[i]) steps[i].refused.push_back(candidate.runner.name);
        size_t first = i;  // steps before it that show no value may have been the ones
        while (first > 0 && wanted[first - 1].empty()) --first;
        std::fill(candidate.takes.begin() + static_cast<int64_t>(first), candidate.takes.end(), false);
        break;
      }
    }
  }
}

double median(std::vector<double>& numbers) {
  const auto middle = numbers.begin() + static_cast<int64_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

/// Seconds of each step by each candidate.
void measure(std::vector<Candidate>& candidates, const TuneOptions& options, Random& random,
             std::vector<TunedStep>& steps) {
  const std::vector<Bytes> inputs = drawn_inputs(candidates.front().program, random);
  std::vector<std::vector<std::vector<double>>> all(candidates.size());
  for (auto& of : all) of.resize(steps.size());
  for (int64_t round = 0; round < options.rounds; ++round)
    for (const int64_t turn : random.permutation(static_cast<int64_t>(candidates.size()))) {
      const auto who = static_cast<size_t>(turn);
      const std::vector<bool>& takes = candidates[who].takes;
      if (std::none_of(takes.begin(), takes.end(), [](bool one) { return one; })) continue;
      std::vector<double> seconds(steps.size() + 1);
      nibble_time(candidates[who].program.context(), seconds.data());
      run(candidates[who].program, inputs);
      nibble_time(candidates[who].program.context(), nullptr);
      for (size_t i = 0; i < steps.size(); ++i) all[who][i].push_back(seconds[i]);
    }
  for (size_t i = 0; i < steps.size(); ++i)
    for (size_t who = 0; who < candidates.size(); ++who)
      steps[i].seconds.push_back(candidates[who].takes[i] ? median(all[who][i]) : -1);
}

/// The first that takes the step, unless another is faster by more than noise.
void choose(TunedStep& step) {
  const auto taken = [](double seconds) { return seconds >= 0; };
  const auto first = std::find_if(step.seconds.begin(), step.seconds.end(), taken);
  ensure(first != step.seconds.end(), "the reference takes every step");
  step.chosen = static_cast<size_t>(first - step.seconds.begin());
  for (size_t who = 0; who < step.seconds.size(); ++who)
    if (taken(step.seconds[who]) && step.seconds[who] < worth_a_change * *first &&
        step.seconds[who] < step.seconds[step.chosen])
      step.chosen = who;
}

/// Medians of whole inferences, in turns; the second must give the reference's integers.
void measure_whole(const std::vector<uint8_t>& bytes, const LoadedProgram& reference, const program::Program& tuned,
                   const TuneOptions& options, Random& random, Tuning& tuning) {
  const std::vector<uint8_t> tuned_bytes = program::write(tuned);
  const LoadedProgram before(bytes, options_of(options.threads, "", {}));
  const LoadedProgram after(tuned_bytes, options_of(options.threads, "", {"auto"}));
  const std::vector<Bytes> inputs = drawn_inputs(reference, random);
  ensure(seen_of(after, inputs) == seen_of(reference, inputs), "a tuned program gives the reference's integers");
  std::vector<double> seconds[2], steps(tuning.steps.size() + 1);
  for (int64_t round = 0; round < options.rounds; ++round)
    for (const int64_t turn : random.permutation(2)) {
      const LoadedProgram& program = turn == 0 ? before : after;
      nibble_time(program.context(), steps.data());
      run(program, inputs);
      nibble_time(program.context(), nullptr);
      double sum = 0;
      for (size_t i = 0; i < tuning.steps.size(); ++i) sum += steps[i];
      seconds[turn].push_back(sum);
    }
  tuning.before = median(seconds[0]);
  tuning.after = median(seconds[1]);
}

}  // namespace

Tuning tune(const program::Program& program, const TuneOptions& options) {
  program::Program plain = program;
  plain.choices.reset();
  const std::vector<uint8_t> bytes = program::write(plain);
  Tuning tuning;
  std::vector<Candidate> candidates = candidates_of(bytes, options, tuning.passed_over);
  leave_to_others(candidates);
  const LoadedProgram reference(bytes, options_of(1, "reference", {}));
  Random random(options.seed);
  tuning.steps.resize(plain.steps.size());
  compare(reference, candidates, random, tuning.steps);
  measure(candidates, options, random, tuning.steps);
  utsname here{};
  ::uname(&here);
  tuning.choices.machine = std::string(here.machine) + ", " + nibble_kernel_set_name(0);
  for (const Candidate& candidate : candidates) tuning.runners.push_back(candidate.runner);
  for (TunedStep& step : tuning.steps) {
    choose(step);
    tuning.choices.of.push_back(tuning.runners[step.chosen]);
  }
  plain.choices = tuning.choices;
  measure_whole(bytes, reference, plain, options, random, tuning);
  return tuning;
}

}  // namespace nibble::lab
