#include "processing/detect.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace {

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

struct Found {
  std::vector<nibble_object> room = std::vector<nibble_object>(8);
  nibble_objects objects{room.data(), 0, 8};
};

void expect_box(const nibble_object& object, double left, double top, double right, double bottom) {
  EXPECT_NEAR(object.left, left, 1e-9);
  EXPECT_NEAR(object.top, top, 1e-9);
  EXPECT_NEAR(object.right, right, 1e-9);
  EXPECT_NEAR(object.bottom, bottom, 1e-9);
}

TEST(Ssd, OffsetsAreInAnchorsAndTheBackgroundIsNone) {
  const float anchors[] = {50, 40, 20, 10, 10, 10, 4, 4};
  const float offsets[] = {1, -2, 0.5f, 0, 0, 0, 0, 0};
  const float scores[] = {0, 3, 1, 9, 0, 0};  // the second anchor is background
  const nibble_ssd head{anchors, 2, 3, 0, NIBBLE_NORMALISED, {0.1, 0.2}, 0};
  Found found;
  nibble_decode_ssd(&head, offsets, scores, 0.5, &found.objects);
  ASSERT_EQ(found.objects.count, 1);
  const double width = 20 * std::exp(0.5 * 0.2);
  expect_box(found.room[0], 52 - width / 2, 38 - 5, 52 + width / 2, 38 + 5);
  EXPECT_EQ(found.room[0].class_index, 0);
  EXPECT_NEAR(found.room[0].score, std::exp(3) / (1 + std::exp(3) + std::exp(1)), 1e-12);
}

TEST(Ssd, MayGiveTheVerticalFirst) {
  const float anchors[] = {50, 40, 20, 10}, offsets[] = {-2, 1, 0, 0.5f}, scores[] = {1};
  const nibble_ssd head{anchors, 1, 1, -1, NIBBLE_SCORES, {0.1, 0.2}, 1};
  Found found;
  nibble_decode_ssd(&head, offsets, scores, 0.5, &found.objects);
  ASSERT_EQ(found.objects.count, 1);
  EXPECT_NEAR(found.room[0].top, 38 - 5, 1e-9);
}

/// One cell at row 1, column 2 of [2, 3], all others far below the threshold.
std::vector<float> cell(const std::vector<float>& numbers) {
  std::vector<float> values(numbers.size() * 6, -30);
  for (size_t k = 0; k < numbers.size(); ++k) values[k * 6 + 5] = numbers[k];
  return values;
}

TEST(Yolo, OfEachVersionHasItsOwnBoxes) {
  const float t[] = {0.3f, -0.2f, 0.1f, 0.4f};
  const float sizes[] = {12, 20};
  const double s = 16;
  const auto box_of = [&](nibble_yolo_form form) {
    const nibble_yolo head{form, 2, 3, 1, 2, 1, sizes, s, NIBBLE_LOGISTIC};
    std::vector<float> numbers(t, t + 4);
    if (form != NIBBLE_YOLO_V8) numbers.push_back(4);
    numbers.insert(numbers.end(), {-5, 3});
    Found found;
    nibble_decode_yolo(&head, cell(numbers).data(), 0.5, &found.objects);
    EXPECT_EQ(found.objects.count, 1);
    EXPECT_EQ(found.room[0].class_index, 1);
    EXPECT_NEAR(found.room[0].score, (form == NIBBLE_YOLO_V8 ? 1 : logistic(4)) * logistic(3), 1e-9);
    return found.room[0];
  };
  const auto around = [](double x, double y, double w, double h) {
    return nibble_object{x - w / 2, y - h / 2, x + w / 2, y + h / 2, 0, 0};
  };
  const auto same = [](const nibble_object& found, const nibble_object& right) {
    expect_box(found, right.left, right.top, right.right, right.bottom);
  };
  const double a = t[0], b = t[1], c = t[2], d = t[3];
  same(box_of(NIBBLE_YOLO_V3),
       around((logistic(a) + 2) * s, (logistic(b) + 1) * s, 12 * std::exp(c), 20 * std::exp(d)));
  same(box_of(NIBBLE_YOLO_V5), around((2 * logistic(a) + 1.5) * s, (2 * logistic(b) + 0.5) * s,
                                      12 * std::pow(2 * logistic(c), 2), 20 * std::pow(2 * logistic(d), 2)));
  same(box_of(NIBBLE_YOLO_X), around((a + 2) * s, (b + 1) * s, std::exp(c) * s, std::exp(d) * s));
  same(box_of(NIBBLE_YOLO_V8), {(2.5 - a) * s, (1.5 - b) * s, (2.5 + c) * s, (1.5 + d) * s, 0, 0});
}

TEST(Yolo, DistancesMayBeMeansOverBins) {
  const nibble_yolo head{NIBBLE_YOLO_V8, 2, 3, 1, 1, 2, nullptr, 8, NIBBLE_LOGISTIC};
  Found found;
  nibble_decode_yolo(&head, cell({0, 0, 0, 0, 0, 0, 0, 2, 5}).data(), 0.5, &found.objects);
  ASSERT_EQ(found.objects.count, 1);
  expect_box(found.room[0], (2.5 - 0.5) * 8, (1.5 - 0.5) * 8, (2.5 + 0.5) * 8, (1.5 + logistic(2)) * 8);
}

TEST(Suppression, KeepsTheBestOfWhatOverlapsAndEveryClass) {
  Found found;
  const nibble_object given[] = {
      {0, 0, 10, 10, 0.9, 0}, {1, 0, 11, 10, 0.8, 0}, {0, 0, 10, 10, 0.7, 1}, {6, 0, 16, 10, 0.6, 0}};
  std::copy(std::begin(given), std::end(given), found.room.begin());
  found.objects.count = 4;
  nibble_suppress(&found.objects, 0.5, 0, 10);
  ASSERT_EQ(found.objects.count, 3);
  EXPECT_EQ(found.room[1].class_index, 1);
  EXPECT_EQ(found.room[2].left, 6);
  nibble_suppress(&found.objects, 0.2, 1, 10);
  EXPECT_EQ(found.objects.count, 1);
}

TEST(Objects, BeyondTheRoomTheWorstAreLeftOut) {
  const nibble_yolo head{NIBBLE_YOLO_X, 1, 4, 1, 0, 1, nullptr, 1, NIBBLE_SCORES};
  std::vector<float> values(5 * 4, 0);
  for (size_t i = 0; i < 4; ++i) values[16 + i] = 0.5f + 0.1f * static_cast<float>(i);
  std::vector<nibble_object> room(2);
  nibble_objects objects{room.data(), 0, 2};
  nibble_decode_yolo(&head, values.data(), 0.1, &objects);
  ASSERT_EQ(objects.count, 2);
  EXPECT_FLOAT_EQ(static_cast<float>(room[0].score), 0.8f);
  EXPECT_FLOAT_EQ(static_cast<float>(room[1].score), 0.7f);
}

}  // namespace
