#include <algorithm>
#include <cmath>

#include "base/channels.hpp"
#include "graph/evaluate/broadcast.hpp"
#include "graph/evaluate/rules.hpp"

namespace nibble::graph {

Tensors meaning(const Call& call, const BatchNormalization& op) {
  Tensor y = call[0];
  const ChannelOf channel(y.shape(), 1);
  const auto scale = call[1].as<double>(), bias = call[2].as<double>();
  const auto mean = call[3].as<double>(), variance = call[4].as<double>();
  const auto values = y.as<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = channel(i);
    values[i] = (values[i] - mean[c]) / std::sqrt(variance[c] + op.epsilon) * scale[c] + bias[c];
  }
  return {y};
}

/// Where element `i` of a tensor of shape `whole` reads an operand that broadcasts to it.
static size_t operand_index(size_t i, const Shape& whole, const Shape& operand) {
  auto rest = static_cast<int64_t>(i);
  int64_t offset = 0, stride = 1;
  for (size_t axis = 0; axis < operand.size(); ++axis) {
    const int64_t extent = whole[whole.size() - 1 - axis], own = operand[operand.size() - 1 - axis];
    if (own != 1) offset += rest % extent * stride;
    stride *= own;
    rest /= extent;
  }
  return static_cast<size_t>(offset);
}

Tensors meaning(const Call& call, const LayerNormalization& op) {
  Tensor y = call[0];
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, y.rank()));
  const Shape tail(y.shape().begin() + static_cast<std::ptrdiff_t>(axis), y.shape().end());
  const auto width = static_cast<size_t>(element_count(tail));
  std::vector<double> scale(width), bias(width, 0);
  for (size_t i = 0; i < width; ++i) {
    scale[i] = call[1].as<double>()[operand_index(i, tail, call[1].shape())];
    if (call.has(2)) bias[i] = call[2].as<double>()[operand_index(i, tail, call[2].shape())];
  }
  const auto values = y.as<double>();
  for (size_t row = 0; row < values.size(); row += width) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < width; ++i) mean += values[row + i];
    mean /= static_cast<double>(width);
    for (size_t i = 0; i < width; ++i) variance += (values[row + i] - mean) * (values[row + i] - mean);
    variance /= static_cast<double>(width);
    for (size_t i = 0; i < width; ++i)
      values[row + i] = (values[row + i] - mean) / std::sqrt(variance + op.epsilon) * scale[i] + bias[i];
  }
  return {y};
}

Tensors meaning(const Call& call, const RmsNormalization& op) {
  Tensor y = call[0];
  const auto axis = static_cast<std::ptrdiff_t>(normalise_axis(op.axis, y.rank()));
  const Shape row(y.shape().begin() + axis, y.shape().end());
  const auto width = static_cast<size_t>(element_count(row));
  const Tensor scale = broadcast_to<double>(call[1], row);
  const auto values = y.as<double>();
  for (size_t begin = 0; begin < values.size(); begin += width) {
    double square = 0;
    for (size_t i = 0; i < width; ++i) square += values[begin + i] * values[begin + i];
    const double root = std::sqrt(square / static_cast<double>(width) + op.epsilon);
    for (size_t i = 0; i < width; ++i) values[begin + i] = values[begin + i] / root * scale.as<double>()[i];
  }
  return {y};
}

/// The elements of one line of a tensor along an axis.
struct Line {
  double* first;
  size_t extent, stride;
  double& operator[](size_t k) const { return first[k * stride]; }
};

/// Calls use(line, its largest element) for each line of y along the axis.
template <class Use>
static void each_line(Tensor& y, int64_t along, Use&& use) {
  const auto axis = static_cast<size_t>(normalise_axis(along, y.rank()));
  const auto extent = static_cast<size_t>(y.shape()[axis]);
  const auto stride = static_cast<size_t>(strides_of(y.shape())[axis]);
  const auto values = y.as<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (i / stride % extent != 0) continue;
    const Line line{&values[i], extent, stride};
    double most = line[0];
    for (size_t k = 0; k < extent; ++k) most = std::max(most, line[k]);
    use(line, most);
  }
}

Tensors meaning(const Call& call, const LogSoftmax& op) {
  Tensor y = call[0];
  each_line(y, op.axis, [](const Line& line, double most) {
    double sum = 0;
    for (size_t k = 0; k < line.extent; ++k) sum += std::exp(line[k] - most);
    for (size_t k = 0; k < line.extent; ++k) line[k] -= most + std::log(sum);
  });
  return {y};
}

Tensors meaning(const Call& call, const Softmax& op) {
  Tensor y = call[0];
  each_line(y, op.axis, [](const Line& line, double most) {
    double sum = 0;
    for (size_t k = 0; k < line.extent; ++k) sum += line[k] = std::exp(line[k] - most);
    for (size_t k = 0; k < line.extent; ++k) line[k] /= sum;
  });
  return {y};
}

}  // namespace nibble::graph
