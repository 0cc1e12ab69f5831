#include "data/npy.hpp"

#include "base/file.hpp"
#include "data/npz.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::Folder;

namespace {

std::string npy(const std::string& descr, bool fortran, const std::string& shape, const std::string& elements) {
  const std::string header =
      "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + elements;
}

}  // namespace

TEST(Npy, ReadsBothByteOrdersAndBothArrayOrders) {
  EXPECT_EQ(parse_npy(npy(">i2", false, "(2,)", {1, 2, 0, 3}), "a"), Tensor({2}, std::vector<int16_t>{258, 3}));
  EXPECT_EQ(parse_npy(npy("|u1", true, "(2, 3)", {1, 4, 2, 5, 3, 6}), "a"),
            Tensor({2, 3}, std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
}

TEST(Npy, WidensHalvesAndUnsignedIntegers) {
  EXPECT_EQ(parse_npy(npy("<f2", false, "(2,)", {0, 0x3c, 1, 0}), "a"), Tensor({2}, std::vector<float>{1, 0x1p-24F}));
  EXPECT_EQ(parse_npy(npy("<u4", false, "()", {-1, -1, -1, -1}), "a"),
            Tensor(Shape{}, std::vector<int64_t>{4294967295}));
}

TEST(Npy, WritesAHeaderThatAlignsTheElements) {
  const std::string bytes = npy_bytes(Tensor({3}, std::vector<float>{1, 2, 3}));
  EXPECT_EQ(bytes.size(), 128U + 12U);
  EXPECT_EQ(bytes.substr(10, 56), "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), ");
}

TEST(Npz, ReadsBackWhatItWrote) {
  const Folder folder;
  const Arrays arrays{{"b", Tensor({2, 2}, std::vector<float>{1, 2, 3, 4})},
                      {"a", Tensor(Shape{}, std::vector<int64_t>{-5})},
                      {"none", Tensor({0}, std::vector<double>{})}};
  write_npz(folder.path / "a.npz", arrays);
  EXPECT_EQ(read_npz(folder.path / "a.npz"), arrays);
}

TEST(Npy, EveryTruncationIsAnErrorOfTheUser) {
  const std::string whole = npy_bytes(Tensor({4}, std::vector<int32_t>{1, 2, 3, 4}));
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_THROW(parse_npy(whole.substr(0, size), "a"), UserError);
}

TEST(Npz, EveryTruncationIsAnErrorOfTheUser) {
  const Folder folder;
  write_npz(folder.path / "a.npz", {{"x", Tensor({4}, std::vector<int32_t>{1, 2, 3, 4})}});
  const std::string whole = read_file(folder.path / "a.npz", "data");
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(read_npz(folder.write("b.npz", whole.substr(0, size))), UserError);
}
