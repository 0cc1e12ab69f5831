#include "train/network/windows.hpp"

#include <limits>

#include "base/error.hpp"

namespace nibble::train {
namespace {

using graph::Ints;

/// A window op's fields with ONNX's defaults filled in and its output extents, for one rank.
struct Windows {
  Ints kernel, strides, dilations, begins, outputs, ends;  ///< ends: what must follow x so that every window is whole

  template <class Op>
  Windows(const Op& op, const at::Tensor& x) : kernel(op.kernel), strides(op.strides), dilations(op.dilations) {
    const size_t axes = static_cast<size_t>(x.dim() - 2);
    ensure(kernel.size() == axes, "a window has an extent for each spatial axis");
    if (strides.empty()) strides.assign(axes, 1);
    if (dilations.empty()) dilations.assign(axes, 1);
    Ints pads = op.pads;
    if (pads.empty()) pads.assign(2 * axes, 0);
    for (size_t i = 0; i < axes; ++i) {
      const int64_t extent = x.size(static_cast<int64_t>(i) + 2), reach = (kernel[i] - 1) * dilations[i] + 1;
      const int64_t room = extent + pads[i] + pads[axes + i] - reach;
      int64_t steps = op.ceil_mode ? (room + strides[i] - 1) / strides[i] : room / strides[i];
      if (op.ceil_mode && steps * strides[i] >= extent + pads[i]) --steps;
      begins.push_back(pads[i]);
      outputs.push_back(steps + 1);
      ends.push_back(steps * strides[i] + reach - extent - pads[i]);
    }
  }
};

/// constant_pad_nd's order: the last axis first, begin and end of each.
Ints torch_pads(const Ints& begins, const Ints& ends) {
  Ints pads;
  for (size_t i = begins.size(); i-- > 0;) {
    pads.push_back(begins[i]);
    pads.push_back(ends[i]);
  }
  return pads;
}

at::Tensor padded(const at::Tensor& x, const Ints& begins, const Ints& ends, double value) {
  const Ints pads = torch_pads(begins, ends);
  const bool none = std::all_of(pads.begin(), pads.end(), [](int64_t pad) { return pad == 0; });
  return none ? x : at::constant_pad_nd(x, pads, value);
}

Ints negated(Ints values) {
  for (int64_t& each : values) each = -each;
  return values;
}

/// A convolution's fields with ONNX's defaults filled in. Pads that differ at the two ends, or cut, come before it.
struct ConvolutionPlaces {
  Ints strides, dilations, begins, ends, zeros, pads;
  bool symmetric;

  ConvolutionPlaces(const graph::Conv& op, int64_t axes) : strides(op.strides), dilations(op.dilations) {
    zeros.assign(static_cast<size_t>(axes), 0);
    begins = ends = zeros;
    if (strides.empty()) strides.assign(zeros.size(), 1);
    if (dilations.empty()) dilations.assign(zeros.size(), 1);
    if (!op.pads.empty()) {
      begins.assign(op.pads.begin(), op.pads.begin() + axes);
      ends.assign(op.pads.begin() + axes, op.pads.end());
    }
    symmetric = begins == ends && std::all_of(begins.begin(), begins.end(), [](int64_t p) { return p >= 0; });
    pads = symmetric ? begins : zeros;
  }
};

bool all_ones(const Ints& values) {
  return std::all_of(values.begin(), values.end(), [](int64_t value) { return value == 1; });
}

/// Sums over whole windows of an x that is padded already.
at::Tensor window_sums(const Windows& windows, const at::Tensor& x) {
  if (!all_ones(windows.dilations)) {
    Ints shape{x.size(1), 1};
    shape.insert(shape.end(), windows.kernel.begin(), windows.kernel.end());
    const Ints none(windows.kernel.size(), 0);
    return at::convolution(x, at::ones(shape, x.options()), {}, windows.strides, none, windows.dilations, false, none,
                           x.size(1));
  }
  if (x.dim() == 5) return at::avg_pool3d(x, windows.kernel, windows.strides, {0, 0, 0}, false, true, 1);
  const bool flat = x.dim() == 3;
  const Ints kernel = flat ? Ints{1, windows.kernel[0]} : windows.kernel;
  const Ints strides = flat ? Ints{1, windows.strides[0]} : windows.strides;
  const at::Tensor sums = at::avg_pool2d(flat ? x.unsqueeze(2) : x, kernel, strides, {0, 0}, false, true, 1);
  return flat ? sums.squeeze(2) : sums;
}

/// Maxima over whole windows along one spatial axis. Axis after axis this is many times faster than libtorch's pool,
/// but shares a gradient between equals.
at::Tensor axis_maxima(const Windows& windows, size_t axis, const at::Tensor& x) {
  at::Tensor most;
  for (int64_t k = 0; k < windows.kernel[axis]; ++k) {
    const int64_t first = k * windows.dilations[axis], step = windows.strides[axis];
    const at::Tensor at =
        x.slice(static_cast<int64_t>(axis) + 2, first, first + (windows.outputs[axis] - 1) * step + 1, step);
    most = k == 0 ? at : at::maximum(most, at);
  }
  return most;
}

/// How many elements each window has inside x (and, if asked, inside its pads): [1,1,outputs].
template <class Op>
at::Tensor window_counts(const Op& op, const Windows& windows, const at::Tensor& x, bool with_pads) {
  Ints shape(x.sizes().begin() + 2, x.sizes().end());
  shape.insert(shape.begin(), {1, 1});
  at::Tensor ones = at::ones(shape, x.options());
  Ints begins = windows.begins, ends = windows.ends;
  if (with_pads && !op.pads.empty()) {
    const size_t axes = begins.size();
    const Ints given(op.pads.begin() + static_cast<ptrdiff_t>(axes), op.pads.end());
    ones = padded(ones, begins, given, 1);
    for (size_t i = 0; i < axes; ++i) ends[i] -= given[i];
    begins.assign(axes, 0);
  }
  return window_sums(windows, padded(ones, begins, ends, 0));
}

/// Whether oneDNN takes the convolution, asked for by name: at::convolution gives batches below 16 and small images to
/// the BLAS that there is, many times slower where that is the reference. What learns is left to at::convolution.
bool is_for_onednn(const at::Tensor& x, const at::Tensor& weights, const at::Tensor& bias) {
  const bool learns = x.requires_grad() || weights.requires_grad() || (bias.defined() && bias.requires_grad());
  return !learns && x.dim() == 4 && x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0 && at::hasMKLDNN() &&
         at::globalContext().userEnabledMkldnn();
}

}  // namespace

at::Tensor convolve(const graph::Conv& op, const at::Tensor& x, const at::Tensor& weights, const at::Tensor& bias) {
  const ConvolutionPlaces at(op, x.dim() - 2);
  if (is_for_onednn(x, weights, bias))
    return at::mkldnn_convolution(at.symmetric ? x : padded(x, at.begins, at.ends, 0), weights,
                                  bias.defined() ? c10::optional<at::Tensor>(bias) : c10::nullopt, at.pads, at.strides,
                                  at.dilations, op.group);
  return at::convolution(at.symmetric ? x : padded(x, at.begins, at.ends, 0), weights, bias, at.strides, at.pads,
                         at.dilations, false, at.zeros, op.group);
}

ConvolutionGradient convolve_backward(const graph::Conv& op, const at::Tensor& g, const at::Tensor& x,
                                      const at::Tensor& weights, bool of_x, bool of_weights) {
  const ConvolutionPlaces at(op, x.dim() - 2);
  auto [dx, dw, db] = at::convolution_backward(g, at.symmetric ? x : padded(x, at.begins, at.ends, 0), weights,
                                               at::OptionalIntArrayRef(), at.strides, at.pads, at.dilations, false,
                                               at.zeros, op.group, {of_x, of_weights, false});
  if (of_x && !at.symmetric) dx = padded(dx, negated(at.begins), negated(at.ends), 0);
  return {dx, dw};
}

at::Tensor convolve_transposed(const graph::ConvTranspose& op, const at::Tensor& x, const at::Tensor& weights,
                               const at::Tensor& bias) {
  const size_t axes = static_cast<size_t>(x.dim() - 2);
  const Ints ones(axes, 1), zeros(axes, 0);
  at::Tensor y = at::convolution(x, weights, bias, op.strides.empty() ? ones : op.strides, zeros,
                                 op.dilations.empty() ? ones : op.dilations, true,
                                 op.output_pads.empty() ? zeros : op.output_pads, op.group);
  // Pads may differ at the two ends: they are cut off.
  for (size_t i = 0; i < axes && !op.pads.empty(); ++i) {
    const int64_t axis = static_cast<int64_t>(i) + 2;
    y = y.slice(axis, op.pads[i], y.size(axis) - op.pads[i + axes]);
  }
  return y;
}

at::Tensor max_pool(const graph::MaxPool& op, const at::Tensor& x) {
  const Windows windows(op, x);
  at::Tensor whole = padded(x, windows.begins, windows.ends, -std::numeric_limits<double>::infinity());
  if (!x.requires_grad()) {
    for (size_t i = 0; i < windows.kernel.size(); ++i) whole = axis_maxima(windows, i, whole);
    return whole;
  }
  if (x.dim() == 4) return at::max_pool2d(whole, windows.kernel, windows.strides, {0, 0}, windows.dilations);
  return at::max_pool2d(whole.unsqueeze(2), {1, windows.kernel[0]}, {1, windows.strides[0]}, {0, 0},
                        {1, windows.dilations[0]})
      .squeeze(2);
}

at::Tensor average_pool(const graph::AveragePool& op, const at::Tensor& x) {
  const Windows windows(op, x);
  return window_sums(windows, padded(x, windows.begins, windows.ends, 0)) /
         window_counts(op, windows, x, op.count_include_pad);
}

at::Tensor sum_pool(const graph::SumPool& op, const at::Tensor& x) {
  const Windows windows(op, x);
  const at::Tensor centred = op.zero_point == 0 ? x : x - op.zero_point;
  return window_sums(windows, padded(centred, windows.begins, windows.ends, 0));
}

}  // namespace nibble::train
