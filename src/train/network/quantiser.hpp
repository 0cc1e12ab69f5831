#pragma once
#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/op_traits.hpp"
#include "graph/ops.hpp"
#include "train/network/normed_quantiser.hpp"
#include "train/network/tensor_form.hpp"
#include "train/quantiser_recipe.hpp"
#include "train/ranks.hpp"

namespace nibble::train {

/// A number, or one a channel, that a quantiser learns.
struct LearnedQuantity {
  std::string name;   ///< "<quantiser>.scale", ".threshold" (its log2), ".bound", or ".low" and ".high"
  std::string group;  ///< "scale", "threshold" or "bound": each has its own learning rate and decay
  at::Tensor tensor;  ///< Float32 [channels] that asks for gradients
};

/// A fake quantiser in a network that trains: what it learns, its state, and the graph's quantiser that it becomes.
/// With the noise annealed away and all weights set, it decides every level as graph::Quantise does on op()'s grid, to
/// the last bit, on any number of threads.
class Quantiser {
 public:
  /// Starts at the grid of `op`, which calibration found. `weights`: what it quantises, where that is learned
  /// (undefined for activations). `seed` is of the run. Throws UserError naming `name` where the algorithm cannot: of
  /// weights alone or without a zero on activations, an odd number of levels without a zero, 2048 levels or more.
  Quantiser(std::string name, const graph::Quantise& op, const QuantiserRecipe& recipe, const at::Tensor& weights,
            uint64_t seed);

  /// x Float32 to y; in training with gradients, noise that is not annealed (drawn from (seed, step) alone) and weights
  /// that are not set yet. Else what op() computes. Off: x itself.
  /// Values Elsewhere: y's numbers may be left to the caller, who knows them.
  /// Ranks: as the whole batch would be, noise and what learned quantities get.
  at::Tensor forward(const at::Tensor& x, bool training, int64_t step, Values values = Values::Here,
                     const Share& share = {}) const;
  /// forward of a batch-norm by its batch, in training; the numbers are left to the caller.
  at::Tensor forward(const Norm& norm, const Accumulated& z, const BatchMoments& moments, const Share& share) const;
  /// Whether that is what the ops one by one would do, where one clips between the two: from the lowest level, and not
  /// below the highest.
  bool takes_norm(const std::optional<graph::ClipBounds>& clip) const;

  const std::string& name() const { return name_; }
  const QuantiserRecipe& recipe() const { return recipe_; }
  bool of_weights() const { return weights_; }
  bool on() const { return on_; }
  /// forward gives what op() gives: it is on, without noise, and nothing is still to be set.
  bool is_exact(bool training) const { return on_ && (!form_ || form_->is_exact(training)); }
  void turn_on(bool on) { on_ = on; }
  /// Learned quantities stay as they are from now on, or move again.
  void freeze(bool frozen);
  /// Noise: its deviation is this part of the recipe's, in [0, 1]; 1 at the start.
  void set_annealing(double factor);
  /// Where the algorithm sets weights: this part of the weights, which move in place, is set on levels and stays. Never less than before.
  void set_fraction(double fraction, at::Tensor& weights);

  /// What the optimiser moves; empty where nothing is learned.
  std::vector<LearnedQuantity> learned() const;
  /// After an optimiser's step: scales stay positive, bounds enclose zero, and weights that are set (where this is
  /// of weights) go back.
  void settle(at::Tensor& weights);
  /// Learns what `other` learns: the quantisers of one harmonised sum have one grid.
  void share(const Quantiser& other);
  bool shares_with(const Quantiser& other) const { return learned_.defined() && learned_.is_same(other.learned_); }
  /// op()'s grid is the one that calibration found, whatever the training does.
  bool keeps_grid() const;
  /// Scales are quant::shortened from now on: the product with another such scale is a float32 number.
  void shorten_scale() { short_scale_ = true; }
  bool has_short_scale() const { return short_scale_; }

  /// Scales as of now, one or one a channel: float32 numbers.
  std::vector<double> scales() const;
  /// What they were before the first step.
  const std::vector<double>& first_scales() const { return first_scales_; }
  /// The level of every stride-th of the weights in memory's order, [ceil(count / stride)] Int16; of weights on a tie,
  /// either.
  at::Tensor levels_of(const at::Tensor& weights, int64_t stride) const;
  /// The graph's quantiser as of now. Without zero: the grid of half the scale, on which real zero is a level that no weight takes.
  graph::Quantise op() const;
  /// Weights as op() must find them to give what forward() does.
  at::Tensor hardened(const at::Tensor& weights) const;
  /// Why the graph would not compute what was trained, were these its settings at the last step; empty where it will.
  std::string unfinished(const QuantiserSettings& last) const;

  /// What a checkpoint must hold, by name: the tensors themselves, to be read or written in place. on(), frozen, the
  /// annealing and the fraction follow from the run's schedule.
  std::map<std::string, at::Tensor> state() const;

 private:
  bool both_bounds() const;
  std::vector<quant::Steps> steps() const;
  StepsAlong along() const { return {steps(), grid_.axis}; }

  std::string name_;
  Grid grid_;
  Rounding rounding_;
  QuantiserRecipe recipe_;
  uint64_t seed_;
  bool weights_, on_ = true, short_scale_ = false;
  at::Tensor learned_, low_;          ///< Float32 [channels]; low_: with both bounds, beside the high one
  at::Tensor state_;                  ///< of the gradient, Float64 [channels, ...], where it has any
  std::unique_ptr<TensorForm> form_;  ///< of algorithms that have one of their own
  std::vector<double> first_scales_;
};

}  // namespace nibble::train
