#include "train/network/pointwise.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "quant/level_reals.hpp"
#include "quant/rescaling.hpp"
#include "train/network/parts.hpp"
#include "train/network/quantise_gradient.hpp"

namespace nibble::train {
namespace {

/// Applies a function of one element and its channel: make(c) gives the function for index c of `axis` (axis -1: 0 for
/// all), called with an element of x (float or double, or int64 where x is) and giving an Out. Runs on libtorch's
/// threads.
template <class Out, class Make>
at::Tensor map_channels(const at::Tensor& x, int64_t axis, Make make) {
  const at::Tensor dense = x.contiguous();
  at::Tensor result = at::empty(dense.sizes(), dense.options().dtype(c10::CppTypeToScalarType<Out>::value));
  int64_t channels = 1, inner = dense.numel();
  if (axis >= 0) {
    channels = dense.size(axis);
    inner = 1;
    for (int64_t i = axis + 1; i < dense.dim(); ++i) inner *= dense.size(i);
  }
  const int64_t rows = axis < 0 ? (inner > 0 ? 1 : 0) : (inner * channels == 0 ? 0 : dense.numel() / inner);
  const auto run = [&]<class In>(const In* from) {
    Out* to = result.data_ptr<Out>();
    const auto part = [&](int64_t row, int64_t begin, int64_t end) {
      const auto function = make(static_cast<size_t>(row % channels));
      for (int64_t i = row * inner + begin; i < row * inner + end; ++i) to[i] = static_cast<Out>(function(from[i]));
    };
    if (rows == 1)
      at::parallel_for(0, inner, 16384, [&](int64_t begin, int64_t end) { part(0, begin, end); });
    else
      at::parallel_for(0, rows, 1 + 16384 / std::max<int64_t>(inner, 1), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) part(row, 0, inner);
      });
  };
  if (dense.scalar_type() == at::kFloat)
    run(dense.data_ptr<float>());
  else if (dense.scalar_type() == at::kDouble)
    run(dense.data_ptr<double>());
  else
    run(dense.data_ptr<int64_t>());
  return result;
}

/// map_channels with Out chosen by `type`: Float32 or Float64.
template <class Make>
at::Tensor map_channels(const at::Tensor& x, int64_t axis, at::ScalarType type, Make make) {
  return type == at::kFloat ? map_channels<float>(x, axis, make) : map_channels<double>(x, axis, make);
}

template <class In, class Out>
at::Tensor quantise_each(const Grid& grid, Rounding rounding, const at::Tensor& x, bool fake) {
  const at::Tensor from = x.contiguous();
  at::Tensor y = at::empty(from.sizes(), from.options().dtype(c10::CppTypeToScalarType<Out>::value));
  const Parts parts(y, grid.scale.size(), grid.axis);
  parts.each([&](int64_t part, size_t begin, size_t size) {
    quant::Levels how = quant::levels_on(grid, rounding, static_cast<size_t>(parts.channel(part)));
    if (fake) how.gain = how.scale, how.shift = 0;
    quant::levels_of_reals(how, from.data_ptr<In>() + begin, size, y.data_ptr<Out>() + begin);
  });
  return y;
}

/// The numbers of one channel of a Rescale of so many inputs.
quant::Rescaling rescaling_of(const graph::Rescale& op, size_t inputs, size_t channel) {
  quant::Rescaling one{{}, op.lambda_of(channel), op.divisor_of(channel), op.rounding, op.zero_point, op.low, op.high};
  const size_t channels = op.kappa.size() / inputs;
  for (size_t k = 0; k < inputs; ++k) one.kappa.push_back(op.kappa[k * channels + (channels == 1 ? 0 : channel)]);
  return one;
}

template <class Element>
at::Tensor rescale_each(const graph::Rescale& op, const std::vector<at::Tensor>& inputs) {
  const size_t channels = std::max({op.kappa.size() / inputs.size(), op.lambda.size(), op.divisor.size()});
  at::Tensor y = at::empty(inputs[0].sizes(), inputs[0].options().dtype(at::kFloat));
  std::vector<quant::Rescaling> how;
  for (size_t c = 0; c < channels; ++c) how.push_back(rescaling_of(op, inputs.size(), c));
  const Parts parts(y, how.size(), how.size() == 1 ? -1 : 1);
  parts.each([&](int64_t part, size_t begin, size_t size) {
    std::vector<const Element*> a;
    for (const at::Tensor& x : inputs) a.push_back(x.data_ptr<Element>() + begin);
    quant::rescale<Element>(how[static_cast<size_t>(parts.channel(part))], a, size, y.data_ptr<float>() + begin);
  });
  return y;
}

}  // namespace

at::Tensor quantise(const graph::Quantise& op, const at::Tensor& x, at::ScalarType type, bool fake) {
  const auto common = [](double scale) { return scale > 0x1p-96 && scale < 0x1p96; };
  if (fake && type == at::kFloat && x.scalar_type() == at::kFloat && op.grid.levels() < 2048 &&
      std::all_of(op.grid.scale.begin(), op.grid.scale.end(), common)) {
    StepsAlong along{{}, op.grid.axis};
    for (size_t c = 0; c < op.grid.scale.size(); ++c) along.steps.push_back(quant::steps_of(op.grid, op.rounding, c));
    return fake_quantise(x, along);
  }
  const bool floats = x.scalar_type() == at::kFloat;
  const at::Tensor from = floats ? x : x.to(at::kDouble);
  if (type == at::kFloat)
    return floats ? quantise_each<float, float>(op.grid, op.rounding, from, fake)
                  : quantise_each<double, float>(op.grid, op.rounding, from, fake);
  return floats ? quantise_each<float, double>(op.grid, op.rounding, from, fake)
                : quantise_each<double, double>(op.grid, op.rounding, from, fake);
}

at::Tensor dequantise(const graph::Dequantise& op, const at::Tensor& x) {
  return map_channels(x, op.grid.axis, at::kDouble, [&](size_t channel) {
    return [scale = op.grid.scale_of(channel), zero = static_cast<double>(op.grid.zero_point)](auto value) {
      return scale * (static_cast<double>(value) - zero);
    };
  });
}

at::Tensor rescale(const graph::Rescale& op, const std::vector<at::Tensor>& inputs, at::ScalarType type) {
  std::vector<at::Tensor> alike = inputs.size() == 1 ? inputs : at::broadcast_tensors(inputs);
  const bool floats =
      std::all_of(alike.begin(), alike.end(), [](const at::Tensor& x) { return x.scalar_type() == at::kFloat; });
  for (at::Tensor& x : alike) x = x.to(floats ? at::kFloat : at::kDouble).contiguous();
  return (floats ? rescale_each<float>(op, alike) : rescale_each<double>(op, alike)).to(type);
}

at::Tensor requantise(const graph::Requantise& op, const at::Tensor& x, at::ScalarType type) {
  const auto at = [](const graph::Ints& values, size_t channel) { return values[values.size() == 1 ? 0 : channel]; };
  const bool single = op.multiplier.size() == 1 && op.addend.size() == 1 && op.shift.size() == 1;
  return map_channels(x, single ? -1 : 1, type, [&](size_t channel) {
    return [m = at(op.multiplier, channel), b = at(op.addend, channel), d = at(op.shift, channel), low = op.low,
            high = op.high](auto value) { return std::clamp((static_cast<int64_t>(value) * m + b) >> d, low, high); };
  });
}

at::Tensor threshold(const graph::Threshold& op, const at::Tensor& x, const std::vector<int64_t>& thresholds,
                     size_t rows, at::ScalarType type) {
  const size_t count = rows == 0 ? 0 : thresholds.size() / rows;
  std::vector<int64_t> sorted = thresholds;
  for (size_t row = 0; row < rows; ++row)
    std::sort(sorted.begin() + static_cast<ptrdiff_t>(row * count),
              sorted.begin() + static_cast<ptrdiff_t>((row + 1) * count));
  return map_channels(x, rows == 1 ? -1 : 1, type, [&](size_t channel) {
    const int64_t* begin = sorted.data() + (rows == 1 ? 0 : channel * count);
    const bool falls = !op.falling.empty() && op.falling[rows == 1 ? 0 : channel] != 0;
    return [=, end = begin + count, low = op.low](auto value) {
      const auto a = static_cast<int64_t>(value);
      return low + (falls ? end - std::lower_bound(begin, end, a) : std::upper_bound(begin, end, a) - begin);
    };
  });
}

at::Tensor look_up(const graph::Table& op, const at::Tensor& x, const std::vector<int64_t>& table,
                   at::ScalarType type) {
  return map_channels(x, -1, type, [&](size_t) {
    return
        [first = op.first, entries = table.data()](auto value) { return entries[static_cast<int64_t>(value) - first]; };
  });
}

}  // namespace nibble::train
