#include "backends/onednn/convolution.hpp"

#include <algorithm>

#include "backends/onednn/parts.hpp"

namespace nibble::backends {
namespace {

constexpr int64_t most_elements = int64_t{1} << 28;
constexpr int64_t most_border_bytes = int64_t{1} << 20;
constexpr int64_t band_bytes = int64_t{128} << 10;     ///< of sums, which a core's cache holds
constexpr int64_t worth_two_bands = int64_t{2} << 20;  ///< multiply-accumulates that two threads may share

size_t rounded(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

int64_t positions(const nibble_conv& conv) {
  return int64_t{conv.batch} * conv.out[0] * conv.out[1] * conv.out[2];
}

/// Whether an implementation is known to add four products in 32 bits.
bool sums_in_32_bits(const std::string& implementation) {
  return implementation.find("avx512_core_vnni") != std::string::npos ||
         implementation.find("amx") != std::string::npos;
}

}  // namespace

std::string Convolution::refusal(const nibble_conv& conv) {
  if (conv.x_type != NIBBLE_U8 && conv.x_type != NIBBLE_I8) return "activations wider than 8 bits";
  if (conv.acc_type != NIBBLE_I32) return "sums wider than 32 bits";
  if (positions(conv) == 0) return "no output positions";
  for (int axis = 0; axis < 3; ++axis)
    if (conv.kernel[axis] < 1 || conv.in[axis] < 1) return "an empty axis";
  if (positions(conv) > most_elements / conv.out_channels) return "more sums than it counts";
  if (int64_t{conv.batch} * conv.in[0] > most_elements || int64_t{conv.in[1]} * conv.in[2] > most_elements ||
      conv.batch * int64_t{conv.in[0]} * conv.in[1] * conv.in[2] > most_elements / conv.in_channels)
    return "more activations than it counts";
  if (Border::bytes(conv) > most_border_bytes) return "more kinds of border than a table holds";
  return "";
}

/// What no window meets at the end of an axis is left out.
void Convolution::find_extents() {
  int64_t stride = conv_.in_channels;
  for (int axis = 2; axis >= 0; --axis) {
    const int64_t reach = int64_t{conv_.kernel[axis] - 1} * conv_.dilation[axis] + 1;
    const int64_t met = int64_t{conv_.out[axis] - 1} * conv_.stride[axis] + reach - conv_.pad[axis];
    extent_[axis] = std::clamp<int64_t>(met, 1, conv_.in[axis]);
    gathers_ = gathers_ || (extent_[axis] > 1 && conv_.x_stride[axis + 1] != stride);
    stride *= extent_[axis];
  }
  gathers_ = gathers_ || shift_ != 0 || (conv_.batch > 1 && conv_.x_stride[0] != stride);
}

/// x' = x + shift, and its zero point likewise: sums of w * x' are too large by shift * sum w. A folded bias holds the zero
/// point already.
void Convolution::fill_addend(const Weights& weights) {
  const bool folded = conv_.w_format != NIBBLE_PLAIN;
  for (int64_t out = 0; out < weights.outs; ++out) {
    int64_t sum = 0;
    for (int64_t tap = 0; tap < weights.taps; ++tap) sum += weights.sum(out, tap);
    const int64_t bias = conv_.bias == nullptr ? 0 : static_cast<const int32_t*>(conv_.bias)[out];
    const int64_t addend = bias - (shift_ + (folded ? 0 : conv_.zero_point)) * sum;
    addend_.push_back(static_cast<int32_t>(static_cast<uint32_t>(addend)));
  }
}

const Primitive& Convolution::shaped(int64_t x_rows, int64_t pad, int64_t rows) {
  const std::array<int64_t, 3> wanted{x_rows, pad, rows};
  for (const Shaped& known : shapes_)
    if (known.rows == wanted) return *known.primitive;
  nibble_conv part = conv_;
  const int64_t extents[] = {extent_[0], x_rows, extent_[2]};
  part.pad[1] = static_cast<int32_t>(pad);
  part.out[1] = static_cast<int32_t>(rows);
  shapes_.push_back({wanted, std::make_unique<Primitive>(part, extents)});
  return *shapes_.back().primitive;
}

int64_t Convolution::rows_a_band() const {
  const int64_t all = conv_.out[1], row = 4 * int64_t{conv_.out[2]} * conv_.out_channels;
  if (has_depth(conv_) || conv_.batch > 1 || conv_.split || gathers_) return all;
  const int64_t window = int64_t{conv_.kernel[1]} * conv_.kernel[2] * conv_.in_channels / conv_.groups;
  const bool two = positions(conv_) * conv_.out_channels * window >= worth_two_bands;
  return std::clamp<int64_t>(std::min(band_bytes / row, two ? (all + 1) / 2 : all), 1, all);
}

/// Into bands of so many rows; not where a band meets nothing of x, or has no primitive of the same weights.
bool Convolution::cut(int64_t rows) {
  bands_.clear();
  const int64_t reach = int64_t{conv_.kernel[1] - 1} * conv_.dilation[1] + 1;
  for (int64_t row = 0; row < conv_.out[1]; row += rows) {
    const int64_t own = std::min(rows, conv_.out[1] - row);
    const int64_t from = row * conv_.stride[1] - conv_.pad[1], to = from + (own - 1) * conv_.stride[1] + reach;
    const int64_t first = std::max<int64_t>(from, 0), last = std::min(to, extent_[1]);
    if (own < conv_.out[1] && first >= last) return false;
    const bool whole = own == conv_.out[1];
    const Primitive& primitive =
        whole ? shaped(extent_[1], conv_.pad[1], own) : shaped(last - first, first - from, own);
    if (primitive.weights_description() != shapes_.front().primitive->weights_description() ||
        primitive.implementation() != shapes_.front().primitive->implementation())
      return false;
    bands_.push_back({row, own, whole ? 0 : first * extent_[2] * conv_.in_channels, &primitive});
  }
  return true;
}

Convolution::Convolution(const nibble_conv& conv) : conv_(conv), shift_(conv.x_type == NIBBLE_I8 ? 128 : 0) {
  const OneThread alone;
  find_extents();
  const auto weights = weights_of(conv);
  if (!weights) throw Refusal{"weights wider than 8 bits"};
  try {
    if (!cut(rows_a_band())) {
      shapes_.clear();
      cut(conv.out[1]);
    }
  } catch (const dnnl::error&) {
    throw Refusal{"a window that oneDNN does not implement"};
  }
  const std::string implementation = shapes_.front().primitive->implementation();
  if (implementation.starts_with("ref")) throw Refusal{"oneDNN has only its reference for it, which is slow"};
  auto parts = exact_parts(*weights, {.pairs = !sums_in_32_bits(implementation)});
  if (!parts) throw Refusal{"sums beyond 2^24, which oneDNN would round"};
  for (auto& part : *parts) parts_.push_back(shapes_.front().primitive->weights(conv, part));
  fill_addend(*weights);
  border_ = std::make_unique<Border>(conv, *weights, conv.zero_point + shift_);
}

size_t Convolution::gathered_bytes() const {
  const int64_t elements = conv_.batch * extent_[0] * extent_[1] * extent_[2] * conv_.in_channels;
  return gathers_ ? rounded(static_cast<size_t>(elements) + NIBBLE_SLACK) : 0;
}

int64_t Convolution::sums_of(const Band& band) const {
  return positions(conv_) / conv_.out[1] * band.rows * conv_.out_channels;
}

size_t Convolution::sums_bytes() const {
  return parts_.size() > 1 ? rounded(4 * static_cast<size_t>(sums_of(bands_.front())) + NIBBLE_SLACK) : 0;
}

size_t Convolution::scratch() const {
  size_t most = 0;
  for (const Shaped& shape : shapes_) most = std::max(most, shape.primitive->scratch());
  return gathered_bytes() + sums_bytes() + rounded(most);
}

std::string Convolution::kernel() const {
  return shapes_.front().primitive->implementation() +
         (parts_.size() > 1 ? ", " + std::to_string(parts_.size()) + " parts" : "");
}

void Convolution::gather(const void* x, uint8_t* to) const {
  const auto* from = static_cast<const uint8_t*>(x);
  const auto flip = static_cast<uint8_t>(shift_);
  for (int64_t n = 0; n < conv_.batch; ++n)
    for (int64_t i = 0; i < extent_[0]; ++i)
      for (int64_t j = 0; j < extent_[1]; ++j)
        for (int64_t k = 0; k < extent_[2]; ++k, to += conv_.in_channels) {
          const uint8_t* pixel =
              from + n * conv_.x_stride[0] + i * conv_.x_stride[1] + j * conv_.x_stride[2] + k * conv_.x_stride[3];
          for (int64_t c = 0; c < conv_.in_channels; ++c) to[c] = pixel[c] ^ flip;
        }
}

void Convolution::run(const void* x, int64_t begin, void* scratch, int32_t* v) const {
  const OneThread alone;
  const Band& band = bands_[bands_.size() > 1 ? static_cast<size_t>(begin / grain()) : 0];
  auto* own = static_cast<uint8_t*>(scratch);
  auto* more = reinterpret_cast<int32_t*>(own + gathered_bytes());
  void* scratchpad = own + gathered_bytes() + sums_bytes();
  const uint8_t* from = static_cast<const uint8_t*>(x) + band.x;
  if (gathers_) {
    gather(x, own);
    from = own;
  }
  band.primitive->run(parts_[0], from, scratchpad, v);
  for (size_t i = 1; i < parts_.size(); ++i) {
    band.primitive->run(parts_[i], from, scratchpad, more);
    for (int64_t k = 0; k < sums_of(band); ++k)
      v[k] = static_cast<int32_t>(static_cast<uint32_t>(v[k]) + static_cast<uint32_t>(more[k]));
  }
  border_->add_to(v, band.row, band.row + band.rows);
}

}  // namespace nibble::backends
