#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "train/network/network.hpp"
#include "train/ranks.hpp"

/// What goes wrong while a quantised network trains: docs/design/train.md, "Health".
namespace nibble::train {

/// "'conv.weight' holds nan" or "the gradient of 'conv.weight' holds inf", the first in learned()'s order; empty where
/// all values and gradients of what is learned are finite.
std::string learned_not_finite(const Network& network);

/// "'relu' holds nan", the first value in the graph's order that a run on x gives; empty where all are finite. Of ranks
/// the first of all of theirs.
std::string value_not_finite(const Network& network, const at::Tensor& x, const Mode& mode);

/// Watches a run's quantisers and warns of each and of each kind once: scales that collapse or explode, weights that
/// oscillate between levels, channels that stay on one level for an epoch. Costs less than a hundredth of a step.
class Health {
 public:
  using Warn = std::function<void(const std::string&)>;

  /// Both must outlive it; `warn` may be empty.
  Health(const Network& network, const Warn& warn);
  /// What channels' levels are asked of: values of which no channel has moved yet.
  bool wants(graph::ValueId id) const;
  /// Of every such value of a training step, or of more.
  void observe(graph::ValueId id, const at::Tensor& y);
  /// After a step. `place` as messages name it.
  void after_step(const std::string& place);
  /// After an epoch's last step; forgets the channels.
  void after_epoch(const std::string& place);

  /// Of ranks: what each has seen of channels, put together. A channel lives that does on any, or whose level differs.
  void put_together(Collective& ranks);

  /// What has been warned of, for checkpoints.
  std::set<std::string>& warned() { return warned_; }
  const std::set<std::string>& warned() const { return warned_; }
  /// The tensors themselves, by name, to be read or written in place.
  std::map<std::string, at::Tensor> state() const;

 private:
  /// Weights, every stride-th: their levels after the last step, the direction of their last change, and how often a
  /// change goes back on the one before (Nagel et al. 2022, section 4: an exponential average over steps).
  struct Weights {
    PlacedQuantiser at;
    int64_t stride;
    at::Tensor levels, direction, frequency;  ///< Int16 (before the first step beyond all levels), Int8, Float32
  };
  /// Channels of an activation since the epoch began.
  struct Channels {
    PlacedQuantiser at;
    at::Tensor alive, level;  ///< UInt8; Float32, NaN before the first step
  };

  void watch_scales(const Quantiser& quantiser, const std::string& place);
  void watch_levels(Weights& weights);
  void judge_weights(const Weights& weights, const std::string& place);
  void judge_channels(Channels& channels, const std::string& place);
  void say(const Quantiser& quantiser, const std::string& kind, const std::string& place, const std::string& sentence);

  const Network& network_;
  const Warn& warn_;
  std::vector<Weights> weights_;
  std::vector<Channels> channels_;
  std::vector<int> channels_of_;  ///< by value: index in channels_, or -1
  std::vector<const Quantiser*> learning_;
  std::set<std::string> warned_;
};

}  // namespace nibble::train
