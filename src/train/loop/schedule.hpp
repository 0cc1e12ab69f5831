#pragma once
#include <cstdint>

#include "train/api.hpp"

namespace nibble::train {

/// The learning rate of step `step` (from 0) of a run of epochs * steps_per_epoch steps. Warm-up is linear up to
/// learning_rate; the cosine falls from its end to 0 at the run's; a step's factor applies from each step_epochs-th
/// epoch. Source of the cosine: Loshchilov and Hutter 2017, without restarts.
double learning_rate(const Recipe& recipe, int64_t step, int64_t steps_per_epoch);

}  // namespace nibble::train
