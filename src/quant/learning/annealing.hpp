#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

/// Schedules of noise that is annealed and of weights that are set: functions of the time (in epochs or steps, whole or not) and the layer.
namespace nibble::quant {

enum class Decay : uint8_t {
  Static,      ///< 1, then 0 from `end` on
  Power,       ///< ((end - t) / (end - start))^power between start and end: linear with power 1
  Hyperbolic,  ///< (t - start + 1)^-power after start, 0 where below `least`
};

/// How the noise of a layer falls from 1 to 0.
struct AnnealingSchedule {
  Decay decay = Decay::Power;
  double power = 1;
  double start = 0, end = 1;
  double least = 0;
  /// Layers one after the other, from the input on, each in its share of [start, end]; else all of them jointly.
  bool layer_after_layer = false;
};

/// The factor of a layer's deviation at time t, in [0, 1]; layer in [0, layers).
double annealing_factor(const AnnealingSchedule& schedule, double t, int64_t layer, int64_t layers);

/// A part of the weights from a time on.
struct Milestone {
  double time = 0, fraction = 0;
};
/// The fraction of the last milestone at or before t; 0 before the first. Times rise.
double fraction_at(const std::vector<Milestone>& milestones, double t);

}  // namespace nibble::quant
