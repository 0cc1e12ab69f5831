#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "verbs/verb.hpp"

namespace nibble::verbs {

/// A verb with the words that were given for its arguments and options. Names are those of the row (without dashes);
/// one that the row does not have is an InternalError.
class Call {
 public:
  /// Values by name, more than one only where the option is repeated; a flag that was given has {""}.
  using Words = std::map<std::string, std::vector<std::string>, std::less<>>;
  /// Throws UserError on a missing argument or required option, and on a value that is none of the choices.
  Call(const Verb& verb, Words words);

  /// Whether the row has it at all.
  bool takes(std::string_view name) const;
  bool has(std::string_view name) const;
  /// The word given. Throws InternalError where none was.
  const std::string& text(std::string_view name) const;
  /// Every word given, in order.
  std::vector<std::string> texts(std::string_view name) const;
  std::string text(std::string_view name, std::string_view otherwise) const;
  std::filesystem::path path(std::string_view name) const { return text(name); }
  /// Throws UserError unless a whole number in [least, most].
  int64_t integer(std::string_view name, int64_t otherwise, int64_t least, int64_t most) const;

  bool json() const { return has("json"); }
  bool quiet() const { return has("quiet"); }
  int threads() const;
  std::optional<uint64_t> seed() const;
  /// "nibble show: --limit": the place that messages name.
  std::string place(std::string_view name) const;

 private:
  const Verb& verb_;
  Words words_;
};

}  // namespace nibble::verbs
