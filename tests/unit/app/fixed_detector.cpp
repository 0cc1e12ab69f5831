#include "app/tasks/fixed_detector.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "app/tasks/fixed_output.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

/// An output of random integers: as tasks in reals see it, and as it lies in memory.
struct Output {
  program::Port port;
  std::vector<float> reals;
  std::vector<uint8_t> bytes;
};

class Heads {
 public:
  explicit Heads(uint32_t seed) : random_(seed) {}

  int64_t whole(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  double real(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }

  /// Of integers of any type that reach about `reach` to both sides; rows first, or channels last.
  Output output(const std::string& name, const Shape& extents, double low, double high) {
    static constexpr int64_t lows[] = {0, -128, 0, -32768, 0, -90000}, highs[] = {0, 127, 255, 32767, 65535, 90000};
    static constexpr size_t widths[] = {0, 1, 1, 2, 2, 4};
    Output result;
    program::Port& port = result.port;
    port.value.name = name;
    port.value.type = static_cast<int32_t>(whole(1, 5));
    port.value.extents = extents;
    const auto type = static_cast<size_t>(port.value.type);
    port.low = lows[type];
    port.high = highs[type];
    port.scale = {static_cast<double>(static_cast<float>((high - low) / static_cast<double>(port.high - port.low)))};
    port.zero_point = std::llround(static_cast<double>(port.low) - low / port.scale[0]);
    port.value.strides = laid(extents);
    const int64_t count = element_count(extents);
    result.bytes.resize(static_cast<size_t>(count) * widths[type]);
    std::vector<int64_t> index(extents.size());
    for (int64_t i = 0; i < count; ++i) {
      int64_t at = 0, rest = i;
      for (size_t axis = extents.size(); axis-- > 0; rest /= extents[axis])
        at += rest % extents[axis] * port.value.strides[axis];
      const int64_t level = whole(port.low, port.high);
      result.reals.push_back(real_of(port.scale[0], level - port.zero_point));
      std::memcpy(result.bytes.data() + static_cast<size_t>(at) * widths[type], &level, widths[type]);
    }
    return result;
  }

 private:
  std::vector<int64_t> laid(const Shape& extents) {
    std::vector<int64_t> strides(extents.size(), 1);
    for (size_t i = extents.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * extents[i + 1];
    if (extents.size() == 4 && whole(0, 1) == 1) strides = {strides[0], 1, extents[1] * extents[3], extents[1]};
    return strides;
  }

  std::mt19937 random_;
};

/// Whether two scores, a score and the threshold, or an overlap and its threshold are so near that rounding decides.
bool has_ties(const std::vector<nibble_object>& candidates, const Detector& detector) {
  const double window = 0x1p-22;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (std::abs(candidates[i].score - detector.threshold) < window) return true;
    const double gap = i > 0 ? candidates[i - 1].score - candidates[i].score : 1;
    if (gap != 0 && gap < window) return true;
  }
  return false;
}

double overlap(const nibble_object& a, const nibble_object& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (!(width > 0) || !(height > 0)) return 0;
  return width * height /
         ((a.right - a.left) * (a.bottom - a.top) + (b.right - b.left) * (b.bottom - b.top) - width * height);
}

bool overlaps_tie(const std::vector<nibble_object>& candidates, const Detector& detector) {
  for (size_t i = 0; i < candidates.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (std::abs(overlap(candidates[i], candidates[k]) - detector.overlap) < 0x1p-10) return true;
  return false;
}

struct Case {
  Detector detector;
  std::vector<Output> outputs;

  Ports ports() const {
    Ports ports;
    for (const Output& output : outputs) ports.push_back(output.port);
    return ports;
  }
};

Case yolo_case(Heads& heads, nibble_yolo_form form, nibble_scores scores) {
  Case one;
  Detector& detector = one.detector;
  detector.scores = scores;
  detector.threshold = heads.real(0.2, 0.6);
  detector.overlap = heads.real(0.1, 0.8);
  detector.across = heads.whole(0, 1) == 1;
  detector.bins = form == NIBBLE_YOLO_V8 && heads.whole(0, 1) == 1 ? heads.whole(2, 16) : 1;
  const bool sized = form == NIBBLE_YOLO_V3 || form == NIBBLE_YOLO_V5, v8 = form == NIBBLE_YOLO_V8;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t classes = heads.whole(v8 ? 1 : 0, 3), rows = heads.whole(1, 3), columns = heads.whole(1, 3);
    std::vector<float> sizes;
    for (int64_t k = sized ? 2 * heads.whole(1, 2) : 0; k > 0; --k)
      sizes.push_back(static_cast<float>(heads.real(2, 60)));
    const int64_t anchors = sized ? static_cast<int64_t>(sizes.size()) / 2 : 1;
    const int64_t numbers = (v8 ? 4 * detector.bins : 5) + classes;
    const bool given = scores == NIBBLE_SCORES;
    one.outputs.push_back(heads.output("head" + std::to_string(i), {1, anchors * numbers, rows, columns},
                                       given ? -0.5 : -3, given ? 1.5 : 3));
    detector.yolo.push_back(
        {i,
         sizes,
         {form, static_cast<int32_t>(rows), static_cast<int32_t>(columns), static_cast<int32_t>(anchors),
          static_cast<int32_t>(classes), static_cast<int32_t>(detector.bins), nullptr, heads.real(4, 40), scores}});
  }
  return one;
}

Case ssd_case(Heads& heads, nibble_scores scores) {
  Case one;
  Detector& detector = one.detector;
  const int64_t count = heads.whole(1, 12), classes = heads.whole(2, 4);
  detector.scores = scores;
  detector.threshold = heads.real(0.2, 0.6);
  detector.overlap = heads.real(0.1, 0.8);
  detector.background = heads.whole(-1, 1);
  one.outputs.push_back(heads.output("offsets", {1, count, 4}, -6, 6));
  one.outputs.push_back(heads.output("scores", {1, count, classes}, scores == NIBBLE_SCORES ? -0.5 : -4,
                                     scores == NIBBLE_SCORES ? 1.5 : 4));
  Detector::Ssd ssd;
  ssd.scores = 1;
  ssd.anchors = Tensor(ElementType::Float32, {count, 4});
  for (float& each : ssd.anchors.as<float>()) each = static_cast<float>(heads.real(4, 80));
  ssd.head = {nullptr, count,      static_cast<int32_t>(classes),          static_cast<int32_t>(detector.background),
              scores,  {0.1, 0.2}, static_cast<int32_t>(heads.whole(0, 1))};
  detector.ssd = std::move(ssd);
  return one;
}

struct Found {
  std::vector<nibble_object> candidates, reals;
  std::vector<nibble_fixed_object> integers;
};

Found found_in(const Case& one) {
  const Detector& detector = one.detector;
  std::vector<nibble_object> reals(1000);
  std::vector<nibble_fixed_object> integers(1000);
  nibble_objects objects{reals.data(), 0, 1000};
  nibble_fixed_objects fixed_objects{integers.data(), 0, 1000, 0};
  FixedDetector fixed = fixed_detector(detector, one.ports(), "test");
  if (detector.ssd) {
    const nibble_ssd head = detector.ssd->whole();
    nibble_decode_ssd(&head, one.outputs[0].reals.data(), one.outputs[1].reals.data(), detector.threshold, &objects);
    fixed.ssd[0].anchors = fixed.tables[0].data();
    nibble_fixed_decode_ssd(&fixed.ssd[0], one.outputs[0].bytes.data(), one.outputs[1].bytes.data(), &fixed_objects);
  }
  for (size_t i = 0; i < detector.yolo.size(); ++i) {
    const nibble_yolo head = detector.yolo[i].whole();
    nibble_decode_yolo(&head, one.outputs[i].reals.data(), detector.threshold, &objects);
    fixed.yolo[i].sizes = fixed.tables[i].empty() ? nullptr : fixed.tables[i].data();
    nibble_fixed_decode_yolo(&fixed.yolo[i], one.outputs[i].bytes.data(), &fixed_objects);
  }
  Found found;
  found.candidates.assign(reals.begin(), reals.begin() + objects.count);
  nibble_suppress(&objects, detector.overlap, detector.across ? 1 : 0, detector.most);
  nibble_fixed_suppress(&fixed_objects, fixed.overlap, detector.across ? 1 : 0, static_cast<int32_t>(detector.most));
  found.reals.assign(reals.begin(), reals.begin() + objects.count);
  found.integers.assign(integers.begin(), integers.begin() + fixed_objects.count);
  return found;
}

/// Whether both agree, where no tie lets rounding decide; how many boxes were compared.
int64_t expect_same(const Case& one, int64_t& decided) {
  const Found found = found_in(one);
  if (has_ties(found.candidates, one.detector) || overlaps_tie(found.candidates, one.detector)) return 0;
  ++decided;
  EXPECT_EQ(found.integers.size(), found.reals.size());
  if (found.integers.size() != found.reals.size()) return 0;
  for (size_t i = 0; i < found.reals.size(); ++i) {
    const nibble_object& real = found.reals[i];
    const nibble_fixed_object& integer = found.integers[i];
    EXPECT_EQ(integer.class_index, real.class_index);
    EXPECT_NEAR(integer.score / 0x1p30, real.score, 0x1p-22);
    const double size = std::max(std::abs(real.right - real.left), std::abs(real.bottom - real.top));
    const auto near = [&](int32_t place, double right) {
      EXPECT_NEAR(place / 65536.0, right, 0x1p-13 + size * 0x1p-20);
    };
    near(integer.left, real.left);
    near(integer.top, real.top);
    near(integer.right, real.right);
    near(integer.bottom, real.bottom);
  }
  return static_cast<int64_t>(found.reals.size());
}

TEST(DetectionByIntegers, FindsTheBoxesOfTheRealsInTheirOrder) {
  const int64_t rounds = std::getenv("NIBBLE_ROUNDS") != nullptr ? std::atol(std::getenv("NIBBLE_ROUNDS")) : 60;
  Heads heads(11);
  int64_t decided = 0, boxes = 0, all = 0;
  for (int64_t round = 0; round < rounds; ++round)
    for (const nibble_scores scores : {NIBBLE_SCORES, NIBBLE_LOGISTIC, NIBBLE_NORMALISED}) {
      for (const nibble_yolo_form form : {NIBBLE_YOLO_V3, NIBBLE_YOLO_V5, NIBBLE_YOLO_X, NIBBLE_YOLO_V8}) {
        SCOPED_TRACE(testing::Message() << "round " << round << " scores " << scores << " form " << form);
        boxes += expect_same(yolo_case(heads, form, scores), decided);
        ++all;
      }
      SCOPED_TRACE(testing::Message() << "round " << round << " scores " << scores << " ssd");
      boxes += expect_same(ssd_case(heads, scores), decided);
      ++all;
    }
  EXPECT_GT(decided, all / 2) << "ties were the rule";
  EXPECT_GT(boxes, all);
  RecordProperty("decided", static_cast<int>(decided));
  RecordProperty("boxes", static_cast<int>(boxes));
}

TEST(DetectionByIntegers, KeepsTheBestOfTooManyAndCountsTheRest) {
  std::vector<uint8_t> levels(5 * 4, 0);
  for (size_t i = 0; i < 4; ++i) levels[16 + i] = static_cast<uint8_t>(50 + 10 * i);
  nibble_fixed_yolo head{};
  head.form = NIBBLE_YOLO_X;
  head.lie = {1, 0};
  head.plane = 4;
  head.row = 4;
  head.column = 1;
  head.rows = head.anchors = 1;
  head.columns = 4;
  head.stride = 1 << 16;
  head.places = head.octaves = factor_of(1, 100, "", "");
  head.scores = {NIBBLE_SCORES, factor_of(0x1p30 / 100, 100, "", ""), 1, 10};
  std::vector<nibble_fixed_object> room(2);
  nibble_fixed_objects objects{room.data(), 0, 2, 0};
  nibble_fixed_decode_yolo(&head, levels.data(), &objects);
  ASSERT_EQ(objects.count, 2);
  EXPECT_EQ(objects.left_out, 2);
  EXPECT_NEAR(room[0].score, 0.8 * 0x1p30, 2);
  EXPECT_NEAR(room[1].score, 0.7 * 0x1p30, 2);
}

TEST(DetectionByIntegers, HoldsWhatIsFarBeyondEveryPicture) {
  Heads heads(3);
  for (int round = 0; round < 200; ++round)
    for (const nibble_yolo_form form : {NIBBLE_YOLO_V3, NIBBLE_YOLO_V5, NIBBLE_YOLO_X, NIBBLE_YOLO_V8}) {
      Case one = yolo_case(heads, form, NIBBLE_LOGISTIC);
      for (Output& output : one.outputs) output.port.scale[0] *= std::ldexp(1.0, static_cast<int>(heads.whole(0, 14)));
      for (const nibble_fixed_object& object : found_in(one).integers) {
        EXPECT_LE(std::abs(int64_t{object.left}), NIBBLE_PLACE_MOST);
        EXPECT_LE(std::abs(int64_t{object.bottom}), NIBBLE_PLACE_MOST);
        EXPECT_GE(object.score, 0);
        EXPECT_LE(object.score, 1 << 30);
      }
    }
}

TEST(DetectionByIntegers, RefusesWhatItHasNoRoomForByName) {
  Heads heads(5);
  Case one = yolo_case(heads, NIBBLE_YOLO_X, NIBBLE_LOGISTIC);
  const auto refused = [&] {
    try {
      fixed_detector(one.detector, one.ports(), "app.json: output");
    } catch (const UserError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused(), "");
  one.outputs[0].port.scale = {0.5, 0.25};
  EXPECT_EQ(refused(), "app: app.json: output: output 'head0' of 2 scales (expected one)");
  one.outputs[0].port.scale = {0.5};
  one.outputs[0].port.value.type = 6;
  EXPECT_EQ(refused(), "app: app.json: output: output 'head0' of 64 bits (expected integers of at most 32)");
  one.outputs[0].port.value.type = 5;
  one.detector.yolo[0].head.stride = 10000;
  EXPECT_EQ(refused(), "app: app.json: output: a stride of 10000.000000 (expected at most 8192 pixels)");
}

TEST(OverlapByIntegers, IsComparedWithoutRounding) {
  const int32_t side = 1 << 30;
  nibble_fixed_object room[] = {{-side, -side, side, side, 9, 0}, {-side, -side, side, 0, 8, 0}, {0, 0, 1, 1, 7, 0}};
  nibble_fixed_objects objects{room, 3, 3, 0};
  nibble_fixed_suppress(&objects, int64_t{1} << 30, 0, 10);  // one half, which the second has and does not exceed
  EXPECT_EQ(objects.count, 3);
  nibble_fixed_suppress(&objects, (int64_t{1} << 30) - 1, 0, 10);
  EXPECT_EQ(objects.count, 2);
  nibble_fixed_suppress(&objects, 0, 0, 10);
  EXPECT_EQ(objects.count, 1);
}

}  // namespace
}  // namespace nibble::app
