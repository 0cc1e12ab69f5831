#include "data/npz.hpp"

#include "base/file.hpp"
#include "data/formats/zip.hpp"
#include "data/npy.hpp"

namespace nibble::data {
namespace {

/// Deflate packs a thousandfold, and entries may share their bytes: what the directory states is summed before any is
/// expanded.
void check_expansion(const std::vector<ZipEntry>& entries, std::string_view place) {
  constexpr auto most = static_cast<uint64_t>(largest_tensor);
  uint64_t total = 0;
  for (const ZipEntry& entry : entries) {
    if (entry.size > most - total)
      fail("data", place, "expands beyond " + std::to_string(most) + " bytes", "at most as many");
    total += entry.size;
  }
}

}  // namespace

Arrays parse_npz(std::string_view archive, const std::string& place) {
  Arrays arrays;
  const std::vector<ZipEntry> entries = zip_entries(archive, place);
  check_expansion(entries, place);
  for (const ZipEntry& entry : entries) {
    std::string name = entry.name;
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    for (const auto& [other, array] : arrays)
      if (other == name) fail("data", place, "two arrays '" + name + "'", "each name once");
    const std::string bytes = zip_read(archive, entry, place);
    arrays.emplace_back(name, parse_npy(bytes, place + ": array '" + name + "'"));
  }
  return arrays;
}

Arrays read_npz(const std::filesystem::path& file) {
  return parse_npz(read_file(file, "data"), file.string());
}

void write_npz(const std::filesystem::path& file, const Arrays& arrays) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& [name, tensor] : arrays) files.emplace_back(name + ".npy", npy_bytes(tensor));
  write_file(file, zip_bytes(files, file.string()), "data");
}

}  // namespace nibble::data
