#include "processing/image.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace {

struct Picture {
  int32_t height, width, channels;
  std::vector<uint8_t> pixels;
  nibble_picture view() const { return {pixels.data(), height, width, channels}; }
};

Picture random_picture(int32_t height, int32_t width, int32_t channels, unsigned seed) {
  std::mt19937 random(seed);
  Picture picture{height, width, channels, std::vector<uint8_t>(static_cast<size_t>(height * width * channels))};
  for (uint8_t& pixel : picture.pixels) pixel = static_cast<uint8_t>(random());
  return picture;
}

std::vector<uint8_t> resized(const nibble_image_input& input, const Picture& picture, nibble_rectangle part) {
  const nibble_placement at = nibble_place(&input, part);
  std::vector<uint32_t> scratch(nibble_resize_scratch(&input, &at, picture.channels) / 4 + 1);
  std::vector<uint8_t> out(static_cast<size_t>(input.height * input.width * picture.channels));
  const nibble_picture view = picture.view();
  nibble_resize(&input, &at, &view, scratch.data(), out.data());
  return out;
}

/// The weight with which output `i` of `to` reads input `k` of `from`, over the sum of weights: by the definition.
double weight(nibble_filter filter, int from, int to, int i, int k) {
  if (filter == NIBBLE_AREA && from > to) {
    const double low = double(i) * from / to, high = double(i + 1) * from / to;
    return std::max(0.0, std::min(high, k + 1.0) - std::max(low, double(k))) * to / from;
  }
  const double centre = std::clamp((i + 0.5) * from / to - 0.5, 0.0, from - 1.0);
  return std::max(0.0, 1 - std::abs(centre - k));
}

TEST(Resize, GivesTheWeightedMeanRoundedHalfUp) {
  const int sizes[][4] = {{7, 9, 3, 4}, {3, 4, 7, 9}, {16, 16, 8, 8}, {5, 40, 11, 6}, {1, 1, 4, 3}, {640, 3, 7, 2}};
  for (const nibble_filter filter : {NIBBLE_BILINEAR, NIBBLE_AREA})
    for (const auto& s : sizes) {
      const Picture picture = random_picture(s[0], s[1], 3, 5);
      const nibble_image_input input{s[2], s[3], NIBBLE_STRETCH, filter, 100, {0, 0, 0}};
      const auto out = resized(input, picture, {0, 0, s[1], s[0]});
      for (int y = 0; y < s[2]; ++y)
        for (int x = 0; x < s[3]; ++x)
          for (int c = 0; c < 3; ++c) {
            double mean = 0;
            for (int i = 0; i < s[0]; ++i)
              for (int j = 0; j < s[1]; ++j)
                mean += weight(filter, s[0], s[2], y, i) * weight(filter, s[1], s[3], x, j) *
                        picture.pixels[static_cast<size_t>((i * s[1] + j) * 3 + c)];
            const int found = out[static_cast<size_t>((y * s[3] + x) * 3 + c)];
            // Half up of a mean that doubles know to 1e-9: both neighbours of a tie are let pass.
            EXPECT_TRUE(found == int(mean + 0.5 + 1e-9) || found == int(mean + 0.5 - 1e-9)) << mean << " " << found;
          }
    }
}

TEST(Resize, OfATieRoundsUp) {
  const Picture picture{1, 2, 1, {0, 1}};
  const nibble_image_input input{1, 1, NIBBLE_STRETCH, NIBBLE_AREA, 100, {0, 0, 0}};
  EXPECT_EQ(resized(input, picture, {0, 0, 2, 1}), std::vector<uint8_t>{1});
}

TEST(Resize, OfThePicturesOwnSizeCopies) {
  const Picture picture = random_picture(13, 9, 3, 2);
  const nibble_image_input input{13, 9, NIBBLE_LETTERBOX, NIBBLE_BILINEAR, 100, {1, 2, 3}};
  EXPECT_EQ(resized(input, picture, {0, 0, 9, 13}), picture.pixels);
}

TEST(Resize, PadsWhereAPartReachesBeyondThePicture) {
  const Picture picture{2, 2, 1, {10, 20, 30, 40}};
  const nibble_image_input input{4, 4, NIBBLE_STRETCH, NIBBLE_BILINEAR, 100, {7, 7, 7}};
  EXPECT_EQ(resized(input, picture, {-1, -1, 4, 4}),
            (std::vector<uint8_t>{7, 7, 7, 7, 7, 10, 20, 7, 7, 30, 40, 7, 7, 7, 7, 7}));
  EXPECT_EQ(resized(input, picture, {5, 5, 4, 4}), std::vector<uint8_t>(16, 7));
  EXPECT_EQ(resized(input, picture, {-9, 0, 4, 4}), std::vector<uint8_t>(16, 7));
}

TEST(Placement, OfALetterboxLiesInTheMiddle) {
  const nibble_image_input input{100, 200, NIBBLE_LETTERBOX, NIBBLE_BILINEAR, 100, {0, 0, 0}};
  const nibble_placement at = nibble_place(&input, {0, 0, 50, 50});
  EXPECT_EQ(at.to.left, 50);
  EXPECT_EQ(at.to.top, 0);
  EXPECT_EQ(at.to.width, 100);
  EXPECT_EQ(at.to.height, 100);
  const nibble_placement wide = nibble_place(&input, {0, 0, 1000, 100});
  EXPECT_EQ(wide.to.height, 20);
  EXPECT_EQ(wide.to.top, 40);
}

TEST(Placement, ThatCoversCutsBothSidesAlike) {
  const nibble_image_input input{224, 224, NIBBLE_COVER, NIBBLE_AREA, 50, {0, 0, 0}};
  const nibble_placement at = nibble_place(&input, {0, 0, 400, 200});
  EXPECT_EQ(at.from.width, 100);
  EXPECT_EQ(at.from.height, 100);
  EXPECT_EQ(at.from.left, 150);
  EXPECT_EQ(at.from.top, 50);
}

TEST(PixelLevels, AreThoseOfTheTableInPlanes) {
  std::vector<int32_t> table(768);
  for (int i = 0; i < 768; ++i) table[static_cast<size_t>(i)] = i - 128;
  const uint8_t order[3] = {2, 1, 0}, pixels[6] = {1, 2, 3, 4, 5, 6};
  std::vector<int16_t> out(6);
  nibble_pixels_to_levels(pixels, 2, 3, 3, order, table.data(), 2, out.data());
  EXPECT_EQ(out, (std::vector<int16_t>{3 - 128, 6 - 128, 2 + 128, 5 + 128, 1 + 384, 4 + 384}));
  std::vector<int8_t> gray(2);
  nibble_pixels_to_levels(pixels, 2, 3, 1, order, table.data(), 1, gray.data());
  EXPECT_EQ(gray, (std::vector<int8_t>{2 - 128, 5 - 128}));
}

}  // namespace
