#include "lab/ranks/environment.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string>
#include <utility>

#include "base/error.hpp"

namespace nibble::lab {
namespace {

/// The variables of one way of saying it.
class Variables {
 public:
  Variables(const Environment& environment, std::string names) : environment_(environment), names_(std::move(names)) {}

  /// Must be set: another one is.
  std::string text(const char* name) const {
    if (const char* value = environment_(name)) return value;
    fail("lab", name, "it is not set, but others of its kind are", "all of " + names_);
  }

  int number(const char* name, int least, int most) const {
    const std::string word = text(name);
    int value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || value < least || value > most)
      fail("lab", name, "'" + word + "'", fmt::format("a whole number from {} to {}", least, most));
    return value;
  }

 private:
  const Environment& environment_;
  std::string names_;
};

void check_count(int found, const char* name, int ranks) {
  if (found != ranks) fail("lab", name, std::to_string(found), fmt::format("{}, as many as there are ranks", ranks));
}

/// "node[03-05,7],other" -> "node03".
std::string first_host(const std::string& list) {
  std::string host;
  for (size_t at = 0; at < list.size() && list[at] != ','; ++at) {
    if (list[at] != '[') {
      host += list[at];
      continue;
    }
    const size_t end = std::min(list.find(']', at), list.size());
    host += list.substr(at + 1, std::min(list.find_first_of("-,", at), end) - at - 1);
    at = end;
  }
  return host;
}

/// Different for jobs that run at once, mostly: of those that nothing else is given.
int port_of_job(const std::string& job) {
  int number = 0;
  for (char c : job) number = (10 * number + (c - '0')) % 15000;
  return 16500 + number;
}

}  // namespace

std::optional<train::RankPlace> place_in_environment(int ranks, const Environment& environment) {
  if (ranks == 1) return {};
  const auto is_set = [&](const char* name) { return environment(name) != nullptr; };
  // A job's own script has the numbers of its job, but is no task of a step.
  const char* tasks = is_set("SLURM_STEP_ID") ? environment("SLURM_NTASKS") : nullptr;
  const bool started_by_slurm = is_set("SLURM_STEP_ID") && (tasks == nullptr || std::string_view(tasks) != "1");
  if (is_set("RANK") || is_set("WORLD_SIZE") ||
      (!started_by_slurm && (is_set("MASTER_ADDR") || is_set("MASTER_PORT")))) {
    const Variables by_hand(environment, "RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT");
    check_count(by_hand.number("WORLD_SIZE", 1, 1024), "WORLD_SIZE", ranks);
    return train::RankPlace{by_hand.number("RANK", 0, ranks - 1), ranks, by_hand.text("MASTER_ADDR"),
                            by_hand.number("MASTER_PORT", 1, 65535)};
  }
  if (!started_by_slurm) return {};
  const Variables slurm(environment, "SLURM_PROCID, SLURM_NTASKS, SLURM_NODELIST, SLURM_JOB_ID");
  check_count(slurm.number("SLURM_NTASKS", 1, 1 << 20), "SLURM_NTASKS", ranks);
  const std::string job = slurm.text("SLURM_JOB_ID");
  return train::RankPlace{slurm.number("SLURM_PROCID", 0, ranks - 1), ranks, first_host(slurm.text("SLURM_NODELIST")),
                          is_set("MASTER_PORT") ? slurm.number("MASTER_PORT", 1, 65535) : port_of_job(job)};
}

}  // namespace nibble::lab
