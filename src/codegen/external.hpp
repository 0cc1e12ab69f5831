#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "program/program.hpp"

/// Weights that generated code asks its caller for, tile by tile.
namespace nibble::codegen {

/// A convolution's weights outside: rows of output channels, `channels` of them at a time.
struct Tiles {
  int64_t offset = 0;    ///< in the image
  int64_t row = 0;       ///< bytes of an output channel; of a depthwise one, which comes whole, of all
  int64_t channels = 0;  ///< of a tile, a multiple of 16, or all
  int64_t bytes = 0;     ///< of all
  int64_t piece = 0;     ///< offset of the constant
};

struct External {
  int64_t room = 0;               ///< bytes in the arena
  std::map<size_t, Tiles> steps;  ///< by their number
  std::vector<uint8_t> image;     ///< what is to be outside
};

/// Folded weights of convolutions that are at least a tile's worth of the room, each piece once. What no tile of 16
/// channels brings into the room stays a constant. No room: nothing is outside.
External external_weights(const program::Program& program, int64_t room);

}  // namespace nibble::codegen
