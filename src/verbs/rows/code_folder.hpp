#pragma once
#include <filesystem>
#include <map>
#include <string>

namespace nibble::verbs {

/// Generated files, by their paths below the folder. Those of an earlier run of `command`, which `mark` among them tells,
/// are replaced, no others: throws UserError naming the first that is there, and where a file cannot be written.
void write_code(const std::filesystem::path& folder, const std::map<std::string, std::string>& files,
                const std::string& mark, const std::string& command);

}  // namespace nibble::verbs
