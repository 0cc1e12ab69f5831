#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "base/file.hpp"
#include "verbs/verb.hpp"

// A message that advises an option which no verb has sends its reader into another error.
namespace nibble::verbs {
namespace {

/// Options that are no verb's, and why a text may name them.
const std::map<std::string, std::string> of_no_verb{{"version", "the program's own, before any verb"}};

/// What C++ quotes, comments left out; neighbours are one literal, as the compiler has it.
std::string literals_of(const std::string& source) {
  static const std::regex token(
      R"re(//[^\n]*|/\*[\s\S]*?\*/|R"(\w*)\([\s\S]*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')re");
  std::string text;
  size_t end = 0;
  for (std::sregex_iterator at(source.begin(), source.end(), token), none; at != none; ++at) {
    const std::string found = at->str();
    const auto begin = static_cast<size_t>(at->position());
    const bool neighbour = source.find_first_not_of(" \n", end) == begin;
    end = begin + found.size();
    if (found.front() != '"' && found.front() != 'R') continue;
    const size_t quote = found.find('"');
    if (!neighbour) text += '\n';
    text += found.substr(quote + 1, found.size() - quote - 2);
  }
  return text;
}

std::set<std::string> options_in(const std::string& source) {
  static const std::regex option("(^|[^A-Za-z0-9_-])--([a-z][a-z0-9]*(-[a-z0-9]+)*)");
  const std::string text = literals_of(source);
  std::set<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), option), none; at != none; ++at) names.insert((*at)[2]);
  return names;
}

TEST(Messages, AnOptionIsFoundInALiteralAndNotInARemark) {
  EXPECT_EQ(options_in("fail(\"bind it (--batch 1)\");  // not --this\n/* nor --that */ f(R\"(--raw-one)\", '\"');"),
            (std::set<std::string>{"batch", "raw-one"}));
  EXPECT_EQ(options_in("\"or another --batch-\"\n    \"norm\""), (std::set<std::string>{"batch-norm"}));
}

TEST(Messages, AdviseNoOptionThatNoVerbHas) {
  std::set<std::string> known;
  for (const Option& option : common_options()) known.insert(option.name);
  for (const Verb& verb : table())
    for (const Option& option : verb.options) known.insert(option.name);
  std::set<std::string> advised;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(NIBBLE_SOURCE "/src")) {
    if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
    for (const std::string& option : options_in(read_file(entry.path(), "tests"))) {
      EXPECT_TRUE(known.contains(option) || of_no_verb.contains(option)) << entry.path() << " names --" << option;
      advised.insert(option);
    }
  }
  EXPECT_TRUE(advised.contains("batch")) << "no literal was read";
}

}  // namespace
}  // namespace nibble::verbs
