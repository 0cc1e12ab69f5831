#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

namespace nibble {

/// Keeps the order of keys, so that what we write reads as we wrote it.
using Json = nlohmann::ordered_json;

/// Throws UserError "<room>: <file>: ..." with line and column where the file is missing or not JSON.
Json read_json(const std::filesystem::path& file, std::string_view room);

/// Throws UserError naming the first key of `object` that is not in `known`, with the nearest known one.
void check_keys(const Json& object, std::initializer_list<std::string_view> known, std::string_view room,
                std::string_view place);

}  // namespace nibble
