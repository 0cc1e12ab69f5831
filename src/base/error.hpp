#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace nibble {

/// The user's mistake: a file, an option, data. Message: `<room>: <place>: <found> (expected <what>)`. Exit code 2.
struct UserError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A broken claim of ours. Exit code 3.
struct InternalError : std::logic_error {
  using std::logic_error::logic_error;
};

/// Throws a UserError in the one grammar that all messages have; `expected` may be empty.
[[noreturn]] void fail(std::string_view room, std::string_view place, std::string_view found,
                       std::string_view expected = {});

/// Throws an InternalError with `claim` when it does not hold.
void ensure(bool holds, std::string_view claim);

/// " (did you mean 'x'?)" for the nearest of `candidates`, or "" when none is near. For messages about names.
template <class Names>
std::string did_you_mean(std::string_view name, const Names& candidates);

/// Edit distance (insert, delete, replace, swap of neighbours), case ignored.
int edit_distance(std::string_view a, std::string_view b);

template <class Names>
std::string did_you_mean(std::string_view name, const Names& candidates) {
  int nearest = static_cast<int>(name.size()) / 3 + 2;
  std::string_view found;
  for (const auto& candidate : candidates) {
    const int distance = edit_distance(name, candidate);
    if (distance < nearest) {
      nearest = distance;
      found = candidate;
    }
  }
  return found.empty() ? std::string() : " (did you mean '" + std::string(found) + "'?)";
}

}  // namespace nibble
