#include "equal/graph/claimed_ranges.hpp"
#include "unit/passes/random_networks.hpp"

namespace nibble::passes::testing {

TEST(IntegerRange, HoldsWhatEveryOpOfIntegerisedNetworksGives) {
  tests::RangeCounts counts;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Network network = random_network(seed);
    quantise_by(network.graph);
    Random random(seed);
    const auto inputs = batch_for(network.graph, random, 3);
    for (bool qd : {true, false}) {
      Graph graph = network.graph;
      IntegeriseOptions options;
      options.stop_at_qd = qd;
      integerise(graph, options);
      SCOPED_TRACE("seed " + std::to_string(seed) + (qd ? " QD" : " ID"));
      tests::expect_claimed_ranges(graph, inputs, counts);
    }
  }
  for (const char* op : {"Add", "Concat", "Conv", "Flatten", "Gemm", "MaxPool", "Mul", "Quantise", "ReduceSum",
                         "Requantise", "Rescale", "SumPool", "Table"})
    EXPECT_GT(counts[op], 0) << op;
}

}  // namespace nibble::passes::testing
