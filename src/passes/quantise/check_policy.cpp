#include "passes/quantise/check_policy.hpp"

#include "passes/canonicalise/canonicalise.hpp"
#include "passes/quantise/steps.hpp"

namespace nibble::passes {

std::vector<std::string> check_policy(const Policy& policy, const graph::Graph& network) {
  graph::Graph canonical = network;
  run(canonicalise(policy), canonical);
  std::vector<std::string> names = layers_of(network);
  const std::vector<std::string> made = layers_of(canonical);
  names.insert(names.end(), made.begin(), made.end());
  for (const auto& [pattern, keys] : policy.overrides) check_pattern(pattern, names, "passes", "policy");
  return names;
}

}  // namespace nibble::passes
