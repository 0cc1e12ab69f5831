#pragma once
#include <vector>

#include "app/tasks/detector.hpp"
#include "processing/fixed_detect.h"

namespace nibble::app {

/// A detector by integers: what decides over boxes, as processing/fixed_detect.h reads it.
struct FixedDetector {
  std::vector<std::vector<int32_t>> tables;  ///< anchors of an SSD; sizes of each YOLO head, none where it has none
  std::vector<nibble_fixed_ssd> ssd;         ///< one or none; anchors: tables[0]
  std::vector<nibble_fixed_yolo> yolo;       ///< sizes: tables[i]
  int64_t overlap = 0;                       ///< 1/2^31
  int64_t places = 0;                        ///< how many boxes there may be at most
};

/// Throws UserError where an output has several scales or 64 bits, or a number that integers have no room for.
FixedDetector fixed_detector(const Detector& detector, const Ports& outputs, const std::string& place);

}  // namespace nibble::app
