#include <torch/csrc/autograd/functions/utils.h>

#include "base/random.hpp"
#include "train/network/parts.hpp"
#include "train/network/tensor_form.hpp"

/// ANA on tensors: noise on the staircase.
namespace nibble::train {
namespace {

using torch::autograd::variable_list;

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

/// Draws follow from `key` and the element's place, `before` of the first. With gradients to x, which it keeps.
at::Tensor anneal(const at::Tensor& x, const StepsAlong& along, const quant::Annealed& noise, uint64_t key,
                  uint64_t before) {
  const at::Tensor from = dense(x);
  const Parts parts(from, along);
  at::Tensor y = at::empty(from.sizes(), from.options());
  parts.each([&](int64_t part, size_t begin, size_t size) {
    quant::anneal(part_of<const float>(from, begin, size), along.steps[static_cast<size_t>(parts.channel(part))], noise,
                  key, before + begin, part_of<float>(y, begin, size));
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

class AnaForm : public TensorForm {
 public:
  AnaForm(const quant::Ana& how, uint64_t seed) : how_(how), seed_(seed) {}

  at::Tensor forward(const at::Tensor& x, const StepsAlong& along, int64_t step, int64_t before) const override {
    const quant::Annealed noise{how_.noise, how_.draw, how_.mean * annealing_, how_.deviation * annealing_};
    return anneal(x, along, noise, Random(seed_).fork(static_cast<uint64_t>(step)).bits(),
                  static_cast<uint64_t>(before));
  }
  bool is_exact(bool training) const override { return !training || how_.deviation * annealing_ == 0; }
  void set_annealing(double factor) override { annealing_ = factor; }
  std::string unfinished(const QuantiserSettings& last) const override {
    return how_.deviation * last.annealing > 0 ? "still has noise on it" : "";
  }

 private:
  quant::Ana how_;
  uint64_t seed_;
  double annealing_ = 1;
};

}  // namespace

std::unique_ptr<TensorForm> tensor_form(const quant::Ana& how, const FormStart& start) {
  return std::make_unique<AnaForm>(how, start.seed);
}

}  // namespace nibble::train
