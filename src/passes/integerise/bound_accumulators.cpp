#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "graph/op_traits.hpp"
#include "graph/ranges.hpp"
#include "passes/integerise/passes.hpp"
#include "passes/rewrite.hpp"
#include "quant/bounds.hpp"
#include "quant/requantisation.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;
using Bounds = graph::Ranges;

bool is_accumulator(const graph::Op& op) {
  return terms_of(op) != graph::Terms::None || holds_alternative<graph::Mul>(op);
}

void check_bits(const Graph& graph, const AccumulatorBits& bits) {
  const auto check = [](int width) {
    if (width < 8 || width > 32) fail("passes", "accumulator bits", fmt::format("{}", width), "8 to 32");
  };
  check(bits.bits);
  for (const auto& [pattern, width] : bits.layers) {
    check(width);
    const auto named = [&p = pattern](const Node& node) { return matches(p, node.name); };
    if (std::none_of(graph.nodes.begin(), graph.nodes.end(), named))
      fail("passes", "accumulator bits", "no node '" + pattern + "'", "a node's name or a pattern of * and ?");
  }
}

/// A channel that needs more than its node's bits is named with its range.
void check_width(const Node& node, const Bounds& bounds, int bits) {
  size_t widest = 0;
  for (size_t c = 1; c < bounds.size(); ++c)
    if (quant::signed_bits(bounds[c]) > quant::signed_bits(bounds[widest])) widest = c;
  const int needed = quant::signed_bits(bounds[widest]);
  if (needed <= bits) return;
  const std::string sums = bounds.size() == 1 ? "its sums reach" : fmt::format("the sums of channel {} reach", widest);
  std::string advice = fmt::format("at most {}: fewer bits for its weights or its inputs", bits);
  if (needed <= 32) advice += fmt::format(", or --accumulator-bits {},{}={}", bits, node.name, needed);
  fail("passes", place_of(node),
       fmt::format("{} {} to {}, {} bits", sums, bounds[widest].low, bounds[widest].high, needed), advice);
}

}  // namespace

int AccumulatorBits::of(std::string_view node) const {
  int width = bits;
  for (const auto& [pattern, layer] : layers)
    if (matches(pattern, node)) width = layer;
  return width;
}

AccumulatorBits accumulator_bits_from(std::string_view text, std::string_view place) {
  AccumulatorBits result;
  for (size_t from = 0, part = 0; from <= text.size(); ++part) {
    const size_t comma = std::min(text.find(',', from), text.size());
    const std::string_view each = text.substr(from, comma - from);
    const size_t equals = each.rfind('=');
    const std::string_view number = equals == std::string_view::npos ? each : each.substr(equals + 1);
    int bits = 0;
    const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), bits);
    const bool layer = equals != std::string_view::npos;
    if (failed != std::errc{} || end != number.data() + number.size() || bits < 8 || bits > 32 ||
        (layer ? equals == 0 : part > 0))
      fail("passes", place, "'" + std::string(each) + "'", "8 to 32, then NODE=BITS");
    if (layer)
      result.layers.emplace_back(each.substr(0, equals), bits);
    else
      result.bits = bits;
    from = comma + 1;
  }
  return result;
}

int bound_accumulators(Graph& graph, const AccumulatorBits& bits) {
  check_bits(graph, bits);
  const auto bounds_of = [&](ValueId id) { return graph[id].bounds; };
  int changed = 0;
  const auto settle = [&](ValueId id, Bounds bounds) {
    if (graph[id].bounds == bounds) return;
    graph[id].bounds = std::move(bounds);
    ++changed;
  };
  for (ValueId id : graph.inputs)
    if (graph[id].grid) settle(id, {{graph[id].grid.value().low, graph[id].grid.value().high}});
  for (const Node& node : graph.nodes) {
    if (is_real(graph[node.outputs[0]].type)) continue;
    const Bounds bounds = integer_range(graph, node, bounds_of);
    if (is_accumulator(node.op)) check_width(node, bounds, bits.of(node.name));
    for (ValueId id : node.outputs) settle(id, bounds);
  }
  return changed;
}

}  // namespace nibble::passes
