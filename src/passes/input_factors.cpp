#include "passes/input_factors.hpp"

#include <algorithm>
#include <cmath>

#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {

bool is_power_of_two(double x) {
  int exponent = 0;
  return x > 0 && std::isfinite(x) && std::frexp(x, &exponent) == 0.5;
}

}  // namespace

std::optional<InputFactors> factors_of_input(const graph::Graph& graph, const graph::Uses& uses, graph::ValueId input) {
  const bool given = std::find(graph.inputs.begin(), graph.inputs.end(), input) != graph.inputs.end();
  const int reader = uses.only_reader(input);
  if (!given || reader < 0) return std::nullopt;
  const graph::Node& node = graph.nodes[static_cast<size_t>(reader)];
  if (!holds_alternative<graph::Mul>(node.op) || node.inputs[0] != input) return std::nullopt;
  const auto product = affine_of_arithmetic(graph, node);
  if (!product || !std::all_of(product->affine.gain.begin(), product->affine.gain.end(), is_power_of_two) ||
      std::any_of(product->affine.shift.begin(), product->affine.shift.end(), [](double x) { return x != 0; }))
    return std::nullopt;
  return InputFactors{static_cast<size_t>(reader), product->affine.gain};
}

}  // namespace nibble::passes
