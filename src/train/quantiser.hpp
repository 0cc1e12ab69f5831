#pragma once
#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

#include "graph/ops.hpp"
#include "quant/learning.hpp"

namespace nibble::train {

/// How one quantiser of a network trains.
struct QuantiserRecipe {
  quant::Learning learning;
  bool weights = false;  ///< it quantises weights, not activations
  /// Binary weights +-e, and any even number of levels without a zero: k + 1/2 times the scale.
  bool without_zero = false;
  /// Scales of 12 significant digits, so that the product with another such scale is a float32 number: of weights and
  /// activations whose sum is a graph output.
  bool short_scale = false;
};

/// A number, or one a channel, that a quantiser learns.
struct LearnedQuantity {
  std::string name;   ///< "<quantiser>.scale", ".log2_threshold", ".bound", or ".low" and ".high"
  std::string group;  ///< "scale", "threshold" or "bound": each has its own learning rate and decay
  at::Tensor tensor;  ///< Float32 [channels] that asks for gradients
};

/// What went wrong with a quantiser, as far as it sees it; empty where nothing did.
struct QuantiserHealth {
  double scale_change = 1;  ///< the scale over its first one; of channels, the most extreme
  double outside = 0;       ///< part of the last training batch's gradient elements beyond the range's ends
};

/// A fake quantiser in a network that trains: what it learns, its state, and the graph's quantiser that it becomes.
/// It decides every level as graph::Quantise does on `op()`'s grid, to the last bit, on any thread count.
class Quantiser {
 public:
  /// Starts at the grid of `op` (which calibration found). Throws UserError naming `name` where the algorithm cannot:
  /// INQ on activations, 2048 levels or more, an asymmetric grid per channel.
  Quantiser(std::string name, const graph::Quantise& op, const QuantiserRecipe& recipe, uint64_t seed);

  /// x Float32 to y, with gradients in training. Off: x itself. `step` counts training steps: ANA's random draws follow
  /// from (seed, step) alone.
  at::Tensor forward(const at::Tensor& x, bool training, int64_t step);

  const std::string& name() const { return name_; }
  const QuantiserRecipe& recipe() const { return recipe_; }
  bool on() const { return on_; }
  void turn_on(bool on) { on_ = on; }
  /// Learned quantities stay as they are from now on (or move again).
  void freeze_range(bool frozen);
  /// ANA: the deviation is this part of the recipe's, in [0, 1].
  void set_annealing(double factor) { annealing_ = factor; }
  /// INQ: this part of the weights is set to levels and stays. Moves `weights` in place.
  void set_fraction(double fraction, at::Tensor& weights);
  double fraction() const { return fraction_; }

  /// What the optimiser moves; empty where nothing is learned.
  std::vector<LearnedQuantity> learned();
  /// After the optimiser's step, or after state was restored: scales stay positive, bounds enclose zero, the weights
  /// that INQ has set go back where they were set.
  void settle(at::Tensor* weights);

  /// The graph's quantiser as of now. INQ with powers of two: the grid of the smallest power; without zero: that of half
  /// the scale, on which real zero is a level that no weight takes.
  graph::Quantise op() const;
  /// Whether the network is exactly what the graph will compute: on, no noise left, all weights set. Why not, else "".
  std::string unfinished() const;
  /// Weights as op() must find them: where op() does not quantise as forward() does, on their levels.
  at::Tensor hardened(const at::Tensor& weights) const;
  QuantiserHealth health() const;

  /// Everything that a checkpoint must hold, by name: the tensors themselves, to be read or written in place.
  std::map<std::string, at::Tensor> state() const;
};

}  // namespace nibble::train
