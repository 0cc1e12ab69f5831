#include "data/formats/text_golden.hpp"

#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::message_of;

namespace {

Tensor counted(Shape shape) {
  Tensor tensor(ElementType::Int64, std::move(shape));
  for (size_t i = 0; i < tensor.size(); ++i) tensor.as<int64_t>()[i] = static_cast<int64_t>(i) - 5;
  return tensor;
}

std::string refused(const std::string& bytes) {
  return message_of([&] { parse_text_golden(bytes, "out_layer3.txt"); });
}

}  // namespace

TEST(TextGolden, IsReadAsQuantlabWritesIt) {
  const TextGolden golden =
      parse_text_golden("# block.ACT_PASS_0 (shape [2, 1, 3]),\n1,\n-2,\n3,\n0,\n255,\n6,\n", "f");
  EXPECT_EQ(golden.name, "block.ACT_PASS_0");
  EXPECT_EQ(golden.integers, Tensor({2, 1, 3}, std::vector<int64_t>{1, -2, 3, 0, 255, 6}));
}

TEST(TextGolden, IsReadAsNemoWritesIt) {
  const TextGolden golden = parse_text_golden("# conv0_ReLU (shape [1, 2]),\\\n191.000,\\\n-1.000,\\\n", "f");
  EXPECT_EQ(golden.name, "conv0_ReLU");
  EXPECT_EQ(golden.integers, Tensor({1, 2}, std::vector<int64_t>{191, -1}));
}

TEST(TextGolden, IsReadWithLineEndsOfWindowsAndWithoutAFirstLine) {
  const TextGolden golden = parse_text_golden("7\r\n1.5e1,\r\n\r\n", "f");
  EXPECT_EQ(golden.name, "");
  EXPECT_EQ(golden.integers, Tensor({2}, std::vector<int64_t>{7, 15}));
}

TEST(TextGolden, OfAPictureStandsChannelsLast) {
  const Tensor picture = counted({1, 2, 2, 3});
  const std::string text = text_golden_bytes("conv", picture);
  EXPECT_EQ(text, "# conv (shape [2, 3, 2]),\n-5,\n1,\n-4,\n2,\n-3,\n3,\n-2,\n4,\n-1,\n5,\n0,\n6,\n");
  EXPECT_EQ(channels_first(parse_text_golden(text, "f").integers, {1, 2, 2, 3}), picture);
}

TEST(TextGolden, OfAnyRankComesBack) {
  for (const Shape& shape : {Shape{5}, Shape{1, 5}, Shape{1, 3, 4}, Shape{1, 3, 1, 4}, Shape{1, 2, 3, 4, 5}}) {
    const Tensor tensor = counted(shape);
    EXPECT_EQ(channels_first(parse_text_golden(text_golden_bytes("t", tensor), "f").integers, shape), tensor)
        << to_string(shape);
  }
}

TEST(TextGolden, WhoseExtentsAreChannelsFirstIsTakenAsItStands) {
  EXPECT_EQ(channels_first(counted({1, 2, 3, 4}), {1, 2, 3, 4}), counted({1, 2, 3, 4}));
  EXPECT_EQ(channels_first(counted({1, 1, 3, 4}), {1, 1, 3, 4}), counted({1, 1, 3, 4}));
  EXPECT_EQ(channels_first(counted({2, 4, 3}), {1, 2, 3, 4}), std::nullopt);
}

TEST(TextGoldenErrors, NameTheLine) {
  EXPECT_EQ(refused(""), "data: out_layer3.txt: no integers (expected one a line)");
  EXPECT_EQ(refused("# a (shape [2]),\n1,\n1.5,\n"), "data: out_layer3.txt:3: '1.5' (expected one integer a line)");
  EXPECT_EQ(refused("# a (shape [2]),\n1,\nnan,\n"), "data: out_layer3.txt:3: 'nan' (expected one integer a line)");
  EXPECT_EQ(refused("# a (shape [2]),\n1, 2,\n"), "data: out_layer3.txt:2: '1, 2' (expected one integer a line)");
  EXPECT_EQ(refused("# a (shape [2, x]),\n1,\n"),
            "data: out_layer3.txt:1: 'a (shape [2, x])' (expected # name (shape [...]),)");
  EXPECT_EQ(refused("# a (shape [3]),\n1,\n2,\n"), "data: out_layer3.txt: 2 integers (expected 3 of shape [3])");
  EXPECT_EQ(message_of([] {
              text_golden_bytes("conv", counted({2, 3}));
            }),
            "data: conv: a batch of 2 (expected 1 in a text file)");
  EXPECT_EQ(message_of([] { read_text_golden("missing.txt"); }),
            "data: missing.txt: cannot be opened: No such file or directory");
}
