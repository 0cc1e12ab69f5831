#include "passes/quantise/weight_rows.hpp"

#include <functional>
#include <numeric>

#include "graph/windows.hpp"

namespace nibble::passes {
namespace {
using graph::Node;

size_t extent_of(const Shape& shape, size_t first) {
  return static_cast<size_t>(std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(first), shape.end(),
                                             int64_t{1}, std::multiplies<>()));
}

}  // namespace

std::optional<WeightRows> weight_rows(const Node& node, const Shape& weights) {
  WeightRows rows;
  if (weights.size() < 2) return std::nullopt;
  const auto first = static_cast<size_t>(weights[0]), second = static_cast<size_t>(weights[1]);
  const size_t taps = extent_of(weights, 2);
  if (const auto* conv = get_if<graph::Conv>(&node.op)) {
    rows.groups = static_cast<size_t>(conv->group);
    rows.outputs = first / rows.groups;
    rows.inputs = second * taps;
    rows.of_output = rows.inputs;
    rows.of_group = rows.outputs * rows.inputs;
    rows.inner = rows.of_outer = taps;
    return rows;
  }
  if (const auto* conv = get_if<graph::ConvTranspose>(&node.op)) {
    rows.groups = static_cast<size_t>(conv->group);
    rows.outputs = second;
    rows.inputs = first / rows.groups * taps;
    rows.of_output = taps;
    rows.of_group = rows.inputs * second;
    rows.inner = taps;
    rows.of_outer = second * taps;
    return rows;
  }
  if (weights.size() != 2) return std::nullopt;
  const auto* gemm = get_if<graph::Gemm>(&node.op);
  if (!gemm && !holds_alternative<graph::MatMul>(node.op)) return std::nullopt;
  if (gemm && gemm->transpose_a) return std::nullopt;
  const bool by_output = gemm && gemm->transpose_b;
  rows.outputs = by_output ? first : second;
  rows.inputs = by_output ? second : first;
  rows.of_output = by_output ? rows.inputs : 1;
  rows.of_outer = by_output ? 1 : rows.outputs;
  return rows;
}

Patches::Patches(const graph::Graph& graph, const Node& node, const Shape& x, const WeightRows& rows) {
  if (holds_alternative<graph::Gemm>(node.op) || holds_alternative<graph::MatMul>(node.op)) {
    channels_ = of_group_ = rows.inputs;
    examples_ = static_cast<int64_t>(extent_of(x, 0) / channels_);
    places_ = {0};
    return;
  }
  examples_ = x[0];
  channels_ = static_cast<size_t>(x[1]);
  of_group_ = channels_ / rows.groups;
  extent_ = extent_of(x, 2);
  taps_ = rows.inner;
  add_taps(graph, node, x);
}

void Patches::add_taps(const graph::Graph& graph, const Node& node, const Shape& x) {
  const Shape &y = graph[node.outputs[0]].shape, &w = graph[node.inputs[1]].shape;
  const auto* conv = get_if<graph::Conv>(&node.op);
  const auto* transposed = get_if<graph::ConvTranspose>(&node.op);
  const graph::Ints kernel(w.begin() + 2, w.end());
  positions_ = static_cast<int64_t>(extent_of(y, 2));
  places_.assign(static_cast<size_t>(positions_) * taps_, 0);
  int64_t behind_y = positions_, behind_w = static_cast<int64_t>(taps_);
  for (size_t axis = 0; axis < kernel.size(); ++axis) {
    const graph::Window window =
        conv ? graph::window_of(kernel, conv->strides, conv->pads, conv->dilations, false, axis)
             : graph::window_of(kernel, transposed->strides, transposed->pads, transposed->dilations, false, axis);
    const int64_t extent = x[axis + 2];
    behind_y /= y[axis + 2];
    behind_w /= kernel[axis];
    for (int64_t p = 0; p < positions_; ++p)
      for (int64_t t = 0; t < static_cast<int64_t>(taps_); ++t) {
        int64_t& place = places_[static_cast<size_t>(p) * taps_ + static_cast<size_t>(t)];
        const int64_t at = p / behind_y % y[axis + 2], tap = t / behind_w % kernel[axis];
        int64_t from = conv ? at * window.stride - window.pad_begin + tap * window.dilation
                            : at + window.pad_begin - tap * window.dilation;
        const bool whole = conv || from % window.stride == 0;
        if (!conv) from /= window.stride;
        place = place < 0 || !whole || from < 0 || from >= extent ? -1 : place * extent + from;
      }
  }
}

void Patches::take(std::span<const float> x, int64_t index, size_t group, float* row) const {
  const auto example = static_cast<size_t>(index / positions_);
  const int64_t* places = places_.data() + static_cast<size_t>(index % positions_) * taps_;
  for (size_t c = 0; c < of_group_; ++c) {
    const size_t base = (example * channels_ + group * of_group_ + c) * extent_;
    for (size_t t = 0; t < taps_; ++t) *row++ = places[t] < 0 ? 0 : x[base + static_cast<size_t>(places[t])];
  }
}

}  // namespace nibble::passes
