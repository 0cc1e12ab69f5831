#include "train/loop/schedule.hpp"

#include <cmath>
#include <numbers>

namespace nibble::train {

double learning_rate(const Recipe& recipe, int64_t step, int64_t steps_per_epoch) {
  const auto at = static_cast<double>(step), epoch = static_cast<double>(steps_per_epoch);
  const double warm = recipe.warmup_epochs * epoch, end = static_cast<double>(recipe.epochs) * epoch;
  if (at + 1 < warm) return recipe.learning_rate * (at + 1) / warm;
  if (recipe.schedule == "step")
    return recipe.learning_rate *
           std::pow(recipe.step_factor, static_cast<double>(step / steps_per_epoch / recipe.step_epochs));
  if (recipe.schedule == "cosine" && end > warm) {
    const double done = std::max(0.0, (at - warm) / (end - warm));
    return recipe.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
  return recipe.learning_rate;
}

}  // namespace nibble::train
