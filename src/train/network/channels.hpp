#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

namespace nibble::train {

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

}  // namespace nibble::train
