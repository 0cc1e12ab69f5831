#include "verbs/parse.hpp"

#include <CLI/CLI.hpp>

#include "base/error.hpp"

namespace nibble::verbs {
namespace {

std::string flags_of(const Option& option) {
  const std::string name = "--" + option.name;
  return option.letter == 0 ? name : std::string("-") + option.letter + "," + name;
}

/// Where CLI11 puts what it reads for one row.
struct Slot {
  std::string name;
  std::string word;
  std::vector<std::string> words;  ///< of a repeated option
  CLI::Option* option = nullptr;
};

CLI::Option* add(CLI::App& app, const Option& option, Slot& slot) {
  if (option.value.empty()) return app.add_flag(flags_of(option));
  if (option.repeated) return app.add_option(flags_of(option), slot.words)->allow_extra_args(false);
  return app.add_option(flags_of(option), slot.word);
}

[[noreturn]] void refuse(const Verb& verb, const std::string& word) {
  const std::string place = "nibble " + verb.name;
  if (word.size() < 2 || word.front() != '-')
    fail("verbs", place, "a word too many: '" + word + "'",
         std::to_string(verb.arguments.size()) + (verb.arguments.size() == 1 ? " argument" : " arguments"));
  std::vector<std::string> names;
  for (const std::vector<Option>* options : {&verb.options, &common_options()})
    for (const Option& option : *options) names.push_back("--" + option.name);
  const std::string name = word.substr(0, word.find('='));
  fail("verbs", place, "no option '" + name + "'" + did_you_mean(name, names),
       "one of 'nibble " + verb.name + " --help'");
}

}  // namespace

Call parse(const Verb& verb, const std::vector<std::string>& words) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::vector<Slot> slots;
  slots.reserve(verb.arguments.size() + verb.options.size() + common_options().size());
  for (const Argument& argument : verb.arguments) {
    Slot& slot = slots.emplace_back(Slot{argument.name, "", {}, nullptr});
    slot.option =
        argument.repeated ? app.add_option(argument.name, slot.words) : app.add_option(argument.name, slot.word);
  }
  for (const std::vector<Option>* options : {&verb.options, &common_options()})
    for (const Option& option : *options) {
      Slot& slot = slots.emplace_back(Slot{option.name, "", {}, nullptr});
      slot.option = add(app, option, slot);
    }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    fail("verbs", "nibble " + verb.name, error.what(), "each option once, with its value");
  }
  if (const auto extras = app.remaining(); !extras.empty()) refuse(verb, extras.front());
  Call::Words given;
  for (const Slot& slot : slots)
    if (slot.option->count() > 0) given[slot.name] = slot.words.empty() ? std::vector{slot.word} : slot.words;
  return Call(verb, std::move(given));
}

}  // namespace nibble::verbs
