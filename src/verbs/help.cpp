#include "verbs/help.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nibble::verbs {
namespace {

constexpr size_t width = 120;

/// What stands for the value: the choices where there are some.
std::string value_of(const Option& option) {
  std::string choices;
  for (const std::string& choice : option.choices) choices.append(choices.empty() ? "" : "|").append(choice);
  return choices.empty() ? option.value : choices;
}

std::string usage(const Verb& verb) {
  std::string text = "nibble " + verb.name;
  for (const Argument& argument : verb.arguments) text += " " + argument.name + (argument.repeated ? "..." : "");
  for (const Option& option : verb.options)
    if (option.required)
      text += option.letter != 0 ? fmt::format(" -{} {}", option.letter, value_of(option))
                                 : fmt::format(" --{} {}", option.name, value_of(option));
  return text + " [options]";
}

std::string spelling(const Option& option) {
  std::string text = option.letter != 0 ? fmt::format("-{}, --{}", option.letter, option.name) : "--" + option.name;
  return option.value.empty() ? text : text + " " + value_of(option);
}

/// A name and what is said of it, broken at spaces and set in.
std::string entry(const std::string& name, const std::string& about) {
  constexpr size_t column = 34;
  std::string text, line = fmt::format("  {:<{}}", name, column - 2);
  if (name.size() + 4 > column) {
    text = "  " + name + "\n";
    line = std::string(column, ' ');
  }
  bool first = true;
  for (size_t begin = 0; begin < about.size();) {
    const size_t end = std::min(about.find(' ', begin), about.size());
    if (!first && line.size() + 1 + end - begin > width) {
      text += line + "\n";
      line = std::string(column, ' ');
      first = true;
    }
    line += (first ? "" : " ") + about.substr(begin, end - begin);
    first = false;
    begin = end + 1;
  }
  return text + line + "\n";
}

std::string about(const Option& option) {
  return option.required ? option.help + " (required)" : option.help;
}

std::string row(const std::string& left, const std::string& right) {
  std::string escaped;
  for (char c : left + "` | " + right) escaped += c == '|' ? "\\|" : std::string(1, c);
  const size_t middle = escaped.find("` \\| ");
  return "| `" + escaped.replace(middle, 5, "` | ") + " |\n";
}

}  // namespace

std::string help() {
  std::string text =
      "nibble VERB ARGUMENTS [options]\n\n"
      "Turns float neural networks into ones that run on integers alone, and proves that nothing was lost.\n\nVerbs\n";
  for (const Verb& verb : table()) text += entry(verb.name, verb.help);
  text += "\nEverywhere\n";
  for (const Option& option : common_options()) text += entry(spelling(option), about(option));
  return text + entry("--version", "the version") +
         "\nExit codes: 0 done, 1 a check that was asked for failed, 2 a mistake in what was given, 3 a fault of "
         "ours.\n"
         "'nibble VERB --help' says what a verb takes.\n";
}

std::string help_of(const Verb& verb) {
  std::string text = usage(verb) + "\n\n" + verb.help + "\n\nArguments\n";
  for (const Argument& argument : verb.arguments) text += entry(argument.name, argument.help);
  text += "\nOptions\n";
  for (const Option& option : verb.options) text += entry(spelling(option), about(option));
  for (const Option& option : common_options()) text += entry(spelling(option), about(option));
  return verb.details == nullptr ? text : text + "\n" + verb.details();
}

std::string reference_page() {
  std::string text =
      "# Commands\n\n"
      "Made from the table of verbs (`src/verbs/table.cpp`); a test keeps it so. `nibble VERB --help` prints the "
      "same.\n\n"
      "Exit codes: 0 done, 1 a check that was asked for failed, 2 a mistake in what was given (one line on stderr, "
      "nothing\n"
      "written), 3 a fault of ours.\n\nEvery verb takes\n\n| option | |\n| --- | --- |\n";
  for (const Option& option : common_options()) text += row(spelling(option), about(option));
  for (const Verb& verb : table()) {
    text += fmt::format("\n## {}\n\n    {}\n\n{}\n\n| | |\n| --- | --- |\n", verb.name, usage(verb), verb.help);
    for (const Argument& argument : verb.arguments) text += row(argument.name, argument.help);
    for (const Option& option : verb.options) text += row(spelling(option), about(option));
    if (verb.details != nullptr) text += "\n```\n" + verb.details() + "```\n";
  }
  return text;
}

}  // namespace nibble::verbs
