#pragma once
#include <string>
#include <vector>

namespace nibble::lab {

/// A table as text: columns as wide as their widest, two spaces between them.
std::string columns(const std::vector<std::vector<std::string>>& lines);

}  // namespace nibble::lab
