#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace nibble::verbs {

class Call;

/// What a verb did: one JSON document for `--json`, or the text for people; and the exit code (0, or 1 where a check
/// that was asked for failed).
struct Result {
  Json json;
  std::string text;
  int exit_code = 0;
};

/// A word that a verb takes by its place.
struct Argument {
  std::string name;
  std::string help;
  bool repeated = false;  ///< the last one: as many as are given, at least one
};

/// `--name VALUE`, or `--name` alone where `value` is empty.
struct Option {
  std::string name;
  std::string value;
  std::string help;
  std::vector<std::string> choices = {};  ///< the values there are; empty: any
  char letter = 0;                        ///< `-o`
  bool required = false;
  bool repeated = false;  ///< may be given more than once
};

/// One command: the command line, its help, the reference page and the tests are made from these rows.
struct Verb {
  std::string name;
  std::vector<Argument> arguments;
  std::vector<Option> options;
  std::string help;
  Result (*function)(const Call&);
  std::string (*details)() = nullptr;  ///< more for `--help`: the pipeline
};

const std::vector<Verb>& table();
/// Options that every verb takes.
const std::vector<Option>& common_options();
/// Throws UserError with the nearest name.
const Verb& verb_named(std::string_view name);

}  // namespace nibble::verbs
