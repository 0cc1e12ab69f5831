#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/tensor.hpp"
#include "processing/sound.h"

namespace nibble::data {

/// What a network hears at once:
/// {"rate": 16000, "seconds": 1, "flat": false,
///  "features": {"window_length": 480, "hop": 320, "bands": 40, ...nibble_sound_features by its names...}}
/// Values by number: "hann", not NIBBLE_HANN; true, not 1. `transform` is the least power of two that holds the window
/// unless it is said, `high` half the rate; else hann, not symmetric, frame "window", padding "none", power 1, low 0,
/// mel "htk", triangles "mel", no area, logarithm "natural" with floor 1e-6 added, no top, coefficients 0, dct
/// "tensorflow", gain 1, offset 0.
struct SoundInput {
  int64_t samples = 0;  ///< seconds * rate; of a longer sound its first, of a shorter one with zeros behind it
  bool flat = false;    ///< the network takes [frames * values], else [1, frames, values]
  nibble_sound_features features{};

  Shape shape() const;
};
/// Throws UserError naming the key, or that no frame fits.
SoundInput sound_input_from_json(const Json& json, const std::string& place);
Json to_json(const SoundInput& input);

/// A SoundInput's tables, made once for many sounds; may be called from several threads at once.
class SoundFeatures {
 public:
  explicit SoundFeatures(const SoundInput& input);
  /// Float32 of the input's shape. Throws UserError "data: <place>: ..." where the sound has another rate.
  Tensor operator()(std::span<const float> samples, int64_t rate, const std::string& place) const;

 private:
  SoundInput input_;
  std::vector<double> tables_;
};

}  // namespace nibble::data
