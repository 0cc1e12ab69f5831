#pragma once
#include <optional>
#include <vector>

#include "app/tasks/task.hpp"
#include "processing/detect.h"

namespace nibble::app {

/// What a description says of a detector: how boxes are made of the network's outputs, and which of them are kept.
struct Detector {
  /// An SSD's two outputs.
  struct Ssd {
    size_t offsets = 0, scores = 0;  ///< which outputs
    Tensor anchors;
    nibble_ssd head{};  ///< without its anchors

    nibble_ssd whole() const;
  };
  /// One scale of a YOLO head.
  struct Yolo {
    size_t output = 0;
    std::vector<float> sizes;
    nibble_yolo head{};  ///< without its sizes

    nibble_yolo whole() const;
  };

  static constexpr int64_t most_candidates = 1000;  ///< boxes before they suppress each other

  nibble_scores scores = NIBBLE_LOGISTIC;
  double threshold = 0.5, overlap = 0.45;
  int64_t most = 100, background = -1, bins = 1;
  bool across = false, y_first = false;
  std::optional<Ssd> ssd;
  std::vector<Yolo> yolo;  ///< where there is no SSD
};

/// Throws UserError where the outputs, the options or a part do not fit.
Detector detector_of(const Description& app, const Parts& parts, const Ports& outputs, const std::string& place);

/// The extents behind those of 1 that a batch leaves in front, down to that rank.
Shape without_batch(Shape extents, size_t rank);

}  // namespace nibble::app
