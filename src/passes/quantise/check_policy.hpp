#pragma once
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "passes/policy.hpp"

namespace nibble::passes {

/// What a policy and the rules of a training may call a layer: the names of nodes and inputs of a FP network, as it is
/// given and as canonicalise leaves it. Throws UserError where a pattern of the policy names none, as quantise does.
std::vector<std::string> check_policy(const Policy& policy, const graph::Graph& network);

}  // namespace nibble::passes
