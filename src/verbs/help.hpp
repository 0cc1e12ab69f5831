#pragma once
#include <string>

#include "verbs/verb.hpp"

namespace nibble::verbs {

/// All verbs, a line each.
std::string help();
/// One verb: arguments, options, and its details.
std::string help_of(const Verb& verb);
/// docs/reference/commands.md.
std::string reference_page();

}  // namespace nibble::verbs
