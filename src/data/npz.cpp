#include "data/npz.hpp"

#include "base/file.hpp"
#include "data/npy.hpp"
#include "data/zip.hpp"

namespace nibble::data {

Arrays read_npz(const std::filesystem::path& file) {
  const std::string place = file.string(), archive = read_file(file, "data");
  Arrays arrays;
  for (const ZipEntry& entry : zip_entries(archive, place)) {
    std::string name = entry.name;
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    for (const auto& [other, array] : arrays)
      if (other == name) fail("data", place, "two arrays '" + name + "'", "each name once");
    const std::string bytes = zip_read(archive, entry, place);
    arrays.emplace_back(name, parse_npy(bytes, place + ": array '" + name + "'"));
  }
  return arrays;
}

void write_npz(const std::filesystem::path& file, const Arrays& arrays) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& [name, tensor] : arrays) files.emplace_back(name + ".npy", npy_bytes(tensor));
  write_file(file, zip_bytes(files, file.string()), "data");
}

}  // namespace nibble::data
