#include "backends/onednn/primitive.hpp"

// Of the OpenMP that oneDNN is built with; absent where it is built with another.
extern "C" {
int omp_get_max_threads() __attribute__((weak));
void omp_set_num_threads(int) __attribute__((weak));
}

namespace nibble::backends {
namespace {

using dnnl::memory;
using enum memory::data_type;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& stream_here() {
  static thread_local dnnl::stream stream(cpu());
  return stream;
}

int first_axis(const nibble_conv& conv) {
  return has_depth(conv) ? 0 : 1;
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

dnnl::convolution_forward::primitive_desc described(const nibble_conv& conv, const int64_t* extents) {
  using Tag = memory::format_tag;
  const Tag last = has_depth(conv) ? Tag::ndhwc : Tag::nhwc;
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

}  // namespace

OneThread::OneThread() {
  if (omp_get_max_threads != nullptr) before_ = omp_get_max_threads();
  if (before_ > 1) omp_set_num_threads(1);
}

OneThread::~OneThread() {
  if (before_ > 1) omp_set_num_threads(before_);
}

bool has_depth(const nibble_conv& conv) {
  return conv.in[0] != 1 || conv.out[0] != 1 || conv.kernel[0] != 1 || conv.pad[0] != 0;
}

Primitive::Primitive(const nibble_conv& conv, const int64_t* extents)
    : description_(described(conv, extents)), primitive_(description_) {}

memory Primitive::weights(const nibble_conv& conv, std::vector<int8_t>& numbers) const {
  using enum memory::format_tag;
  const bool grouped = conv.groups > 1;
  const memory::format_tag tag = has_depth(conv) ? (grouped ? godhwi : odhwi) : (grouped ? gohwi : ohwi);
  memory from({filter(conv), s8, tag}, cpu(), numbers.data()), to(weights_description(), cpu());
  dnnl::reorder(from, to).execute(stream_here(), from, to);
  stream_here().wait();
  return to;
}

void Primitive::run(const memory& weights, const uint8_t* x, void* scratch, int32_t* v) const {
  const memory in(description_.src_desc(), cpu(), const_cast<uint8_t*>(x)), out(description_.dst_desc(), cpu(), v);
  const memory own(description_.scratchpad_desc(), cpu(), scratch);
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, in.get()},
                                       {DNNL_ARG_WEIGHTS, weights.get()},
                                       {DNNL_ARG_DST, out.get()},
                                       {DNNL_ARG_SCRATCHPAD, own.get()}};
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), stream_here().get(), 4, arguments), "a convolution");
  stream_here().wait();
}

}  // namespace nibble::backends
