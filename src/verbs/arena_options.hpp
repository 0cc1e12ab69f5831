#pragma once
#include "base/json.hpp"
#include "graph/graph.hpp"
#include "lower/lower.hpp"
#include "verbs/deployment.hpp"
#include "verbs/verb.hpp"

/// What makes an arena smaller and costs something else: `--strips`, `--pack`.
namespace nibble::verbs {

/// Throws UserError where weights from outside are asked for with packed activations.
ArenaOptions arena_options(const Call& call, const codegen::Options& options = {});

/// What packed activations took and gave, null where there are none. `in_bytes`: the program without.
Json packed_json(const program::Program& program, const program::Program& in_bytes);

/// What each took and gave, {"strips", "packed"}, null where there is none of it.
Json savings_json(const graph::Graph& graph, const Deployment& deployment, const codegen::Options& options);
/// The same for people, a line each.
std::string savings_text(const Json& savings);

}  // namespace nibble::verbs
