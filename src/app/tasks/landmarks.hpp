#pragma once
#include "app/tasks.hpp"
#include "data/landmarks.hpp"

namespace nibble::app {

/// Which output gives landmarks, and by which model.
struct LandmarkOutput {
  size_t output = 0;
  data::LandmarkModel model;
};

/// Throws UserError where the output, or the part that holds the model, does not fit.
LandmarkOutput landmark_output_of(const Description& app, const Parts& parts, const Ports& outputs,
                                  const std::string& place);

}  // namespace nibble::app
