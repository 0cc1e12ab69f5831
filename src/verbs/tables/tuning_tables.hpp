#pragma once
#include <string>

#include "base/json.hpp"
#include "lab/tuning.hpp"

/// What people read of a program that was measured: `tune`, and `compile --backend auto`.
namespace nibble::verbs {

/// How long an inference takes with what was chosen and without; libraries that are no back end, and why.
std::string describe_tuned(const lab::Tuning& tuning);
/// before_ms, after_ms, passed_over.
Json tuned_json(const lab::Tuning& tuning);

}  // namespace nibble::verbs
