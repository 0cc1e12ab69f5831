#include <algorithm>

#include "graph/infer/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {

Types rule(const Context& c, const Gemm& op) {
  c.count_inputs(2, 3);
  Shape a = c.shape(0), b = c.shape(1);
  c.check(a.size() == 2 && b.size() == 2, "inputs " + to_string(a) + " and " + to_string(b), "two matrices");
  if (op.transpose_a) std::swap(a[0], a[1]);
  if (op.transpose_b) std::swap(b[0], b[1]);
  c.check(same_extent(a[1], b[0]), to_string(a) + " times " + to_string(b), "equal inner extents");
  const Shape y{a[0], b[1]};
  c.check(is_real(c.type(0)) || (op.alpha == 1 && op.beta == 1),
          "alpha " + std::to_string(op.alpha) + " and beta " + std::to_string(op.beta) + " on integers", "1 and 1");
  if (c.has(2)) c.like_first(2);
  if (c.has(2))
    c.check(broadcast_of(c, c.shape(2), y) == y, "bias " + to_string(c.shape(2)),
            "one that broadcasts to " + to_string(y));
  return {{accumulated(c, {0, 1}), y}};
}

Types rule(const Context& c, const MatMul&) {
  c.count_inputs(2, 2);
  Shape a = c.shape(0), b = c.shape(1);
  c.check(!a.empty() && !b.empty(), "a scalar", "vectors or matrices");
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  c.check(same_extent(a.back(), b[b.size() - 2]), to_string(c.shape(0)) + " times " + to_string(c.shape(1)),
          "equal inner extents");
  Shape y = broadcast_of(c, Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!row) y.push_back(a[a.size() - 2]);
  if (!column) y.push_back(b.back());
  return {{accumulated(c, {0, 1}), y}};
}

Types rule(const Context& c, const BatchNormalization&) {
  c.count_inputs(5, 5);
  const Shape& x = c.shape(0);
  c.reals(0);
  c.check(x.size() >= 2, "input " + to_string(x), "[N, C, ...]");
  for (size_t i = 1; i < 5; ++i) c.reals(i);
  for (size_t i = 1; i < 5; ++i)
    c.check(c.shape(i) == Shape{x[1]}, "input " + std::to_string(i) + " " + to_string(c.shape(i)),
            to_string(Shape{x[1]}));
  return {{c.type(0), x}};
}

Types rule(const Context& c, const LayerNormalization& op) {
  c.count_inputs(2, 3);
  c.reals(0);
  const Shape& x = c.shape(0);
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, x.size()));
  const Shape tail(x.begin() + static_cast<std::ptrdiff_t>(axis), x.end());
  for (size_t i = 1; i < 3; ++i) {
    if (!c.has(i)) continue;
    c.reals(i);
    c.check(broadcast_of(c, c.shape(i), tail) == tail, "input " + std::to_string(i) + " " + to_string(c.shape(i)),
            "one that broadcasts to " + to_string(tail));
  }
  return {{c.type(0), x}};
}

Types rule(const Context& c, const RmsNormalization& op) {
  c.count_inputs(2, 2);
  c.reals(0), c.reals(1);
  const Shape& x = c.shape(0);
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, x.size()));
  const Shape tail(x.begin() + static_cast<std::ptrdiff_t>(axis), x.end());
  c.check(broadcast_of(c, c.shape(1), tail) == tail, "input 1 " + to_string(c.shape(1)),
          "one that broadcasts to " + to_string(tail));
  return {{c.type(0), x}};
}

}  // namespace nibble::graph
