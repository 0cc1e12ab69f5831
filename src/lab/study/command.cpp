#include "lab/study/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

extern char** environ;

namespace nibble::lab {
namespace {

/// One end to read, one to write; neither is inherited by accident.
struct Pipe {
  std::array<int, 2> ends{-1, -1};
  explicit Pipe(const std::string& program) {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("lab", program, std::strerror(errno), "a pipe to it");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_end(size_t which) {
    if (ends[which] >= 0) ::close(ends[which]);
    ends[which] = -1;
  }
};

/// Reads both until they end.
void read_all(Pipe& output, Pipe& message, CommandResult& result) {
  std::array<pollfd, 2> waits{pollfd{output.ends[0], POLLIN, 0}, pollfd{message.ends[0], POLLIN, 0}};
  std::array<std::string*, 2> texts{&result.output, &result.message};
  for (size_t open = 2; open > 0;) {
    if (::poll(waits.data(), waits.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    for (size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t count = ::read(waits[i].fd, buffer.data(), buffer.size());
      if (count > 0) texts[i]->append(buffer.data(), static_cast<size_t>(count));
      if (count > 0 || (count < 0 && errno == EINTR)) continue;
      waits[i].fd = -1;
      --open;
    }
  }
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& words) {
  Pipe output(words[0]), message(words[0]);
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, message.ends[1], 2);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) fail("lab", words[0], std::strerror(error), "a program that can be started");
  output.close_end(1);
  message.close_end(1);
  CommandResult result;
  read_all(output, message, result);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace nibble::lab
