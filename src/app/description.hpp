#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "app/bundle.hpp"
#include "data/dataset.hpp"
#include "data/sound.hpp"
#include "processing/image.h"

namespace nibble::app {

/// How a picture becomes the network's input: placed and resized as 8-bit pixels, then each value as
/// data::Preprocess says (channels, scale, mean, std; never resized there).
struct ImageInput {
  nibble_image_input place{0, 0, NIBBLE_STRETCH, NIBBLE_BILINEAR, 100, {0, 0, 0}};
  std::optional<data::Preprocess> values;  ///< nothing: what the network carries
};

/// What an application reads.
enum class Kind : uint8_t { Image, Sound, Numbers };

struct SampleInput {
  std::string file;
  std::optional<nibble_rectangle> box;  ///< of a picture, the part that is looked at
  Json golden;                          ///< null before it is packed
};

/// app.json, read.
struct Description {
  std::string name, task, network;
  std::vector<std::string> classes;
  Kind kind = Kind::Numbers;
  ImageInput image;
  data::SoundInput sound;
  int64_t hop = 0;     ///< of a sound, samples from one window to the next
  Json input, output;  ///< as they stand there
  std::vector<SampleInput> samples;
  Json whole;
};

/// Throws UserError "app: app.json: <key>: ...". `parts` hold what it names (classes may be a file, a name a line).
Description describe(const Parts& parts, const std::string& place);

/// The box in "x,y,w,h" or [x, y, w, h].
nibble_rectangle box_of(const Json& json, const std::string& place);
nibble_rectangle parse_box(std::string_view text, const std::string& place);

}  // namespace nibble::app
