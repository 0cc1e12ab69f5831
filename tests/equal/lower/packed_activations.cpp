#include "equal/lower/planned.hpp"
#include "equal/runtime/integer_net.hpp"

/// Activations of 4 and 2 bits that stand packed: the integers stay, for every window and shape, and the arena is what was
/// asked for.
namespace nibble::tests {
namespace {

using graph::Conv;
using graph::ValueId;
using lower::PackActivations;

ValueId layer(IntegerNet& net, ValueId x, int64_t channels, int64_t k, int64_t stride, bool depthwise, Interval to) {
  const int64_t in = net.graph[x].shape[1];
  const ValueId w = net.constant({channels, depthwise ? 1 : in, k, k}, Interval{-9, 9});
  const Conv conv{{stride, stride}, {k / 2, k / 2, k / 2, k / 2}, {1, 1}, depthwise ? in : 1, depthwise ? 0 : 1};
  return net.requantise(net.node(conv, {x, w}), 3, 1 << 9, 7, to);
}

/// Integers in each of the packed types, and one in bytes.
const std::vector<Interval> levels{{0, 15}, {-8, 7}, {0, 3}, {-2, 1}, {0, 6}, {0, 255}};

Tensor drawn(const Shape& shape, Interval range, Random& random) {
  Tensor tensor(ElementType::Int64, shape);
  for (int64_t& value : tensor.as<int64_t>())
    value = range.low + static_cast<int64_t>(random.below(static_cast<uint64_t>(range.high - range.low + 1)));
  return tensor;
}

struct Outcome {
  int64_t arena = 0;
  int packed = 0;  ///< steps
};

/// The program's integers are held to the evaluator's.
Outcome outcome_of(const graph::Graph& graph, const std::string& name, PackActivations pack, int strips = 1,
                   int64_t room = INT64_MAX) {
  const machine::Machine machine = machine::machine_named(name);
  lower::Options options = planned_for(machine);
  options.strips = strips;
  options.pack_activations = pack;
  options.room = room;
  const program::Program program = lower::lower(graph, options);
  PlannedRun run(program, machine);
  Random random(3);
  for (int round = 0; round < 2; ++round) {
    std::vector<Tensor> inputs;
    for (ValueId id : graph.inputs) inputs.push_back(drawn(graph[id].shape, graph[id].bounds.front(), random));
    EXPECT_EQ(run.differs(meaning_of(graph, inputs)), "");
  }
  Outcome outcome{codegen::footprint(program).arena};
  for (const program::Step& step : program.steps) outcome.packed += step.rows > 0 ? 1 : 0;
  return outcome;
}

TEST(PackedActivations, KeepEveryIntegerForEveryWindowWidthAndMachine) {
  size_t turn = 0;
  for (const char* machine : {"cortex-m4", "cortex-m0plus", "rv32imc"})
    for (const int64_t k : {1, 3, 5})
      for (const int64_t stride : {1, 2, 3})
        for (const int64_t width : {5, 8}) {
          const Interval first = levels[turn % levels.size()], second = levels[(turn + 1) % levels.size()];
          const auto strips = static_cast<int>(++turn % 3) + 1;
          SCOPED_TRACE(std::string(machine) + " " + std::to_string(k) + " stride " + std::to_string(stride) +
                       " width " + std::to_string(width) + " strips " + std::to_string(strips));
          IntegerNet net;
          ValueId y = layer(net, net.input({1, 3, 13, width}, {0, 255}), 5, 3, 1, false, first);
          y = layer(net, y, 5, k, stride, true, second);
          y = layer(net, y, 8, k, 1, false, {0, 15});
          const graph::MaxPool pool{{2, 3}, {1, 2}, {1, 1, 0, 1}, {1, 1}, false};
          y = layer(net, net.node(pool, {y}), 7, 1, 1, false, {0, 3});
          EXPECT_GT(
              outcome_of(net.give({layer(net, y, 4, 3, 1, false, {0, 255})}), machine, PackActivations::Always, strips)
                  .packed,
              2);
        }
}

TEST(PackedActivations, OfAResidualAreUnpackedBesideWhatTheyAreAddedTo) {
  for (const Interval range : {Interval{0, 15}, Interval{-2, 1}})
    for (const char* machine : {"cortex-m4", "rv32imc"}) {
      IntegerNet net;
      const ValueId x = layer(net, net.input({1, 3, 9, 7}, {0, 255}), 5, 3, 1, false, range);
      const ValueId branch = layer(net, layer(net, x, 5, 3, 1, false, range), 5, 3, 1, false, range);
      const ValueId sum = net.requantise(net.node(graph::Add{}, {x, branch}), 1, 0, 1, range);
      EXPECT_EQ(
          outcome_of(net.give({layer(net, sum, 4, 3, 2, false, {0, 255})}), machine, PackActivations::Always).packed,
          4);
    }
}

graph::Graph deep_network() {
  IntegerNet net;
  ValueId x = net.input({1, 1, 48, 48}, {0, 255});
  x = layer(net, x, 4, 3, 1, false, {0, 15});
  x = layer(net, x, 16, 3, 1, false, {0, 15});
  x = layer(net, x, 16, 3, 1, false, {0, 15});
  x = layer(net, x, 4, 3, 2, false, {0, 15});
  return net.give({layer(net, x, 4, 3, 1, false, {0, 255})});
}

TEST(PackedActivations, OfFourBitsTakeLessThanSevenTenthsOfTheArenaThatTheyTakeInBytes) {
  const graph::Graph graph = deep_network();
  const int64_t bytes = outcome_of(graph, "cortex-m4", PackActivations::Never).arena;
  const Outcome packed = outcome_of(graph, "cortex-m4", PackActivations::Always);
  EXPECT_LT(packed.arena, bytes * 7 / 10);
  EXPECT_EQ(packed.packed, 5);
}

TEST(PackedActivations, AreAsFewAsTheMemoryNeeds) {
  const graph::Graph graph = deep_network();
  const int64_t bytes = outcome_of(graph, "cortex-m4", PackActivations::Never).arena;
  const int64_t least = outcome_of(graph, "cortex-m4", PackActivations::Always).arena;
  const auto needed = [&](int64_t room) { return outcome_of(graph, "cortex-m4", PackActivations::Needed, 1, room); };
  EXPECT_EQ(needed(bytes).packed, 0);
  EXPECT_EQ(needed(bytes).arena, bytes);
  // The two in the middle are the peak; what else there is stays in bytes.
  const Outcome little = needed(bytes - 8);
  EXPECT_LE(little.arena, bytes - 8);
  EXPECT_GT(little.packed, 0);
  EXPECT_LE(little.packed, 3);
  EXPECT_LE(needed(least).arena, least);
  // Where nothing is enough: the least, which says by how much it is too much.
  EXPECT_LE(needed(100).arena, least);
}

TEST(PackedActivations, AreNeitherInputsNorOutputsNorWhatAViewOrElementsAreMadeOf) {
  IntegerNet net;
  const ValueId x = layer(net, net.input({1, 8, 6, 6}, {0, 15}), 8, 3, 1, false, {0, 15});
  const ValueId part = net.node(graph::Slice{{0}, {4}, {1}, {1}}, {x});
  const ValueId y = layer(net, part, 8, 3, 1, false, {0, 15});
  const ValueId square = net.node(graph::Mul{}, {y, y});
  EXPECT_EQ(
      outcome_of(net.give({square, layer(net, part, 4, 3, 1, false, {0, 15})}), "cortex-m4", PackActivations::Always)
          .packed,
      0);
}

TEST(PackedActivations, AreReadByAReductionWhereTheyAre) {
  for (const Interval range : {Interval{0, 15}, Interval{-8, 7}, Interval{0, 3}, Interval{-2, 1}}) {
    IntegerNet net;
    const ValueId x = layer(net, net.input({1, 8, 7, 5}, {0, 255}), 5, 3, 1, false, range);
    const graph::Graph& graph =
        net.give({net.node(graph::ReduceSum{{2, 3}, false, 3}, {x}), net.node(graph::ReduceMax{{2}, true}, {x}),
                  net.node(graph::ArgMax{1, true, true}, {x})});
    for (const char* machine : {"cortex-m4", "cortex-m55"})
      EXPECT_EQ(outcome_of(graph, machine, PackActivations::Always).packed, 1) << machine;
  }
}

}  // namespace
}  // namespace nibble::tests
