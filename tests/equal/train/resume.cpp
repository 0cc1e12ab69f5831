#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>
#include <iostream>
#include <thread>

#include "base/file.hpp"
#include "unit/train/small.hpp"

extern char** environ;

namespace nibble {
namespace {

using test::Folder;
using test::small_run;
using test::trained;

TEST(Resume, GoesOnToTheSameBitsFromWhereverItWasInterrupted) {
  const Folder whole;
  const std::string expected = trained(small_run(whole.path));
  for (int64_t at : {1, 7, 13, 14, 26, 38}) {
    const Folder folder;
    train::TrainRun run = small_run(folder.path);
    volatile int stop = 0;
    run.interrupted = &stop;
    run.on_step = [&](int64_t done, int64_t) { stop = done == at; };
    EXPECT_THROW(trained(run), UserError) << at;
    stop = 0, run.on_step = {}, run.resume = true;
    EXPECT_TRUE(trained(run) == expected) << "interrupted after step " << at;
  }
}

TEST(Resume, OfAFinishedRunGivesItsWeightsAgain) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  const std::string expected = trained(run);
  run.resume = true;
  EXPECT_TRUE(trained(run) == expected);
}

TEST(Resume, WithoutACheckpointStartsFromTheBeginning) {
  const Folder whole, folder;
  train::TrainRun run = small_run(folder.path);
  run.resume = true;
  EXPECT_TRUE(trained(run) == trained(small_run(whole.path)));
}

/// The program that is killed: this one, told by its environment where to train.
TEST(Victim, DoesNothingUnlessToldWhereToTrain) {
  const char* folder = std::getenv("NIBBLE_VICTIM");
  if (folder == nullptr) return;
  train::TrainRun run = small_run(folder);
  run.resume = true, run.checkpoint_seconds = 0;
  const int64_t last = std::atoll(std::getenv("NIBBLE_VICTIM_STEPS"));
  int64_t steps = 0;
  run.on_step = [&](int64_t, int64_t) {
    if (++steps == last) std::raise(SIGKILL);
  };
  write_file(run.folder / "weights", trained(run), "test");
}

/// Starts the victim; its exit status. It is killed after so many milliseconds (0: not from outside).
int run_victim(const std::filesystem::path& folder, int64_t steps, int64_t milliseconds) {
  ::setenv("NIBBLE_VICTIM", folder.c_str(), 1);
  ::setenv("NIBBLE_VICTIM_STEPS", std::to_string(steps).c_str(), 1);
  std::string program = "/proc/self/exe", filter = "--gtest_filter=Victim.*";
  char* arguments[] = {program.data(), filter.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int spawned = ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::unsetenv("NIBBLE_VICTIM");
  if (spawned != 0) return -1;
  if (milliseconds > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(child, SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

/// Another one each time: NIBBLE_KILL_SEED gives one again.
uint64_t kill_seed() {
  const char* given = std::getenv("NIBBLE_KILL_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : static_cast<uint64_t>(::getpid());
}

TEST(Resume, AfterRealKillsAtRandomMomentsGivesTheSameBits) {
  const Folder whole, folder;
  const std::string expected = trained(small_run(whole.path));
  const uint64_t seed = kill_seed();
  SCOPED_TRACE("NIBBLE_KILL_SEED=" + std::to_string(seed) + " draws the same moments");
  std::cout << "NIBBLE_KILL_SEED=" << seed << "\n";
  Random random(seed);
  int kills = 0;
  for (int i = 0; i < 4; ++i) {
    const int64_t steps = 1 + static_cast<int64_t>(random.below(8));
    const int status = run_victim(folder.path, steps, 0);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "after " << steps << " steps";
    ++kills;
  }
  // From outside, wherever it happens to be: starting, in a step, or writing.
  for (int i = 0; i < 3; ++i) {
    const auto milliseconds = 150 + static_cast<int64_t>(random.below(250));
    const int status = run_victim(folder.path, -1, milliseconds);
    const bool finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    EXPECT_TRUE(killed || finished) << "status " << status << " after " << milliseconds << " ms";
    kills += killed;
  }
  std::filesystem::remove(folder.path / "weights");
  ASSERT_EQ(run_victim(folder.path, -1, 0), 0);
  EXPECT_TRUE(read_file(folder.path / "weights", "test") == expected) << "after " << kills << " kills";
}

}  // namespace
}  // namespace nibble
