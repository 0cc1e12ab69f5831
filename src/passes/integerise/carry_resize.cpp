#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "graph/windows.hpp"
#include "passes/integerise/propagation.hpp"

namespace nibble::passes {
namespace {
using graph::Node;
using graph::ValueId;

struct Ratio {
  int64_t numerator = 0, denominator = 1;
};

/// The scale as a ratio of small integers, which it must be to the last bit of a float32.
Ratio ratio_of(const Node& node, const graph::Resize& op, size_t axis, int64_t from, int64_t to) {
  if (!op.sizes.empty()) return {to, from};
  constexpr int64_t largest = 64;
  for (int64_t denominator = 1; denominator <= largest; ++denominator) {
    const double numerator = op.scales[axis] * static_cast<double>(denominator);
    if (std::abs(numerator - std::nearbyint(numerator)) <= numerator * 0x1p-23)
      return {std::llround(numerator), denominator};
  }
  refuse(node, fmt::format("resizes by {}", op.scales[axis]), "a ratio of integers up to 64");
}

/// Where output element i lies in x, in elements.
Ratio place_of(const graph::Resize& op, Ratio scale, int64_t i, int64_t from, int64_t to) {
  const int64_t p = scale.numerator, q = scale.denominator;
  switch (op.coordinates) {
    case graph::ResizeCoordinates::PytorchHalfPixel:
      if (to == 1) return {0, 1};
      [[fallthrough]];
    case graph::ResizeCoordinates::HalfPixel: return {(2 * i + 1) * q - p, 2 * p};
    case graph::ResizeCoordinates::AlignCorners: return to == 1 ? Ratio{0, 1} : Ratio{i * (from - 1), to - 1};
    case graph::ResizeCoordinates::Asymmetric: return {i * q, p};
  }
  throw InternalError("a coordinate mode is one of the enumeration");
}

/// [to, from]: each row blends two elements; every row's integers sum to `denominator`.
struct Blend {
  std::vector<int64_t> weights;
  int64_t from = 1, to = 1, denominator = 1;
};

Blend blend_of(const Node& node, const graph::Resize& op, size_t axis, int64_t from, int64_t to) {
  const Ratio scale = ratio_of(node, op, axis, from, to);
  std::vector<Ratio> places;
  Blend blend{{}, from, to, 1};
  for (int64_t i = 0; i < to; ++i) {
    Ratio at = place_of(op, scale, i, from, to);
    if (at.numerator < 0) at = {0, 1};
    if (at.numerator > (from - 1) * at.denominator) at = {from - 1, 1};
    const int64_t divisor = std::gcd(at.numerator, at.denominator);
    places.push_back({at.numerator / divisor, at.denominator / divisor});
    blend.denominator = std::lcm(blend.denominator, places.back().denominator);
    if (blend.denominator > 1 << 14)
      refuse(node, fmt::format("blends {} elements into {} by fractions beyond 1/16384", from, to),
             "a scale that is a ratio of small integers");
  }
  blend.weights.resize(static_cast<size_t>(to * from));
  for (int64_t i = 0; i < to; ++i) {
    const Ratio at = places[static_cast<size_t>(i)];
    const int64_t low = at.numerator / at.denominator;
    const int64_t share = (at.numerator - low * at.denominator) * (blend.denominator / at.denominator);
    blend.weights[static_cast<size_t>(i * from + low)] += blend.denominator - share;
    if (share != 0) blend.weights[static_cast<size_t>(i * from + low + 1)] += share;
  }
  return blend;
}

Tensor matrix_of(const Blend& blend, bool transposed) {
  std::vector<int16_t> elements(blend.weights.size());
  for (int64_t i = 0; i < blend.to; ++i)
    for (int64_t j = 0; j < blend.from; ++j)
      elements[static_cast<size_t>(transposed ? j * blend.to + i : i * blend.from + j)] =
          static_cast<int16_t>(blend.weights[static_cast<size_t>(i * blend.from + j)]);
  return Tensor(transposed ? Shape{blend.from, blend.to} : Shape{blend.to, blend.from}, elements);
}

}  // namespace

Carried emit_resize(Propagation& p, const Node& node, const graph::Resize& op, const OnGrid& x) {
  const Shape& shape = p.from[node.inputs[0]].shape;
  Sum result = *sum_of(x);
  for (size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] == any) continue;
    const int64_t to = graph::resized(op, axis, shape[axis]);
    const bool same = op.sizes.empty() ? op.scales[axis] == 1 : to == shape[axis];
    if (same) continue;
    if (axis + 2 < shape.size()) refuse(node, "blends along axis " + std::to_string(axis), "the last two axes");
    const Blend blend = blend_of(node, op, axis, shape[axis], to);
    const bool last = axis + 1 == shape.size();
    const std::string name = fmt::format("{}_axis{}", node.name, axis);
    const ValueId matrix = p.to.add_constant(name + "_matrix", matrix_of(blend, last));
    // The rows are blends, so that the zero point is taken off once, by the first of them.
    graph::MatMul product{last ? result.zero : 0, last ? 0 : result.zero};
    result.id = p.emit(name, product, last ? std::vector{result.id, matrix} : std::vector{matrix, result.id}, name);
    result.scale[0] /= static_cast<double>(blend.denominator);
    result.zero = 0;
  }
  if (result.id == x.id) return x;
  p.annotate(result);
  return result;
}

}  // namespace nibble::passes
