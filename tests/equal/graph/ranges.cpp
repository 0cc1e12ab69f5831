#include "equal/graph/claimed_ranges.hpp"
#include "equal/onnx/random_integer_networks.hpp"

using namespace nibble;
using namespace nibble::tests;

TEST(IntegerRange, HoldsWhatEveryOpOfRandomIntegerNetworksGives) {
  RangeCounts counts;
  for (const Batch& batch : batches)
    for (uint64_t seed = 0; seed < batch.count; ++seed) {
      const graph::Graph graph = random_integer_network(seed, batch.style);
      SCOPED_TRACE(std::string(batch.name) + " seed " + std::to_string(seed));
      expect_claimed_ranges(graph, random_integers(graph, seed), counts);
    }
  for (std::string_view op : ops_of_random_integer_networks) EXPECT_GT(counts[std::string(op)], 0) << op;
}
