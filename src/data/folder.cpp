#include <algorithm>
#include <span>

#include "base/file.hpp"
#include "data/folds/catalogue.hpp"
#include "data/formats/wav.hpp"
#include "data/npz.hpp"
#include "data/sources.hpp"

namespace nibble::data {
namespace {

/// What files a folder's set is of.
struct Kind {
  std::string_view one, many, files;  ///< in messages: "an image", "images", "JPEG, PNG or BMP files"
  std::span<const std::string_view> endings;

  bool takes(const std::filesystem::path& file) const {
    std::string ending = file.extension().string();
    for (char& c : ending) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    return std::find(endings.begin(), endings.end(), ending) != endings.end();
  }
};
constexpr std::string_view image_endings[] = {".jpg", ".jpeg", ".png", ".bmp"}, sound_endings[] = {".wav"};
constexpr Kind image_files{"an image", "images", "JPEG, PNG or BMP files", image_endings};
constexpr Kind sound_files{"a sound", "sounds", "WAV files", sound_endings};

/// Files and their labels; decoded when asked for.
class FolderSet : public Dataset, public Catalogue {
 public:
  FolderSet(std::vector<Labelled> files, int64_t classes) : files_(std::move(files)), classes_(classes) {}
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  int64_t classes() const override { return classes_; }

 protected:
  const Labelled& file(int64_t index) const {
    ensure(index >= 0 && index < size(), "a sample's index is in the set");
    return files_[static_cast<size_t>(index)];
  }
  int64_t label_of(int64_t index) const override { return files_[static_cast<size_t>(index)].label; }
  std::string stored(int64_t index) const override {
    return read_file(files_[static_cast<size_t>(index)].file, "data");
  }

 private:
  std::vector<Labelled> files_;
  int64_t classes_;
};

class ImageSet : public FolderSet {
 public:
  using FolderSet::FolderSet;
  Sample sample(int64_t index) const override { return {read_image(file(index).file), file(index).label, {}, {}}; }
};

/// Every sound has the first one's rate.
class SoundSet : public FolderSet {
 public:
  SoundSet(std::vector<Labelled> files, int64_t classes)
      : FolderSet(std::move(files), classes), rate_(read_wav(file(0).file).rate) {}
  Sample sample(int64_t index) const override {
    const Labelled& entry = file(index);
    const Sound sound = read_wav(entry.file);
    if (sound.rate != rate_)
      fail("data", entry.file.string(), std::to_string(sound.rate) + " samples a second",
           std::to_string(rate_) + ", as the set's first sound");
    const auto count = static_cast<int64_t>(sound.samples.size());
    return {Tensor({count}, sound.samples), entry.label, {}, {}, -1, sound.rate};
  }

 private:
  int64_t rate_;
};

std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (!entry.path().filename().string().starts_with('.')) entries.push_back(entry.path());
  if (error) fail("data", folder.string(), "cannot be listed: " + error.message(), "a folder");
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// The files of one folder, all of one label.
void add_files(std::vector<Labelled>& files, const Kind& kind, const std::vector<std::filesystem::path>& entries,
               int64_t label) {
  for (const auto& entry : entries)
    if (kind.takes(entry)) files.push_back({entry, label});
}

std::vector<Labelled> read_labels(const Kind& kind, const std::filesystem::path& folder,
                                  const std::filesystem::path& list) {
  std::vector<Labelled> files = parse_labels(read_file(list, "data", size_t{1} << 30), list.string());
  for (Labelled& entry : files) {
    const std::string name = entry.file.string();
    entry.file = folder / entry.file;
    std::error_code missing;
    if (!std::filesystem::exists(entry.file, missing))
      fail("data", list.string() + ":" + std::to_string(entry.line), "no file '" + name + "'", kind.one);
  }
  return files;
}

/// Of labels.csv (file,label; a header line or not), or of one folder a class in sorted order, or without labels.
template <class Set>
std::unique_ptr<Dataset> open_folder(const Kind& kind, const std::filesystem::path& folder) {
  std::vector<Labelled> files;
  int64_t classes = 0;
  const std::filesystem::path list = folder / "labels.csv";
  std::error_code error;
  if (std::filesystem::exists(list, error)) {
    files = read_labels(kind, folder, list);
    for (const Labelled& entry : files) classes = std::max(classes, entry.label + 1);
  } else {
    const auto entries = sorted_entries(folder);
    for (const auto& entry : entries)
      if (std::filesystem::is_directory(entry, error)) add_files(files, kind, sorted_entries(entry), classes++);
    if (files.empty()) {
      classes = 0;
      add_files(files, kind, entries, -1);
    }
  }
  if (files.empty())
    fail("data", folder.string(), "no " + std::string(kind.many),
         std::string(kind.files) + ", one folder of them a class, or labels.csv");
  return std::make_unique<Set>(std::move(files), classes);
}

}  // namespace

std::vector<std::filesystem::path> images_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files = sorted_entries(folder);
  std::erase_if(files, [](const std::filesystem::path& file) { return !image_files.takes(file); });
  return files;
}

/// JPEG, PNG and BMP files: labels.csv (file,label; a header line or not; other columns where a header names them), or
/// one folder a class in sorted order, or images without labels. Decoded when asked for.
std::unique_ptr<Dataset> open_images(const std::filesystem::path& folder, std::string_view) {
  return open_folder<ImageSet>(image_files, folder);
}

std::unique_ptr<Dataset> open_sounds(const std::filesystem::path& folder, std::string_view) {
  return open_folder<SoundSet>(sound_files, folder);
}

}  // namespace nibble::data
