#pragma once
#include <vector>

#include "data/landmarks.hpp"
#include "processing/fixed_landmarks.h"
#include "program/program.hpp"

namespace nibble::app {

/// A face model by integers, as processing/fixed_landmarks.h reads it.
struct FixedFace {
  std::vector<nibble_fixed_parameter> parameters;
  std::vector<int32_t> average, basis;
  int32_t points = 0, shapes = 0, shift = 0;
  int64_t height = 0;
  double error = 0;  ///< pixels of the crop that a landmark is off at most, whatever the network gives

  nibble_fixed_face whole() const;
};

/// Of a model that is not the identity, on the integers of that output. Throws UserError where the output has integers
/// of 64 bits, or the model's numbers are too far apart for landmarks within 1/64 pixel.
FixedFace fixed_face(const data::LandmarkModel& model, const program::Port& port, const std::string& place);

}  // namespace nibble::app
