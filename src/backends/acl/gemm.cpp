#include "backends/acl/gemm.hpp"

#include <algorithm>
#include <cstring>

namespace nibble::backends {
namespace {

using arm_compute::DataLayout;
using arm_compute::DataType;
using arm_compute::TensorShape;

constexpr int64_t most_bytes = int64_t{1} << 28;

int64_t positions_of(const nibble_conv& conv) {
  return int64_t{conv.batch} * conv.out[0] * conv.out[1] * conv.out[2];
}

int64_t window_of(const nibble_conv& conv) {
  return int64_t{conv.kernel[0]} * conv.kernel[1] * conv.kernel[2] * conv.in_channels;
}

/// Whether x, as it lies, is the matrix of windows.
bool is_matrix(const nibble_conv& conv) {
  int64_t stride = conv.in_channels;
  for (int axis = 2; axis >= 0; --axis) {
    if (conv.kernel[axis] != 1 || conv.pad[axis] != 0 || conv.stride[axis] != 1) return false;
    if (conv.out[axis] != conv.in[axis] || (conv.in[axis] > 1 && conv.x_stride[axis + 1] != stride)) return false;
    stride *= conv.in[axis];
  }
  return conv.x_type == NIBBLE_I8 && (conv.batch == 1 || conv.x_stride[0] == stride);
}

bool pairs_fit(const Weights& weights) {
  const int64_t row = weights.taps * weights.ins;
  for (int64_t out = 0; out < weights.outs; ++out) {
    const auto from = weights.numbers.begin() + out * row;
    if (std::count(from, from + row, INT8_MIN) > 1) return false;
  }
  return true;
}

TensorShape matrix(int64_t rows, int64_t columns) {
  return {static_cast<size_t>(columns), static_cast<size_t>(rows)};
}

}  // namespace

const char* Gemm::refusal(const nibble_conv& conv) {
  if (conv.groups != 1) return "groups of more than one channel";
  if (conv.x_type != NIBBLE_U8 && conv.x_type != NIBBLE_I8) return "activations wider than 8 bits";
  const int64_t low = conv.x_type == NIBBLE_U8 ? 0 : INT8_MIN;
  if (conv.zero_point < low || conv.zero_point > low + UINT8_MAX) return "a zero point beyond 8 bits";
  if (conv.acc_type != NIBBLE_I32) return "sums wider than 32 bits";
  if (positions_of(conv) < 1 || window_of(conv) < 1 || conv.out_channels < 1) return "an empty tensor";
  if (positions_of(conv) > most_bytes / window_of(conv)) return "more windows than memory should hold";
  if (positions_of(conv) > most_bytes / conv.out_channels) return "more sums than memory should hold";
  return "";
}

Gemm::Gemm(const nibble_conv& conv)
    : conv_(conv),
      positions_(positions_of(conv)),
      row_(window_of(conv)),
      flip_(conv.x_type == NIBBLE_U8 ? 0x80 : 0),
      gathers_(!is_matrix(conv)),
      a_(matrix(positions_, row_), DataType::S8, DataLayout::NHWC),
      y_(matrix(positions_, conv.out_channels), DataType::S32, DataLayout::NHWC) {
  use_one_thread();
  const auto weights = weights_of(conv);
  if (!weights) throw Refusal{"weights wider than 8 bits"};
  if (!pairs_fit(*weights)) throw Refusal{"two weights of -128, whose products may leave 16 bits"};
  fill_addend(*weights);
  b_.allocator()->init(arm_compute::TensorInfo(matrix(row_, conv.out_channels), 1, DataType::S8));
  const arm_compute::GEMMInfo once(false, false, true);  // the weights are reordered once
  require(arm_compute::NEGEMMAssemblyDispatch::validate(a_.info(), b_.info(), nullptr, y_.info(), once),
          "matrices that it does not multiply");
  product_.configure(&a_, &b_, nullptr, &y_, once);
  if (!product_.is_configured()) throw Refusal{"matrices that it has no kernel for"};
  if (!a_.is_dense() || !y_.is_dense()) throw Refusal{"matrices with gaps between rows"};
  b_.allocator()->allocate();
  const auto& strides = b_.info()->strides_in_bytes();
  uint8_t* to = b_.buffer() + b_.info()->offset_first_element_in_bytes();
  for (int64_t k = 0; k < row_; ++k)
    for (int64_t out = 0; out < weights->outs; ++out)
      to[static_cast<size_t>(k) * strides[1] + static_cast<size_t>(out)] =
          static_cast<uint8_t>(weights->numbers[static_cast<size_t>(out * row_ + k)]);
  product_.prepare();
}

/// A folded bias holds the zero point already.
void Gemm::fill_addend(const Weights& weights) {
  const bool folded = conv_.w_format != NIBBLE_PLAIN;
  for (int64_t out = 0; out < weights.outs; ++out) {
    int64_t sum = 0;
    for (int64_t tap = 0; tap < weights.taps; ++tap) sum += weights.sum(out, tap);
    const int64_t bias = conv_.bias == nullptr ? 0 : static_cast<const int32_t*>(conv_.bias)[out];
    addend_.push_back(
        static_cast<int32_t>(static_cast<uint32_t>(bias + (flip_ - (folded ? 0 : conv_.zero_point)) * sum)));
  }
}

size_t Gemm::scratch() const {
  return gathers_ ? static_cast<size_t>(positions_ * row_) + NIBBLE_SLACK : 0;
}

/// Windows, [position][tap][channel]; outside x stands the zero point.
void Gemm::gather(const void* x, int8_t* to) const {
  const auto* from = static_cast<const int8_t*>(x);
  const int64_t channels = conv_.in_channels, run = conv_.kernel[2] * channels;
  const bool rows_lie = conv_.dilation[2] == 1 && (conv_.x_stride[3] == channels || conv_.kernel[2] == 1);
  const auto at = [&](int axis, int64_t index, int64_t tap) {
    return index * conv_.stride[axis] - conv_.pad[axis] + tap * conv_.dilation[axis];
  };
  const auto inside = [&](int axis, int64_t place) { return place >= 0 && place < conv_.in[axis]; };
  int8_t* next = to;
  for (int64_t item = 0; item < positions_; ++item) {
    const int64_t k = item % conv_.out[2], j = item / conv_.out[2] % conv_.out[1];
    const int64_t i = item / conv_.out[2] / conv_.out[1] % conv_.out[0];
    const int8_t* image = from + item / conv_.out[2] / conv_.out[1] / conv_.out[0] * conv_.x_stride[0];
    for (int64_t d = 0; d < conv_.kernel[0]; ++d)
      for (int64_t h = 0; h < conv_.kernel[1]; ++h, next += run) {
        const int64_t depth = at(0, i, d), height = at(1, j, h), width = at(2, k, 0);
        const int8_t* row = image + depth * conv_.x_stride[1] + height * conv_.x_stride[2];
        if (!inside(0, depth) || !inside(1, height)) {
          std::memset(next, static_cast<int>(conv_.zero_point), static_cast<size_t>(run));
        } else if (rows_lie && width >= 0 && width + conv_.kernel[2] <= conv_.in[2]) {
          std::memcpy(next, row + width * conv_.x_stride[3], static_cast<size_t>(run));
        } else {
          for (int64_t tap = 0; tap < conv_.kernel[2]; ++tap) {
            const int64_t place = at(2, k, tap);
            int8_t* pixel = next + tap * channels;
            if (inside(2, place))
              std::memcpy(pixel, row + place * conv_.x_stride[3], static_cast<size_t>(channels));
            else
              std::memset(pixel, static_cast<int>(conv_.zero_point), static_cast<size_t>(channels));
          }
        }
      }
  }
  if (flip_ != 0)
    for (int64_t n = 0; n < positions_ * row_; ++n) to[n] = static_cast<int8_t>(static_cast<uint8_t>(to[n]) ^ flip_);
}

void Gemm::run(const void* x, void* scratch, int32_t* v) {
  if (gathers_) gather(x, static_cast<int8_t*>(scratch));
  const std::lock_guard<std::mutex> lock(running_);
  a_.look_at(gathers_ ? scratch : x);
  y_.look_at(v);
  product_.run();
}

}  // namespace nibble::backends
