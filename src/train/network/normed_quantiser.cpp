#include "train/network/normed_quantiser.hpp"

#include <torch/csrc/autograd/functions/utils.h>

#include <cmath>

#include "train/network/parts.hpp"
#include "train/network/tensors.hpp"

namespace nibble::train {
namespace {

using passes::element;
using torch::autograd::variable_list;

/// f(part, channel, begin, size) for every part of a tensor, a channel of axis 1 each.
template <class F>
void each_part(const Parts& parts, F f) {
  parts.each([&](int64_t part, size_t begin, size_t size) {
    f(static_cast<size_t>(part), static_cast<size_t>(parts.channel(part)), begin, size);
  });
}

Parts by_channel(const at::Tensor& a) {
  return {a, static_cast<size_t>(a.size(1)), 1};
}

at::Tensor floats(const std::vector<double>& values) {
  return at::tensor(at::ArrayRef<double>(values), at::kDouble).to(at::kFloat);
}

/// Numbers of this rank's part into those of the whole batch. What is not counted adds nothing.
void add_over(const Share& share, std::vector<double>& own) {
  if (share.ranks == nullptr) return;
  if (!share.counts) own.assign(own.size(), 0);
  share.ranks->add(at::from_blob(own.data(), {static_cast<int64_t>(own.size())}, at::kDouble));
}

/// gain * a + shift as what lies `from` and by a factor of z.
quant::Normed normed(const Accumulated& z, size_t c, double from, double factor, double behind = 0) {
  return {static_cast<float>(factor * element(z.scale, c)),
          static_cast<float>(factor * (element(z.shift, c) - from) + behind)};
}

struct NormedBackward : torch::autograd::Node {
  Accumulated z;
  BatchMoments moments;
  std::vector<double> gamma;
  at::Tensor codes;
  StepsAlong along;
  LearnedGradient learned;
  double elements = 1;  ///< of one example
  Share share;

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return variable_list(5);
    const at::Tensor g = gradients[0].contiguous();
    const Parts parts = by_channel(g);
    std::vector<quant::NormedSums> of_part(static_cast<size_t>(parts.count()));
    const auto normalised = [&](size_t c) { return normed(z, c, moments.mean[c], moments.inverse[c]); };
    each_part(parts, [&](size_t part, size_t c, size_t begin, size_t size) {
      of_part[part] =
          quant::normed_sums(part_of<const float>(g, begin, size), part_of<const quant::Code>(codes, begin, size),
                             part_of<const float>(z.a, begin, size), normalised(c), along.steps[0].rounding);
    });
    const size_t channels = gamma.size();
    std::vector<double> own(2 * channels);
    std::vector<quant::GradientSums> sums(1);
    for (size_t part = 0; part < of_part.size(); ++part) {
      const auto c = static_cast<size_t>(parts.channel(static_cast<int64_t>(part)));
      sums[0] += of_part[part].quantiser;
      own[c] += of_part[part].by_normed, own[channels + c] += of_part[part].inside;
    }
    // Of the whole batch what goes through its statistics; of this part gamma's and beta's, which are added elsewhere.
    std::vector<double> all = own;
    add_over(share, all);
    at::Tensor dz;
    if (task_should_compute_output(0)) {
      dz = at::empty(g.sizes(), g.options());
      each_part(parts, [&](size_t, size_t c, size_t begin, size_t size) {
        // What is not counted has no part in the statistics.
        const double through = share.counts ? 1 / moments.count : 0;
        const quant::NormedGradient how{static_cast<float>(gamma[c] * moments.inverse[c]),
                                        static_cast<float>(all[channels + c] * through),
                                        static_cast<float>(all[c] * through), normalised(c)};
        quant::normed_backward(part_of<const float>(g, begin, size), part_of<const quant::Code>(codes, begin, size),
                               part_of<const float>(z.a, begin, size), how, part_of<float>(dz, begin, size));
      });
    }
    const auto [high, low] = gradients_of_learned(learned, along, elements, sums);
    const at::Tensor both = floats(own);
    const auto half = static_cast<int64_t>(channels);
    return {dz, both.slice(0, 0, half), both.slice(0, half), high, low};
  }

  void release_variables() override { z.a.reset(), codes.reset(); }
};

}  // namespace

BatchMoments moments_of(const Accumulated& z, double epsilon, const Share& share) {
  const Parts parts = by_channel(z.a);
  std::vector<quant::Moments> of_part(static_cast<size_t>(parts.count()));
  each_part(parts, [&](size_t part, size_t, size_t begin, size_t size) {
    of_part[part] = quant::moments_of(part_of<const float>(z.a, begin, size));
  });
  const auto channels = static_cast<size_t>(z.a.size(1));
  // Sums, squares, how many.
  std::vector<double> all(2 * channels + 1);
  for (size_t part = 0; part < of_part.size(); ++part) {
    const auto c = static_cast<size_t>(parts.channel(static_cast<int64_t>(part)));
    all[c] += of_part[part].sum, all[channels + c] += of_part[part].squares;
  }
  all.back() = static_cast<double>(z.a.numel()) / static_cast<double>(channels);
  add_over(share, all);
  BatchMoments moments;
  moments.count = all.back();
  for (size_t c = 0; c < channels; ++c) {
    const double mean = all[c] / moments.count, scale = element(z.scale, c);
    moments.mean.push_back(scale * mean + element(z.shift, c));
    moments.variance.push_back(scale * scale * std::max(0.0, all[channels + c] / moments.count - mean * mean));
    moments.inverse.push_back(1 / std::sqrt(moments.variance.back() + epsilon));
  }
  return moments;
}

passes::Affine affine_of(const at::Tensor& gamma, const at::Tensor& beta, const std::vector<double>& mean,
                         const std::vector<double>& inverse) {
  passes::Affine affine{doubles(gamma), doubles(beta)};
  for (size_t c = 0; c < affine.gain.size(); ++c) {
    affine.gain[c] *= inverse[c];
    affine.shift[c] -= mean[c] * affine.gain[c];
  }
  return affine;
}

void move_statistics(const BatchMoments& moments, double momentum, at::Tensor mean, at::Tensor variance) {
  const at::NoGradGuard no_grad;
  const auto move = [&](at::Tensor& running, const std::vector<double>& to, double factor) {
    float* value = running.data_ptr<float>();
    for (size_t c = 0; c < to.size(); ++c)
      value[c] = static_cast<float>((1 - momentum) * static_cast<double>(value[c]) + momentum * factor * to[c]);
  };
  move(mean, moments.mean, 1);
  move(variance, moments.variance, moments.count / (moments.count - 1));
}

at::Tensor quantise_normed(const Norm& norm, const Accumulated& z, const BatchMoments& moments, const StepsAlong& along,
                           const LearnedGradient& learned, const Share& share) {
  ensure(along.steps.size() == 1, "an activation has one grid");
  const std::vector<double> gamma = doubles(norm.gamma), beta = doubles(norm.beta);
  const at::Tensor codes = at::empty(z.a.sizes(), at::kByte);
  each_part(by_channel(z.a), [&](size_t, size_t c, size_t begin, size_t size) {
    quant::Normed x = normed(z, c, moments.mean[c], gamma[c] * moments.inverse[c], beta[c]);
    x.positive = norm.relu;
    quant::code(part_of<const float>(z.a, begin, size), x, along.steps[0], part_of<quant::Code>(codes, begin, size));
  });
  at::Tensor y = at::empty(z.a.sizes(), at::kFloat);
  const auto node = backward_node<NormedBackward>();
  node->set_next_edges(torch::autograd::collect_next_edges(norm.z, norm.gamma, norm.beta, learned.high, learned.low));
  node->z = z, node->moments = moments, node->gamma = gamma;
  node->codes = codes, node->along = along, node->learned = learned, node->share = share;
  node->elements = static_cast<double>(z.a.numel()) / static_cast<double>(z.a.size(0));
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace nibble::train
