#include "verbs/advice.hpp"

#include <algorithm>
#include <cctype>

namespace nibble::verbs {
namespace {

bool has(const std::vector<Option>& options, std::string_view name) {
  return std::any_of(options.begin(), options.end(), [&](const Option& option) { return option.name == name; });
}

bool takes(const Verb& verb, std::string_view name) {
  return has(verb.options, name) || has(common_options(), name);
}

/// A letter or digit, or a dash between two.
bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
}

/// Whether the text ends in a verb's name that takes the option: "integerize ", "nibble show: ".
bool behind_its_verb(std::string_view text, std::string_view option) {
  while (!text.empty() && (text.back() == ' ' || text.back() == ':')) text.remove_suffix(1);
  size_t begin = text.size();
  while (begin > 0 && in_word(text[begin - 1])) --begin;
  const std::string_view word = text.substr(begin);
  return std::any_of(table().begin(), table().end(),
                     [&](const Verb& verb) { return verb.name == word && takes(verb, option); });
}

/// The verb to name an option by; null where none has it.
const Verb* owner_of(std::string_view option) {
  if (takes(verb_named("convert"), option)) return &verb_named("convert");
  const auto found =
      std::find_if(table().begin(), table().end(), [&](const Verb& verb) { return takes(verb, option); });
  return found == table().end() ? nullptr : &*found;
}

}  // namespace

std::string advised_by(const Verb& verb, const std::string& message) {
  std::string said;
  size_t end = 0;
  for (size_t at = message.find("--"); at != std::string::npos; at = message.find("--", end)) {
    said += message.substr(end, at - end);
    end = at + 2;
    while (end < message.size() && in_word(message[end])) ++end;
    const std::string option = message.substr(at, end - at), name = option.substr(2);
    const bool whole = at == 0 || !in_word(message[at - 1]);
    const Verb* owner = whole && !takes(verb, name) && !behind_its_verb(said, name) ? owner_of(name) : nullptr;
    said += owner ? owner->name + " " + option : option;
  }
  return said + message.substr(end);
}

}  // namespace nibble::verbs
