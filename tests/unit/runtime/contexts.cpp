#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "equal/runtime/runtime.hpp"
#include "equal/runtime/wild_networks.hpp"
#include "unit/runtime/allocations.hpp"

namespace nibble::tests {
namespace {

/// Pages that the process holds.
int64_t resident_pages() {
  int64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident;
}

/// A network of convolutions, large enough that its steps are cut for threads.
graph::Graph deployable() {
  return random_integer_network(8, Style::Deployable);
}

/// What each thread sets, and what must come out, as the bytes of the ports.
struct Expected {
  std::vector<std::vector<std::byte>> inputs, outputs;
};

std::vector<Expected> expectations(const graph::Graph& graph, const nibble_program* program, size_t count) {
  std::vector<Expected> all;
  for (uint64_t seed = 0; seed < count; ++seed) {
    const Meaning meaning = meaning_of(graph, inputs_of(graph, seed, 1));
    Expected expected;
    nibble_port port;
    for (size_t i = 0; i < meaning.inputs.size(); ++i)
      nibble_input(program, i, &port), expected.inputs.push_back(narrowed(port, meaning.inputs[i]));
    for (size_t i = 0; i < meaning.outputs.size(); ++i)
      nibble_output(program, i, &port), expected.outputs.push_back(narrowed(port, meaning.outputs[i]));
    all.push_back(std::move(expected));
  }
  return all;
}

/// Runs until the time is over. Returns how many outputs were not as expected, or a status was not fine.
int64_t run_until(std::chrono::steady_clock::time_point end, nibble_context* context, const Expected& expected,
                  std::vector<std::byte>& room, std::atomic<int64_t>& runs) {
  int64_t wrong = 0;
  while (std::chrono::steady_clock::now() < end) {
    for (size_t i = 0; i < expected.inputs.size(); ++i) wrong += nibble_set(context, i, expected.inputs[i].data()) != 0;
    wrong += nibble_run(context) != 0;
    for (size_t i = 0; i < expected.outputs.size(); ++i) {
      wrong += nibble_get(context, i, room.data()) != 0;
      wrong += std::memcmp(room.data(), expected.outputs[i].data(), expected.outputs[i].size()) != 0;
    }
    ++runs;
  }
  return wrong;
}

/// NIBBLE_THREADS_SECONDS: how long.
TEST(Contexts, OfTwentyFourThreadsGiveTheSameIntegersWithoutAllocating) {
  const char* const asked = std::getenv("NIBBLE_THREADS_SECONDS");
  const auto seconds = std::chrono::seconds(asked == nullptr ? 2 : std::atoi(asked));
  const graph::Graph graph = deployable();
  const ProgramPointer program = opened(program::write(for_threads(lower::lower(graph))));
  ASSERT_NE(program, nullptr);
  constexpr size_t threads = 24;
  const std::vector<Expected> expected = expectations(graph, program.get(), threads);
  std::vector<ContextPointer> contexts;
  std::vector<std::vector<std::byte>> rooms(threads);
  for (size_t i = 0; i < threads; ++i) {
    contexts.push_back(context_of(program.get(), i % 6 == 5 ? 2 : 1));
    ASSERT_NE(contexts.back(), nullptr);
    for (const auto& output : expected[i].outputs) rooms[i].resize(std::max(rooms[i].size(), output.size() + 1));
  }
  std::atomic<int64_t> wrong{0}, runs{0};
  std::atomic<bool> begin{false};
  std::atomic<size_t> ready{0}, done{0};
  const auto end = std::chrono::steady_clock::now() + seconds;
  std::vector<std::thread> all;
  for (size_t i = 0; i < threads; ++i)
    all.emplace_back([&, i] {
      ++ready;
      while (!begin) std::this_thread::yield();
      wrong += run_until(end, contexts[i].get(), expected[i], rooms[i], runs);
      ++done;
      while (begin) std::this_thread::yield();
    });
  while (ready < threads) std::this_thread::yield();
  [[maybe_unused]] const int64_t pages_before = resident_pages();
  const int64_t before = allocations();
  begin = true;
  while (done < threads) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const int64_t after = allocations();
  [[maybe_unused]] const int64_t pages = resident_pages() - pages_before;
  begin = false;
  for (std::thread& thread : all) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(after - before, 0);
  EXPECT_GE(runs, 24);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_GT(before, 0) << "allocations are counted";
  // Stacks and arenas that are touched for the first time; what runs does not grow.
  EXPECT_LT(pages, 24 * 64);
#endif
}

TEST(Contexts, OfAnyNumberOfThreadsShareNothing) {
  const graph::Graph graph = deployable();
  const ProgramPointer program = opened(program::write(for_threads(lower::lower(graph))));
  ASSERT_NE(program, nullptr);
  const std::vector<Expected> expected = expectations(graph, program.get(), 4);
  std::vector<ContextPointer> contexts;
  for (size_t i = 0; i < 4; ++i) contexts.push_back(context_of(program.get(), 1 + static_cast<int>(i)));
  // Inputs of one are set while another's are; each then runs on its own.
  for (int round = 0; round < 20; ++round) {
    for (size_t i = 0; i < 4; ++i)
      for (size_t k = 0; k < expected[i].inputs.size(); ++k)
        ASSERT_EQ(nibble_set(contexts[i].get(), k, expected[i].inputs[k].data()), NIBBLE_OK);
    for (size_t i = 4; i-- > 0;) ASSERT_EQ(nibble_run(contexts[i].get()), NIBBLE_OK);
    for (size_t i = 0; i < 4; ++i)
      for (size_t k = 0; k < expected[i].outputs.size(); ++k) {
        std::vector<std::byte> bytes(expected[i].outputs[k].size());
        ASSERT_EQ(nibble_get(contexts[i].get(), k, bytes.data()), NIBBLE_OK);
        ASSERT_EQ(bytes, expected[i].outputs[k]);
      }
  }
}

TEST(Contexts, AreRefusedAThreadTooFewOrTooMany) {
  const ProgramPointer program = opened(program::write(lower::lower(deployable())));
  for (int threads : {-1, 0, 65}) {
    nibble_context* context = nullptr;
    EXPECT_EQ(nibble_context_create(program.get(), threads, &context), NIBBLE_BAD_ARGUMENT);
    EXPECT_EQ(context, nullptr);
  }
}

}  // namespace
}  // namespace nibble::tests
