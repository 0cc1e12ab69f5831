#pragma once
#include <string>
#include <vector>

#include "verbs/call.hpp"

namespace nibble::verbs {

/// Reads the words behind a verb by its row. Throws UserError on an option that the row does not have (with the
/// nearest), an option without its value or given twice, and a word too many.
Call parse(const Verb& verb, const std::vector<std::string>& words);

}  // namespace nibble::verbs
