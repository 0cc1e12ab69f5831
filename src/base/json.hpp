#pragma once
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/nlohmann.hpp"

namespace nibble {

/// Keeps the order of keys, so that what we write reads as we wrote it.
using Json = nlohmann::ordered_json;

/// Throws UserError "<room>: <file>: ..." with line and column where the file is missing or not JSON, or nested deeper
/// than `deepest_json` (what walks a document calls itself).
Json read_json(const std::filesystem::path& file, std::string_view room);
Json parse_json(std::string_view text, std::string_view room, const std::string& place);
inline constexpr int deepest_json = 64;

/// Text as a JSON string, quotes around it; bytes that are no UTF-8 (protobuf lets them pass) become U+FFFD.
std::string json_string(std::string_view text);
/// The text of a JSON string, or nothing where it is none.
std::optional<std::string> text_of_json_string(std::string_view quoted);

/// The integer, where it is one that 64 bits hold with a sign.
std::optional<int64_t> whole_number(const Json& json);

/// Throws UserError naming the first key of `object` that is not in `known`, with the nearest known one.
void check_keys(const Json& object, std::initializer_list<std::string_view> known, std::string_view room,
                std::string_view place);

/// An object of a description, read key by key. Readers leave `field` as it is where the key is not there. What does
/// not fit is a UserError "<room>: <place>: <key>: <found> (expected <expected>)".
class Section {
 public:
  Section(const Json& object, std::string_view room, std::string place);
  /// Refuses keys that are not in `known`.
  Section(const Json& object, std::string_view room, std::string place, std::initializer_list<std::string_view> known);

  /// What a message calls the key.
  std::string at(std::string_view key) const;
  bool has(std::string_view key) const;
  /// Must be there.
  const Json& part(std::string_view key) const;
  Section section(std::string_view key, std::initializer_list<std::string_view> known) const;
  std::string text(std::string_view key) const;

  void name(std::string_view key, std::string& field, std::initializer_list<std::string_view> names) const;
  void whole(std::string_view key, int64_t& field, int64_t least, int64_t most = INT64_MAX) const;
  /// A finite number in [least, most].
  void real(std::string_view key, double& field, double least, double most, std::string_view expected = {}) const;
  static constexpr double above_zero = std::numeric_limits<double>::denorm_min();
  static constexpr double largest = std::numeric_limits<double>::max();
  void flag(std::string_view key, bool& field) const;
  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

 private:
  const Json& object_;
  std::string_view room_;
  std::string place_;
};

}  // namespace nibble
