#include "verbs/rows/code_folder.hpp"

#include "base/error.hpp"
#include "base/file.hpp"

namespace nibble::verbs {

void write_code(const std::filesystem::path& folder, const std::map<std::string, std::string>& files,
                const std::string& mark, const std::string& command) {
  std::error_code error;
  if (!std::filesystem::exists(folder / mark, error))
    for (const auto& [name, text] : files)
      if (std::filesystem::exists(folder / name, error))
        fail("verbs", (folder / name).string(), "is there, and not of an earlier '" + command + "'", "an empty folder");
  for (const auto& [name, text] : files) {
    std::filesystem::create_directories((folder / name).parent_path(), error);
    if (error) fail("verbs", (folder / name).parent_path().string(), error.message(), "a folder that can be made");
    write_file(folder / name, text, "verbs");
  }
}

}  // namespace nibble::verbs
