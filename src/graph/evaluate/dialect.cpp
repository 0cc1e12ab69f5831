#include <algorithm>

#include "base/division.hpp"
#include "base/integer_root.hpp"
#include "graph/evaluate/broadcast.hpp"

namespace nibble::graph {
namespace {

int64_t narrowed(int128 wide) {
  const auto result = static_cast<int64_t>(wide);
  if (result != wide) overflowed();
  return result;
}

int64_t shifted_by(int64_t x, int64_t shift) {
  return x >> std::min<int64_t>(shift, 63);
}

int64_t square_of(int64_t x) {
  return product_of(x, x);
}

/// f of each pair of elements, broadcast.
template <class F>
Tensor combined(const Tensor& a, const Tensor& b, F&& f) {
  const Shape shape = broadcast(a.shape(), b.shape());
  Tensor y = broadcast_to<int64_t>(a, shape);
  const Tensor other = broadcast_to<int64_t>(b, shape);
  const auto values = y.as<int64_t>();
  const auto others = other.as<int64_t>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = f(values[i], others[i]);
  return y;
}

/// f of every row, in place.
template <class F>
Tensors rows(const Call& call, F&& f) {
  Tensor y = call[0];
  const auto width = static_cast<size_t>(y.shape().back());
  const auto values = y.as<int64_t>();
  for (size_t row = 0; row < values.size(); row += width) f(values.subspan(row, width));
  return {y};
}

/// f of every element, in place.
template <class F>
Tensors each(const Call& call, F&& f) {
  Tensor y = call[0];
  for (int64_t& value : y.as<int64_t>()) value = f(value);
  return {y};
}

int64_t largest(std::span<const int64_t> row) {
  return *std::max_element(row.begin(), row.end());
}

/// An operand of a row: one element, or one for each.
class RowOperand {
 public:
  explicit RowOperand(const Tensor& tensor) : values_(tensor.as<int64_t>()), step_(values_.size() > 1) {}
  int64_t operator[](size_t i) const { return values_[i * step_]; }

 private:
  std::span<const int64_t> values_;
  size_t step_;
};

int64_t ita_shift(int64_t most, int64_t x) {
  return sum_of(difference_of(most, x), 16) >> 5;
}

int64_t sum_of_powers(std::span<const int64_t> row, int64_t most) {
  int64_t sum = 0;
  for (int64_t x : row) sum += shifted_by(256, ita_shift(most, x));
  return sum;
}

void give_powers(std::span<int64_t> row, int64_t most, int64_t inverse) {
  for (int64_t& x : row) x = shifted_by(inverse, ita_shift(most, x));
}

/// isqrt(sum of squares / N + 1)
int64_t deviation(std::span<const int64_t> row) {
  int64_t sum = 0;
  for (int64_t x : row) sum = sum_of(sum, square_of(x));
  return static_cast<int64_t>(integer_root(static_cast<uint64_t>(sum / static_cast<int64_t>(row.size()) + 1)));
}

int64_t clipped(int64_t x, int64_t levels) {
  return std::clamp(x, -(levels / 2), levels / 2 - 1);
}

[[noreturn]] void refuse_zero(const Call& call) {
  fail("graph", call.place(), "a division by 0", "a divisor that is not");
}

int64_t truncated(int128 a, int64_t b) {
  return narrowed(a / b);
}

}  // namespace

Tensors meaning(const Call& call, const ISoftmax& op) {
  return rows(call, [&](std::span<int64_t> row) {
    const int64_t most = largest(row);
    int64_t sum = 0;
    for (int64_t& x : row) {
      const int64_t t = difference_of(x, most);
      const int64_t z = std::clamp<int64_t>(-(t / op.log2), 0, 31);
      const int64_t p = sum_of(t, product_of(z, op.log2));
      x = sum_of(product_of(op.a, square_of(sum_of(p, op.b))), op.c) >> z;
      sum = sum_of(sum, x);
    }
    if (sum == 0) refuse_zero(call);
    for (int64_t& x : row) x = narrowed(static_cast<int128>(x) * (op.levels - 1) / sum);
  });
}

Tensors meaning(const Call& call, const ItaMax& op) {
  return rows(call, [&](std::span<int64_t> row) {
    const int64_t most = largest(row);
    give_powers(row, most, (op.levels - 1) * 256 / sum_of_powers(row, most));
  });
}

Tensors meaning(const Call& call, const ItaPartialMax& op) {
  return rows(call, [&](std::span<int64_t> row) {
    int64_t most = -128, sum = 0;
    const auto width = static_cast<size_t>(op.group_width);
    for (size_t at = 0; at < row.size(); at += width) {
      const auto group = row.subspan(at, width);
      const int64_t own = largest(group);
      if (own > most) {
        sum = shifted_by(sum, ita_shift(own, most));
        most = own;
      }
      sum += sum_of_powers(group, most);
    }
    if (sum == 0) refuse_zero(call);
    give_powers(row, most, (op.levels / 2 - 1) * 256 / sum);
  });
}

Tensors meaning(const Call& call, const IGelu& op) {
  return each(call, [&](int64_t x) {
    const int64_t sign = (x > 0) - (x < 0);
    const int64_t distance = sum_of(std::min(product_of(sign, x), difference_of(0, op.b)), op.b);
    const int64_t bump = product_of(sign, difference_of(op.one, square_of(distance)));
    return product_of(x, sum_of(op.one, bump) >> 1);
  });
}

Tensors meaning(const Call& call, const ILayerNorm& op) {
  const RowOperand w(call[1]), b(call[2]);
  return rows(call, [&](std::span<int64_t> row) {
    int64_t mean = 0;
    for (int64_t x : row) mean = sum_of(mean, x);
    mean /= static_cast<int64_t>(row.size());
    for (int64_t& x : row) x = difference_of(x, mean);
    const int64_t s = deviation(row);
    for (size_t i = 0; i < row.size(); ++i)
      row[i] = clipped(sum_of(product_of(row[i], w[i]) / s, b[i]) >> op.shift, op.levels);
  });
}

Tensors meaning(const Call& call, const IRmsNorm& op) {
  const RowOperand w(call[1]);
  return rows(call, [&](std::span<int64_t> row) {
    const int64_t s = deviation(row);
    for (size_t i = 0; i < row.size(); ++i) row[i] = clipped((product_of(row[i], w[i]) / s) >> op.shift, op.levels);
  });
}

Tensors meaning(const Call& call, const IHardSwish& op) {
  return each(call, [&](int64_t x) {
    const int64_t gate = std::clamp<int64_t>(sum_of(x, op.three), 0, op.six);
    return product_of(x, product_of(gate, op.one_over_six));
  });
}

Tensors meaning(const Call& call, const IntegerDiv& op) {
  const int64_t scale = product_of(op.delta, op.eta);
  return {combined(call[0], call[1], [&](int64_t a, int64_t b) {
    const int64_t n = product_of(scale, a), d = sum_of(product_of(op.eta, b), op.eps);
    if (d == 0) refuse_zero(call);
    const int64_t half = d >> 1;
    return truncated(static_cast<int128>(n) + (n > 0 ? half : n < 0 ? -half : 0), d);
  })};
}

Tensors meaning(const Call& call, const TrueIntegerDiv& op) {
  const int64_t scale = product_of(op.delta, op.eta);
  const auto quotient = [&](int64_t y) {
    const int64_t d = sum_of(product_of(y, op.eta), op.eps);
    if (d == 0) refuse_zero(call);
    return narrowed(floor_divide(scale, d));
  };
  if (call.has(1))
    return {combined(call[0], call[1], [&](int64_t x, int64_t y) { return product_of(x, quotient(y)); })};
  const int64_t factor = quotient(op.y);
  return each(call, [&](int64_t x) { return product_of(x, factor); });
}

Tensors meaning(const Call& call, const INoNorm& op) {
  const Tensor scaled = combined(call[0], call[1], [](int64_t x, int64_t w) { return product_of(x, w); });
  return {combined(scaled, call[2], [&](int64_t x, int64_t b) {
    return clipped(product_of(sum_of(x, b), op.multiplier) >> op.shift, op.levels);
  })};
}

}  // namespace nibble::graph
