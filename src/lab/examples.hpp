#pragma once
#include <memory>

#include "lab/experiment.hpp"

/// The examples of an experiment: its sets, or the parts of them that its fold says.
namespace nibble::lab {

/// What it learns from: weights, statistics, ranges.
std::shared_ptr<const data::Dataset> training_set(const Experiment& experiment);

/// What it is judged by.
std::shared_ptr<const data::Dataset> test_set(const Experiment& experiment);

/// The experiment with "normalise" done: `preprocess` holds the mean and standard deviation of each channel over the
/// training set as it is resized, cropped and scaled, in float32. Throws UserError where its examples are no images, and
/// of a channel that is one value everywhere.
Experiment normalised(Experiment experiment);

}  // namespace nibble::lab
