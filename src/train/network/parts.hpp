#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/function.h>

#include <algorithm>
#include <memory>
#include <span>

#include "base/error.hpp"
#include "train/network/quantise_gradient.hpp"

#ifndef _OPENMP
#error "without OpenMP at::parallel_for runs on one thread"
#endif

/// Fixed parts of a tensor that is quantised: the same bits on any number of threads.
namespace nibble::train {

/// A tensor's elements as rows of one channel each, cut into parts, which one thread does at once.
struct Parts {
  static constexpr int64_t part_size = 1 << 15;
  int64_t channels = 1, rows = 1, inner, per_row;

  Parts(const at::Tensor& x, const StepsAlong& along) : Parts(x, along.steps.size(), along.axis) {}
  /// What each index of `axis` (-1: all elements) is done with is one of `count`.
  Parts(const at::Tensor& x, size_t count, int64_t axis) : inner(x.numel()) {
    if (count > 1 || axis >= 0) {
      channels = x.size(axis);
      inner = 1;
      for (int64_t i = axis + 1; i < x.dim(); ++i) inner *= x.size(i);
      rows = inner * channels == 0 ? 0 : x.numel() / inner;
    }
    ensure(channels == static_cast<int64_t>(count), "there is one for each channel");
    per_row = std::max<int64_t>(1, (inner + part_size - 1) / part_size);
  }

  int64_t count() const { return rows * per_row; }
  int64_t channel(int64_t part) const { return part / per_row % channels; }

  /// f(part, begin, size) for every part, on libtorch's threads.
  template <class F>
  void each(F f) const {
    const int64_t grain = std::max<int64_t>(1, part_size / std::max<int64_t>(1, std::min(inner, part_size)));
    at::parallel_for(0, count(), grain, [&](int64_t first, int64_t last) {
      for (int64_t part = first; part < last; ++part) {
        const int64_t within = part % per_row * part_size;
        f(part, static_cast<size_t>(part / per_row * inner + within),
          static_cast<size_t>(std::min(part_size, inner - within)));
      }
    });
  }
};

template <class T>
std::span<T> part_of(const at::Tensor& tensor, size_t begin, size_t size) {
  using Element = std::remove_const_t<T>;
  return {tensor.data_ptr<Element>() + begin, size};
}

template <class Backward>
std::shared_ptr<Backward> backward_node() {
  return {new Backward, torch::autograd::deleteNode};
}

inline at::Tensor dense(const at::Tensor& x) {
  ensure(x.scalar_type() == at::kFloat, "what trains is float32");
  return x.detach().contiguous();
}

}  // namespace nibble::train
