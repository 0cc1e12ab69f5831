#pragma once
#include <filesystem>
#include <string_view>
#include <vector>

namespace nibble {

/// Where a file of Nibble's own may be, in the order in which it is looked for: what the environment's variable names,
/// and nothing else; or beside the binary, and in `folder` seen from there.
std::vector<std::filesystem::path> places_of_own_file(std::string_view name, const char* variable,
                                                      const std::filesystem::path& folder);

}  // namespace nibble
