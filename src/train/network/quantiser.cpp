#include "train/network/quantiser.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/random.hpp"
#include "train/network/quantise_gradient.hpp"

namespace nibble::train {
namespace {

using quant::Algorithm;
using quant::Steps;

bool learns(Algorithm algorithm) {
  return algorithm == Algorithm::Pact || algorithm == Algorithm::Tqt || algorithm == Algorithm::Lsq;
}

float shortened(float scale) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(scale) & 0xfffff000u);
}

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
    steps.end = steps.most();
  }
  if (recipe.learning.algorithm == Algorithm::Ste && rounding == Rounding::Floor) steps.end = steps.most() + 1;
  return steps;
}

void check(const std::string& name, const Grid& grid, const QuantiserRecipe& recipe, bool weights) {
  const std::string place = "quantiser '" + name + "'";
  if (recipe.learning.algorithm == Algorithm::Inq && !weights)
    fail("train", place, "inq on activations", "inq on weights alone; pact, lsq, tqt, ana or ste here");
  if (recipe.learning.algorithm == Algorithm::Inq && recipe.learning.power_of_two &&
      (grid.levels() < 3 || grid.levels() > 32))
    fail("train", place, std::to_string(grid.levels()) + " levels, inq with powers of two",
         "3 to 32 levels: one power a sign at least, and 15 at most, the weights' integers being up to 2^14");
  if (recipe.without_zero && !weights)
    fail("train", place, "activations without a zero", "weights: a ReLU and a padding give zeros");
  if (recipe.without_zero && (grid.levels() % 2 != 0 || grid.zero_point != 0 || grid.low != -grid.levels() / 2))
    fail("train", place, std::to_string(grid.levels()) + " levels from " + std::to_string(grid.low) + " without a zero",
         "a symmetric grid of an even number of levels");
  if (grid.levels() >= 2048)
    fail("train", place, std::to_string(grid.levels()) + " levels", "fewer than 2048 where a quantiser trains");
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
  if (learns(recipe_.learning.algorithm)) learned_ = leaf(start);
  if (both_bounds()) low_ = leaf(lows);
  if (recipe_.learning.algorithm == Algorithm::Tqt && recipe_.learning.normalised) {
    variance_ = at::zeros({channels, 2}, at::kDouble);
    variance_.select(1, 1).fill_(1);
  }
  if (recipe_.learning.algorithm == Algorithm::Inq) {
    set_ = at::zeros(weights.sizes(), at::kByte);
    anchors_ = at::zeros(weights.sizes(), at::kFloat);
    const int64_t levels =
        recipe_.learning.power_of_two ? 2 * quant::powers_of_levels(grid_.levels()) + 1 : grid_.levels();
    level_table_ = at::zeros({channels, levels}, at::kFloat);
  }
}

bool Quantiser::both_bounds() const {
  return recipe_.learning.algorithm == Algorithm::Pact && grid_.zero_point != 0 && !grid_.per_channel();
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
    if (short_scale_) steps.scale = shortened(steps.scale);
    all.push_back(steps);
  }
  return all;
}

quant::Annealed Quantiser::noise() const {
  const quant::Learning& how = recipe_.learning;
  return {how.noise, how.draw, how.mean * annealing_, how.deviation * annealing_};
}

at::Tensor Quantiser::forward(const at::Tensor& x, bool training, int64_t step) const {
  if (!on_) return x;
  if (recipe_.learning.algorithm == Algorithm::Inq) {
    if (training) return at::where(set_ != 0, anchors_, x);
    return hardened(x);
  }
  const std::vector<Steps> now = steps();
  if (!training) return fake_quantise(x, {now, grid_.axis});
  return with_gradients(x, now, step);
}

at::Tensor Quantiser::with_gradients(const at::Tensor& x, const std::vector<Steps>& now, int64_t step) const {
  if (recipe_.learning.algorithm == Algorithm::Ana)
    return anneal(x, {now, grid_.axis}, noise(), Random(seed_).fork(static_cast<uint64_t>(step)).bits());
  return fake_quantise(x, {now, grid_.axis}, {recipe_.learning, learned_, low_, variance_, weights_});
}

void Quantiser::freeze(bool frozen) {
  for (at::Tensor* tensor : {&learned_, &low_})
    if (tensor->defined()) tensor->set_requires_grad(!frozen);
}

std::vector<LearnedQuantity> Quantiser::learned() const {
  if (!learned_.defined()) return {};
  switch (recipe_.learning.algorithm) {
    case Algorithm::Pact:
      if (low_.defined()) return {{name_ + ".low", "bound", low_}, {name_ + ".high", "bound", learned_}};
      return {{name_ + ".bound", "bound", learned_}};
    case Algorithm::Tqt: return {{name_ + ".threshold", "threshold", learned_}};
    default: return {{name_ + ".scale", "scale", learned_}};
  }
}

void Quantiser::settle(at::Tensor& weights) {
  const at::NoGradGuard no_grad;
  if (low_.defined()) low_.clamp_max_(0);
  if (learned_.defined() && recipe_.learning.algorithm != Algorithm::Tqt)
    for (size_t c = 0; c < first_scales_.size(); ++c) {
      // A scale that a step threw below zero goes on at a thousandth of its first; the run's warnings name it.
      float& value = learned_.data_ptr<float>()[c];
      const double reach = steps_on(grid_, rounding_, recipe_, c).reach();
      const float least = quant::learned_from_scale(recipe_.learning, first_scales_[c] / 1024, reach);
      value = std::max(value, low_.defined() ? std::max(least, 0.0f) : least);
    }
  if (set_.defined()) weights.copy_(at::where(set_ != 0, anchors_, weights));
}

void Quantiser::share(const Quantiser& other) {
  learned_ = other.learned_, low_ = other.low_, variance_ = other.variance_;
}

bool Quantiser::keeps_grid() const {
  return !learned_.defined() && !recipe_.without_zero && !(set_.defined() && recipe_.learning.power_of_two);
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

void Quantiser::set_fraction(double fraction, at::Tensor& weights) {
  if (!set_.defined() || fraction <= fraction_) return;
  fraction_ = fraction;
  const at::NoGradGuard no_grad;
  const quant::Learning& how = recipe_.learning;
  const int64_t axis = std::max(0, grid_.axis), channels = level_table_.size(0);
  at::Tensor rows = weights.transpose(0, axis).contiguous(), set = set_.transpose(0, axis).contiguous();
  const auto size = static_cast<size_t>(rows.numel() / channels);
  const std::vector<Steps> now = steps();
  const bool first = !set_.any().item<bool>();
  for (int64_t c = 0; c < channels; ++c) {
    const std::span<float> row{rows.data_ptr<float>() + static_cast<size_t>(c) * size, size};
    const std::span<float> levels{level_table_.data_ptr<float>() + c * level_table_.size(1),
                                  static_cast<size_t>(level_table_.size(1))};
    if (first) {
      double largest = 0;
      for (float w : row) largest = std::max(largest, std::abs(static_cast<double>(w)));
      const Steps& steps = now[static_cast<size_t>(c)];
      if (how.power_of_two)
        std::ranges::copy(quant::powers_of_two(largest, quant::powers_of_levels(grid_.levels())), levels.begin());
      else
        for (size_t k = 0; k < levels.size(); ++k)
          levels[k] = static_cast<float>(steps.scale * (steps.least() + static_cast<double>(k)));
    }
    quant::set_on_levels(row, {set.data_ptr<uint8_t>() + static_cast<size_t>(c) * size, size}, fraction, how.partition,
                         levels, Random(seed_).fork(std::bit_cast<uint64_t>(fraction)).fork(static_cast<uint64_t>(c)));
  }
  weights.copy_(rows.transpose(0, axis));
  set_.copy_(set.transpose(0, axis));
  anchors_.copy_(weights);
}

graph::Quantise Quantiser::op() const {
  graph::Quantise op{grid_, rounding_};
  if (set_.defined() && recipe_.learning.power_of_two) {
    const auto powers = static_cast<size_t>(quant::powers_of_levels(grid_.levels()));
    op.grid.high = int64_t{1} << (powers - 1);
    op.grid.low = -op.grid.high;
    op.grid.zero_point = 0;
    // Levels rise: the smallest power is the one after zero, which stands in the middle.
    for (size_t c = 0; c < op.grid.scale.size(); ++c)
      if (const float least = level_table_.data_ptr<float>()[c * (2 * powers + 1) + powers + 1]; least > 0)
        op.grid.scale[c] = static_cast<double>(least);
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
  if (set_.defined()) return at::where(set_ != 0, anchors_, weights);
  return recipe_.without_zero ? fake_quantise(weights, {steps(), grid_.axis}) : weights;
}

std::string Quantiser::unfinished(const QuantiserSettings& last) const {
  const quant::Learning& how = recipe_.learning;
  if (!last.on) return "is off";
  if (how.algorithm == Algorithm::Ana && how.deviation * last.annealing > 0) return "still has noise on it";
  if (set_.defined() && last.fraction < 1) return "still has weights that are not set";
  return "";
}

std::map<std::string, at::Tensor> Quantiser::state() const {
  std::map<std::string, at::Tensor> all;
  const auto add = [&](const char* what, const at::Tensor& tensor) {
    if (tensor.defined()) all[name_ + "." + what] = tensor;
  };
  add("learned", learned_), add("low", low_), add("variance", variance_);
  add("set", set_), add("anchors", anchors_), add("levels", level_table_);
  return all;
}

}  // namespace nibble::train
