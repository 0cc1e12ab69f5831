/// oneDNN on the convolutions and fully connected layers of a network, and nothing else of it: u8 activations, s8
/// weights, a scale a channel, u8 results, which saturation makes a ReLU of. Layouts are NHWC, of weights its own choice.
/// Usage: onednn LAYERS.json    (threads: OMP_NUM_THREADS)
#include <dnnl.hpp>
#include <unordered_map>

#include "layers.hpp"
#include "serve.hpp"

namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

struct Step {
  dnnl::primitive primitive;
  Arguments arguments;
};

/// Per-channel scales; scratch memory is made once.
dnnl::primitive_attr attributes(const Layer& layer) {
  dnnl::primitive_attr attributes;
  attributes.set_output_scales(1 << 1, layer.scales());
  return attributes;
}

/// Drawn weights in the layout that the primitive asks for.
memory weights(const memory::desc& wanted, const memory::desc& plain, const dnnl::engine& engine, dnnl::stream& stream,
               int64_t count) {
  std::vector<int8_t> bytes = drawn_bytes(count);
  memory from(plain, engine, bytes.data()), to(wanted, engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return to;
}

Arguments arguments_of(const auto& description, const dnnl::engine& engine, memory weights, int8_t* in, int8_t* out) {
  memory bias(description.bias_desc(), engine);
  std::fill_n(static_cast<int32_t*>(bias.get_data_handle()), bias.get_desc().get_size() / sizeof(int32_t), 3);
  return {{DNNL_ARG_SRC, memory(description.src_desc(), engine, in)},
          {DNNL_ARG_WEIGHTS, std::move(weights)},
          {DNNL_ARG_BIAS, std::move(bias)},
          {DNNL_ARG_DST, memory(description.dst_desc(), engine, out)}};
}

Step conv(const Layer& layer, const dnnl::engine& engine, dnnl::stream& stream, int8_t* in, int8_t* out) {
  using enum memory::data_type;
  using Tag = memory::format_tag;
  const memory::dims from{1, layer.in[0], layer.in[1], layer.in[2]}, to{1, layer.out[0], layer.out[1], layer.out[2]};
  memory::dims kernel{layer.out[0], layer.in[0] / layer.group, layer.kernel[0], layer.kernel[1]};
  if (layer.group > 1) {
    kernel[0] /= layer.group;
    kernel.insert(kernel.begin(), layer.group);
  }
  const dnnl::convolution_forward::desc wanted(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                               {from, u8, Tag::nhwc}, {kernel, s8, Tag::any},
                                               {{layer.out[0]}, s32, Tag::x}, {to, u8, Tag::nhwc}, layer.strides,
                                               {layer.pads[0], layer.pads[1]}, {layer.pads[2], layer.pads[3]});
  const dnnl::convolution_forward::primitive_desc description(wanted, attributes(layer), engine);
  const memory::desc plain(kernel, s8, layer.group > 1 ? Tag::goihw : Tag::oihw);
  memory packed = weights(description.weights_desc(), plain, engine, stream, layer.out[0] * layer.terms());
  return {dnnl::convolution_forward(description), arguments_of(description, engine, std::move(packed), in, out)};
}

Step fully_connected(const Layer& layer, const dnnl::engine& engine, dnnl::stream& stream, int8_t* in, int8_t* out) {
  using enum memory::data_type;
  using Tag = memory::format_tag;
  const memory::dims kernel{layer.out[0], layer.in_elements()};
  const dnnl::inner_product_forward::desc wanted(dnnl::prop_kind::forward_inference, {{1, kernel[1]}, u8, Tag::nc},
                                                 {kernel, s8, Tag::any}, {{layer.out[0]}, s32, Tag::x},
                                                 {{1, layer.out[0]}, u8, Tag::nc});
  const dnnl::inner_product_forward::primitive_desc description(wanted, attributes(layer), engine);
  memory packed = weights(description.weights_desc(), {kernel, s8, Tag::oi}, engine, stream, kernel[0] * kernel[1]);
  return {dnnl::inner_product_forward(description), arguments_of(description, engine, std::move(packed), in, out)};
}

/// The least of twenty runs.
double seconds_of(const Step& step, dnnl::stream& stream) {
  using Clock = std::chrono::steady_clock;
  double least = 1;
  for (int i = 0; i < 20; ++i) {
    const auto start = Clock::now();
    step.primitive.execute(stream, step.arguments);
    stream.wait();
    least = std::min(least, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return least;
}

/// A fully connected layer as such or as a convolution of one pixel, whichever is faster on this CPU.
Step faster(const Layer& layer, const dnnl::engine& engine, dnnl::stream& stream, int8_t* in, int8_t* out) {
  Layer pixel = layer;
  pixel.kernel = pixel.strides = {1, 1};
  pixel.pads = {0, 0, 0, 0};
  pixel.in = {layer.in_elements(), 1, 1};
  Step product = fully_connected(layer, engine, stream, in, out), convolution = conv(pixel, engine, stream, in, out);
  return seconds_of(product, stream) < seconds_of(convolution, stream) ? product : convolution;
}

void measure(const char* file) {
  const std::vector<Layer> layers = read_layers(file);
  Buffers buffers(layers);
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  std::vector<Step> steps;
  for (const Layer& layer : layers) {
    int8_t *in = buffers[layer.inputs[0]], *out = buffers[layer.output];
    if (layer.op == "conv") steps.push_back(conv(layer, engine, stream, in, out));
    if (layer.op == "fully_connected") steps.push_back(faster(layer, engine, stream, in, out));
  }
  const dnnl_version_t& version = *dnnl_version();
  serve("oneDNN " + std::to_string(version.major) + "." + std::to_string(version.minor), [&] {
    for (const Step& step : steps) step.primitive.execute(stream, step.arguments);
    stream.wait();
  });
}

}  // namespace

int main(int count, char** arguments) {
  return reported("onednn", [&] {
    if (count != 2) throw std::runtime_error("usage: onednn LAYERS.json");
    measure(arguments[1]);
  });
}
