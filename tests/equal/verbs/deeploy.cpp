#include <gtest/gtest.h>

#include "onnx/onnx.hpp"
#include "unit/passes/random_networks.hpp"

/// What our own conversion makes of float networks goes to the dialect deeploy and back.
namespace nibble::passes::testing {

TEST(Deeploy, NetworksThatWeMadeIntegerComputeTheSameIntegersReadBackOrAreRefusedByName) {
  int written = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Network network = random_network(seed);
    Random random(seed + 1);
    const auto reals = batch_for(network.graph, random);
    QuantiseOptions options;
    options.policy.defaults.branches = seed % 10 == 0 ? Branches::Measured : Branches::Common;
    quantise_by(network.graph, options);
    integerise(network.graph, {});
    std::string bytes;
    try {
      bytes = onnx::deeploy_bytes(network.graph);
    } catch (const UserError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(" that it cannot say: '"), message.npos) << message;
      continue;
    }
    ++written;
    const graph::Graph again = onnx::read_bytes(bytes, "back.onnx", {.dialect = "deeploy"});
    const auto inputs = graph::prepare_inputs(network.graph, reals);
    EXPECT_TRUE(graph::evaluate(again, inputs) == graph::evaluate(network.graph, inputs)) << seed;
  }
  // Most have a sigmoid or the like, hence a table; sums of branches on grids of their own are refused too.
  EXPECT_GT(written, 10);
}

}  // namespace nibble::passes::testing
