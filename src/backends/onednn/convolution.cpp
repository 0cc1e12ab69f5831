#include "backends/onednn/convolution.hpp"

#include <algorithm>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>

// Of the OpenMP that oneDNN is built with; absent where it is built with another.
extern "C" {
int omp_get_max_threads() __attribute__((weak));
void omp_set_num_threads(int) __attribute__((weak));
}

namespace nibble::backends {
namespace {

using dnnl::memory;
using enum memory::data_type;

constexpr int64_t most_elements = int64_t{1} << 28;
constexpr int64_t most_border_bytes = int64_t{1} << 20;

/// The caller's thread alone, as long as it lives.
class OneThread {
 public:
  OneThread() {
    if (omp_get_max_threads != nullptr) before_ = omp_get_max_threads();
    if (before_ > 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before_ > 1) omp_set_num_threads(before_);
  }
  OneThread(const OneThread&) = delete;

 private:
  int before_ = 1;
};

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& stream_here() {
  static thread_local dnnl::stream stream(cpu());
  return stream;
}

size_t rounded(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

int64_t positions(const nibble_conv& conv) {
  return int64_t{conv.batch} * conv.out[0] * conv.out[1] * conv.out[2];
}

/// Axes that oneDNN sees: without the depth where there is none.
int first_axis(const nibble_conv& conv) {
  return conv.in[0] == 1 && conv.out[0] == 1 && conv.kernel[0] == 1 && conv.pad[0] == 0 ? 1 : 0;
}

memory::dims spatial(const nibble_conv& conv, const auto& of) {
  memory::dims dims;
  for (int axis = first_axis(conv); axis < 3; ++axis) dims.push_back(of[axis]);
  return dims;
}

memory::dims image(const nibble_conv& conv, int64_t channels, const auto& extents) {
  memory::dims dims{conv.batch, channels};
  for (int64_t extent : spatial(conv, extents)) dims.push_back(extent);
  return dims;
}

memory::dims filter(const nibble_conv& conv) {
  memory::dims dims{conv.out_channels / conv.groups, conv.in_channels / conv.groups};
  if (conv.groups > 1) dims.insert(dims.begin(), conv.groups);
  for (int64_t extent : spatial(conv, conv.kernel)) dims.push_back(extent);
  return dims;
}

/// [group][out][tap][in], as Weights' parts are.
memory::desc filter_in_parts(const nibble_conv& conv) {
  using enum memory::format_tag;
  const bool grouped = conv.groups > 1, flat = first_axis(conv) == 1;
  const memory::format_tag tag = grouped ? (flat ? gohwi : godhwi) : (flat ? ohwi : odhwi);
  return {filter(conv), s8, tag};
}

dnnl::convolution_forward::primitive_desc described(const nibble_conv& conv, const int64_t* extents) {
  using Tag = memory::format_tag;
  const Tag last = first_axis(conv) == 1 ? Tag::nhwc : Tag::ndhwc;
  memory::dims before, after, dilation;
  for (int axis = first_axis(conv); axis < 3; ++axis) {
    const int64_t reach = int64_t{conv.kernel[axis] - 1} * conv.dilation[axis] + 1;
    before.push_back(conv.pad[axis]);
    after.push_back(int64_t{conv.out[axis] - 1} * conv.stride[axis] + reach - extents[axis] - conv.pad[axis]);
    dilation.push_back(conv.dilation[axis] - 1);
  }
  const dnnl::convolution_forward::desc wanted(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
      {image(conv, conv.in_channels, extents), u8, last}, {filter(conv), s8, Tag::any},
      {image(conv, conv.out_channels, conv.out), s32, last}, spatial(conv, conv.stride), dilation, before, after);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return {wanted, attributes, cpu()};
}

/// Whether an implementation is known to add four products in 32 bits.
bool sums_in_32_bits(const std::string& implementation) {
  return implementation.find("avx512_core_vnni") != std::string::npos ||
         implementation.find("amx") != std::string::npos;
}

}  // namespace

struct Convolution::Primitive {
  dnnl::convolution_forward::primitive_desc description;
  dnnl::convolution_forward primitive;
  std::vector<memory> parts;

  explicit Primitive(const dnnl::convolution_forward::primitive_desc& of) : description(of), primitive(of) {}

  void add_part(const nibble_conv& conv, std::vector<int8_t>& numbers) {
    memory from(filter_in_parts(conv), cpu(), numbers.data());
    memory& to = parts.emplace_back(description.weights_desc(), cpu());
    dnnl::reorder(from, to).execute(stream_here(), from, to);
    stream_here().wait();
  }
  void run(const memory& part, const uint8_t* x, void* scratchpad, int32_t* v) const {
    const memory in(description.src_desc(), cpu(), const_cast<uint8_t*>(x)), out(description.dst_desc(), cpu(), v);
    const memory own(description.scratchpad_desc(), cpu(), scratchpad);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, in.get()},
                                         {DNNL_ARG_WEIGHTS, part.get()},
                                         {DNNL_ARG_DST, out.get()},
                                         {DNNL_ARG_SCRATCHPAD, own.get()}};
    dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive.get(), stream_here().get(), 4, arguments),
                            "a convolution");
    stream_here().wait();
  }
};

std::string Convolution::refusal(const nibble_conv& conv) {
  if (conv.x_type != NIBBLE_U8 && conv.x_type != NIBBLE_I8) return "activations wider than 8 bits";
  if (conv.acc_type != NIBBLE_I32) return "sums wider than 32 bits";
  if (positions(conv) == 0) return "no output positions";
  for (int axis = 0; axis < 3; ++axis) {
    if (conv.kernel[axis] < 1 || conv.in[axis] < 1) return "an empty axis";
  }
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

Convolution::Convolution(const nibble_conv& conv) : conv_(conv), shift_(conv.x_type == NIBBLE_I8 ? 128 : 0) {
  const OneThread alone;
  find_extents();
  const auto weights = weights_of(conv);
  if (!weights) throw Refusal{"weights wider than 8 bits"};
  try {
    primitive_ = std::make_unique<Primitive>(described(conv, extent_));
  } catch (const dnnl::error&) {
    throw Refusal{"a window that oneDNN does not implement"};
  }
  const std::string implementation = primitive_->description.impl_info_str();
  if (implementation.starts_with("ref")) throw Refusal{"oneDNN has only its reference for it, which is slow"};
  auto parts = exact_parts(*weights, {.pairs = !sums_in_32_bits(implementation)});
  if (!parts) throw Refusal{"sums beyond 2^24, which oneDNN would round"};
  for (auto& part : *parts) primitive_->add_part(conv, part);

  // x' = x + shift, and its zero point likewise: sums of w * x' are too large by shift * sum w. A folded bias holds the
  // zero point already.
  const bool folded = conv.w_format != NIBBLE_PLAIN;
  for (int64_t out = 0; out < weights->outs; ++out) {
    int64_t sum = 0;
    for (int64_t tap = 0; tap < weights->taps; ++tap) sum += weights->sum(out, tap);
    const int64_t bias = conv.bias == nullptr ? 0 : static_cast<const int32_t*>(conv.bias)[out];
    const int64_t addend = bias - (shift_ + (folded ? 0 : conv.zero_point)) * sum;
    addend_.push_back(static_cast<int32_t>(static_cast<uint32_t>(addend)));
  }
  border_ = std::make_unique<Border>(conv, *weights, conv.zero_point + shift_);
}

Convolution::~Convolution() = default;

size_t Convolution::gathered_bytes() const {
  const int64_t elements = conv_.batch * extent_[0] * extent_[1] * extent_[2] * conv_.in_channels;
  return gathers_ ? rounded(static_cast<size_t>(elements) + NIBBLE_SLACK) : 0;
}

size_t Convolution::sums_bytes() const {
  const int64_t sums = positions(conv_) * conv_.out_channels;
  return primitive_->parts.size() > 1 ? rounded(4 * static_cast<size_t>(sums) + NIBBLE_SLACK) : 0;
}

size_t Convolution::scratch() const {
  return gathered_bytes() + sums_bytes() + rounded(primitive_->description.scratchpad_desc().get_size());
}

std::string Convolution::kernel() const {
  const size_t parts = primitive_->parts.size();
  return primitive_->description.impl_info_str() + (parts > 1 ? ", " + std::to_string(parts) + " parts" : "");
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

void Convolution::run(const void* x, void* scratch, int32_t* v) const {
  const OneThread alone;
  auto* own = static_cast<uint8_t*>(scratch);
  auto* more = reinterpret_cast<int32_t*>(own + gathered_bytes());
  void* scratchpad = own + gathered_bytes() + sums_bytes();
  const auto* from = static_cast<const uint8_t*>(x);
  if (gathers_) {
    gather(x, own);
    from = own;
  }
  const int64_t count = positions(conv_) * conv_.out_channels;
  primitive_->run(primitive_->parts[0], from, scratchpad, v);
  for (size_t i = 1; i < primitive_->parts.size(); ++i) {
    primitive_->run(primitive_->parts[i], from, scratchpad, more);
    for (int64_t k = 0; k < count; ++k)
      v[k] = static_cast<int32_t>(static_cast<uint32_t>(v[k]) + static_cast<uint32_t>(more[k]));
  }
  border_->add_to(v);
}

}  // namespace nibble::backends
