#pragma once
#include "lab/experiment.hpp"

namespace nibble::lab {

/// Finds before the first step what would end an experiment after it: a network that cannot be built or read, layers that
/// a policy or a training names and that are not there, examples of another shape than the network's input, in the
/// training set or in the test set. Throws UserError.
void rehearse(const Experiment& experiment);

}  // namespace nibble::lab
