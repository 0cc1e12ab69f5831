#include "passes/pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/file.hpp"
#include "graph/text.hpp"
#include "graph/verify.hpp"

namespace nibble::passes {
namespace {

/// Beyond what a pass needs that changes one node each time: one that never says 0 does not end by itself.
size_t most_repetitions(const graph::Graph& graph) {
  return 100 + graph.nodes.size();
}

/// The graph was right before the step: what tidying or the verifier finds wrong now is the step's doing.
void settle(const Step& step, graph::Graph& graph, bool verified) {
  try {
    graph::tidy(graph);
    if (verified) graph::verify(graph);
  } catch (const UserError& error) {
    throw InternalError(fmt::format("pass '{}' left a graph that is not right: {}", step.name, error.what()));
  }
}

int repeat(const Step& step, graph::Graph& graph) {
  int changed = 0;
  const size_t most = most_repetitions(graph);
  for (size_t i = 0;; ++i) {
    const int now = step.run(graph);
    if (now == 0) break;
    if (i == most)
      throw InternalError(fmt::format("pass '{}' still changes the graph after {} times", step.name, most));
    settle(step, graph, false);
    changed += now;
  }
  settle(step, graph, true);
  return changed;
}

void write_dump(const graph::Graph& graph, const std::filesystem::path& dump, size_t number, std::string_view name) {
  std::error_code failed;
  std::filesystem::create_directories(dump, failed);
  if (failed) fail("passes", dump.string(), failed.message(), "a folder that can be written");
  write_file(dump / fmt::format("{:02}_{}.txt", number, name), graph::to_text(graph, graph::Constants::Short),
             "passes");
}

}  // namespace

std::vector<Trace> run(const Pipeline& pipeline, graph::Graph& graph, const std::filesystem::path& dump) {
  graph::tidy(graph);
  graph::verify(graph);
  std::vector<Trace> traces;
  for (const Step& step : pipeline) {
    const auto start = std::chrono::steady_clock::now();
    const int changed = repeat(step, graph);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    traces.push_back({std::string(step.name), changed, seconds.count()});
    if (!dump.empty()) write_dump(graph, dump, traces.size(), step.name);
  }
  return traces;
}

std::string describe(const Pipeline& pipeline) {
  size_t width = 0;
  for (const Step& step : pipeline) width = std::max(width, step.name.size());
  std::string text;
  for (const Step& step : pipeline) text += fmt::format("  {:<{}}  {}\n", step.name, width, step.about);
  return text;
}

}  // namespace nibble::passes
