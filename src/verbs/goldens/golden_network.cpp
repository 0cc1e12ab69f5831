#include "verbs/goldens/golden_network.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace nibble::verbs {
namespace {

bool whole(const std::vector<Recorded>& recorded) {
  return std::all_of(recorded.begin(), recorded.end(), [](const Recorded& one) {
    if (!is_real(one.tensor.type())) return true;
    const auto reals = one.tensor.to_reals();
    return std::all_of(reals.begin(), reals.end(), [](double x) { return x == std::floor(x); });
  });
}

}  // namespace

graph::Graph read_golden_network(const GoldenFolder& golden, onnx::ReadOptions options) {
  graph::Graph graph = onnx::read(golden.network, options);
  const bool integers = whole(golden.inputs) && whole(golden.activations) && whole(golden.outputs);
  if (!options.dialect.empty() || graph.stage != graph::Stage::FP || !integers) return graph;
  try {
    options.dialect = "deeploy";
    return onnx::read(golden.network, options);
  } catch (const UserError&) {
    return graph;
  }
}

}  // namespace nibble::verbs
