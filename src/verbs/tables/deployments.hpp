#pragma once
#include <string>

#include "verbs/deployment.hpp"

/// What people read of a network on a machine: `show --machine`.
namespace nibble::verbs {

/// A line a step with its kernel and its estimated time; flash and RAM; what does not fit.
std::string describe(const Deployment& deployment);

/// {"machine", "fits", "flash", "ram", "clock_hz", "layers": [...], "cycles", "memory", "excess"}
Json deployment_json(const Deployment& deployment);

}  // namespace nibble::verbs
