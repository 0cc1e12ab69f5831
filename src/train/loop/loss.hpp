#pragma once
#include <ATen/ATen.h>

#include "data/dataset.hpp"
#include "train/api.hpp"
#include "train/loop/landmarks.hpp"
#include "train/loop/metrics.hpp"

namespace nibble::train {

/// The mean loss of a batch, to be differentiated. `output` [B, classes] (further axes of extent 1 are dropped) against
/// the batch's labels, [B, ...] against its targets, or what the data set makes of it against landmarks. Throws
/// UserError on labels outside [0, classes), missing labels or targets, a target of another shape.
at::Tensor loss_of(const Recipe& recipe, const at::Tensor& output, const data::Batch& batch,
                   const Landmarks* landmarks = nullptr);

/// Distillation's distance to the teacher's output, of the same shape, to be differentiated.
at::Tensor distance_of(const Recipe& recipe, const at::Tensor& output, const at::Tensor& teacher, double temperature,
                       const Landmarks* landmarks = nullptr);

/// Adds a batch to the sums. Decisions are the largest output; targets have none.
void add_batch(Sums& sums, double mean_loss, const at::Tensor& output, const data::Batch& batch);

}  // namespace nibble::train
