#include <algorithm>
#include <cmath>
#include <optional>

#include "passes/canonicalise/passes.hpp"
#include "passes/canonicalise/subgraphs.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;

constexpr size_t most_nodes = 16;

/// Constants are one number, or one an element of the last axis.
bool fits_rows(const Graph& graph, const Node& node) {
  for (graph::ValueId id : node.inputs) {
    if (id == graph::absent) return false;
    const Tensor* constant = graph.constant(id);
    if (constant && constant->size() != 1 && constant->size() != static_cast<size_t>(constant->shape().back()))
      return false;
  }
  return true;
}

bool works_on_rows(const Graph& graph, const Node& node) {
  if (const auto* mean = get_if<graph::ReduceMean>(&node.op)) {
    const size_t rank = graph[node.inputs[0]].shape.size();
    return mean->keep_dims && mean->axes.size() == 1 && rank > 1 &&
           normalise_axis(mean->axes[0], rank) + 1 == static_cast<int64_t>(rank);
  }
  const bool known = holds_alternative<graph::Add>(node.op) || holds_alternative<graph::Sub>(node.op) ||
                     holds_alternative<graph::Mul>(node.op) || holds_alternative<graph::Div>(node.op) ||
                     holds_alternative<graph::Pow>(node.op) || holds_alternative<graph::Sqrt>(node.op) ||
                     holds_alternative<graph::Reciprocal>(node.op) || holds_alternative<graph::Neg>(node.op);
  return known && fits_rows(graph, node);
}

/// Whether the nodes can be a normalisation at all: a mean and a root. The numbers that may be its epsilon.
std::vector<double> epsilons_of(const Graph& graph, const Subgraph& region) {
  std::vector<double> epsilons;
  bool mean = false, root = false;
  for (size_t index : region.nodes) {
    const Node& node = graph.nodes[index];
    mean = mean || holds_alternative<graph::ReduceMean>(node.op);
    root = root || holds_alternative<graph::Sqrt>(node.op) || holds_alternative<graph::Pow>(node.op);
    if (!holds_alternative<graph::Add>(node.op)) continue;
    for (graph::ValueId id : node.inputs)
      if (graph.constant(id) && graph.constant(id)->size() == 1) epsilons.push_back(graph.constant(id)->to_reals()[0]);
  }
  if (!mean || !root) return {};
  epsilons.push_back(0);  // last: a small one looks like none
  return epsilons;
}

constexpr int64_t rows = 5;

/// [rows, 1.., n]: nothing near its mean in row 0, of one number in row 1, then smaller and larger ones.
Tensor probe(size_t rank, int64_t n) {
  Shape shape(rank, 1);
  shape.front() = rows;
  shape.back() = n;
  std::vector<double> x;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < n; ++i) {
      const double wave = (i % 2 == 0 ? 1 : -1) * (1 + 0.37 * static_cast<double>((i * 5 + row * 3) % 7));
      const double scale[] = {1, 0, 1e-3, 0.1, 20};
      x.push_back(row == 1 ? 3 : scale[row] * (wave + 0.21));
    }
  return Tensor(shape, x);
}

struct Found {
  bool centred = true;
  double epsilon = 0;
  std::vector<double> gain, bias;
};

/// (x - mean) / sqrt(variance + epsilon), or x over its root mean square.
std::vector<double> normalised(const double* x, size_t n, bool centred, double epsilon) {
  double mean = 0, square = 0;
  for (size_t i = 0; centred && i < n; ++i) mean += x[i] / static_cast<double>(n);
  for (size_t i = 0; i < n; ++i) square += (x[i] - mean) * (x[i] - mean) / static_cast<double>(n);
  std::vector<double> y;
  for (size_t i = 0; i < n; ++i) y.push_back((x[i] - mean) / std::sqrt(square + epsilon));
  return y;
}

std::optional<Found> read_off(const std::vector<double>& x, const std::vector<double>& y, bool centred,
                              double epsilon) {
  const size_t n = x.size() / rows;
  Found found{centred, epsilon, {}, std::vector<double>(n, 0)};
  if (centred)
    found.bias.assign(y.begin() + static_cast<std::ptrdiff_t>(n), y.begin() + static_cast<std::ptrdiff_t>(2 * n));
  const std::vector<double> first = normalised(x.data(), n, centred, epsilon);
  double most = 0;
  for (size_t i = 0; i < n; ++i) {
    found.gain.push_back((y[i] - found.bias[i]) / first[i]);
    most = std::max({most, std::abs(found.gain[i]), std::abs(found.bias[i])});
  }
  if (!std::isfinite(most)) return std::nullopt;
  for (size_t row = centred ? 2 : 1; row < rows; ++row) {
    const std::vector<double> t = normalised(x.data() + row * n, n, centred, epsilon);
    for (size_t i = 0; i < n; ++i)
      if (!(std::abs(found.gain[i] * t[i] + found.bias[i] - y[row * n + i]) <= 1e-6 * most)) return std::nullopt;
  }
  return found;
}

std::optional<Found> normalisation_of(const Graph& graph, const Subgraph& region) {
  const std::vector<double> epsilons = epsilons_of(graph, region);
  const Shape& shape = graph[region.source].shape;
  if (epsilons.empty() || shape.size() < 2 || shape.back() < 2) return std::nullopt;
  const Tensor x = probe(shape.size(), shape.back());
  const Tensor y = evaluate_subgraph(graph, region, x);
  if (y.shape() != x.shape()) return std::nullopt;
  const std::vector<double> in = x.to_reals(), out = y.to_reals();
  for (bool centred : {true, false})
    for (double epsilon : epsilons)
      if (auto found = read_off(in, out, centred, epsilon)) return found;
  return std::nullopt;
}

void replace(Graph& graph, size_t index, const Subgraph& region, const Found& found) {
  const std::string name = graph.nodes[index].name;
  const auto n = static_cast<int64_t>(found.gain.size());
  const graph::ValueId gain = graph.add_constant(name + "_gain", float_tensor({n}, found.gain));
  graph.nodes[index].inputs = {region.source, gain};
  if (!found.centred) {
    graph.nodes[index].op = graph::RmsNormalization{-1, found.epsilon};
    return;
  }
  const graph::ValueId bias = graph.add_constant(name + "_bias", float_tensor({n}, found.bias));
  graph.nodes[index].inputs.push_back(bias);
  graph.nodes[index].op = graph::LayerNormalization{-1, found.epsilon};
}

}  // namespace

int fuse_normalizations(Graph& graph) {
  const graph::Uses uses(graph);
  int changed = 0;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const auto allowed = [&](const Node& node) { return works_on_rows(graph, node); };
    const auto regions = subgraphs_to(graph, uses, i, allowed, most_nodes);
    for (size_t r = regions.size(); r-- > 0;) {
      if (regions[r].nodes.size() < 4) continue;
      const auto found = normalisation_of(graph, regions[r]);
      if (!found) continue;
      replace(graph, i, regions[r], *found);
      ++changed;
      break;
    }
  }
  return changed;
}

}  // namespace nibble::passes
