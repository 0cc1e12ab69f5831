#include <cstdlib>

#include "equal/runtime/runtime.hpp"
#include "equal/runtime/wild_networks.hpp"

namespace nibble::tests {
namespace {

/// NIBBLE_RANDOM_NETWORKS=N makes N of them, NIBBLE_RANDOM_SEED where they begin.
uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Four ways of a network, others for the next one: every option, kernel set and number of threads comes up. And the
/// way in which it runs by default, on every set.
std::vector<Way> ways(uint64_t seed) {
  const std::vector<const char*> sets = kernel_sets();
  const std::vector<lower::Options> options = options_to_try();
  std::vector<Way> result;
  for (uint64_t i = 0; i < 4; ++i)
    result.push_back({options[(4 * seed + i + seed / 5) % options.size()], sets[(seed / 2 + i) % sets.size()],
                      1 + static_cast<int>((seed + i) % 4)});
  for (const char* set : sets) result.push_back({{}, set, 1});
  return result;
}

/// What has failed so far.
int failures() {
  return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
}

void expect_runtime_is_evaluator(const graph::Graph& graph, uint64_t seed) {
  std::vector<Meaning> meanings;
  try {
    for (uint64_t i = 0; i < 2; ++i) meanings.push_back(meaning_of(graph, inputs_of(graph, 2 * seed + i, 1)));
  } catch (const UserError&) {
    return;  // beyond 64 bits
  }
  const int before = failures();
  for (const Way& way : ways(seed)) {
    const program::Program program = lower::lower(graph, way.options);
    const auto bytes = program::write(way.threads == 1 ? program : for_threads(program));
    expect_meaning(bytes, way, meanings);
    if (failures() != before) return;
  }
}

/// Seeds by which campaigns found a fault: a window of what lies backwards, a clip by no integer, a value that two steps
/// complete and that is packed, means of nothing.
TEST(Runtime, GivesTheIntegersOfNetworksThatItOnceDidNot) {
  for (uint64_t seed : {940340, 950903, 954411, 953834, 970022}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    expect_runtime_is_evaluator(any_network(seed), seed);
  }
}

TEST(Runtime, GivesTheIntegersOfTheEvaluatorOnRandomNetworks) {
  const uint64_t first = from_environment("NIBBLE_RANDOM_SEED", 0);
  const uint64_t count = from_environment("NIBBLE_RANDOM_NETWORKS", 300);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    graph::Graph graph;
    try {
      graph = any_network(seed);
    } catch (const UserError&) {
      continue;  // extents that do not meet
    } catch (const std::exception& error) {
      ADD_FAILURE() << "seed " << seed << ": " << error.what();
      continue;
    }
    SCOPED_TRACE("seed " + std::to_string(seed));
    const int before = failures();
    try {
      expect_runtime_is_evaluator(graph, seed);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    if (failures() != before) {
      ADD_FAILURE() << to_text(graph, graph::Constants::Whole);
      if (std::getenv("NIBBLE_RANDOM_ALL") == nullptr) return;
    }
  }
}

}  // namespace
}  // namespace nibble::tests
