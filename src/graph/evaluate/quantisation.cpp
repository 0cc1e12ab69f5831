#include <algorithm>
#include <cmath>

#include "base/int128.hpp"
#include "base/rescale.hpp"
#include "graph/evaluate/rules.hpp"

namespace nibble::graph {
namespace {

/// Calls f(element, channel) for every element, channels along `axis` (-1: always channel 0).
template <class F>
void each(const Tensor& x, int64_t axis, F&& f) {
  const auto a = static_cast<size_t>(axis);
  const size_t channels = axis < 0 ? 1 : static_cast<size_t>(x.shape()[a]);
  const size_t inner = axis < 0 ? std::max<size_t>(x.size(), 1) : static_cast<size_t>(strides_of(x.shape())[a]);
  for (size_t i = 0; i < x.size();)
    for (size_t channel = 0; channel < channels && i < x.size(); ++channel)
      for (size_t k = 0; k < inner; ++k, ++i) f(i, channel);
}

}  // namespace

Tensors meaning(const Call& call, const Quantise& op) {
  const Tensor& x = call[0];
  Tensor y = call.integer_output ? zeros<int64_t>(x.shape()) : zeros<double>(x.shape());
  const auto values = x.as<double>();
  each(x, op.grid.axis, [&](size_t i, size_t channel) {
    if (std::isnan(values[i])) fail("graph", call.place(), "NaN at index " + std::to_string(i), "finite numbers");
    const int64_t q = op.grid.quantise(values[i], channel, op.rounding);
    if (call.integer_output)
      y.as<int64_t>()[i] = q;
    else
      y.as<double>()[i] = op.grid.real(q, channel);
  });
  return {y};
}

Tensors meaning(const Call& call, const Dequantise& op) {
  Tensor y = zeros<double>(call[0].shape());
  const auto values = call[0].as<int64_t>();
  const auto out = y.as<double>();
  each(call[0], op.grid.axis, [&](size_t i, size_t channel) {
    out[i] = op.grid.scale_of(channel) * static_cast<double>(difference_of(values[i], op.grid.zero_point));
  });
  return {y};
}

/// Rescale of several inputs.
static Tensor rescaled_sum(const Call& call, const Rescale& op) {
  const size_t terms = call.inputs.size();
  Shape shape = call[0].shape();
  for (size_t i = 1; i < terms; ++i) shape = broadcast(shape, call[i].shape());
  Tensor y = zeros<int64_t>(shape);
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < terms; ++i) {
    const std::vector<const Tensor*> with_zeros{&call[i], &y};
    inputs.push_back(meaning(Call{call.node, with_zeros}, Add{}).front());
  }
  const auto out = y.as<int64_t>();
  const size_t channels = op.kappa.size() / terms;
  std::vector<double> kappa(terms);
  std::vector<int64_t> a(terms);
  each(y, channels > 1 || op.lambda.size() > 1 ? 1 : -1, [&](size_t i, size_t channel) {
    for (size_t term = 0; term < terms; ++term) {
      kappa[term] = op.kappa[term * channels + (channels > 1 ? channel : 0)];
      a[term] = inputs[term].as<int64_t>()[i];
    }
    const int64_t rounded = rescaled(kappa, op.lambda_of(channel), a, op.rounding);
    out[i] = std::clamp(sum_of(rounded, op.zero_point), op.low, op.high);
  });
  return y;
}

Tensors meaning(const Call& call, const Rescale& op) {
  if (call.inputs.size() > 1) return {rescaled_sum(call, op)};
  Tensor y = call[0];
  const auto values = y.as<int64_t>();
  each(call[0], op.channels() > 1 ? 1 : -1, [&](size_t i, size_t channel) {
    const int64_t rounded =
        rescaled(op.kappa_of(channel), op.lambda_of(channel), values[i], op.rounding, op.divisor_of(channel));
    values[i] = std::clamp(sum_of(rounded, op.zero_point), op.low, op.high);
  });
  return {y};
}

Tensors meaning(const Call& call, const Requantise& op) {
  Tensor y = call[0];
  const auto values = y.as<int64_t>();
  each(call[0], op.multiplier.size() > 1 ? 1 : -1, [&](size_t i, size_t channel) {
    const int128 sum = static_cast<int128>(values[i]) * op.multiplier[channel] + op.addend[channel];
    const int128 shifted = sum >> op.shift[channel];
    values[i] = static_cast<int64_t>(std::clamp<int128>(shifted, op.low, op.high));
  });
  return {y};
}

Tensors meaning(const Call& call, const FloorDivide& op) {
  Tensor y = call[0];
  const auto values = y.as<int64_t>();
  each(call[0], op.multiplier.size() > 1 ? 1 : -1, [&](size_t i, size_t channel) {
    const int128 sum = static_cast<int128>(values[i]) * op.multiplier[channel] + op.addend[channel];
    const int128 truncated = sum / op.divisor[channel];
    const int128 floored = truncated - (sum % op.divisor[channel] < 0 ? 1 : 0);
    values[i] = static_cast<int64_t>(std::clamp<int128>(floored, op.low, op.high));
  });
  return {y};
}

Tensors meaning(const Call& call, const Threshold& op) {
  Tensor y = call[0];
  const auto values = y.as<int64_t>();
  const auto rows = static_cast<size_t>(call[1].shape()[0]), steps = static_cast<size_t>(call[1].shape()[1]);
  const auto thresholds = call[1].as<int64_t>();
  each(call[0], rows > 1 ? 1 : -1, [&](size_t i, size_t channel) {
    const bool falling = !op.falling.empty() && op.falling[channel] != 0;
    int64_t count = 0;
    for (size_t k = 0; k < steps; ++k) {
      const int64_t t = thresholds[channel * steps + k];
      count += falling ? values[i] <= t : values[i] >= t;
    }
    values[i] = op.low + count;
  });
  return {y};
}

Tensors meaning(const Call& call, const Table& op) {
  Tensor y = call[0];
  const auto table = call[1].as<int64_t>();
  for (int64_t& value : y.as<int64_t>()) {
    // Below `first` wraps to far beyond the end.
    const uint64_t index = static_cast<uint64_t>(value) - static_cast<uint64_t>(op.first);
    if (index >= table.size())
      fail("graph", call.place(), "input " + std::to_string(value),
           std::to_string(op.first) + " to " + std::to_string(op.first + static_cast<int64_t>(table.size()) - 1));
    value = table[index];
  }
  return {y};
}

}  // namespace nibble::graph
