#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "base/file.hpp"
#include "verbs/advice.hpp"
#include "verbs/verb.hpp"

// A message that advises an option which no verb has sends its reader into another error.
namespace nibble::verbs {
namespace {

/// Options that are no verb's, and why a text may name them.
const std::map<std::string, std::string> of_no_verb{{"version", "the program's own, before any verb"},
                                                    {"gc-sections", "the linker's, in a Makefile that is written"},
                                                    {"crt0", "a C library's choice, when a board's code is linked"},
                                                    {"oslib", "likewise"},
                                                    {"specs", "likewise"},
                                                    {"defsym", "the linker's"},
                                                    {"allocations", "Slurm's, of sbatch, squeue or sacct"},
                                                    {"array", "likewise"},
                                                    {"cpus-per-task", "likewise, of srun"},
                                                    {"ntasks", "likewise, of srun"},
                                                    {"job-name", "likewise"},
                                                    {"me", "likewise"},
                                                    {"noheader", "likewise"},
                                                    {"open-mode", "likewise"},
                                                    {"parsable", "likewise"},
                                                    {"parsable2", "likewise"},
                                                    {"requeue", "likewise"},
                                                    {"signal", "likewise"}};

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

bool takes(const Verb& verb, const std::string& name) {
  const auto is = [&](const Option& option) { return option.name == name; };
  return std::any_of(verb.options.begin(), verb.options.end(), is) ||
         std::any_of(common_options().begin(), common_options().end(), is);
}

TEST(Messages, AVerbAdvisesOnlyItsOwnOptionsOrNamesTheVerbThatHasThem) {
  int of_others = 0;
  for (const Verb& owner : table())
    for (const Option& option : owner.options)
      for (const Verb& verb : table()) {
        const std::string said = advised_by(verb, "bind it (--" + option.name + " 1)");
        if (takes(verb, option.name)) {
          EXPECT_EQ(said, "bind it (--" + option.name + " 1)") << verb.name;
          continue;
        }
        const std::string named = said.substr(9, said.find(" --") - 9);
        EXPECT_TRUE(takes(verb_named(named), option.name)) << verb.name << ": " << said;
        EXPECT_EQ(said, "bind it (" + named + " --" + option.name + " 1)");
        ++of_others;
      }
  EXPECT_GT(of_others, 0);
}

TEST(Messages, WhatNamesAVerbAlreadyOrIsNoOptionStaysAsItIs) {
  const Verb& train = verb_named("train");
  for (const char* said : {"integerize --requantisation standard gives them", "verbs: nibble evaluate: --limit: '0'",
                           "the option --nothing", "file 'a--batch.onnx'", "to go on with --resume",
                           "a dash at the end --", "-----", "--"})
    EXPECT_EQ(advised_by(train, said), said);
  EXPECT_EQ(advised_by(train, "--batch-norm-bits below 8, or quantize --batch 1, or --batch 2"),
            "integerize --batch-norm-bits below 8, or quantize --batch 1, or convert --batch 2");
}

}  // namespace
}  // namespace nibble::verbs
