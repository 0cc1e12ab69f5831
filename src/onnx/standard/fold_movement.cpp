#include <algorithm>

#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"

// Folding of ops that only move elements: an index map each, so that the batch goes wherever its element goes.
namespace nibble::onnx {
namespace {

size_t folded_count(const NodeReader& node, const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0) node.fail("an extent of " + std::to_string(extent), "at least 0");
    if (__builtin_mul_overflow(count, extent, &count) || count > largest_folded)
      node.fail("a constant of shape " + to_string(shape), "at most " + std::to_string(largest_folded) + " elements");
  }
  return static_cast<size_t>(count);
}

/// A tensor of `shape` whose element at each index is x's at source(index).
template <class Source>
Folded gathered(const NodeReader& node, const Folded& x, Shape shape, Source source) {
  Folded y{x.type, std::move(shape), {}};
  const size_t count = folded_count(node, y.shape);
  std::vector<int64_t> index(y.shape.size());
  for (size_t i = 0; i < count; ++i) {
    y.elements.push_back(x.elements.at(source(index)));
    for (size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < y.shape[axis]) break;
      index[axis] = 0;
    }
  }
  return y;
}

size_t offset(const std::vector<int64_t>& index, const std::vector<int64_t>& strides) {
  int64_t sum = 0;
  for (size_t i = 0; i < index.size(); ++i) sum += index[i] * strides[i];
  return static_cast<size_t>(sum);
}

bool axes_known(NodeReader& node) {
  return node.opset() < 13 || !node.has(1) || node.known(1).has_value();
}

graph::Ints axes_of(NodeReader& node, size_t rank) {
  graph::Ints axes = node.opset() >= 13 && node.has(1) ? node.integers(1, "axes") : node.attributes().integers("axes");
  for (int64_t& axis : axes) axis = node.axis(axis, rank);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) node.fail("an axis twice", "each once");
  return axes;
}

}  // namespace

bool fold_identity(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.known(0);
  if (!x) return false;
  return node.give(*x), true;
}

bool fold_gather(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto x = node.known(0);
  const auto indices = node.known(1);
  if (!x || !indices || is_real(indices->type) || indices->has_batch()) return false;
  const auto axis = static_cast<size_t>(node.axis(node.attributes().integer("axis", 0), x->shape.size()));
  const int64_t extent = x->shape[axis];
  for (const Element& element : indices->elements)
    if (element.integer < -extent || element.integer >= extent)
      node.fail("index " + std::to_string(element.integer),
                std::to_string(-extent) + " to " + std::to_string(extent - 1));
  Shape shape(x->shape.begin(), x->shape.begin() + static_cast<ptrdiff_t>(axis));
  shape.insert(shape.end(), indices->shape.begin(), indices->shape.end());
  shape.insert(shape.end(), x->shape.begin() + static_cast<ptrdiff_t>(axis) + 1, x->shape.end());
  const auto strides = strides_of(x->shape), index_strides = strides_of(indices->shape);
  const size_t index_rank = indices->shape.size();
  node.give(gathered(node, *x, std::move(shape), [&](const std::vector<int64_t>& at) {
    int64_t which = 0, sum = 0;
    for (size_t i = 0; i < index_rank; ++i) which += at[axis + i] * index_strides[i];
    const int64_t chosen = indices->elements[static_cast<size_t>(which)].integer;
    for (size_t i = 0; i < axis; ++i) sum += at[i] * strides[i];
    sum += (chosen < 0 ? chosen + extent : chosen) * strides[axis];
    for (size_t i = axis + index_rank; i < at.size(); ++i) sum += at[i] * strides[i + 1 - index_rank];
    return static_cast<size_t>(sum);
  }));
  return true;
}

bool fold_concat(NodeReader& node) {
  std::vector<Folded> parts;
  for (size_t i = 0; i < node.input_count(); ++i) {
    auto part = node.known(i);
    if (!part) return false;
    parts.push_back(std::move(*part));
  }
  // Joined along the one axis they have: what shape subgraphs do. Others are left to the graph.
  if (parts.empty() || parts[0].shape.size() != 1) return false;
  node.axis(node.attributes().integer("axis", 0), 1);
  Folded y{parts[0].type, {0}, {}};
  for (const Folded& part : parts) {
    if (part.shape.size() != 1 || part.type != y.type)
      node.fail("inputs of different ranks or types", "lists of one type");
    y.elements.insert(y.elements.end(), part.elements.begin(), part.elements.end());
    y.shape[0] += part.shape[0];
    folded_count(node, y.shape);
  }
  return node.give(std::move(y)), true;
}

bool fold_slice(NodeReader& node) {
  const bool as_input = node.opset() >= 10;
  node.expect_inputs(as_input ? 3 : 1, as_input ? 5 : 1);
  const auto x = node.known(0);
  if (!x || x->shape.size() != 1) return false;
  for (size_t i = 1; i < node.input_count(); ++i)
    if (node.has(i) && !node.known(i)) return false;
  const graph::Ints starts = as_input ? node.integers(1, "starts") : node.attributes().integers("starts");
  const graph::Ints ends = as_input ? node.integers(2, "ends") : node.attributes().integers("ends");
  const graph::Ints axes = as_input && node.has(3) ? node.integers(3, "axes") : node.attributes().integers("axes", {0});
  const graph::Ints steps = as_input && node.has(4) ? node.integers(4, "steps") : graph::Ints{1};
  if (starts.size() != 1 || ends.size() != 1 || axes.size() != 1 || steps.size() != 1)
    node.fail("a slice of several axes", "one");
  node.axis(axes[0], 1);
  const int64_t extent = x->shape[0], step = steps[0];
  if (step == 0 || step == INT64_MIN) node.fail("a step of " + std::to_string(step), "a step");
  const auto clamp = [&](int64_t at) {
    if (at < 0) at = at < -extent ? -1 : at + extent;
    return step > 0 ? std::clamp<int64_t>(at, 0, extent) : std::clamp<int64_t>(at, -1, extent - 1);
  };
  Folded y{x->type, {0}, {}};
  const int64_t first = clamp(starts[0]), last = clamp(ends[0]);
  const int64_t span = step > 0 ? last - first : first - last;
  const int64_t stride = std::abs(step);
  const int64_t count = span <= 0 ? 0 : (span - 1) / stride + 1;
  for (int64_t i = 0; i < count; ++i) y.elements.push_back(x->elements[static_cast<size_t>(first + i * step)]);
  y.shape[0] = count;
  return node.give(std::move(y)), true;
}

bool fold_squeeze(NodeReader& node) {
  auto x = node.known(0);
  if (!x || !axes_known(node)) return false;
  const graph::Ints axes = axes_of(node, x->shape.size());
  Shape shape;
  for (size_t i = 0; i < x->shape.size(); ++i) {
    const bool named =
        axes.empty() ? x->shape[i] == 1 : std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(i));
    if (named && x->shape[i] != 1)
      node.fail("axis " + std::to_string(i) + " of " + to_string(x->shape), "an extent of 1");
    if (!named) shape.push_back(x->shape[i]);
  }
  x->shape = std::move(shape);
  return node.give(std::move(*x)), true;
}

bool fold_unsqueeze(NodeReader& node) {
  auto x = node.known(0);
  if (!x || !axes_known(node)) return false;
  const size_t added =
      node.opset() >= 13 && node.has(1) ? node.integers(1, "axes").size() : node.attributes().integers("axes").size();
  const graph::Ints axes = axes_of(node, x->shape.size() + added);
  for (int64_t axis : axes) x->shape.insert(x->shape.begin() + axis, 1);
  return node.give(std::move(*x)), true;
}

bool fold_reshape(NodeReader& node) {
  node.expect_inputs(2, 2);
  auto x = node.known(0);
  if (!x || !node.known(1)) return false;
  Shape shape = node.integers(1, "shape");
  const bool allow_zero = node.attributes().integer("allowzero", 0) != 0;
  const auto count = static_cast<int64_t>(x->elements.size());
  int64_t product = 1;
  int64_t* open = nullptr;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !allow_zero && i < x->shape.size()) shape[i] = x->shape[i];
    if (shape[i] == -1 && !open)
      open = &shape[i];
    else if (shape[i] < 0 || __builtin_mul_overflow(product, shape[i], &product))
      node.fail("shape " + to_string(shape), "extents for " + std::to_string(count) + " elements");
  }
  if (open) *open = product == 0 ? 0 : count / product;
  if ((open ? product * *open : product) != count)
    node.fail("shape " + to_string(shape), std::to_string(count) + " elements");
  x->shape = std::move(shape);
  return node.give(std::move(*x)), true;
}

bool fold_expand(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto x = node.known(0);
  const auto extents = node.known(1);
  if (!x || !extents) return false;
  const bool zeros = std::all_of(x->elements.begin(), x->elements.end(),
                                 [](const Element& each) { return each.real == 0 && each.integer == 0; });
  if (extents->has_batch() && zeros) return node.give_zeros(x->type), true;
  const Shape shape = broadcast(x->shape, node.integers(1, "shape"));
  std::vector<int64_t> strides = strides_of(x->shape);
  for (size_t i = 0; i < strides.size(); ++i)
    if (x->shape[i] == 1) strides[i] = 0;
  strides.insert(strides.begin(), shape.size() - strides.size(), 0);
  return node.give(gathered(node, *x, shape, [&](const auto& at) { return offset(at, strides); })), true;
}

bool fold_transpose(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.known(0);
  // A matrix of weights stays a constant with its Transpose, for the passes to see.
  if (!x || x->shape.size() != 1) return false;
  return node.give(*x), true;
}

}  // namespace nibble::onnx
