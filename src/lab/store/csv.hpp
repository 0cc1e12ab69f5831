#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

/// Tables as RFC 4180 has them.
namespace nibble::lab {

/// A line, quoted where it must be, its end too.
std::string csv_line(const std::vector<std::string>& fields);

/// The lines below the header, each by the header's names. Throws UserError naming file and line where a line has another
/// number of fields, or a quote has no end.
std::vector<std::map<std::string, std::string>> read_csv(const std::filesystem::path& file);

}  // namespace nibble::lab
