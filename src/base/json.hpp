#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace nibble {

/// Keeps the order of keys, so that what we write reads as we wrote it.
using Json = nlohmann::ordered_json;

/// Throws UserError "<room>: <file>: ..." with line and column where the file is missing or not JSON, or nested deeper
/// than `deepest_json` (what walks a document calls itself).
Json read_json(const std::filesystem::path& file, std::string_view room);
Json parse_json(std::string_view text, std::string_view room, const std::string& place);
inline constexpr int deepest_json = 64;

/// The integer, where it is one that 64 bits hold with a sign.
std::optional<int64_t> whole_number(const Json& json);

/// Throws UserError naming the first key of `object` that is not in `known`, with the nearest known one.
void check_keys(const Json& object, std::initializer_list<std::string_view> known, std::string_view room,
                std::string_view place);

}  // namespace nibble
