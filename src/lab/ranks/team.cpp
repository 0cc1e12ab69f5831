#include "lab/ranks/team.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/error.hpp"

extern char** environ;

namespace nibble::lab {
namespace {

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::string description_of(int status, pid_t process) {
  if (!WIFSIGNALED(status)) return fmt::format("its process {} has ended with status {}", process, WEXITSTATUS(status));
  return fmt::format("its process {} was killed by signal {} ({})", process, WTERMSIG(status),
                     ::strsignal(WTERMSIG(status)));
}

}  // namespace

Team::Team(const train::Api& api, int ranks, const std::optional<train::RankPlace>& place,
           std::vector<std::string> command)
    : command_(std::move(command)), processes_(static_cast<size_t>(ranks)), ends_(static_cast<size_t>(ranks)) {
  if (ranks == 1) return;
  train::RankPlace own{0, ranks};
  if (place) own = *place;
  ranks_ = api.join(own, [this](int rank) { return ended(rank); });
  for (int rank = 1; !place && rank < ranks; ++rank) start(rank, ranks_->port());
}

void Team::start(int rank, int port) {
  std::vector<std::string> variables{fmt::format("RANK={}", rank), fmt::format("WORLD_SIZE={}", ends_.size()),
                                     "MASTER_ADDR=127.0.0.1", fmt::format("MASTER_PORT={}", port)};
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  const std::vector<char*> words = pointers_to(command_), environment = pointers_to(variables);
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) fail("lab", "--ranks", std::strerror(errno), "processes that can be started");
  if (child > 0) {
    processes_[static_cast<size_t>(rank)] = child;
    return;
  }
  // Only calls that are safe between fork and exec.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::execve("/proc/self/exe", words.data(), environment.data());
  ::_exit(127);
}

std::string Team::ended(int rank) {
  int& process = processes_[static_cast<size_t>(rank)];
  std::string& end = ends_[static_cast<size_t>(rank)];
  int status = 0;
  if (process > 0 && ::waitpid(process, &status, WNOHANG) == process) {
    end = description_of(status, process);
    process = 0;
  }
  return end;
}

Team::~Team() {
  ranks_.reset();  // the others end with it
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int rank = 1; rank < static_cast<int>(processes_.size()); ++rank) {
    const int& process = processes_[static_cast<size_t>(rank)];
    while (process > 0 && ended(rank).empty()) {
      if (std::chrono::steady_clock::now() > patience) ::kill(process, SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

}  // namespace nibble::lab
