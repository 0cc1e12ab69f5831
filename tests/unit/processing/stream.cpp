#include "processing/stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace {

/// The windows of 0, 1, ..., 39 that come in pieces.
std::vector<std::vector<float>> windows(int32_t length, int32_t hop, size_t piece) {
  std::vector<float> sound(40), held(static_cast<size_t>(length));
  std::iota(sound.begin(), sound.end(), 0.0F);
  nibble_windows w;
  nibble_windows_start(&w, held.data(), length, hop);
  std::vector<std::vector<float>> found;
  for (size_t at = 0; at < sound.size(); at += piece) {
    const size_t end = std::min(sound.size(), at + piece);
    for (size_t i = at; i < end;) {
      i += static_cast<size_t>(nibble_windows_take(&w, sound.data() + i, static_cast<int64_t>(end - i)));
      if (w.filled == length) found.push_back(held);
    }
  }
  return found;
}

TEST(Windows, AreThoseOfTheWholeSoundWhateverThePieces) {
  for (int32_t length : {1, 7, 40})
    for (int32_t hop : {1, 3, 7, 9, 50})
      for (size_t piece : {size_t{1}, size_t{2}, size_t{11}, size_t{40}}) {
        const auto found = windows(length, hop, piece);
        ASSERT_EQ(found.size(), static_cast<size_t>(1 + (40 - length) / hop));
        for (size_t i = 0; i < found.size(); ++i)
          for (size_t k = 0; k < found[i].size(); ++k)
            ASSERT_EQ(found[i][k], static_cast<float>(i * static_cast<size_t>(hop) + k)) << length << " " << hop;
      }
}

TEST(Smoothing, IsTheMeanOfTheLastResults) {
  std::vector<float> kept(6);
  nibble_smoothing s;
  nibble_smoothing_start(&s, kept.data(), 3, 2);
  const auto add = [&](std::vector<float> result) {
    nibble_smoothing_add(&s, result.data(), result.data());
    return result;
  };
  EXPECT_EQ(add({1, 0}), (std::vector<float>{1, 0}));
  EXPECT_EQ(add({3, 2}), (std::vector<float>{2, 1}));
  EXPECT_EQ(add({5, 7}), (std::vector<float>{3, 3}));
  EXPECT_EQ(add({10, 0}), (std::vector<float>{6, 3}));
  EXPECT_EQ(add({0, 2}), (std::vector<float>{5, 3}));
}

}  // namespace
