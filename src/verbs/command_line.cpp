#include "verbs/command_line.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>

#include "base/error.hpp"
#include "verbs/advice.hpp"
#include "verbs/help.hpp"
#include "verbs/parse.hpp"

namespace nibble::verbs {
namespace {

constexpr std::string_view version = "nibble " NIBBLE_VERSION "\n";

void print(std::string_view text) {
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!whole) fail("verbs", "stdout", std::string("cannot be written: ") + std::strerror(errno));
}

bool asks_for_help(const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(), [](const auto& word) { return word == "--help" || word == "-h"; });
}

Result done(const Verb& verb, const Call& call) {
  try {
    return verb.function(call);
  } catch (const UserError& error) {
    throw UserError(advised_by(verb, error.what()));
  }
}

/// The verb that the words begin with: two of them where the table has such a one.
const Verb& verb_of(const std::vector<std::string>& words) {
  for (const Verb& verb : table())
    if (words.size() > 1 && verb.name == words[0] + " " + words[1]) return verb;
  std::string family;
  for (const Verb& verb : table())
    if (verb.name == words[0])
      return verb;
    else if (verb.name.starts_with(words[0] + " "))
      family += (family.empty() ? "" : ", ") + verb.name;
  if (!family.empty())
    fail("verbs", "nibble", words.size() > 1 ? "no verb '" + words[0] + " " + words[1] + "'" : "half a verb", family);
  return verb_named(words.front());
}

int dispatch(const std::vector<std::string>& words) {
  if (words.empty()) {
    std::fputs("verbs: nibble: no verb (expected one of 'nibble --help')\n", stderr);
    return 2;
  }
  const std::string& first = words.front();
  if (first == "--version") return print(version), 0;
  if (first == "--help" || first == "-h" || (first == "help" && words.size() == 1)) return print(help()), 0;
  if (first == "help") return print(help_of(verb_of({words.begin() + 1, words.end()}))), 0;
  const Verb& verb = verb_of(words);
  const std::vector<std::string> rest(words.begin() + (verb.name == first ? 1 : 2), words.end());
  if (asks_for_help(rest)) return print(help_of(verb)), 0;
  const Call call = parse(verb, rest);
  const Result result = done(verb, call);
  print(call.json() ? result.json.dump(2) + "\n" : result.text);
  return result.exit_code;
}

/// One line, whatever the message holds.
int complain(std::string message, int exit_code) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "%s\n", message.c_str());
  return exit_code;
}

}  // namespace

int command_line(const std::vector<std::string>& words) {
  try {
    return dispatch(words);
  } catch (const UserError& error) {
    return complain(error.what(), 2);
  } catch (const std::filesystem::filesystem_error& error) {
    return complain("verbs: " + error.path1().string() + ": " + error.code().message(), 2);
  } catch (const std::bad_alloc&) {
    return complain("verbs: memory: not enough for this network and data (expected a smaller batch or model)", 2);
  } catch (const std::exception& error) {
    return complain(std::string("verbs: a fault of Nibble's own: ") + error.what() +
                        " (please report this line, the command and the files)",
                    3);
  }
}

}  // namespace nibble::verbs
