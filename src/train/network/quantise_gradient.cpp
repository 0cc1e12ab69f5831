#include "train/network/quantise_gradient.hpp"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "base/error.hpp"

#ifndef _OPENMP
#error "without OpenMP at::parallel_for runs on one thread"
#endif

namespace nibble::train {
namespace {

using torch::autograd::variable_list;

/// Elements of a part, which one thread does at once.
constexpr int64_t part_size = 1 << 15;

/// A tensor's elements as rows of one channel each, cut into parts.
struct Parts {
  int64_t channels = 1, rows = 1, inner, per_row;

  Parts(const at::Tensor& x, const StepsAlong& along) : inner(x.numel()) {
    if (along.steps.size() > 1 || along.axis >= 0) {
      channels = x.size(along.axis);
      inner = 1;
      for (int64_t i = along.axis + 1; i < x.dim(); ++i) inner *= x.size(i);
      rows = inner * channels == 0 ? 0 : x.numel() / inner;
    }
    ensure(channels == static_cast<int64_t>(along.steps.size()), "a quantiser has a scale for each channel");
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

at::Tensor forward(const at::Tensor& x, const StepsAlong& along, const at::Tensor& codes) {
  const Parts parts(x, along);
  at::Tensor y = at::empty(x.sizes(), x.options().requires_grad(false));
  parts.each([&](int64_t part, size_t begin, size_t size) {
    quant::fake_quantise(part_of<const float>(x, begin, size), along.steps[static_cast<size_t>(parts.channel(part))],
                         part_of<float>(y, begin, size),
                         codes.defined() ? part_of<quant::Code>(codes, begin, size) : std::span<quant::Code>());
  });
  return y;
}

/// What backward keeps: x or its codes, and the steps. Of weights every element counts, of activations those of one
/// example.
struct FakeQuantiseBackward : torch::autograd::Node {
  at::Tensor kept;
  StepsAlong along;
  LearnedGradient learned;
  double count = 1;

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor(), at::Tensor(), at::Tensor()};
    const at::Tensor g = gradients[0].contiguous();
    const Parts parts(g, along);
    at::Tensor dx = at::empty(g.sizes(), g.options());
    std::vector<quant::GradientSums> of_part(static_cast<size_t>(parts.count()));
    parts.each([&](int64_t part, size_t begin, size_t size) {
      const quant::Steps& steps = along.steps[static_cast<size_t>(parts.channel(part))];
      const auto upstream = part_of<const float>(g, begin, size);
      const auto to = part_of<float>(dx, begin, size);
      of_part[static_cast<size_t>(part)] =
          learned.leaf
              ? quant::fake_quantise_backward(upstream, part_of<const float>(kept, begin, size), steps, to)
              : quant::fake_quantise_backward(upstream, part_of<const quant::Code>(kept, begin, size), steps, to);
    });
    std::vector<quant::GradientSums> sums(along.steps.size());
    for (size_t part = 0; part < of_part.size(); ++part)
      sums[static_cast<size_t>(parts.channel(static_cast<int64_t>(part)))] += of_part[part];
    return {dx, high(sums), low(sums)};
  }

  void release_variables() override { kept.reset(); }

  at::Tensor high(const std::vector<quant::GradientSums>& sums) const {
    if (!learned.high.defined() || !learned.high.requires_grad()) return {};
    at::Tensor result = at::empty({static_cast<int64_t>(sums.size())}, at::kFloat);
    for (size_t c = 0; c < sums.size(); ++c)
      result.data_ptr<float>()[c] = static_cast<float>(
          learned.low.defined()
              ? sums[c].above
              : normalised(quant::gradient_of_learned(learned.learning, sums[c], along.steps[c], count), c));
    return result;
  }

  double normalised(double gradient, size_t channel) const {
    if (!learned.variance.defined()) return gradient;
    double* state = learned.variance.data_ptr<double>() + 2 * channel;
    quant::GradientVariance variance{state[0], state[1]};
    const double result = variance.normalise(gradient, learned.learning.momentum, learned.learning.saturated);
    state[0] = variance.variance, state[1] = variance.weight;
    return result;
  }

  at::Tensor low(const std::vector<quant::GradientSums>& sums) const {
    if (!learned.low.defined() || !learned.low.requires_grad()) return {};
    at::Tensor result = at::empty({static_cast<int64_t>(sums.size())}, at::kFloat);
    for (size_t c = 0; c < sums.size(); ++c) result.data_ptr<float>()[c] = static_cast<float>(sums[c].below);
    return result;
  }
};

struct AnnealBackward : torch::autograd::Node {
  at::Tensor x;
  StepsAlong along;
  quant::Annealed noise;

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor()};
    const at::Tensor g = gradients[0].contiguous();
    const Parts parts(g, along);
    at::Tensor dx = at::empty(g.sizes(), g.options());
    parts.each([&](int64_t part, size_t begin, size_t size) {
      quant::anneal_backward(part_of<const float>(g, begin, size), part_of<const float>(x, begin, size),
                             along.steps[static_cast<size_t>(parts.channel(part))], noise,
                             part_of<float>(dx, begin, size));
    });
    return {dx};
  }

  void release_variables() override { x.reset(); }
};

template <class Backward>
std::shared_ptr<Backward> backward_node() {
  return {new Backward, torch::autograd::deleteNode};
}

at::Tensor dense(const at::Tensor& x) {
  ensure(x.scalar_type() == at::kFloat, "what trains is float32");
  return x.detach().contiguous();
}

}  // namespace

at::Tensor fake_quantise(const at::Tensor& x, const StepsAlong& along) {
  return forward(dense(x), along, {});
}

at::Tensor fake_quantise(const at::Tensor& x, const StepsAlong& along, const LearnedGradient& learned) {
  const at::Tensor from = dense(x);
  if (!x.requires_grad() && !(learned.high.defined() && learned.high.requires_grad())) return forward(from, along, {});
  const at::Tensor codes = learned.leaf ? at::Tensor() : at::empty(from.sizes(), at::kByte);
  at::Tensor y = forward(from, along, codes);
  const auto node = backward_node<FakeQuantiseBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(x, learned.high, learned.low));
  node->kept = learned.leaf ? from : codes;
  node->along = along;
  node->learned = learned;
  const int64_t examples = learned.leaf || x.dim() == 0 ? 1 : std::max<int64_t>(1, x.size(0));
  node->count =
      static_cast<double>(x.numel()) / static_cast<double>(examples) / static_cast<double>(along.steps.size());
  torch::autograd::set_history(y, node);
  return y;
}

at::Tensor anneal(const at::Tensor& x, const StepsAlong& along, const quant::Annealed& noise, uint64_t key) {
  const at::Tensor from = dense(x);
  const Parts parts(from, along);
  at::Tensor y = at::empty(from.sizes(), from.options());
  parts.each([&](int64_t part, size_t begin, size_t size) {
    quant::anneal(part_of<const float>(from, begin, size), along.steps[static_cast<size_t>(parts.channel(part))], noise,
                  key, begin, part_of<float>(y, begin, size));
  });
  if (!x.requires_grad()) return y;
  const auto node = backward_node<AnnealBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(x));
  node->x = from;
  node->along = along;
  node->noise = noise;
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace nibble::train
