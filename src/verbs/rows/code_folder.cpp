#include "verbs/rows/code_folder.hpp"

#include <list>

#include "base/error.hpp"
#include "base/file.hpp"

namespace nibble::verbs {
namespace {

/// Those that were made and in which nothing came to be are gone at the end.
class Folders {
 public:
  void make(const std::filesystem::path& folder) {
    std::error_code error;
    if (folder.empty() || std::filesystem::is_directory(folder, error)) return;
    if (folder.has_parent_path() && folder.parent_path() != folder) make(folder.parent_path());
    std::filesystem::create_directory(folder, error);
    if (error) fail("verbs", folder.string(), error.message(), "a folder that can be made");
    made_.push_front(folder);
  }
  ~Folders() {
    std::error_code ignored;
    for (const std::filesystem::path& folder : made_) std::filesystem::remove(folder, ignored);
  }

 private:
  std::list<std::filesystem::path> made_;
};

}  // namespace

void write_code(const std::filesystem::path& folder, const std::map<std::string, std::string>& files,
                const std::string& mark, const std::string& command) {
  std::error_code error;
  if (!std::filesystem::exists(folder / mark, error))
    for (const auto& [name, text] : files)
      if (std::filesystem::exists(folder / name, error))
        fail("verbs", (folder / name).string(), "is there, and not of an earlier '" + command + "'", "an empty folder");
  Folders folders;
  std::list<NewFile> written;
  for (const auto& [name, text] : files) {
    folders.make((folder / name).parent_path());
    written.emplace_back(folder / name, text, "verbs");
  }
  for (NewFile& file : written) file.put();
}

}  // namespace nibble::verbs
