#pragma once
#include <string>

#include "base/json.hpp"

namespace nibble::verbs {

/// What lab::outlook_json says: for each case what the study tells, proves, and would need.
std::string describe_outlook(const Json& outlook);

/// "12.5 s", "14 min", "2.3 h".
std::string duration(double seconds);

}  // namespace nibble::verbs
