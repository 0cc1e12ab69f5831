#include <gtest/gtest.h>

#include "app/bundle.hpp"
#include "base/error.hpp"
#include "data/formats/zip.hpp"

namespace nibble::app {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

/// Of the parts of an application, in their order.
Files whole_files() {
  const std::string packed = bundle_bytes({{"app.json", "{}"}, {"network.nib", "network"}, {"samples/a", "a"}}, "test");
  Files files;
  for (const data::ZipEntry& entry : data::zip_entries(packed, "test"))
    files.emplace_back(entry.name, data::zip_read(packed, entry, "test"));
  return files;
}

std::string complaint(const std::string& zip) {
  try {
    parse_bundle(zip, "X.nibapp");
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

std::string complaint(const Files& files) {
  return complaint(data::zip_bytes(files, "test"));
}

Files with(std::string name, std::string bytes) {
  Files files = whole_files();
  files.emplace_back(std::move(name), std::move(bytes));
  return files;
}

Files with_version(const std::string& version) {
  Files files = whole_files();
  for (auto& [name, bytes] : files) {
    if (name != "app.json") continue;
    Json app = parse_json(bytes, "test", "test");
    app["nibble_app"] = parse_json(version, "test", "test");
    bytes = app.dump();
  }
  return files;
}

TEST(ParseBundle, TakesWhatWasPacked) {
  EXPECT_EQ(complaint(whole_files()), "");
}

TEST(ParseBundle, RefusesNamesThatLeadOutside) {
  for (const char* name :
       {"../evil", "/etc/passwd", "samples/../../evil", "a//b", "./a", "a/.", "C:evil", "a\\..\\b", "a\nb"})
    EXPECT_NE(complaint(with(name, "x")).find("(expected a path inside the application)"), std::string::npos) << name;
}

TEST(ParseBundle, RefusesAPartThatWasAddedChangedOrLost) {
  EXPECT_EQ(complaint(with("more", "x")),
            "app: X.nibapp: 'more' is no part of it (expected the parts that app.json names)");
  Files changed = whole_files(), lost = whole_files();
  std::erase_if(lost, [](const auto& file) { return file.first == "network.nib"; });
  for (auto& [name, bytes] : changed)
    if (name == "network.nib") bytes = "NETWORK";
  EXPECT_EQ(complaint(changed), "app: X.nibapp: 'network.nib' is not what was packed: its hash differs");
  EXPECT_EQ(complaint(lost), "app: X.nibapp: 'network.nib' is missing (expected every part that app.json names)");
}

TEST(ParseBundle, RefusesTwoPartsOfAName) {
  EXPECT_EQ(complaint(with("samples/a", "a")), "app: X.nibapp: two parts named 'samples/a'");
}

TEST(ParseBundle, RefusesANewerVersionByName) {
  EXPECT_EQ(complaint(with_version("2")),
            "app: X.nibapp: an application of version 2 (expected at most 1: it was made by a newer Nibble)");
  for (const char* version : {"0", "-1", "\"1\"", "1.5", "null"})
    EXPECT_NE(complaint(with_version(version)).find("nibble_app"), std::string::npos) << version;
}

TEST(ParseBundle, RefusesOneWithoutItsDescription) {
  EXPECT_EQ(complaint(Files{{"network.nib", "x"}}), "app: X.nibapp: no part 'app.json'");
  EXPECT_NE(complaint(Files{{"app.json", "[]"}}), "");
  EXPECT_NE(complaint(Files{{"app.json", "{\"nibble_app\": 1}"}}).find("no 'files'"), std::string::npos);
  EXPECT_NE(complaint(Files{{"app.json", "{\"nibble_app\": 1, \"files\": [1]}"}}).find("no 'files'"),
            std::string::npos);
}

TEST(ParseBundle, RefusesOneThatIsCutOffOrChangedAnywhere) {
  const std::string zip = data::zip_bytes(whole_files(), "test");
  for (size_t size = 0; size < zip.size(); ++size) EXPECT_NE(complaint(zip.substr(0, size)), "") << size;
}

/// The sizes that the archive's directory says of its first part, in place of its own.
std::string claiming(std::string zip, uint32_t size) {
  const size_t directory = zip.find("PK\1\2");
  for (size_t i = 0; i < 4; ++i) zip[directory + 24 + i] = static_cast<char>(size >> 8 * i & 0xff);
  return zip;
}

TEST(ParseBundle, RefusesABombBeforeItsMemoryIsAskedFor) {
  const std::string zip = data::zip_bytes(whole_files(), "test");
  EXPECT_EQ(complaint(claiming(zip, 0xfffffff0)),
            "app: X.nibapp: it unpacks to too much (expected at most 2^30 bytes in 4096 parts)");
  EXPECT_NE(complaint(claiming(zip, 1U << 29)), "");
  EXPECT_NE(complaint(claiming(zip, 1)), "");
  EXPECT_NE(complaint(with("zeros", std::string(1 << 20, '\0'))).find("no part of it"), std::string::npos);
}

TEST(ParseBundle, RefusesMorePartsThanAnApplicationHas) {
  Files files = whole_files();
  for (int i = 0; i < 4096; ++i) files.emplace_back(std::to_string(i), "");
  EXPECT_EQ(complaint(files), "app: X.nibapp: it unpacks to too much (expected at most 2^30 bytes in 4096 parts)");
}

}  // namespace
}  // namespace nibble::app
