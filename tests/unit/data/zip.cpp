#include "data/formats/zip.hpp"

#include "data/npz.hpp"
#include "unit/data/archives.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::archive_of;
using nibble::testing::Entry;

namespace {

std::vector<std::pair<std::string, std::string>> unpacked(const std::string& archive) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const ZipEntry& entry : zip_entries(archive, "a")) files.emplace_back(entry.name, zip_read(archive, entry, "a"));
  return files;
}

const std::string words = "many, many, many words and \xff\n", none;

}  // namespace

TEST(Zip, ReadsEveryFormThatWritersUse) {
  const std::vector<std::pair<std::string, std::string>> expected{{"one", words}, {"two", none}, {"three", "3"}};
  for (const bool deflated : {false, true})
    for (const bool descriptor : {false, true})
      for (const bool zip64 : {false, true})
        for (const bool end64 : {false, true}) {
          std::vector<Entry> entries;
          for (const auto& [name, bytes] : expected) entries.push_back({name, bytes, deflated, descriptor, zip64});
          EXPECT_EQ(unpacked(archive_of(entries, end64)), expected) << deflated << descriptor << zip64 << end64;
        }
}

TEST(Zip, FindsItsEndBeforeAComment) {
  for (const std::string& comment : {std::string("PK\5\6 is how an end starts"), std::string(65535, 'c')})
    EXPECT_EQ(unpacked(archive_of({{"one", words}}, false, comment)).front().second, words);
}

TEST(Zip, MayHoldNothing) {
  EXPECT_TRUE(unpacked(archive_of({})).empty());
  EXPECT_TRUE(unpacked(archive_of({}, true)).empty());
}

TEST(Zip, WritesWhatItReads) {
  const std::vector<std::pair<std::string, std::string>> files{{"one", words}, {"", "x"}, {"two", none}};
  EXPECT_EQ(unpacked(zip_bytes(files, "a")), files);
  EXPECT_EQ(zip_bytes(files, "a"), zip_bytes(files, "a"));
}

TEST(Zip, EveryTruncationAndEveryChangedByteEndsInBytesOrAnErrorOfTheUser) {
  const std::string whole = archive_of({{"one", words, true, true, true}, {"two", words}}, true);
  for (size_t at = 0; at < whole.size(); ++at) {
    EXPECT_THROW(unpacked(whole.substr(0, at)), UserError) << at;
    for (const char change : {'\1', '\xff', '\x80'}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ change);
      try {
        unpacked(changed);
      } catch (const UserError&) {
      }
    }
  }
}

TEST(Npz, ReadsStoredArraysAsNumpysSavezWritesThem) {
  const nibble::testing::Folder folder;
  const Tensor x({3}, std::vector<float>{1, 2, 3});
  // savez: stored, zip64 extra fields always.
  const auto file = folder.write("a.npz", archive_of({{"x.npy", npy_bytes(x), false, false, true}}));
  EXPECT_EQ(read_npz(file), (Arrays{{"x", x}}));
}
