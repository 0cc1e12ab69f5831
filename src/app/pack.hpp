#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "app/bundle.hpp"

namespace nibble::app {

/// What an app.json names of the files beside it, but its network: read into parts of these names. Throws UserError
/// where one is missing or lies outside the folder.
Parts read_parts(const Json& app, const std::filesystem::path& folder, const std::string& place);

}  // namespace nibble::app
