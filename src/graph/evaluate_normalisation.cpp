#include <algorithm>
#include <cmath>

#include "graph/arrays.hpp"

namespace nibble::graph {

Tensors evaluate_normalisation(const Call& call, const BatchNormalization& op) {
  Tensor y = call[0];
  const auto channels = static_cast<size_t>(y.shape()[1]);
  const auto scale = call[1].as<double>(), bias = call[2].as<double>();
  const auto mean = call[3].as<double>(), variance = call[4].as<double>();
  const size_t inner = y.size() / std::max<size_t>(1, static_cast<size_t>(y.shape()[0]) * channels);
  const auto values = y.as<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = i / inner % channels;
    values[i] = (values[i] - mean[c]) / std::sqrt(variance[c] + op.epsilon) * scale[c] + bias[c];
  }
  return {y};
}

Tensors evaluate_normalisation(const Call& call, const LayerNormalization& op) {
  Tensor y = call[0];
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, y.rank()));
  const Shape tail(y.shape().begin() + static_cast<std::ptrdiff_t>(axis), y.shape().end());
  const auto width = static_cast<size_t>(element_count(tail));
  // scale and bias broadcast to the tail; a smaller one repeats from the right.
  const auto scale = call[1].as<double>();
  const auto values = y.as<double>();
  for (size_t row = 0; row + width <= values.size(); row += width) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < width; ++i) mean += values[row + i];
    mean /= static_cast<double>(width);
    for (size_t i = 0; i < width; ++i) variance += (values[row + i] - mean) * (values[row + i] - mean);
    variance /= static_cast<double>(width);
    for (size_t i = 0; i < width; ++i) {
      double& value = values[row + i];
      value = (value - mean) / std::sqrt(variance + op.epsilon) * scale[i % scale.size()];
      if (call.has(2)) value += call[2].as<double>()[i % call[2].size()];
    }
  }
  return {y};
}

Tensors evaluate_normalisation(const Call& call, const Softmax& op) {
  Tensor y = call[0];
  const auto axis = static_cast<size_t>(normalise_axis(op.axis, y.rank()));
  const auto extent = static_cast<size_t>(y.shape()[axis]);
  const auto stride = static_cast<size_t>(strides_of(y.shape())[axis]);
  const auto values = y.as<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (i / stride % extent != 0) continue;
    double most = values[i], sum = 0;
    for (size_t k = 0; k < extent; ++k) most = std::max(most, values[i + k * stride]);
    for (size_t k = 0; k < extent; ++k) sum += values[i + k * stride] = std::exp(values[i + k * stride] - most);
    for (size_t k = 0; k < extent; ++k) values[i + k * stride] /= sum;
  }
  return {y};
}

}  // namespace nibble::graph
