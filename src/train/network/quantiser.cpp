#include "train/network/quantiser.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/random.hpp"
#include "quant/scale.hpp"

namespace nibble::train {
namespace {

using quant::Steps;

/// A stream of its own for a quantiser.
uint64_t seed_of(const std::string& name, uint64_t seed) {
  return Random(seed).fork(fnv1a(name)).bits();
}

at::Tensor leaf(const std::vector<double>& values) {
  at::Tensor tensor = at::tensor(at::ArrayRef<double>(values), at::kDouble).to(at::kFloat);
  tensor.set_requires_grad(true);
  return tensor;
}

/// The steps of a grid, without what learning changes.
Steps steps_on(const Grid& grid, Rounding rounding, const QuantiserRecipe& recipe, size_t channel) {
  Steps steps = quant::steps_of(grid, rounding, channel);
  if (recipe.without_zero) {
    steps.origin = 0.5;
    // The lowest level stays where it was.
    steps.scale = static_cast<float>(grid.scale_of(channel) * steps.low / (steps.low + 0.5));
  }
  steps.end = quant::end_of(recipe.learning, steps);
  return steps;
}

void check(const std::string& name, const Grid& grid, const QuantiserRecipe& recipe, bool weights) {
  const std::string place = "quantiser '" + name + "'";
  const quant::Algorithm& algorithm = quant::algorithm_of(recipe.learning);
  if (!algorithm.on_activations && !weights)
    fail("train", place, std::string(algorithm.name) + " on activations",
         std::string(algorithm.name) + " on weights alone; " +
             quant::names_of_algorithms([](const quant::Algorithm& other) { return other.on_activations; }) + " here");
  if (const auto refusal = quant::refusal(recipe.learning, grid.levels()))
    fail("train", place, refusal->found, refusal->expected);
  if (recipe.without_zero && !weights)
    fail("train", place, "activations without a zero", "weights: a ReLU and a padding give zeros");
  if (recipe.without_zero && (grid.levels() % 2 != 0 || grid.zero_point != 0 || grid.low != -grid.levels() / 2))
    fail("train", place, std::to_string(grid.levels()) + " levels from " + std::to_string(grid.low) + " without a zero",
         "a symmetric grid of an even number of levels");
  if (grid.levels() >= 2048)
    fail("train", place, std::to_string(grid.levels()) + " levels", "fewer than 2048 where a quantiser trains");
}

std::unique_ptr<TensorForm> own_form(const quant::Learning& learning, const FormStart& start) {
  return std::visit(
      [&](const auto& how) -> std::unique_ptr<TensorForm> {
        if constexpr (std::decay_t<decltype(how)>::own_tensors)
          return tensor_form(how, start);
        else
          return nullptr;
      },
      learning);
}

}  // namespace

Quantiser::Quantiser(std::string name, const graph::Quantise& op, const QuantiserRecipe& recipe,
                     const at::Tensor& weights, uint64_t seed)
    : name_(std::move(name)),
      grid_(op.grid),
      rounding_(op.rounding),
      recipe_(recipe),
      seed_(seed_of(name_, seed)),
      weights_(weights.defined()) {
  check(name_, grid_, recipe_, weights_);
  std::vector<double> start, lows;
  for (size_t c = 0; c < grid_.scale.size(); ++c) {
    const Steps steps = steps_on(grid_, rounding_, recipe_, c);
    first_scales_.push_back(static_cast<double>(steps.scale));
    start.push_back(static_cast<double>(
        quant::learned_from_scale(recipe_.learning, static_cast<double>(steps.scale), steps.reach())));
    lows.push_back(static_cast<double>(steps.scale) * steps.least());
  }
  const auto channels = static_cast<int64_t>(start.size());
  if (!quant::algorithm_of(recipe_.learning).learns.empty()) learned_ = leaf(start);
  if (both_bounds()) low_ = leaf(lows);
  if (const std::vector<double> state = quant::state_at_start(recipe_.learning); !state.empty())
    state_ = at::tensor(at::ArrayRef<double>(state), at::kDouble).repeat({channels, 1});
  form_ = own_form(recipe_.learning, {grid_, weights, seed_});
}

bool Quantiser::both_bounds() const {
  return quant::algorithm_of(recipe_.learning).both_bounds && grid_.zero_point != 0 && !grid_.per_channel();
}

std::vector<Steps> Quantiser::steps() const {
  std::vector<Steps> all;
  for (size_t c = 0; c < grid_.scale.size(); ++c) {
    Steps steps = steps_on(grid_, rounding_, recipe_, c);
    if (low_.defined()) {
      steps = quant::steps_between(static_cast<double>(low_.data_ptr<float>()[c]),
                                   static_cast<double>(learned_.data_ptr<float>()[c]), grid_.levels(), rounding_);
    } else if (learned_.defined()) {
      steps.scale =
          quant::scale_of_learned(recipe_.learning, static_cast<double>(learned_.data_ptr<float>()[c]), steps.reach());
    }
    if (short_scale_) steps.scale = static_cast<float>(quant::shortened(static_cast<double>(steps.scale)));
    all.push_back(steps);
  }
  return all;
}

at::Tensor Quantiser::forward(const at::Tensor& x, bool training, int64_t step, Values values,
                              const Share& share) const {
  if (!on_) return x;
  // Weights are the same on all ranks.
  const int64_t before = weights_ || share.first == 0 ? 0 : share.first * (x.numel() / x.size(0));
  if (form_) return training ? form_->forward(x, along(), step, before) : form_->evaluate(x, along());
  if (!training) return fake_quantise(x, along());
  return fake_quantise(x, along(), {recipe_.learning, learned_, low_, state_, weights_, share.ranks}, values);
}

at::Tensor Quantiser::forward(const Norm& norm, const Accumulated& z, const BatchMoments& moments,
                              const Share& share) const {
  const LearnedGradient learned{recipe_.learning, learned_, low_, state_, weights_, share.ranks};
  return quantise_normed(norm, z, moments, along(), learned, share);
}

bool Quantiser::takes_norm(const std::optional<graph::ClipBounds>& clip) const {
  if (!on_ || form_ || weights_ || grid_.per_channel()) return false;
  if (!clip) return true;
  const Steps now = steps()[0];
  return clip->low == 0 && now.low == 0 && now.origin == 0 && !low_.defined() &&
         clip->high >= now.end * static_cast<double>(now.scale);
}

void Quantiser::freeze(bool frozen) {
  for (at::Tensor* tensor : {&learned_, &low_})
    if (tensor->defined()) tensor->set_requires_grad(!frozen);
}

std::vector<LearnedQuantity> Quantiser::learned() const {
  if (!learned_.defined()) return {};
  const std::string group(quant::algorithm_of(recipe_.learning).learns);
  if (low_.defined()) return {{name_ + ".low", group, low_}, {name_ + ".high", group, learned_}};
  return {{name_ + "." + group, group, learned_}};
}

void Quantiser::set_annealing(double factor) {
  if (form_) form_->set_annealing(factor);
}

void Quantiser::set_fraction(double fraction, at::Tensor& weights) {
  if (form_) form_->set_fraction(fraction, weights, steps());
}

void Quantiser::settle(at::Tensor& weights) {
  const at::NoGradGuard no_grad;
  if (low_.defined()) low_.clamp_max_(0);
  if (learned_.defined() && quant::algorithm_of(recipe_.learning).stays_positive)
    for (size_t c = 0; c < first_scales_.size(); ++c) {
      // A scale that a step threw below zero goes on at a thousandth of its first; the run's warnings name it.
      float& value = learned_.data_ptr<float>()[c];
      const double reach = steps_on(grid_, rounding_, recipe_, c).reach();
      const float least = quant::learned_from_scale(recipe_.learning, first_scales_[c] / 1024, reach);
      value = std::max(value, low_.defined() ? std::max(least, 0.0f) : least);
    }
  if (form_) form_->settle(weights);
}

void Quantiser::share(const Quantiser& other) {
  learned_ = other.learned_, low_ = other.low_, state_ = other.state_;
}

bool Quantiser::keeps_grid() const {
  return quant::keeps_grid(recipe_.learning) && !recipe_.without_zero;
}

std::vector<double> Quantiser::scales() const {
  std::vector<double> all;
  for (const Steps& each : steps()) all.push_back(static_cast<double>(each.scale));
  return all;
}

at::Tensor Quantiser::levels_of(const at::Tensor& weights, int64_t stride) const {
  const std::vector<Steps> now = steps();
  std::vector<float> inverse;
  for (const Steps& each : now) inverse.push_back(1 / each.scale);
  const auto channels = static_cast<int64_t>(now.size());
  int64_t inner = channels > 1 ? 1 : weights.numel();
  for (int64_t i = grid_.axis + 1; channels > 1 && i < weights.dim(); ++i) inner *= weights.size(i);
  const at::Tensor from = weights.detach().contiguous();
  at::Tensor levels = at::empty({(from.numel() + stride - 1) / stride}, at::kShort);
  const float* w = from.data_ptr<float>();
  int16_t* to = levels.data_ptr<int16_t>();
  const float half = rounding_ == Rounding::Floor ? 0.0f : 0.5f;
  for (int64_t i = 0; i < from.numel(); i += stride) {
    const auto c = static_cast<size_t>(i / inner % channels);
    const float u = std::floor(w[i] * inverse[c] - static_cast<float>(now[c].origin) + half);
    *to++ = static_cast<int16_t>(std::clamp(u, static_cast<float>(now[c].low), static_cast<float>(now[c].high)));
  }
  return levels;
}

graph::Quantise Quantiser::op() const {
  graph::Quantise op{grid_, rounding_};
  if (const std::optional<Grid> grid = form_ ? form_->grid(grid_) : std::nullopt) {
    op.grid = *grid;
    return op;
  }
  const std::vector<Steps> now = steps();
  for (size_t c = 0; c < now.size(); ++c) op.grid.scale[c] = static_cast<double>(now[c].scale);
  if (low_.defined()) op.grid.zero_point = op.grid.low - now[0].low;
  if (recipe_.without_zero) {
    for (double& scale : op.grid.scale) scale /= 2;
    op.grid.low = 2 * grid_.low + 1, op.grid.high = 2 * grid_.high + 1;
  }
  return op;
}

at::Tensor Quantiser::hardened(const at::Tensor& weights) const {
  const at::Tensor own = form_ ? form_->hardened(weights) : at::Tensor();
  if (own.defined()) return own;
  return recipe_.without_zero ? fake_quantise(weights, along()) : weights;
}

std::string Quantiser::unfinished(const QuantiserSettings& last) const {
  if (!last.on) return "is off";
  return form_ ? form_->unfinished(last) : "";
}

std::map<std::string, at::Tensor> Quantiser::state() const {
  std::map<std::string, at::Tensor> all;
  const auto add = [&](const char* what, const at::Tensor& tensor) {
    if (tensor.defined()) all[name_ + "." + what] = tensor;
  };
  add("learned", learned_), add("low", low_), add("variance", state_);
  if (form_)
    for (const auto& [what, tensor] : form_->state()) all[name_ + "." + what] = tensor;
  return all;
}

}  // namespace nibble::train
