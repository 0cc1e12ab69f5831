#include "train/loop/optimiser.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace nibble::train {
namespace {

/// What a scale moves in one step at most, as a part of itself.
constexpr double farthest = 0.01;

}  // namespace

Optimiser::Optimiser(const Recipe& recipe, std::vector<Learned>& learned, const GroupRules& rules)
    : adam_(recipe.optimiser == "adam"), momentum_(recipe.momentum) {
  for (Learned& one : learned) {
    if (!one.gradient) continue;
    const at::Tensor zeros = at::zeros(one.tensor.sizes(), at::kFloat);
    GroupRule rule{1, one.decays ? recipe.weight_decay : 0};
    if (!one.group.empty()) {
      const auto found = rules.find(one.group);
      rule = found == rules.end() ? GroupRule{} : found->second;
    }
    const at::Tensor second = adam_ ? zeros.clone() : at::Tensor();
    const at::Tensor updates = adam_ ? at::zeros({}, at::kLong) : at::Tensor();
    slots_.push_back({&one, zeros, second, updates, rule.rate, rule.decay});
  }
}

void Optimiser::clear_gradients() {
  for (Slot& slot : slots_) slot.learned->tensor.mutable_grad().reset();
}

void Optimiser::step(double rate) {
  constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  const at::NoGradGuard no_grad;
  for (Slot& slot : slots_) {
    at::Tensor weight = slot.learned->tensor, gradient = weight.grad();
    if (!gradient.defined()) continue;
    const at::Tensor scale = slot.learned->group == "scale" ? weight.clone() : at::Tensor();
    if (slot.decay != 0) gradient = gradient.add(weight, slot.decay);
    const auto updates = adam_ ? static_cast<double>(slot.updates.add_(1).item<int64_t>()) : 0;
    const double correction1 = adam_ ? 1 - std::pow(beta1, updates) : 1, own = rate * slot.rate / correction1;
    if (!(own <= std::numeric_limits<float>::max()))
      fail("train", "'" + slot.learned->name + "'", fmt::format("a learning rate of {:.3g}", rate * slot.rate),
           "one that float32 holds: learning_rate, step_factor or rates are too large");
    if (adam_) {
      const double correction2 = std::sqrt(1 - std::pow(beta2, updates));
      slot.first.mul_(beta1).add_(gradient, 1 - beta1);
      slot.second.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
      weight.addcdiv_(slot.first, slot.second.sqrt().div_(correction2).add_(epsilon), -own);
    } else {
      slot.first.mul_(momentum_).add_(gradient);
      weight.sub_(slot.first, own);
    }
    if (scale.defined()) weight.clamp_(scale.div(1 + farthest), scale.mul(1 + farthest));
  }
}

std::map<std::string, at::Tensor> Optimiser::state() const {
  std::map<std::string, at::Tensor> state;
  for (const Slot& slot : slots_) {
    state["first " + slot.learned->name] = slot.first;
    if (!adam_) continue;
    state["second " + slot.learned->name] = slot.second;
    state["updates " + slot.learned->name] = slot.updates;
  }
  return state;
}

}  // namespace nibble::train
