#include "verbs/call.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <thread>

#include "base/error.hpp"

namespace nibble::verbs {
namespace {

const Option* option_of(const Verb& verb, std::string_view name) {
  for (const std::vector<Option>* options : {&verb.options, &common_options()})
    for (const Option& option : *options)
      if (option.name == name) return &option;
  return nullptr;
}

}  // namespace

Call::Call(const Verb& verb, Words words) : verb_(verb), words_(std::move(words)) {
  for (const Argument& argument : verb.arguments)
    if (!has(argument.name)) fail("verbs", "nibble " + verb.name, "no " + argument.name, argument.help);
  for (const Option& option : verb.options) {
    if (!has(option.name)) {
      if (option.required)
        fail("verbs", "nibble " + verb.name, "no --" + option.name, option.value + ": " + option.help);
      continue;
    }
    const std::string& word = text(option.name);
    if (option.choices.empty() || std::count(option.choices.begin(), option.choices.end(), word) > 0) continue;
    std::string known;
    for (const std::string& name : option.choices) known.append(known.empty() ? "" : ", ").append(name);
    fail("verbs", place(option.name), "'" + word + "'" + did_you_mean(word, option.choices), known);
  }
  // Said now, whether or not the verb asks.
  threads();
  seed();
  for (std::string_view other : {"certificate", "policy-out"})
    if (takes(other) && has(other) && path(other).lexically_normal() == path("output").lexically_normal())
      fail("verbs", place(other), "'" + text(other) + "', where --output goes", "another file");
}

bool Call::takes(std::string_view name) const {
  const auto named = [&](const Argument& argument) { return argument.name == name; };
  return option_of(verb_, name) != nullptr || std::any_of(verb_.arguments.begin(), verb_.arguments.end(), named);
}

bool Call::has(std::string_view name) const {
  ensure(takes(name), "a verb asks for what its row has");
  return words_.find(name) != words_.end();
}

const std::string& Call::text(std::string_view name) const {
  ensure(has(name), "a verb reads what was given");
  return words_.find(name)->second.front();
}

std::vector<std::string> Call::texts(std::string_view name) const {
  return has(name) ? words_.find(name)->second : std::vector<std::string>();
}

std::string Call::text(std::string_view name, std::string_view otherwise) const {
  return has(name) ? text(name) : std::string(otherwise);
}

int64_t Call::integer(std::string_view name, int64_t otherwise, int64_t least, int64_t most) const {
  if (!has(name)) return otherwise;
  const std::string& word = text(name);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size() || number < least || number > most) {
    const bool bounded = most != std::numeric_limits<int64_t>::max() || error == std::errc::result_out_of_range;
    fail("verbs", place(name), "'" + word + "'",
         "a whole number " + (bounded ? "from " + std::to_string(least) + " to " + std::to_string(most)
                                      : "of at least " + std::to_string(least)));
  }
  return number;
}

int Call::threads() const {
  const int64_t machine = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 1024);
  return static_cast<int>(integer("threads", machine, 1, 1024));
}

std::optional<uint64_t> Call::seed() const {
  if (!has("seed")) return {};
  return static_cast<uint64_t>(integer("seed", 0, 0, std::numeric_limits<int64_t>::max()));
}

std::string Call::place(std::string_view name) const {
  return "nibble " + verb_.name + ": --" + std::string(name);
}

}  // namespace nibble::verbs
