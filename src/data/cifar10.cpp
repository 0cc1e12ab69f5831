#include <algorithm>

#include "base/file.hpp"
#include "data/sources.hpp"

namespace nibble::data {
namespace {

constexpr size_t plane = 32 * 32;
constexpr size_t record = 1 + 3 * plane;

std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder, std::string_view split) {
  if (split == "test") return {folder / "test_batch.bin"};
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("data_batch_") && name.ends_with(".bin")) files.push_back(entry.path());
  }
  if (error) fail("data", folder.string(), "cannot be listed: " + error.message(), "a folder");
  if (files.empty()) fail("data", folder.string(), "no data_batch_*.bin", "at least one");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

void append_cifar10(StoredImages& images, std::string_view bytes, const std::string& place) {
  if (bytes.empty() || bytes.size() % record != 0)
    fail("data", place, std::to_string(bytes.size()) + " bytes", "a positive multiple of 3073");
  for (size_t at = 0; at < bytes.size(); at += record) {
    const auto label = static_cast<uint8_t>(bytes[at]);
    if (label > 9)
      fail("data", place + ": record " + std::to_string(at / record), "label " + std::to_string(label), "0 to 9");
    images.labels.push_back(label);
    const char* planes = bytes.data() + at + 1;
    const size_t start = images.pixels.size();
    images.pixels.resize(start + 3 * plane);
    for (size_t channel = 0; channel < 3; ++channel)
      for (size_t i = 0; i < plane; ++i) images.pixels[start + i * 3 + channel] = planes[channel * plane + i];
  }
}

/// Records of one label byte and 3 planes of 32 x 32: data_batch_*.bin present, sorted (train), or test_batch.bin.
std::unique_ptr<Dataset> open_cifar10(const std::filesystem::path& folder, std::string_view split) {
  StoredImages images{32, 32, 3, {}, {}};
  for (const auto& file : files_of(folder, split))
    append_cifar10(images, read_file(file, "data", size_t{1} << 31), file.string());
  return dataset_of(std::move(images), 10);
}

}  // namespace nibble::data
