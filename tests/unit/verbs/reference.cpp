#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/error.hpp"
#include "base/file.hpp"
#include "verbs/help.hpp"
#include "verbs/parse.hpp"
#include "verbs/progress.hpp"

using namespace nibble;
using namespace nibble::verbs;

TEST(ReferencePage, OfTheCommandsIsWhatTheTableSays) {
  const std::string file = NIBBLE_SOURCE "/docs/reference/commands.md";
  if (std::getenv("NIBBLE_BLESS") != nullptr) write_file(file, reference_page(), "tests");
  EXPECT_EQ(read_file(file, "tests"), reference_page()) << "tests/text/bless writes it anew";
}

TEST(Table, HasEachVerbOnceWithHelpForEverythingThatItTakes) {
  std::set<std::string> names;
  for (const Verb& verb : table()) {
    EXPECT_TRUE(names.insert(verb.name).second) << verb.name;
    EXPECT_FALSE(verb.help.empty());
    EXPECT_NE(verb.function, nullptr);
    std::set<std::string> options;
    for (const std::vector<Option>* list : {&verb.options, &common_options()})
      for (const Option& option : *list) {
        EXPECT_TRUE(options.insert(option.name).second) << verb.name << " --" << option.name;
        EXPECT_FALSE(option.help.empty()) << verb.name << " --" << option.name;
      }
    for (const Argument& argument : verb.arguments) EXPECT_FALSE(argument.help.empty());
  }
}

TEST(Help, NoLineIsWiderThanAScreenOf120) {
  for (const Verb& verb : table()) {
    const std::string text = help_of(verb);
    for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      EXPECT_LE(end - begin, 120u) << text.substr(begin, end - begin);
  }
}

TEST(Parse, GivesArgumentsAndOptionsByTheirNames) {
  const Call call = parse(verb_named("integerize"), {"a.onnx", "-o", "b.onnx", "--multiplier-bits=8", "--json"});
  EXPECT_EQ(call.text("FQ.onnx"), "a.onnx");
  EXPECT_EQ(call.text("output"), "b.onnx");
  EXPECT_EQ(call.integer("multiplier-bits", 32, 2, 32), 8);
  EXPECT_EQ(call.integer("accumulator-bits", 32, 8, 64), 32);
  EXPECT_TRUE(call.json());
  EXPECT_FALSE(call.quiet());
}

TEST(Parse, AWordThatTheRowDoesNotHaveIsOurOwnFault) {
  const Call call = parse(verb_named("show"), {"a.onnx"});
  EXPECT_THROW(call.has("dialect"), InternalError);
}

TEST(ProgressLine, SaysTheShareDoneAndTheTimeLeft) {
  EXPECT_EQ(progress_line("training", 25, 100, 30), "training  [#######.......................]  25 %  1:30 left");
  EXPECT_EQ(progress_line("training", 0, 100, 2), "training  [..............................]   0 %  0:00 left");
  EXPECT_EQ(progress_line("training", 7, 7, 2), "training  [##############################] 100 %  0:00 left");
}
