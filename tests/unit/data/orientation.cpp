#include "data/formats/orientation.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nibble::data {
namespace {

using namespace std::string_literals;

/// A 3 by 2 image: rows 1 2 / 3 4 / 5 6.
const Tensor numbered({3, 2, 1}, std::vector<uint8_t>{1, 2, 3, 4, 5, 6});

TEST(Orientation, TurnsAsTheStandardSays) {
  const std::vector<std::vector<uint8_t>> right = {{1, 2, 3, 4, 5, 6}, {2, 1, 4, 3, 6, 5}, {6, 5, 4, 3, 2, 1},
                                                   {5, 6, 3, 4, 1, 2}, {1, 3, 5, 2, 4, 6}, {5, 3, 1, 6, 4, 2},
                                                   {6, 4, 2, 5, 3, 1}, {2, 4, 6, 1, 3, 5}};
  for (int o = 1; o <= 8; ++o) {
    const Tensor turned = upright(numbered, o);
    EXPECT_EQ(turned.shape(), o < 5 ? Shape({3, 2, 1}) : Shape({2, 3, 1})) << o;
    const auto pixels = turned.as<uint8_t>();
    EXPECT_EQ(std::vector<uint8_t>(pixels.begin(), pixels.end()), right[static_cast<size_t>(o - 1)]) << o;
  }
}

TEST(Orientation, IsReadInEitherOrderOfBytes) {
  const std::string big =
      "\xff\xd8\xff\xe1\0\x22"s + "Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"s;
  const std::string little = "\xff\xd8\xff\xe0\0\x04zz\xff\xe1\0\x22"s +
                             "Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"s;
  EXPECT_EQ(orientation_of(big), 6);
  EXPECT_EQ(orientation_of(little), 3);
}

TEST(Orientation, IsAsItIsWhereNothingOrNonsenseIsSaid) {
  EXPECT_EQ(orientation_of(""), 1);
  EXPECT_EQ(orientation_of("\xff\xd8\xff\xe1\0\x08"s + "Exif\0\0"s), 1);
  EXPECT_EQ(orientation_of("\xff\xd8\xff\xe1\0\x22"s + "Exif\0\0MM\0\x2a\xff\xff\xff\xff\0\x01\x01\x12"s), 1);
  EXPECT_EQ(orientation_of("\xff\xd8\xff\xe1\0\0"s), 1);
  EXPECT_EQ(orientation_of("\x89PNG"), 1);
}

}  // namespace
}  // namespace nibble::data
