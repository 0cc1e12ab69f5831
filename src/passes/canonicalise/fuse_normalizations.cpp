#include <algorithm>
#include <cmath>
#include <optional>

#include "passes/canonicalise/passes.hpp"
#include "passes/canonicalise/subgraphs.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Ints;
using graph::Node;

constexpr size_t most_nodes = 20;

/// What is normalised together: the axes of a tensor of this rank, ascending, never the first.
struct Row {
  size_t rank = 0;
  Ints axes;
  bool operator==(const Row&) const = default;

  bool contains(size_t axis) const {
    return std::find(axes.begin(), axes.end(), static_cast<int64_t>(axis)) != axes.end();
  }
};

std::optional<Row> row_of(const Graph& graph, const Node& node) {
  const auto* mean = get_if<graph::ReduceMean>(&node.op);
  const Shape& shape = mean ? graph[node.inputs[0]].shape : Shape{};
  if (!mean || !mean->keep_dims || mean->axes.empty() || shape.size() < 2) return std::nullopt;
  Row row{shape.size(), {}};
  for (int64_t axis : mean->axes) row.axes.push_back(normalise_axis(axis, row.rank));
  std::sort(row.axes.begin(), row.axes.end());
  const bool known = std::all_of(row.axes.begin(), row.axes.end(),
                                 [&](int64_t axis) { return shape[static_cast<size_t>(axis)] != any; });
  return known && row.axes[0] > 0 ? std::optional(row) : std::nullopt;
}

std::vector<Row> rows_of(const Graph& graph) {
  std::vector<Row> found;
  for (const Node& node : graph.nodes)
    if (auto row = row_of(graph, node); row && std::find(found.begin(), found.end(), *row) == found.end())
      found.push_back(std::move(*row));
  return found;
}

/// Constants are one number, or one an element of the row.
bool fits_rows(const Graph& graph, const Node& node, const Row& row) {
  for (graph::ValueId id : node.inputs) {
    if (id == graph::absent) return false;
    const Tensor* constant = graph.constant(id);
    if (!constant || constant->size() == 1) continue;
    if (constant->rank() > row.rank) return false;
    const size_t skipped = row.rank - constant->rank();
    for (size_t i = 0; i < constant->rank(); ++i)
      if (constant->shape()[i] != 1 && !row.contains(skipped + i)) return false;
  }
  return true;
}

bool works_on_rows(const Graph& graph, const Node& node, const Row& row) {
  if (holds_alternative<graph::ReduceMean>(node.op)) return row_of(graph, node) == row;
  const bool known = holds_alternative<graph::Add>(node.op) || holds_alternative<graph::Sub>(node.op) ||
                     holds_alternative<graph::Mul>(node.op) || holds_alternative<graph::Div>(node.op) ||
                     holds_alternative<graph::Pow>(node.op) || holds_alternative<graph::Sqrt>(node.op) ||
                     holds_alternative<graph::Reciprocal>(node.op) || holds_alternative<graph::Neg>(node.op) ||
                     holds_alternative<graph::Clip>(node.op) || holds_alternative<graph::Max>(node.op);
  return known && fits_rows(graph, node, row);
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
      if (graph.constant(id) && graph.constant(id)->size() == 1)
        epsilons.push_back(attribute_of(graph.constant(id)->to_reals()[0]));
  }
  if (!mean || !root) return {};
  epsilons.push_back(0);  // last: a small one looks like none
  return epsilons;
}

constexpr int64_t rows = 5;

/// [rows, .., the row's extents, ..]: nothing near its mean in row 0, of one number in row 1, then smaller and larger ones.
Tensor probe(const Shape& like, const Row& axes) {
  Shape shape(axes.rank, 1);
  shape.front() = rows;
  for (int64_t axis : axes.axes) shape[static_cast<size_t>(axis)] = like[static_cast<size_t>(axis)];
  const int64_t n = element_count(shape) / rows;
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

std::optional<Found> normalisation_of(const Graph& graph, const Subgraph& region, const Row& row) {
  const std::vector<double> epsilons = epsilons_of(graph, region);
  const Shape& shape = graph[region.source].shape;
  if (epsilons.empty() || shape.size() != row.rank) return std::nullopt;
  for (int64_t axis : row.axes)
    if (shape[static_cast<size_t>(axis)] < 1) return std::nullopt;
  const Tensor x = probe(shape, row);
  if (x.size() < size_t{2} * rows) return std::nullopt;
  const Tensor y = evaluate_subgraph(graph, region, x);
  if (y.shape() != x.shape()) return std::nullopt;
  const std::vector<double> in = x.to_reals(), out = y.to_reals();
  for (bool centred : {true, false})
    for (double epsilon : epsilons)
      if (auto found = read_off(in, out, centred, epsilon)) return found;
  return std::nullopt;
}

/// The row's axes behind the others.
Ints row_last(const Row& row) {
  Ints perm;
  for (size_t axis = 0; axis < row.rank; ++axis)
    if (!row.contains(axis)) perm.push_back(static_cast<int64_t>(axis));
  perm.insert(perm.end(), row.axes.begin(), row.axes.end());
  return perm;
}

Ints inverse(const Ints& perm) {
  Ints result(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) result[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return result;
}

/// The normalisation of x, whose row is its last axes.
Node normalisation(Graph& graph, const std::string& name, graph::ValueId x, const Found& found, const Shape& extents) {
  const auto axis = -static_cast<int64_t>(extents.size());
  const double epsilon = found.epsilon == 0 ? graph::no_epsilon : found.epsilon;
  const graph::ValueId gain = graph.add_constant(name + "_gain", float_tensor(extents, found.gain));
  if (!found.centred) return {name, graph::RmsNormalization{axis, epsilon}, {x, gain}, {}};
  const graph::ValueId bias = graph.add_constant(name + "_bias", float_tensor(extents, found.bias));
  return {name, graph::LayerNormalization{axis, epsilon}, {x, gain, bias}, {}};
}

void replace(Graph& graph, size_t index, const Subgraph& region, const Row& row, const Found& found) {
  const std::string name = graph.nodes[index].name;
  const Ints perm = row_last(row);
  Shape extents;
  for (int64_t axis : row.axes) extents.push_back(graph[region.source].shape[static_cast<size_t>(axis)]);
  if (std::is_sorted(perm.begin(), perm.end())) {
    const Node normal = normalisation(graph, name, region.source, found, extents);
    graph.nodes[index].op = normal.op;
    graph.nodes[index].inputs = normal.inputs;
    return;
  }
  const graph::ValueId turned = graph.add_node(name + "_input", graph::Transpose{perm}, {region.source});
  const Node normal = normalisation(graph, name + "_rows", turned, found, extents);
  const graph::ValueId normalised = graph.add_node(normal.name, normal.op, normal.inputs);
  graph.nodes[index].op = graph::Transpose{inverse(perm)};
  graph.nodes[index].inputs = {normalised};
}

/// Whether a region that ends in the node was a normalisation over the row, and is one op now.
bool fuse(Graph& graph, const graph::Uses& uses, size_t index, const Row& row) {
  const auto allowed = [&](const Node& node) { return works_on_rows(graph, node, row); };
  const auto regions = subgraphs_to(graph, uses, index, allowed, most_nodes);
  for (size_t r = regions.size(); r-- > 0;) {
    if (regions[r].nodes.size() < 4) continue;
    const auto found = normalisation_of(graph, regions[r], row);
    if (!found) continue;
    replace(graph, index, regions[r], row, *found);
    return true;
  }
  return false;
}

}  // namespace

int fuse_normalizations(Graph& graph) {
  const graph::Uses uses(graph);
  const std::vector<Row> candidates = rows_of(graph);
  int changed = 0;
  for (size_t i = graph.nodes.size(); i-- > 0;)
    changed +=
        std::any_of(candidates.begin(), candidates.end(), [&](const Row& row) { return fuse(graph, uses, i, row); });
  return changed;
}

}  // namespace nibble::passes
