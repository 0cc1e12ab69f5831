#include "equal/lower/planned.hpp"

#include <cstdlib>
#include <set>

#include "equal/runtime/wild_networks.hpp"

namespace nibble::tests {
namespace {

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(PlannedPrograms, GiveTheIntegersOfTheEvaluatorOnRandomNetworks) {
  const uint64_t first = from_environment("NIBBLE_RANDOM_SEED", 0);
  const uint64_t count = from_environment("NIBBLE_RANDOM_NETWORKS", 400);
  int64_t overlapping = 0, apart = 0, ran = 0, packed = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    graph::Graph graph;
    std::vector<Meaning> meanings;
    try {
      graph = any_network(seed);
      for (uint64_t i = 0; i < 2; ++i) meanings.push_back(meaning_of(graph, inputs_of(graph, 2 * seed + i, 1)));
    } catch (const UserError&) {
      continue;  // extents that do not meet, or beyond 64 bits
    }
    for (const char* name : {"cortex-m4", seed % 3 == 0 ? "cortex-m55" : "rv32imc"}) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " for " + name);
      const machine::Machine machine = machine::machine_named(name);
      lower::Options options = planned_for(machine);
      options.strips = static_cast<int>(seed % 5);
      if (seed % 2 == 1) options.pack_activations = lower::PackActivations::Always;
      const program::Program program = lower::lower(graph, options);
      for (const program::Step& step : program.steps) packed += step.rows > 0 ? 1 : 0;
      PlannedRun run(program, machine);
      for (const Meaning& meaning : meanings) ASSERT_EQ(run.differs(meaning), "");
      overlapping += codegen::footprint(program).arena;
      options.order = nullptr;
      options.pack_activations = lower::PackActivations::Never;
      apart += codegen::footprint(lower::lower(graph, options)).arena;
      ++ran;
    }
  }
  EXPECT_GT(ran, static_cast<int64_t>(count));
  EXPECT_LT(overlapping, apart);
  EXPECT_GT(packed, 0);
  RecordProperty("percent", static_cast<int>(100 * overlapping / std::max<int64_t>(apart, 1)));
}

/// What moves an input is no step of its own.
TEST(PlannedPrograms, ShowWhatMovesAnInputBeforeTheFirstStep) {
  graph::Graph graph;
  graph.name = "moved", graph.stage = graph::Stage::ID;
  const graph::ValueId x = graph.add_value("x", ElementType::Int8, {any, 3, 4});
  graph.inputs = {x};
  graph[x].grid = Grid{{0.5}, -1, 0, -128, 127};
  graph::Transpose turn;
  turn.perm = {0, 2, 1};
  graph::Reshape flat;
  flat.shape = {any, 12};
  const graph::ValueId turned = graph.add_node("turn", turn, {x}), rows = graph.add_node("flat", flat, {turned});
  graph.outputs = {graph.add_node("sum", graph::Add{}, {rows, rows})};
  graph::infer_shapes(graph);
  const program::Program program = lower::lower(graph, {});
  std::set<std::string> shown;
  for (const program::Step& step : program.steps)
    for (const program::Value& value : step.values) shown.insert(value.name);
  EXPECT_TRUE(shown.contains(graph[turned].name));
}

}  // namespace
}  // namespace nibble::tests
