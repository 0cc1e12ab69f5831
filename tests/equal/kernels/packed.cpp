#include <gtest/gtest.h>

#include <vector>

#include "base/random.hpp"
#include "kernels/packed/packed.h"

namespace nibble::tests {
namespace {

/// Every integer that fits, and as many drawn ones.
std::vector<uint8_t> integers_of(int32_t type, Random& random) {
  const int64_t levels = int64_t{1} << nibble_bits_of(type), low = nibble_in_tile(type) == NIBBLE_U8 ? 0 : -levels / 2;
  std::vector<uint8_t> bytes;
  for (int64_t i = 0; i < levels; ++i) bytes.push_back(static_cast<uint8_t>(low + i));
  while (bytes.size() < 96)
    bytes.push_back(static_cast<uint8_t>(low + static_cast<int64_t>(random.below(static_cast<uint64_t>(levels)))));
  return bytes;
}

TEST(PackedElements, ComeBackAsTheyWere) {
  Random random(5);
  for (const int32_t type : {NIBBLE_U4, NIBBLE_I4, NIBBLE_U2, NIBBLE_I2}) {
    const std::vector<uint8_t> bytes = integers_of(type, random);
    std::vector<uint32_t> words(bytes.size() / static_cast<size_t>(nibble_per_word(type)) + 1, 0x5a5a5a5a);
    std::vector<uint32_t> back(bytes.size() / 4);
    auto* packed = reinterpret_cast<uint8_t*>(words.data());
    nibble_pack(packed, bytes.data(), type, static_cast<int64_t>(bytes.size()));
    nibble_unpack(reinterpret_cast<uint8_t*>(back.data()), packed, type, static_cast<int64_t>(bytes.size()));
    EXPECT_EQ(words.back(), 0x5a5a5a5a) << type;
    for (size_t i = 0; i < bytes.size(); ++i) {
      const int64_t expected = nibble_in_tile(type) == NIBBLE_U8 ? bytes[i] : static_cast<int8_t>(bytes[i]);
      EXPECT_EQ(reinterpret_cast<const uint8_t*>(back.data())[i], bytes[i]) << type << " " << i;
      EXPECT_EQ(nibble_load_packed(packed, type, static_cast<int64_t>(i)), expected) << type << " " << i;
    }
  }
}

TEST(PackedElements, AreCutToTheirLowBits) {
  const uint32_t bytes[] = {0xf3f2f1f0, 0x13121110, 0xfffefdfc, 0x03020100};
  uint32_t word = 0;
  nibble_pack(reinterpret_cast<uint8_t*>(&word), reinterpret_cast<const uint8_t*>(bytes), NIBBLE_U4, 8);
  EXPECT_EQ(word, 0x33221100u);
  nibble_pack(reinterpret_cast<uint8_t*>(&word), reinterpret_cast<const uint8_t*>(bytes), NIBBLE_U2, 16);
  for (int64_t i = 0; i < 16; ++i) EXPECT_EQ(nibble_load_packed(&word, NIBBLE_U2, i), i % 4) << i;
}

}  // namespace
}  // namespace nibble::tests
