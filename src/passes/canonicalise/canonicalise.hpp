#pragma once
#include "passes/pipeline.hpp"
#include "passes/policy.hpp"

namespace nibble::passes {

/// The passes before calibration: what every network goes through. Batch-norms that the policy wants integer or in
/// thresholds stay nodes.
Pipeline canonicalise(const Policy& policy = {});

}  // namespace nibble::passes
