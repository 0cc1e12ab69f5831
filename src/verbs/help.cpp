#include "verbs/help.hpp"

#include <fmt/format.h>

namespace nibble::verbs {
namespace {

constexpr size_t width = 120;

std::string usage(const Verb& verb) {
  std::string text = "nibble " + verb.name;
  for (const Argument& argument : verb.arguments) text += " " + argument.name;
  for (const Option& option : verb.options)
    if (option.required)
      text += option.letter != 0 ? fmt::format(" -{} {}", option.letter, option.value)
                                 : fmt::format(" --{} {}", option.name, option.value);
  return text + " [options]";
}

std::string spelling(const Option& option) {
  std::string text = option.letter != 0 ? fmt::format("-{}, --{}", option.letter, option.name) : "--" + option.name;
  return option.value.empty() ? text : text + " " + option.value;
}

/// A name and what is said of it, broken at spaces and set in.
std::string entry(const std::string& name, const std::string& about) {
  constexpr size_t column = 32;
  std::string text = fmt::format("  {:<{}}", name, column - 2);
  size_t at = name.size() + 3 > column ? width : column;
  for (size_t begin = 0; begin < about.size();) {
    size_t end = about.find(' ', begin);
    if (end == std::string::npos) end = about.size();
    if (at + end - begin > width) {
      text += "\n" + std::string(column, ' ');
      at = column;
    }
    text += about.substr(begin, end - begin);
    at += end - begin;
    if (end < about.size() && at < width) {
      text += ' ';
      ++at;
    }
    begin = end + 1;
  }
  while (text.back() == ' ') text.pop_back();
  return text + "\n";
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
