#include "codegen/external.hpp"

#include <algorithm>

#include "codegen/code.hpp"
#include "kernels/kernels.h"
#include "program/parameters.hpp"

namespace nibble::codegen {
namespace {

/// The convolution of a step whose weights may be outside; nullptr where they may not.
const nibble_conv* movable(const program::Step& step, const std::vector<int64_t>& block) {
  if (step.kind != NIBBLE_KIND_CONV) return nullptr;
  const auto* p = reinterpret_cast<const nibble_conv*>(block.data());
  const bool depthwise = p->groups > 1;
  if (p->w_format != NIBBLE_FOLDED || p->weights == nullptr) return nullptr;
  if (depthwise && (p->groups != p->in_channels || p->groups != p->out_channels)) return nullptr;
  const int form = p->stage.form;
  const bool known = form == NIBBLE_STAGE_NONE || form == NIBBLE_STAGE_PRODUCT || form == NIBBLE_STAGE_PRODUCT32 ||
                     form == NIBBLE_STAGE_THRESHOLDS || form == NIBBLE_STAGE_DIVIDE;
  return known ? p : nullptr;
}

/// Of weights side by side.
int64_t bytes_of(const nibble_conv& p, int64_t weights) {
  return (weights * p.w_bits + 7) / 8;
}

}  // namespace

External external_weights(const program::Program& program, int64_t room) {
  External external;
  external.room = room > 0 ? (room + 7) / 8 * 8 : 0;
  std::map<int64_t, int64_t> placed;
  for (size_t i = 0; room > 0 && i < program.steps.size(); ++i) {
    const program::Step& step = program.steps[i];
    const std::vector<int64_t> block = program::parameters_of(step.kind, step.numbers);
    const nibble_conv* p = movable(step, block);
    if (p == nullptr) continue;
    const int64_t piece = weights_of(step);
    // What is fetched together: an output channel's weights, of a depthwise convolution all, each tap's from a byte on.
    const int64_t taps = int64_t{p->kernel[0]} * p->kernel[1] * p->kernel[2];
    const bool depthwise = p->groups > 1;
    const int64_t row = depthwise ? taps * bytes_of(*p, p->groups) : bytes_of(*p, taps * p->in_channels);
    const int64_t rows = depthwise ? 1 : p->out_channels;
    Tiles tiles{0, row, rows, row * rows, piece};
    if (tiles.bytes > external.room) tiles.channels = external.room / row / 16 * 16;
    if (tiles.channels == 0 || (rows == 1 && tiles.bytes > external.room)) continue;
    const auto [found, is_new] = placed.try_emplace(piece, static_cast<int64_t>(external.image.size()));
    tiles.offset = found->second;
    if (is_new)
      external.image.insert(external.image.end(), program.constants.begin() + piece,
                            program.constants.begin() + piece + tiles.bytes);
    external.steps.emplace(i, tiles);
  }
  return external;
}

}  // namespace nibble::codegen
