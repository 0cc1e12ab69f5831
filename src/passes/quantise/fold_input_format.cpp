#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "passes/quantise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

struct Format {
  ValueId id;
  std::vector<double> gain, shift;  ///< one for each channel
};

Format format_of(const Graph& graph, const InputFormat& given) {
  Format format{graph::absent, given.gain, given.shift};
  std::vector<std::string> names;
  for (ValueId id : graph.inputs) {
    names.push_back(graph[id].name);
    if (graph[id].name == given.input) format.id = id;
  }
  if (format.id == graph::absent)
    fail("passes", "input formats", "no input '" + given.input + "'" + did_you_mean(given.input, names));
  const Shape& shape = graph[format.id].shape;
  const size_t channels = shape.size() > 1 && shape[1] != any ? static_cast<size_t>(shape[1]) : 1;
  for (auto* numbers : {&format.gain, &format.shift}) {
    if (numbers->size() == 1) numbers->assign(channels, numbers->front());
    if (numbers->size() != channels)
      fail("passes", "input '" + given.input + "'",
           fmt::format("a format of {} channels with {}", numbers->size(), nibble::to_string(shape)),
           "one for each channel");
  }
  for (size_t c = 0; c < channels; ++c)
    if (!(format.gain[c] > 0) || !std::isfinite(format.gain[c]) || !std::isfinite(format.shift[c]))
      fail("passes", "input '" + given.input + "'",
           fmt::format("a pixel times {} plus {}", format.gain[c], format.shift[c]),
           "a positive factor and finite numbers");
  return format;
}

/// The pixel that is real zero in every channel, where there is one and it is whole.
std::optional<int64_t> zero_of(const Format& format) {
  constexpr double as_written = 1e-6;  // a file gives 0.00392 for 1/255
  std::optional<int64_t> zero;
  for (size_t c = 0; c < format.gain.size(); ++c) {
    const double pixel = -format.shift[c] / format.gain[c], whole = std::nearbyint(pixel);
    if (std::abs(pixel - whole) > as_written || whole < 0 || whole > 255) return std::nullopt;
    if (zero && *zero != static_cast<int64_t>(whole)) return std::nullopt;
    zero = static_cast<int64_t>(whole);
  }
  return zero;
}

bool pads(const Node& node) {
  const auto* conv = get_if<graph::Conv>(&node.op);
  return conv && std::any_of(conv->pads.begin(), conv->pads.end(), [](int64_t pad) { return pad != 0; });
}

/// Whether the node takes the format into its weights: a Conv, or a Gemm [N, K] x [O, K], with constants.
bool takes_it(const Graph& graph, const Node& node, ValueId input) {
  const auto* gemm = get_if<graph::Gemm>(&node.op);
  const bool linear = holds_alternative<graph::Conv>(node.op) ||
                      (gemm && gemm->alpha == 1 && gemm->beta == 1 && !gemm->transpose_a && gemm->transpose_b);
  if (!linear || node.inputs[0] != input || !graph.constant(node.inputs[1])) return false;
  const ValueId bias = node.inputs.size() > 2 ? node.inputs[2] : graph::absent;
  return bias == graph::absent || (graph.constant(bias) && graph[bias].shape == Shape{graph[node.inputs[1]].shape[0]});
}

/// w x = w gain p' + w (shift + gain zero) for each input channel.
void fold_into(Graph& graph, Node& node, const Format& format, int64_t zero, bool exact_zero) {
  const ValueId weights = node.inputs[1];
  const Tensor old = *graph.constant(weights);
  std::vector<double> values = old.to_reals();
  const auto outputs = static_cast<size_t>(old.shape()[0]), depth = static_cast<size_t>(old.shape()[1]);
  const size_t taps = values.size() / std::max<size_t>(1, outputs * depth);
  const auto* conv = get_if<graph::Conv>(&node.op);
  const size_t groups = conv ? static_cast<size_t>(conv->group) : 1;
  std::vector<double> added(outputs);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t o = i / (depth * taps), c = o / (outputs / groups) * depth + i / taps % depth;
    if (!exact_zero) added[o] += values[i] * (format.shift[c] + format.gain[c] * static_cast<double>(zero));
    values[i] *= format.gain[c];
  }
  node.inputs[1] = rewrite_constant(graph, weights, float_tensor(old.shape(), values));
  if (exact_zero) return;
  node.inputs.resize(3, graph::absent);
  const ValueId bias = node.inputs[2];
  if (bias != graph::absent) {
    const std::vector<double> own = graph.constant(bias)->to_reals();
    for (size_t o = 0; o < outputs; ++o) added[o] += own[o];
  }
  Tensor tensor = float_tensor({static_cast<int64_t>(outputs)}, added);
  const std::string name = node.name + "_bias";
  node.inputs[2] = bias == graph::absent ? graph.add_constant(name, std::move(tensor))
                                         : rewrite_constant(graph, bias, std::move(tensor));
}

/// x = gain p + shift as nodes behind the input.
void place_behind(Graph& graph, const Format& format) {
  const std::string name = graph[format.id].name;
  const auto constant = [&](const char* part, std::vector<double> values) {
    // One number for all channels is one requantisation.
    if (std::all_of(values.begin(), values.end(), [&](double value) { return value == values[0]; })) values.resize(1);
    Shape shape(graph[format.id].shape.size(), 1);
    if (shape.size() > 1) shape[1] = static_cast<int64_t>(values.size());
    return graph.add_constant(name + part, float_tensor(shape, values));
  };
  const ValueId gain = constant("_gain", format.gain), shift = constant("_shift", format.shift);
  const ValueId scaled = graph.add_value(name + "_scaled"), moved = graph.add_value(name + "_normalised");
  graph.replace(format.id, moved);
  std::vector<Node> behind{{name + "_scaled", graph::Mul{}, {format.id, gain}, {scaled}},
                           {name + "_normalised", graph::Add{}, {scaled, shift}, {moved}}};
  graph.nodes.insert(graph.nodes.begin(), behind.begin(), behind.end());
}

TakenInput take(Graph& graph, const Format& format) {
  TakenInput taken{graph[format.id].name, 0, "", true};
  const graph::Uses uses(graph);
  const auto& readers = uses.readers[static_cast<size_t>(format.id)];
  const std::optional<int64_t> zero = zero_of(format);
  bool foldable = !uses.is_output[static_cast<size_t>(format.id)] && !readers.empty();
  for (int reader : readers) {
    const Node& node = graph.nodes[static_cast<size_t>(reader)];
    foldable = foldable && takes_it(graph, node, format.id) && (zero || !pads(node));
  }
  if (!foldable) {
    place_behind(graph, format);
    taken.where = taken.input + "_scaled_q";
    taken.exact = false;
    return taken;
  }
  taken.zero = zero.value_or(0);
  for (int reader : readers) {
    Node& node = graph.nodes[static_cast<size_t>(reader)];
    taken.where += (taken.where.empty() ? "" : ", ") + node.name;
    fold_into(graph, node, format, taken.zero, zero.has_value());
  }
  return taken;
}

}  // namespace

std::vector<TakenInput> fold_input_format(Graph& graph, const std::vector<InputFormat>& formats) {
  std::vector<TakenInput> taken;
  for (const InputFormat& format : formats) taken.push_back(take(graph, format_of(graph, format)));
  return taken;
}

}  // namespace nibble::passes
