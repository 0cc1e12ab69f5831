#pragma once
#include "base/json.hpp"
#include "graph/graph.hpp"
#include "lower/lower.hpp"
#include "verbs/deployment.hpp"
#include "verbs/verb.hpp"

/// What makes an arena smaller and costs something else: `--strips`, `--pack`, `--inputs`, `--outputs`.
namespace nibble::verbs {

/// Throws UserError where weights from outside are asked for with packed activations.
ArenaOptions arena_options(const Call& call, const codegen::Options& options = {});

/// What packed activations took and gave, null where there are none; else the graph is lowered once more without.
/// `layout`: as the program was.
Json packed_json(const graph::Graph& graph, const program::Program& program, lower::Options layout);

/// What each took and gave, {"strips", "packed"}, null where there is none of it.
Json savings_json(const graph::Graph& graph, const Deployment& deployment, const codegen::Options& options);
/// The same for people, a line each.
std::string savings_text(const Json& savings);

}  // namespace nibble::verbs
