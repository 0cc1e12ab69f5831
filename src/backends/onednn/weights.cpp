#include "backends/onednn/weights.hpp"

#include <algorithm>

namespace nibble::backends {
namespace {

constexpr int64_t most_activation = 255;
constexpr int64_t most_sum = int64_t{1} << 24;
constexpr int64_t most_parts = 4;

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

/// One of `count` parts of a number that add up to it and differ by 1 at most.
int64_t part_of(int64_t number, int64_t index, int64_t count) {
  const int64_t of = number + index;
  return of >= 0 ? of / count : -((-of + count - 1) / count);
}

/// Whether a row of weights is summed without an error, whatever the activations.
bool is_exact(const int8_t* row, int64_t count, Arithmetic arithmetic) {
  int64_t above = 0, below = 0;
  int64_t high[2] = {0, 0}, low[2] = {0, 0};
  for (int64_t i = 0; i < count; ++i) {
    const int64_t w = row[i];
    (w > 0 ? above : below) += w * most_activation;
    if (w > high[1]) high[1] = w;
    if (w < low[1]) low[1] = w;
    if (high[1] > high[0]) std::swap(high[0], high[1]);
    if (low[1] < low[0]) std::swap(low[0], low[1]);
  }
  if (above > most_sum || below < -most_sum) return false;
  return !arithmetic.pairs ||
         ((high[0] + high[1]) * most_activation <= INT16_MAX && (low[0] + low[1]) * most_activation >= INT16_MIN);
}

bool is_exact(const std::vector<int8_t>& part, const Weights& weights, Arithmetic arithmetic) {
  const int64_t row = weights.taps * weights.ins;
  for (int64_t out = 0; out < weights.outs; ++out)
    if (!is_exact(part.data() + out * row, row, arithmetic)) return false;
  return true;
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

std::optional<std::vector<std::vector<int8_t>>> exact_parts(const Weights& weights, Arithmetic arithmetic) {
  for (int64_t count = 1; count <= most_parts; ++count) {
    std::vector<std::vector<int8_t>> parts;
    for (int64_t index = 0; index < count; ++index) {
      std::vector<int8_t>& part = parts.emplace_back();
      part.reserve(weights.numbers.size());
      for (int32_t w : weights.numbers) part.push_back(static_cast<int8_t>(part_of(w, index, count)));
      if (!is_exact(part, weights, arithmetic)) break;
      if (index + 1 == count) return parts;
    }
  }
  return std::nullopt;
}

}  // namespace nibble::backends
