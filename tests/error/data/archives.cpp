#include "unit/data/archives.hpp"

#include "data/formats/zip.hpp"
#include "data/npy.hpp"
#include "data/npz.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::archive_of;
using nibble::testing::Entry;
using nibble::testing::message_of;

namespace {

std::string unpacking(const std::string& archive) {
  return message_of([&] {
    for (const ZipEntry& entry : zip_entries(archive, "f")) zip_read(archive, entry, "f");
  });
}
std::string with(std::string archive, const std::string& before, const std::string& after) {
  archive.replace(archive.find(before), after.size(), after);
  return unpacking(archive);
}
const std::string text = "some text";

}  // namespace

TEST(ZipErrors, NameTheEntry) {
  const std::string where = "data: f: entry 'a': ";
  EXPECT_EQ(unpacking(archive_of({{.name = "a", .bytes = text, .crc = 1}})),
            where + "the checksum differs (expected the CRC-32 that the directory states)");
  EXPECT_EQ(unpacking(archive_of({{.name = "a", .bytes = text, .deflated = true, .crc = 1}})),
            where + "the checksum differs (expected the CRC-32 that the directory states)");
  EXPECT_EQ(unpacking(archive_of({{.name = "a", .bytes = text, .size = 10}})),
            where + "9 bytes (expected 10 as the directory states)");
  EXPECT_EQ(unpacking(archive_of({{.name = "a", .bytes = text, .deflated = true, .size = 8}})),
            where + "expands beyond 8 bytes (expected as many as stated)");
  EXPECT_EQ(unpacking(archive_of({{.name = "a", .bytes = text, .flags = 1}})),
            where + "encrypted (expected an entry without a password)");
  EXPECT_EQ(unpacking(archive_of({{.name = "a", .bytes = text, .method = 14}})),
            where + "compression method 14 (expected stored or deflated)");
  EXPECT_EQ(with(archive_of({{.name = "a", .bytes = text}}), "PK\3\4", "??"),
            where + "no local header (expected a whole archive)");
}

TEST(ZipErrors, NameTheArchive) {
  EXPECT_EQ(unpacking("PK"), "data: f: no zip archive (expected an end record)");
  EXPECT_EQ(unpacking(std::string(100, 'x')), "data: f: no zip archive (expected an end record)");
  const std::string whole = archive_of({{.name = "a", .bytes = text}});
  EXPECT_EQ(with(whole, "PK\1\2", "??"), "data: f: the zip directory is damaged (expected a whole archive)");
  EXPECT_EQ(unpacking(whole.substr(0, whole.size() - 6) + std::string("\xf0\0\0\0\0\0", 6)),
            "data: f: the zip archive ends early (expected a whole archive)");
  EXPECT_EQ(with(archive_of({{.name = "a", .bytes = text}}, true), "PK\6\6", "??"),
            "data: f: the zip64 end record is damaged (expected a whole archive)");
}

TEST(ZipErrors, RefuseWhatNoZipWithout64BitsHolds) {
  const auto packing = [](const std::vector<std::pair<std::string, std::string>>& files, uint64_t limit) {
    return message_of([&] { zip_bytes(files, "f", limit); });
  };
  EXPECT_EQ(packing({{"a", text}}, 9), "data: f: arrays of 9 bytes or more (expected less in one npz file)");
  EXPECT_EQ(packing({{std::string(65536, 'n'), text}}, 1000),
            "data: f: an array's name of 65536 bytes (expected at most 65535)");
  EXPECT_EQ(packing(std::vector<std::pair<std::string, std::string>>(65535), 1000),
            "data: f: 65535 arrays (expected less than 65535)");
}

TEST(NpzErrors, RefuseAFileThatExpandsBeyondAnyTensor) {
  const nibble::testing::Folder folder;
  const auto reading = [&](const std::vector<Entry>& entries) {
    return message_of([&] { read_npz(folder.write("a.npz", archive_of(entries))); }, folder.path);
  };
  const std::string message = "data: DIR/a.npz: expands beyond 8589934592 bytes (expected at most as many)";
  EXPECT_EQ(reading({{.name = "x.npy", .bytes = text, .deflated = true, .zip64 = true, .size = 8589934593}}), message);
  const Entry half{.name = "x.npy", .bytes = text, .deflated = true, .size = 0xfffffffe};
  EXPECT_EQ(reading({half, half, half}), message);
  EXPECT_EQ(reading({{.name = "x.npy", .bytes = text, .zip64 = true, .size = UINT64_MAX}}), message);
}

TEST(NpyErrors, NameVersionHeaderAndAnElementThatDoesNotFit) {
  const auto parsing = [](const std::string& bytes) { return message_of([&] { parse_npy(bytes, "f"); }); };
  const std::string magic = "\x93NUMPY";
  EXPECT_EQ(parsing(magic + std::string("\4\0\0\0", 4)), "data: f: npy version 4 (expected 1 to 3)");
  EXPECT_EQ(parsing(magic + std::string("\0\0\0\0", 4)), "data: f: npy version 0 (expected 1 to 3)");
  EXPECT_EQ(parsing(magic + std::string("\1\0\x10\0", 4)),
            "data: f: the npy header ends early (expected a whole header)");
  EXPECT_EQ(parsing(magic + std::string("\2\0\0\0", 4)),
            "data: f: the npy header ends early (expected a whole header)");
  const std::string header = "{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}";
  EXPECT_EQ(parsing(magic + std::string("\1\0", 2) + static_cast<char>(header.size()) + '\0' + header +
                    std::string(8, '\xff')),
            "data: f: element 18446744073709551615 (expected at most 2^63 - 1)");
}

TEST(NpyErrors, TakeNoShapeWhoseOtherExtentsOverflow) {
  const std::string header = "{'descr': '|u1', 'fortran_order': True, 'shape': (0, 4611686018427387904, 4)}";
  const std::string start("\x93NUMPY\1\0", 8);
  EXPECT_EQ(message_of([&] { parse_npy(start + static_cast<char>(header.size()) + '\0' + header, "f"); }),
            "data: f: shape [0, 4611686018427387904, 4] (expected at most 8589934592 elements)");
}
