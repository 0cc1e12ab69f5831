#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "lab/study/execute.hpp"

/// What people read of a study: `lab --plan`, `lab status`, `lab compare`.
namespace nibble::verbs {

/// Each run with its levels, float trainings shared, what finished runs say of the time.
/// `seconds`: lab::seconds_left.
std::string describe_plan(const lab::Study& study, const std::vector<lab::RunState>& states,
                          const std::optional<double>& seconds);

/// Done, running, failed with the reason, waiting: a line each, and how many of each.
std::string describe_states(const lab::Study& study, const std::vector<lab::RunState>& states,
                            const std::optional<double>& seconds);

/// What lab::answer_json says.
std::string describe_answer(const Json& answer);

}  // namespace nibble::verbs
