#include "app/bundle.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/file.hpp"
#include "data/formats/zip.hpp"

namespace nibble::app {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t most_bytes = uint64_t{1} << 30;
constexpr size_t most_parts = 4096;
constexpr std::string_view description = "app.json";

std::string_view as_text(const Json& json) {
  return json.is_string() ? std::string_view(json.get_ref<const std::string&>()) : std::string_view();
}

/// What app.json says of its parts holds, part by part.
void check_parts(const Parts& parts, const std::string& place) {
  const Json app = parse_json(part_named(parts, description, place), "app", place + ": app.json");
  const Section section(app, "app", place + ": app.json");
  int64_t found = 0;
  section.whole("nibble_app", found, 0);
  if (!section.has("nibble_app") || found < 1) section.refuse("nibble_app", "the version of an application's form");
  if (found > version)
    fail("app", place, "an application of version " + std::to_string(found),
         "at most " + std::to_string(version) + ": it was made by a newer Nibble");
  if (!section.has("files") || !section.part("files").is_object())
    fail("app", place, "app.json has no 'files'", "an application that 'nibble app pack' wrote");
  const Json& files = section.part("files");
  for (const auto& [name, said] : files.items()) {
    const auto part = parts.find(name);
    if (part == parts.end()) fail("app", place, "'" + name + "' is missing", "every part that app.json names");
    if (!said.is_object() || as_text(said.value("sha256", Json())) != sha256(part->second))
      fail("app", place, "'" + name + "' is not what was packed: its hash differs");
  }
  for (const auto& [name, bytes] : parts)
    if (name != description && !files.contains(name))
      fail("app", place, "'" + name + "' is no part of it", "the parts that app.json names");
}

Parts read_folder(const fs::path& folder) {
  Parts parts;
  uint64_t total = 0;
  for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->is_directory()) continue;
    std::string name = entry->path().lexically_relative(folder).generic_string();
    check_part_name(name, folder.string());
    std::string bytes = read_file(entry->path(), "app", most_bytes);
    if ((total += bytes.size()) > most_bytes || parts.size() >= most_parts)
      fail("app", folder.string(), "too much for an application", "at most 2^30 bytes in 4096 parts");
    parts.emplace(std::move(name), std::move(bytes));
  }
  return parts;
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  ensure(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1,
         "SHA-256 is there to hash with");
  std::string text;
  for (unsigned i = 0; i < size; ++i)
    for (const int digit : {digest[i] >> 4, digest[i] & 15}) text += "0123456789abcdef"[digit];
  return text;
}

void check_part_name(std::string_view name, const std::string& place) {
  const fs::path path{std::string(name)};
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](unsigned char c) { return c >= ' ' && c != '\\' && c != 127 && c != ':'; });
  const bool inside = std::none_of(path.begin(), path.end(),
                                   [](const fs::path& step) { return step == ".." || step == "." || step.empty(); });
  if (name.empty() || name.size() > 255 || !plain || !inside || path.is_absolute() || name.find("//") != name.npos)
    fail("app", place, "a part named " + json_string(name.substr(0, 80)), "a path inside the application");
}

const std::string& part_named(const Parts& parts, std::string_view name, const std::string& asked_by) {
  const auto found = parts.find(name);
  if (found == parts.end()) {
    std::vector<std::string> names;
    for (const auto& [known, bytes] : parts) names.push_back(known);
    fail("app", asked_by, "no part '" + std::string(name) + "'" + did_you_mean(name, names));
  }
  return found->second;
}

Parts parse_bundle(std::string_view zip, const std::string& place) {
  Parts parts;
  const std::vector<data::ZipEntry> entries = data::zip_entries(zip, place);
  uint64_t total = 0;
  for (const data::ZipEntry& entry : entries) {
    check_part_name(entry.name, place);
    if (entry.size > most_bytes || (total += entry.size) > most_bytes || parts.size() >= most_parts)
      fail("app", place, "it unpacks to too much", "at most 2^30 bytes in 4096 parts");
    if (!parts.emplace(entry.name, data::zip_read(zip, entry, place)).second)
      fail("app", place, "two parts named '" + entry.name + "'");
  }
  check_parts(parts, place);
  return parts;
}

Parts read_bundle(const fs::path& place) {
  if (fs::is_directory(place)) {
    Parts parts = read_folder(place);
    check_parts(parts, place.string());
    return parts;
  }
  return parse_bundle(read_file(place, "app", most_bytes), place.string());
}

std::string bundle_bytes(Parts parts, const std::string& place) {
  Json app = parse_json(part_named(parts, description, place), "app", place);
  app["nibble_app"] = version;
  Json files = Json::object();
  for (const auto& [name, bytes] : parts) {
    check_part_name(name, place);
    if (name != description) files[name] = {{"sha256", sha256(bytes)}, {"bytes", bytes.size()}};
  }
  app["files"] = std::move(files);
  parts.insert_or_assign(std::string(description), app.dump(2) + "\n");
  return data::zip_bytes({parts.begin(), parts.end()}, place);
}

}  // namespace nibble::app
