#include "backends/weights.hpp"

namespace nibble::backends {
namespace {

int64_t plain(const nibble_conv& conv, int64_t at) {
  switch (conv.w_type) {
    case NIBBLE_I8: return static_cast<const int8_t*>(conv.weights)[at];
    case NIBBLE_U8: return static_cast<const uint8_t*>(conv.weights)[at];
    case NIBBLE_I16: return static_cast<const int16_t*>(conv.weights)[at];
    case NIBBLE_U16: return static_cast<const uint16_t*>(conv.weights)[at];
    case NIBBLE_I32: return static_cast<const int32_t*>(conv.weights)[at];
    default: return static_cast<const int64_t*>(conv.weights)[at];
  }
}

/// Weight `at` of those that begin at a byte.
int64_t packed(const nibble_conv& conv, int64_t begin, int64_t at) {
  const uint8_t* bytes = static_cast<const uint8_t*>(conv.weights) + begin;
  if (conv.w_bits == 8) return static_cast<int8_t>(bytes[at]);
  const int64_t bit = at * conv.w_bits;
  return conv.w_low + int64_t{conv.w_step} * (bytes[bit / 8] >> (bit % 8) & ((1 << conv.w_bits) - 1));
}

/// The matrix of rows of `columns` weights, each beginning on a byte.
int64_t folded(const nibble_conv& conv, int64_t row, int64_t column, int64_t columns) {
  return packed(conv, row * ((columns * conv.w_bits + 7) / 8), column);
}

int64_t padded(int64_t columns) {
  return (columns + 3) / 4 * 4;
}

/// Where weights stand in the blocked format: its columns, and the column of a tap's first channel (kernels.h).
struct Blocked {
  int64_t columns, row, tap_step, width;

  Blocked(const nibble_conv& conv, const Weights& weights) {
    const bool depthwise = conv.groups > 1;
    width = depthwise ? weights.taps : conv.kernel[2];
    tap_step = depthwise ? 1 : weights.ins;
    row = padded(width * tap_step);
    columns = weights.taps / width * row;
  }
  int64_t at(int64_t out, int64_t tap, int64_t in) const {
    const int64_t column = tap / width * row + tap % width * tap_step + in;
    return ((out / 16 * (columns / 4) + column / 4) * 16 + out % 16) * 4 + column % 4;
  }
};

bool is_depthwise(const nibble_conv& conv) {
  return conv.groups > 1 && conv.groups == conv.in_channels && conv.groups == conv.out_channels;
}

/// In the program's format.
int64_t weight(const nibble_conv& conv, const Weights& of, const Blocked& blocked, int64_t out, int64_t tap,
               int64_t in) {
  if (conv.w_format == NIBBLE_BLOCKED) return packed(conv, 0, blocked.at(out, tap, in));
  const int64_t column = tap * of.ins + in;
  if (conv.w_format == NIBBLE_PLAIN) return plain(conv, out * of.taps * of.ins + column);
  return is_depthwise(conv) ? folded(conv, tap, out, of.outs) : folded(conv, out, column, of.taps * of.ins);
}

}  // namespace

int64_t Weights::sum(int64_t out, int64_t tap) const {
  int64_t total = 0;
  for (int64_t in = 0; in < ins; ++in) total += at(out, tap, in);
  return total;
}

std::optional<Weights> weights_of(const nibble_conv& conv) {
  Weights weights{
      conv.out_channels, int64_t{conv.kernel[0]} * conv.kernel[1] * conv.kernel[2], conv.in_channels / conv.groups, {}};
  weights.numbers.reserve(static_cast<size_t>(weights.outs * weights.taps * weights.ins));
  const Blocked blocked(conv, weights);
  for (int64_t out = 0; out < weights.outs; ++out)
    for (int64_t tap = 0; tap < weights.taps; ++tap)
      for (int64_t in = 0; in < weights.ins; ++in) {
        const int64_t w = weight(conv, weights, blocked, out, tap, in);
        if (w < INT8_MIN || w > INT8_MAX) return std::nullopt;
        weights.numbers.push_back(static_cast<int32_t>(w));
      }
  return weights;
}

}  // namespace nibble::backends
