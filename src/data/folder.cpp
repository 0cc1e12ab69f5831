#include <algorithm>

#include "base/file.hpp"
#include "data/catalogue.hpp"
#include "data/npz.hpp"
#include "data/sources.hpp"

namespace nibble::data {
namespace {

class FolderSet : public Dataset, public Catalogue {
 public:
  FolderSet(std::vector<Labelled> files, int64_t classes) : files_(std::move(files)), classes_(classes) {}
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  int64_t classes() const override { return classes_; }
  Sample sample(int64_t index) const override {
    ensure(index >= 0 && index < size(), "a sample's index is in the set");
    const Labelled& entry = files_[static_cast<size_t>(index)];
    return {read_image(entry.file), entry.label, {}, {}};
  }
  int64_t label_of(int64_t index) const override { return files_[static_cast<size_t>(index)].label; }
  std::string stored(int64_t index) const override {
    return read_file(files_[static_cast<size_t>(index)].file, "data");
  }

 private:
  std::vector<Labelled> files_;
  int64_t classes_;
};

bool is_image(const std::filesystem::path& file) {
  std::string ending = file.extension().string();
  for (char& c : ending) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png" || ending == ".bmp";
}

std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) entries.push_back(entry.path());
  if (error) fail("data", folder.string(), "cannot be listed: " + error.message(), "a folder");
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// The images of one folder, all of one label.
void add_images(std::vector<Labelled>& files, const std::vector<std::filesystem::path>& entries, int64_t label) {
  for (const auto& entry : entries)
    if (is_image(entry)) files.push_back({entry, label});
}

std::vector<Labelled> read_labels(const std::filesystem::path& folder, const std::filesystem::path& list) {
  std::vector<Labelled> files = parse_labels(read_file(list, "data", size_t{1} << 30), list.string());
  for (Labelled& entry : files) {
    const std::string name = entry.file.string();
    entry.file = folder / entry.file;
    std::error_code missing;
    if (!std::filesystem::exists(entry.file, missing))
      fail("data", list.string() + ":" + std::to_string(entry.line), "no file '" + name + "'", "an image");
  }
  return files;
}

}  // namespace

std::vector<std::filesystem::path> images_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files = sorted_entries(folder);
  std::erase_if(files, [](const std::filesystem::path& file) { return !is_image(file); });
  return files;
}

/// JPEG, PNG and BMP files: labels.csv (file,label; a header line or not; other columns where a header names them), or
/// one folder a class in sorted order, or images without labels. Decoded when asked for.
std::unique_ptr<Dataset> open_images(const std::filesystem::path& folder, std::string_view) {
  std::vector<Labelled> files;
  int64_t classes = 0;
  const std::filesystem::path list = folder / "labels.csv";
  std::error_code error;
  if (std::filesystem::exists(list, error)) {
    files = read_labels(folder, list);
    for (const Labelled& entry : files) classes = std::max(classes, entry.label + 1);
  } else {
    const auto entries = sorted_entries(folder);
    for (const auto& entry : entries)
      if (std::filesystem::is_directory(entry, error)) add_images(files, sorted_entries(entry), classes++);
    if (files.empty()) {
      classes = 0;
      add_images(files, entries, -1);
    }
  }
  if (files.empty())
    fail("data", folder.string(), "no images", "JPEG or PNG files, one folder of them a class, or labels.csv");
  return std::make_unique<FolderSet>(std::move(files), classes);
}

}  // namespace nibble::data
