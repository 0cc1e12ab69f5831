#include "equal/lower/planned.hpp"
#include "equal/runtime/integer_net.hpp"
#include "lower/arena/plan.hpp"

/// What a plan for one thread saves, each by the smallest network that shows it, and that the integers stay.
namespace nibble::tests {
namespace {

using graph::Conv;
using graph::ValueId;

constexpr Interval bytes{0, 255};

/// A convolution k by k with its requantisation; the shape is kept where the stride is 1.
ValueId layer(IntegerNet& net, ValueId x, int64_t channels, int64_t k, int64_t stride = 1, bool depthwise = false) {
  const int64_t in = net.graph[x].shape[1];
  const ValueId w = net.constant({channels, depthwise ? 1 : in, k, k}, Interval{-9, 9});
  const Conv conv{{stride, stride}, {k / 2, k / 2, k / 2, k / 2}, {1, 1}, depthwise ? in : 1, 3};
  return net.requantise(net.node(conv, {x, w}), 3, 1 << 12, 9, bytes);
}

std::vector<Tensor> drawn_inputs(const graph::Graph& graph, Random& random) {
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs) {
    inputs.emplace_back(ElementType::Int64, graph[id].shape);
    for (int64_t& value : inputs.back().as<int64_t>()) value = static_cast<int64_t>(random.below(256));
  }
  return inputs;
}

/// The arena's bytes; the program's integers are held to the evaluator's.
int64_t arena_of(const graph::Graph& graph, const lower::Options& options, const machine::Machine& machine) {
  const program::Program program = lower::lower(graph, options);
  PlannedRun run(program, machine);
  Random random(3);
  for (int round = 0; round < 3; ++round) EXPECT_EQ(run.differs(meaning_of(graph, drawn_inputs(graph, random))), "");
  return codegen::footprint(program).arena;
}

int64_t arena_of(const graph::Graph& graph, int strips = 1, const char* name = "cortex-m4") {
  const machine::Machine machine = machine::machine_named(name);
  lower::Options options = planned_for(machine);
  options.strips = strips;
  return arena_of(graph, options, machine);
}

TEST(Arenas, OfOneConvolutionOverAnotherHoldTheLargerAndSomeRows) {
  for (const char* machine : {"cortex-m4", "rv32imc"})
    for (const bool depthwise : {true, false}) {
      IntegerNet net;
      ValueId x = net.input({1, 16, 24, 24}, bytes);
      for (int i = 0; i < 3; ++i) x = layer(net, x, 16, 3, 1, depthwise);
      const int64_t whole = 24 * 24 * 16, row = 24 * 16;
      // Three layers, a row (of a depthwise one on Cortex-M two) and five positions behind each; scratch.
      EXPECT_LT(arena_of(net.give({x}), 1, machine), whole + 3 * ((depthwise ? 2 : 1) * row + 5 * 16) + 3600)
          << machine << depthwise;
    }
}

TEST(Arenas, OfAResidualBlockHoldTwoTensorsAndInStripsHardlyMoreThanOne) {
  IntegerNet net;
  const ValueId x = layer(net, net.input({1, 3, 32, 32}, bytes), 16, 3);
  const ValueId branch = layer(net, layer(net, x, 16, 3), 16, 3);
  const ValueId sum = net.requantise(net.node(graph::Add{}, {x, branch}), 1, 0, 1, bytes);
  const graph::Graph& graph = net.give({sum});
  const int64_t whole = 32 * 32 * 16;
  EXPECT_LT(arena_of(graph, 1), 2 * whole + 4000);
  EXPECT_GT(arena_of(graph, 1), 2 * whole);
  EXPECT_LT(arena_of(graph, 0), whole * 185 / 100);
  EXPECT_LT(arena_of(graph, 8), whole * 160 / 100);
}

TEST(Arenas, InStripsKeepEveryIntegerForEveryWindowAndNumberOfStrips) {
  for (const int64_t k : {1, 3, 5})
    for (const int64_t stride : {1, 2, 3})
      for (const int strips : {2, 3, 5, 7}) {
        SCOPED_TRACE(std::to_string(k) + " stride " + std::to_string(stride) + " strips " + std::to_string(strips));
        IntegerNet net;
        const ValueId y = layer(net, net.input({1, 3, 17, 13}, bytes), 8, k, stride);
        const graph::MaxPool pool{{2, 3}, {1, 2}, {1, 1, 0, 1}, {1, 1}, false};
        arena_of(net.give({layer(net, net.node(pool, {layer(net, y, 8, 3, 1, true)}), 4, k)}), strips);
      }
}

TEST(Arenas, OfBranchesRunOneBranchBehindTheOther) {
  // Written breadth first: both wide values would stand there at once.
  IntegerNet net;
  const ValueId x = net.input({1, 4, 12, 12}, bytes);
  const ValueId a = layer(net, x, 32, 1), b = layer(net, x, 32, 1), c = layer(net, x, 32, 1);
  const ValueId narrow_a = layer(net, a, 2, 3), narrow_b = layer(net, b, 2, 3), narrow_c = layer(net, c, 2, 3);
  const ValueId all = net.node(graph::Concat{1}, {narrow_a, narrow_b, narrow_c});
  const int64_t wide = 12 * 12 * 32, narrow = 12 * 12 * 2;
  EXPECT_LT(arena_of(net.give({all})), wide + 12 * 12 * 4 + 3 * narrow + 6000);
}

TEST(Arenas, OfAFullyConnectedLayerHoldItsWindowOverItsInput) {
  IntegerNet net;
  const ValueId x = net.input({1, 640}, bytes);
  const ValueId y =
      net.requantise(net.node(graph::MatMul{}, {x, net.constant({640, 128}, Interval{-9, 9})}), 3, 1 << 12, 11, bytes);
  EXPECT_LT(arena_of(net.give({y})), 2 * 640 + 128 + 32);
}

TEST(Plans, KeepWhatLivesAtOnceApartByWhatItsLeadSays) {
  // b may begin 16 bytes before a; c lives with both.
  const std::vector<lower::Buffer> buffers{{64, 0, 1}, {64, 1, 2}, {32, 0, 2}};
  const lower::Plan plan = lower::plan(buffers, {{0, 1, 16}}, 8);
  EXPECT_EQ(plan.bytes, 112);
  EXPECT_EQ(plan.lower_bound, 112);
  EXPECT_TRUE(plan.offsets[1] + 16 <= plan.offsets[0] || plan.offsets[1] >= plan.offsets[0] + 64);
  EXPECT_EQ(lower::plan(buffers, {}, 8).bytes, 160);
}

}  // namespace
}  // namespace nibble::tests
