#include "quant/learning/annealing.hpp"

#include <cmath>

namespace nibble::quant {

double annealing_factor(const AnnealingSchedule& schedule, double t, int64_t layer, int64_t layers) {
  double start = schedule.start, end = schedule.end;
  if (schedule.layer_after_layer) {
    const double share = (end - start) / static_cast<double>(layers);
    start += share * static_cast<double>(layer);
    end = start + share;
  }
  switch (schedule.decay) {
    case Decay::Static: return t < end ? 1 : 0;
    case Decay::Power:
      if (t >= end) return 0;
      return t <= start ? 1 : std::pow((end - t) / (end - start), schedule.power);
    case Decay::Hyperbolic: {
      if (t <= start) return 1;
      const double factor = std::pow(t - start + 1, -schedule.power);
      return factor < schedule.least ? 0 : factor;
    }
  }
  return 0;
}

double fraction_at(const std::vector<Milestone>& milestones, double t) {
  double fraction = 0;
  for (const Milestone& milestone : milestones)
    if (milestone.time <= t) fraction = milestone.fraction;
  return fraction;
}

}  // namespace nibble::quant
