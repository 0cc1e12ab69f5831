#include "base/own_file.hpp"

#include <cstdlib>

namespace nibble {

std::vector<std::filesystem::path> places_of_own_file(std::string_view name, const char* variable,
                                                      const std::filesystem::path& folder) {
  if (const char* named = std::getenv(variable)) return {named};
  std::error_code error;
  const std::filesystem::path beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  return {beside / name, (beside / folder / name).lexically_normal()};
}

}  // namespace nibble
