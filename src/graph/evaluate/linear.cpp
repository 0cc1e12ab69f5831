#include "graph/evaluate/rules.hpp"
#include "graph/windows.hpp"

namespace nibble::graph {
namespace {

template <class T>
void add_product(T& sum, T a, T b) {
  sum = sum_of(sum, product_of(a, b));
}

/// One convolution: for each tap of the kernel, the places where it meets x are found once for all channels.
template <class T>
class Convolution {
 public:
  Convolution(const Call& call, const Conv& op)
      : op_(op), x_(call[0]), w_(call[1]), x_strides_(strides_of(x_.shape())) {
    const Shape &x = x_.shape(), &w = w_.shape();
    ensure(x[1] == w[1] * op.group, "a convolution's weights read the channels that there are");
    kernel_.assign(w.begin() + 2, w.end());
    y_shape_ = {x[0], w[0]};
    for (size_t axis = 0; axis < kernel_.size(); ++axis) {
      windows_.push_back(window_of(kernel_, op.strides, op.pads, op.dilations, false, axis));
      y_shape_.push_back(window_count(x[axis + 2], windows_.back()));
    }
    positions_ = element_count(Shape(y_shape_.begin() + 2, y_shape_.end()));
    // Without channels to sum over, a kernel may have any extents.
    if (element_count(w) == 0) return;
    for (int64_t tap = 0; tap < element_count(kernel_); ++tap) meetings_.push_back(meetings_of(tap));
  }

  Tensor run(const Tensor* bias) const {
    Tensor y = zeros<T>(y_shape_);
    T* out = y.as<T>().data();
    for (int64_t n = 0; n < y_shape_[0]; ++n)
      for (int64_t o = 0; o < y_shape_[1]; ++o, out += positions_) {
        add_products(n, o, out);
        if (bias == nullptr) continue;
        const T constant = bias->as<T>()[static_cast<size_t>(o)];
        for (int64_t i = 0; i < positions_; ++i) out[i] = sum_of(out[i], constant);
      }
    return y;
  }

 private:
  struct Meeting {
    int64_t x, y;  ///< offsets inside one channel
  };

  std::vector<Meeting> meetings_of(int64_t tap) const {
    std::vector<Meeting> result;
    for (int64_t position = 0; position < positions_; ++position) {
      int64_t p = position, t = tap, offset = 0;
      bool inside = true;
      for (size_t axis = kernel_.size(); axis-- > 0;) {
        const Window& window = windows_[axis];
        const int64_t at =
            p % y_shape_[axis + 2] * window.stride - window.pad_begin + t % kernel_[axis] * window.dilation;
        inside &= at >= 0 && at < x_.shape()[axis + 2];
        offset += at * x_strides_[axis + 2];
        p /= y_shape_[axis + 2];
        t /= kernel_[axis];
      }
      if (inside) result.push_back({offset, position});
    }
    return result;
  }

  void add_products(int64_t n, int64_t o, T* y) const {
    const int64_t per_group = w_.shape()[1];
    const int64_t group = o / (w_.shape()[0] / op_.group);
    const auto zero_point = static_cast<T>(op_.zero_point);
    const T* x = x_.as<T>().data() + n * x_strides_[0] + group * per_group * x_strides_[1];
    const T* w = w_.as<T>().data() + o * per_group * static_cast<int64_t>(meetings_.size());
    for (int64_t c = 0; c < per_group; ++c, x += x_strides_[1])
      for (const auto& meetings : meetings_) {
        const T weight = *w++;
        for (const Meeting& m : meetings) add_product(y[m.y], difference_of(x[m.x], zero_point), weight);
      }
  }

  const Conv& op_;
  const Tensor& x_;
  const Tensor& w_;
  std::vector<int64_t> x_strides_;
  Ints kernel_;
  Shape y_shape_;
  std::vector<Window> windows_;
  int64_t positions_ = 1;
  std::vector<std::vector<Meeting>> meetings_;  ///< of each tap
};

/// A matrix inside a tensor: element (i, j) stands at i * row + j * column.
template <class T>
struct Matrix {
  const T* data;
  int64_t row, column;
  T zero_point;

  T operator()(int64_t i, int64_t j) const { return difference_of(data[i * row + j * column], zero_point); }
};

/// c += a b. Either order of the loops adds the products of an element of c in the same order.
template <class T>
void multiply(const Matrix<T>& a, const Matrix<T>& b, T* c, int64_t rows, int64_t inner, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i, c += columns) {
    if (b.row < b.column) {
      for (int64_t j = 0; j < columns; ++j)
        for (int64_t k = 0; k < inner; ++k) add_product(c[j], a(i, k), b(k, j));
      continue;
    }
    for (int64_t k = 0; k < inner; ++k) {
      const T left = a(i, k);
      for (int64_t j = 0; j < columns; ++j) add_product(c[j], left, b(k, j));
    }
  }
}

template <class T>
Tensor gemm(const Call& call, const Gemm& op) {
  const Shape& a = call[0].shape();
  const Shape& b = call[1].shape();
  const int64_t rows = a[op.transpose_a], inner = a[!op.transpose_a], columns = b[!op.transpose_b];
  ensure(inner == b[op.transpose_b], "the matrices of a product fit");
  Tensor y = zeros<T>({rows, columns});
  const auto out = y.as<T>();
  const Matrix<T> left{call[0].as<T>().data(), op.transpose_a ? 1 : inner, op.transpose_a ? rows : 1,
                       static_cast<T>(op.zero_point)};
  const Matrix<T> right{call[1].as<T>().data(), op.transpose_b ? 1 : columns, op.transpose_b ? inner : 1, T{0}};
  multiply(left, right, out.data(), rows, inner, columns);
  if constexpr (std::is_same_v<T, double>)
    for (double& each : out) each *= op.alpha;
  if (!call.has(2)) return y;
  const Shape& c = call[2].shape();
  const int64_t across = c.empty() || c.back() == 1 ? 0 : 1;
  const int64_t down = c.size() < 2 || c[0] == 1 ? 0 : c.back();
  const auto bias = call[2].as<T>();
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      add_product(out[static_cast<size_t>(i * columns + j)], bias[static_cast<size_t>(i * down + j * across)],
                  static_cast<T>(op.beta));
  return y;
}

/// Offset of matrix `index` of a batch of shape `batch` in an operand whose own leading extents are `own` (1:
/// repeated).
int64_t matrix_of(int64_t index, const Shape& batch, const Shape& own) {
  int64_t offset = 0, step = 1;
  for (size_t i = batch.size(); i-- > 0;) {
    const int64_t at = index % batch[i];
    index /= batch[i];
    if (i + own.size() < batch.size()) continue;
    const int64_t extent = own[i + own.size() - batch.size()];
    offset += extent == 1 ? 0 : at * step;
    step *= extent;
  }
  return offset;
}

template <class T>
Tensor matmul(const Call& call, const MatMul& op) {
  Shape a = call[0].shape(), b = call[1].shape();
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  const int64_t rows = a[a.size() - 2], inner = a.back(), columns = b.back();
  ensure(inner == b[b.size() - 2], "the matrices of a product fit");
  const Shape of_a(a.begin(), a.end() - 2), of_b(b.begin(), b.end() - 2);
  const Shape batch = broadcast(of_a, of_b);
  Shape shape = batch;
  if (!row) shape.push_back(rows);
  if (!column) shape.push_back(columns);
  Tensor y = zeros<T>(shape);
  const int64_t count = element_count(batch);
  for (int64_t i = 0; i < count; ++i) {
    const Matrix<T> left{call[0].as<T>().data() + matrix_of(i, batch, of_a) * rows * inner, inner, 1,
                         static_cast<T>(op.zero_point_a)};
    const Matrix<T> right{call[1].as<T>().data() + matrix_of(i, batch, of_b) * inner * columns, columns, 1,
                          static_cast<T>(op.zero_point_b)};
    multiply(left, right, y.as<T>().data() + i * rows * columns, rows, inner, columns);
  }
  return y;
}

}  // namespace

Tensors meaning(const Call& call, const Conv& op) {
  return by_kind(
      call, [&](auto kind) { return Convolution<decltype(kind)>(call, op).run(call.has(2) ? &call[2] : nullptr); });
}

Tensors meaning(const Call& call, const Gemm& op) {
  return by_kind(call, [&](auto kind) { return gemm<decltype(kind)>(call, op); });
}

Tensors meaning(const Call& call, const MatMul& op) {
  return by_kind(call, [&](auto kind) { return matmul<decltype(kind)>(call, op); });
}

}  // namespace nibble::graph
