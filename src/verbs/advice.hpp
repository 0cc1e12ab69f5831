#pragma once
#include <string>

#include "verbs/verb.hpp"

namespace nibble::verbs {

/// A message as that verb may say it. Rooms that several verbs use advise options without asking who called them; one
/// that the verb lacks gets the verb that has it before it: convert where it has, which changes nothing else, or the
/// first of the table. One that stands behind a verb already, and one that no verb has, stays as it is.
///
///     bind it (--batch 1)    for lab:    bind it (convert --batch 1)
std::string advised_by(const Verb& verb, const std::string& message);

}  // namespace nibble::verbs
