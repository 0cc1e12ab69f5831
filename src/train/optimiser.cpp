#include "train/optimiser.hpp"

#include <cmath>

namespace nibble::train {

Optimiser::Optimiser(const Recipe& recipe, std::vector<Learned>& learned)
    : adam_(recipe.optimiser == "adam"), momentum_(recipe.momentum), decay_(recipe.weight_decay) {
  for (Learned& one : learned) {
    if (!one.gradient) continue;
    const at::Tensor zeros = at::zeros(one.tensor.sizes(), at::kFloat);
    slots_.push_back({&one, zeros, adam_ ? zeros.clone() : at::Tensor()});
  }
}

void Optimiser::clear_gradients() {
  for (Slot& slot : slots_) slot.learned->tensor.mutable_grad().reset();
}

void Optimiser::step(double rate, int64_t step) {
  constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  const at::NoGradGuard no_grad;
  const double correction1 = 1 - std::pow(beta1, static_cast<double>(step));
  const double correction2 = std::sqrt(1 - std::pow(beta2, static_cast<double>(step)));
  for (Slot& slot : slots_) {
    at::Tensor weight = slot.learned->tensor, gradient = weight.grad();
    if (!gradient.defined()) continue;
    if (decay_ != 0 && slot.learned->decays) gradient = gradient.add(weight, decay_);
    if (!adam_) {
      slot.first.mul_(momentum_).add_(gradient);
      weight.sub_(slot.first, rate);
      continue;
    }
    slot.first.mul_(beta1).add_(gradient, 1 - beta1);
    slot.second.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
    weight.addcdiv_(slot.first, slot.second.sqrt().div_(correction2).add_(epsilon), -rate / correction1);
  }
}

std::map<std::string, at::Tensor> Optimiser::state() const {
  std::map<std::string, at::Tensor> state;
  for (const Slot& slot : slots_) {
    state["first " + slot.learned->name] = slot.first;
    if (adam_) state["second " + slot.learned->name] = slot.second;
  }
  return state;
}

}  // namespace nibble::train
