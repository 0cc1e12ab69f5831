#include <algorithm>

#include "base/int128.hpp"
#include "base/integer_root.hpp"
#include "graph/evaluate/broadcast.hpp"
#include "graph/evaluate/rules.hpp"

namespace nibble::graph {
namespace {

int128 floor_of_ratio(int128 numerator, int128 denominator) {
  const int128 quotient = numerator / denominator;
  return quotient * denominator > numerator ? quotient - 1 : quotient;
}

/// numerator / denominator, denominator > 0, rounded without an error.
int128 rounded_ratio(int128 numerator, int128 denominator, Rounding rounding) {
  if (rounding == Rounding::Floor) return floor_of_ratio(numerator, denominator);
  const int128 rounded = floor_of_ratio(2 * numerator + denominator, 2 * denominator);
  const bool tie = rounded * 2 * denominator == 2 * numerator + denominator;
  return rounding == Rounding::HalfEven && tie && rounded % 2 != 0 ? rounded - 1 : rounded;
}

int64_t clipped(int128 x, int64_t low, int64_t high) {
  return static_cast<int64_t>(std::clamp<int128>(x, low, high));
}

/// One row of TableSoftmax: `count` elements, `stride` apart.
void softmax_row(const TableSoftmax& op, std::span<const int64_t> table, int64_t* x, size_t count, size_t stride) {
  int64_t most = x[0];
  for (size_t k = 0; k < count; ++k) most = std::max(most, x[k * stride]);
  const auto exponential = [&](size_t k) {
    const auto distance = static_cast<uint64_t>(difference_of(most, x[k * stride]));
    return distance < table.size() ? table[distance] : 0;
  };
  int64_t sum = 0;
  for (size_t k = 0; k < count; ++k) sum = sum_of(sum, exponential(k));
  for (size_t k = 0; k < count; ++k) {
    const int128 numerator = static_cast<int128>(exponential(k)) * op.multiplier;
    const int128 level = rounded_ratio(numerator, static_cast<int128>(sum) << op.shift, op.rounding);
    x[k * stride] = clipped(level + op.zero_point, op.low, op.high);
  }
}

/// u_i and r of IntegerNormalization's formula; u is written over x.
int64_t reciprocal_deviation(const IntegerNormalization& op, int64_t* x, size_t count) {
  const auto n = static_cast<int64_t>(count);
  int64_t sum = 0, squares = 0;
  for (size_t i = 0; i < count; ++i) {
    x[i] = difference_of(x[i], op.zero_point);
    sum = sum_of(sum, x[i]);
    squares = sum_of(squares, product_of(x[i], x[i]));
  }
  const int64_t mean = op.centred ? sum : 0;
  for (size_t i = 0; i < count; ++i) x[i] = difference_of(product_of(n, x[i]), mean);
  const int64_t variance = difference_of(product_of(n, squares), product_of(mean, mean));
  const auto scaled =
      static_cast<uint64_t>(sum_of(product_of(variance, int64_t{1} << (2 * op.root_shift)), op.epsilon));
  const auto root = static_cast<int64_t>(integer_root(scaled));
  return root == 0 ? 0 : ((int64_t{1} << op.inverse_shift) + root / 2) / root;
}

int64_t quotient(const RoundedDivision& op, int64_t a, int64_t b) {
  int128 numerator = static_cast<int128>(difference_of(a, op.zero_point_a)) * op.multiplier;
  int128 denominator = static_cast<int128>(difference_of(b, op.zero_point_b)) << op.shift;
  if (denominator == 0)
    return numerator > 0 ? op.high : numerator < 0 ? op.low : std::clamp(op.zero_point, op.low, op.high);
  if (denominator < 0) numerator = -numerator, denominator = -denominator;
  return clipped(rounded_ratio(numerator, denominator, op.rounding) + op.zero_point, op.low, op.high);
}

}  // namespace

Tensors meaning(const Call& call, const InterpolatedTable& op) {
  Tensor y = call[0];
  const auto table = call[1].as<int64_t>();
  const int64_t drop = op.shift + op.fraction, half = drop == 0 ? 0 : int64_t{1} << (drop - 1);
  for (int64_t& value : y.as<int64_t>()) {
    const int64_t offset = difference_of(value, op.first), i = offset >> op.shift;
    if (i < 0 || static_cast<size_t>(i) + 1 >= table.size())
      fail("graph", call.place(), "input " + std::to_string(value), "a level inside the table");
    const int64_t f = offset - (i << op.shift);
    const int64_t left = table[static_cast<size_t>(i)], right = table[static_cast<size_t>(i) + 1];
    const int128 line = (static_cast<int128>(left) << op.shift) + static_cast<int128>(right - left) * f;
    value = clipped((line + half) >> drop, op.low, op.high);
  }
  return {y};
}

Tensors meaning(const Call& call, const TableSoftmax& op) {
  Tensor y = call[0];
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, y.rank()));
  const auto count = static_cast<size_t>(y.shape()[axis]), stride = static_cast<size_t>(strides_of(y.shape())[axis]);
  const auto values = y.as<int64_t>();
  for (size_t i = 0; i < values.size(); ++i)
    if (i / stride % count == 0) softmax_row(op, call[1].as<int64_t>(), values.data() + i, count, stride);
  return {y};
}

Tensors meaning(const Call& call, const IntegerNormalization& op) {
  Tensor y = call[0];
  const auto axis = static_cast<std::ptrdiff_t>(normalise_axis(op.axis, y.rank()));
  const Shape row(y.shape().begin() + axis, y.shape().end());
  const auto count = static_cast<size_t>(element_count(row));
  const Tensor multiplier = broadcast_to<int64_t>(call[1], row), addend = broadcast_to<int64_t>(call[2], row);
  const auto values = y.as<int64_t>();
  for (size_t begin = 0; begin < values.size(); begin += count) {
    int64_t* u = values.data() + begin;
    const int64_t r = reciprocal_deviation(op, u, count);
    for (size_t i = 0; i < count; ++i) {
      const int64_t scaled = product_of(product_of(u[i], r), multiplier.as<int64_t>()[i]);
      u[i] = std::clamp(sum_of(scaled, addend.as<int64_t>()[i]) >> op.shift, op.low, op.high);
    }
  }
  return {y};
}

Tensors meaning(const Call& call, const RoundedDivision& op) {
  const Shape shape = broadcast(call[0].shape(), call[1].shape());
  Tensor y = broadcast_to<int64_t>(call[0], shape);
  const Tensor b = broadcast_to<int64_t>(call[1], shape);
  for (size_t i = 0; i < y.size(); ++i) y.as<int64_t>()[i] = quotient(op, y.as<int64_t>()[i], b.as<int64_t>()[i]);
  return {y};
}

}  // namespace nibble::graph
