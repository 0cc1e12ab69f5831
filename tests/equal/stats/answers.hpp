#pragma once
#include <string>

#include "base/json.hpp"

namespace nibble::stats {

/// What the room says of a case's data, by the case's function (tests/stats/reference.R).
Json answer(const std::string& function, const Json& data);

}  // namespace nibble::stats
