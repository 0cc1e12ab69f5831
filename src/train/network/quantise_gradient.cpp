#include "train/network/quantise_gradient.hpp"

#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "train/network/parts.hpp"

namespace nibble::train {
namespace {

using torch::autograd::variable_list;

at::Tensor forward(const at::Tensor& x, const StepsAlong& along, const at::Tensor& codes,
                   Values values = Values::Here) {
  const Parts parts(x, along);
  at::Tensor y = at::empty(x.sizes(), x.options().requires_grad(false));
  if (values == Values::Elsewhere && !codes.defined()) return y;
  parts.each([&](int64_t part, size_t begin, size_t size) {
    const auto from = part_of<const float>(x, begin, size);
    const quant::Steps& steps = along.steps[static_cast<size_t>(parts.channel(part))];
    const auto of = codes.defined() ? part_of<quant::Code>(codes, begin, size) : std::span<quant::Code>();
    if (values == Values::Elsewhere)
      quant::code(from, steps, of);
    else
      quant::fake_quantise(from, steps, part_of<float>(y, begin, size), of);
  });
  return y;
}

std::span<double> state_of(const LearnedGradient& learned, size_t channel) {
  if (!learned.state.defined()) return {};
  const auto size = static_cast<size_t>(learned.state.size(1));
  return part_of<double>(learned.state, channel * size, size);
}

/// One a channel.
template <class Of>
at::Tensor gradient(const at::Tensor& learned, size_t channels, Of of) {
  if (!learned.defined() || !learned.requires_grad()) return {};
  at::Tensor result = at::empty({static_cast<int64_t>(channels)}, at::kFloat);
  for (size_t c = 0; c < channels; ++c) result.data_ptr<float>()[c] = static_cast<float>(of(c));
  return result;
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
    const auto [high, low] = gradients_of_learned(learned, along, count, sums);
    return {dx, high, low};
  }

  void release_variables() override { kept.reset(); }
};

}  // namespace

std::pair<at::Tensor, at::Tensor> gradients_of_learned(const LearnedGradient& learned, const StepsAlong& along,
                                                       double count, std::vector<quant::GradientSums>& sums) {
  const bool of_all = learned.state.defined() && learned.ranks != nullptr && learned.high.requires_grad();
  // A gradient that keeps a state is no sum of those of parts: it is of all sums, and rank 0 alone gives it on.
  static_assert(sizeof(quant::GradientSums) == 3 * sizeof(double));
  if (of_all) learned.ranks->add(at::from_blob(sums.data(), {3 * static_cast<int64_t>(sums.size())}, at::kDouble));
  at::Tensor high = gradient(learned.high, sums.size(), [&](size_t c) {
    return learned.low.defined()
               ? sums[c].above
               : quant::gradient_of_learned(learned.learning, sums[c], along.steps[c], count, state_of(learned, c));
  });
  at::Tensor low = gradient(learned.low, sums.size(), [&](size_t c) { return sums[c].below; });
  if (of_all && learned.ranks->rank() != 0)
    for (at::Tensor* each : {&high, &low})
      if (each->defined()) each->zero_();
  return {high, low};
}

at::Tensor fake_quantise(const at::Tensor& x, const StepsAlong& along) {
  return forward(dense(x), along, {});
}

at::Tensor fake_quantise(const at::Tensor& x, const StepsAlong& along, const LearnedGradient& learned, Values values) {
  const at::Tensor from = dense(x);
  if (!x.requires_grad() && !(learned.high.defined() && learned.high.requires_grad()))
    return forward(from, along, {}, values);
  const at::Tensor codes = learned.leaf ? at::Tensor() : at::empty(from.sizes(), at::kByte);
  at::Tensor y = forward(from, along, codes, values);
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

}  // namespace nibble::train
