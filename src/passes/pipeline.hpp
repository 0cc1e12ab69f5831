#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"

namespace nibble::passes {

/// One row of a pipeline: a pass under its name, with one line about it. `run` returns how much it changed.
struct Step {
  std::string_view name;
  std::string_view about;
  std::function<int(graph::Graph&)> run;
};
using Pipeline = std::vector<Step>;

struct Trace {
  std::string name;
  int changed;
  double seconds;
};

/// Runs the steps in order: each is repeated until it changes nothing more, then the graph is tidied and verified; with
/// `dump`, written as text to dump/<nn>_<name>.txt. An error names the step; one that never says 0 is an InternalError.
std::vector<Trace> run(const Pipeline& pipeline, graph::Graph& graph, const std::filesystem::path& dump = {});

/// "  fold_batch_norm   Folds ..." a line a step: what `--help` shows.
std::string describe(const Pipeline& pipeline);

}  // namespace nibble::passes
