#include "app/tasks/fixed_detector.hpp"

#include <algorithm>
#include <cmath>

#include "app/tasks/fixed_output.hpp"
#include "base/error.hpp"
#include "processing/real.h"

namespace nibble::app {
namespace {

/// Octaves in 1/2^32 of a natural logarithm.
constexpr double octaves = 1.4426950408889634 * 0x1p32;

/// Pixels in 1/65536, of which a network's input has 4096 at most.
int32_t place_of(double pixels, const std::string& what, const std::string& place) {
  if (!(std::abs(pixels) <= 8192)) fail("app", place, what + " of " + std::to_string(pixels), "at most 8192 pixels");
  return static_cast<int32_t>(std::lround(pixels * 65536));
}

std::vector<int32_t> places_of(std::span<const float> pixels, const std::string& what, const std::string& place) {
  std::vector<int32_t> result;
  for (const float each : pixels) result.push_back(place_of(static_cast<double>(each), what, place));
  return result;
}

nibble_fixed_scores scores_of(const Detector& detector, const program::Port& port, const std::string& place) {
  const double scale = scale_of(port, place);
  const bool given = detector.scores == NIBBLE_SCORES;
  const auto passes = [&](int64_t level) {
    const double x = static_cast<double>(real_of(scale, level));
    return (given ? std::clamp(x, 0.0, 1.0) : nibble_logistic(x)) >= detector.threshold;
  };
  return {detector.scores, factor_of(scale * (given ? 0x1p30 : octaves), reach_of(port), "a scale", place),
          static_cast<int32_t>(std::lround(std::ldexp(detector.threshold, 30))), least_that(port, passes)};
}

/// How many elements lie between one and the next along the axes behind the batch.
std::vector<int64_t> steps_of(const program::Port& port, size_t rank) {
  return {port.value.strides.end() - static_cast<int64_t>(rank), port.value.strides.end()};
}

void add_ssd(FixedDetector& fixed, const Detector& detector, const Ports& outputs, const std::string& place) {
  const Detector::Ssd& ssd = *detector.ssd;
  const program::Port &offsets = outputs[ssd.offsets], &classes = outputs[ssd.scores];
  const double scale = scale_of(offsets, place);
  const std::vector<int64_t> offset = steps_of(offsets, 2), score = steps_of(classes, 2);
  fixed.tables.push_back(places_of(ssd.anchors.as<float>(), "an anchor", place));
  fixed.ssd.push_back({integers_of(offsets, place), integers_of(classes, place), offset[0], offset[1], score[0],
                       score[1], nullptr, static_cast<int32_t>(ssd.head.count), ssd.head.classes, ssd.head.background,
                       ssd.head.y_first,
                       factor_of(scale * ssd.head.variance[0] * 0x1p24, reach_of(offsets), "a variance", place),
                       factor_of(scale * ssd.head.variance[1] * octaves, reach_of(offsets), "a variance", place),
                       scores_of(detector, classes, place)});
  fixed.places += ssd.head.count * (ssd.head.classes - (ssd.head.background >= 0 ? 1 : 0));
}

void add_yolo(FixedDetector& fixed, const Detector& detector, const Detector::Yolo& yolo, const Ports& outputs,
              const std::string& place) {
  const program::Port& port = outputs[yolo.output];
  const nibble_yolo& head = yolo.head;
  const double scale = scale_of(port, place);
  const std::vector<int64_t> steps = steps_of(port, 3);
  fixed.tables.push_back(places_of(yolo.sizes, "an anchor", place));
  fixed.yolo.push_back({head.form, integers_of(port, place), steps[0], steps[1], steps[2], head.rows, head.columns,
                        head.anchors, head.classes, head.bins, nullptr, place_of(head.stride, "a stride", place),
                        factor_of(scale * head.stride * 0x1p16, reach_of(port), "a scale", place),
                        factor_of(scale * octaves, reach_of(port), "a scale", place),
                        scores_of(detector, port, place)});
  fixed.places += int64_t{head.rows} * head.columns * std::max(head.anchors, 1) * std::max(head.classes, 1);
}

}  // namespace

FixedDetector fixed_detector(const Detector& detector, const Ports& outputs, const std::string& place) {
  FixedDetector fixed;
  if (detector.ssd) add_ssd(fixed, detector, outputs, place);
  for (const Detector::Yolo& yolo : detector.yolo) add_yolo(fixed, detector, yolo, outputs, place);
  fixed.overlap = std::llround(std::ldexp(detector.overlap, 31));
  return fixed;
}

}  // namespace nibble::app
