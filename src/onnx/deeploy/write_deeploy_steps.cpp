#include <algorithm>

#include "onnx/deeploy/deeploy_writer.hpp"

namespace nibble::onnx {
namespace {

using graph::Ints;

/// The most steps that are worth a channel each.
constexpr int64_t most_steps = 16;

/// `height` is added where x >= at, or where x <= at.
struct Jump {
  int64_t at = 0, height = 1;
  bool falling = false;
};

/// y[c] = base + sum of c's jumps. No quant::Staircase: a table may fall, and rise by several levels in one channel.
struct Jumps {
  int64_t base = 0;
  std::vector<std::vector<Jump>> channels;  ///< as many jumps each
};

/// Beyond an int32 accumulator all thresholds are alike.
int64_t within_reach(int64_t threshold) {
  return std::clamp<int64_t>(threshold, INT32_MIN, int64_t{INT32_MAX} + 1);
}

std::string add_pointwise(DeeployWriter& writer, const std::string& name, const std::vector<std::string>& inputs,
                          int64_t group, size_t spatial, const std::string& output) {
  const std::string y = writer.add(name, "Conv", inputs, output);
  set_integers(writer.last(), "dilations", Ints(spatial, 1));
  set_integer(writer.last(), "group", group);
  set_integers(writer.last(), "kernel_shape", Ints(spatial, 1));
  set_integers(writer.last(), "pads", Ints(2 * spatial, 0));
  set_integers(writer.last(), "strides", Ints(spatial, 1));
  return y;
}

Shape kernel(int64_t outputs, int64_t inputs, size_t spatial) {
  Shape shape{outputs, inputs};
  shape.resize(2 + spatial, 1);
  return shape;
}

/// A Conv that gives every step a channel, a RequantShift to 0 or 1, and a Conv that adds the jumps.
void add_jumps(DeeployWriter& writer, const graph::Node& node, const Jumps& jumps) {
  const Shape& shape = writer.graph()[node.inputs[0]].shape;
  const std::string& output = writer.graph()[node.outputs[0]].name;
  const auto channels = static_cast<int64_t>(jumps.channels.size());
  const auto steps = static_cast<int64_t>(jumps.channels[0].size());
  const size_t spatial = std::max<size_t>(shape.size() - 2, 1);
  Ints mul, add, heights;
  for (const auto& channel : jumps.channels)
    for (const Jump& jump : channel) {
      mul.push_back(jump.falling ? -1 : 1);
      add.push_back(jump.falling ? jump.at + 1 : 1 - jump.at);
      heights.push_back(jump.height);
    }
  std::string x = writer.name(node.inputs[0]);
  const auto reshaped = [&](const std::string& name, const std::string& from, const Ints& to, const std::string& as) {
    const Tensor extents({static_cast<int64_t>(to.size())}, to);
    return writer.add(name, "Reshape", {from, writer.indices(name + ".shape", extents)}, as);
  };
  if (shape.size() == 2) x = reshaped(node.name + ".column", x, {0, channels, 1}, "");
  const Tensor ones(kernel(channels * steps, 1, spatial), Ints(static_cast<size_t>(channels * steps), 1));
  x = add_pointwise(writer, node.name + ".spread", {x, writer.constant(node.name + ".ones", ones)}, channels, spatial,
                    "");
  const Shape each = [&] {
    Shape result{channels * steps};
    result.resize(1 + spatial, 1);
    return result;
  }();
  x = writer.add(node.name + ".steps", "RequantShift",
                 {x, writer.constant(node.name + ".mul", Tensor(each, mul)),
                  writer.constant(node.name + ".add", Tensor(each, add))});
  writer.set_number("div", 1), writer.set_number("n_levels_out", 2), writer.set_number("signed", 0);
  const Tensor weights(kernel(channels, steps, spatial), heights);
  const Tensor base({channels}, Ints(static_cast<size_t>(channels), jumps.base));
  const bool flat = shape.size() == 2;
  x = add_pointwise(writer, flat ? node.name + ".sum" : node.name,
                    {x, writer.constant(node.name + ".jumps", weights), writer.constant(node.name + ".base", base)},
                    channels, spatial, flat ? "" : output);
  if (flat) reshaped(node.name, x, {0, channels}, output);
}

/// Why x cannot climb a staircase of so many steps.
Refusal refused(const graph::Value& x, int64_t steps, std::string_view what) {
  const std::string count = std::string(what) + " of " + std::to_string(steps) + " steps";
  if (steps < 1 || steps > most_steps) return count + " (1 to " + std::to_string(most_steps) + " become a convolution)";
  if (x.shape.size() < 2 || x.shape[1] == any) return count + " on " + to_string(x.shape) + ", which has no channels";
  if (x.type == ElementType::Int64) return count + " of int64";
  return {};
}

}  // namespace

Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Threshold& op) {
  const graph::Value& x = writer.graph()[node.inputs[0]];
  const Tensor* rows = writer.graph().constant(node.inputs[1]);
  if (!rows) return "thresholds that are computed";
  const int64_t steps = rows->shape()[1];
  if (const Refusal refusal = refused(x, steps, "thresholds")) return refusal;
  Jumps jumps{op.low, {}};
  const auto thresholds = rows->to_integers();
  for (int64_t c = 0; c < x.shape[1]; ++c) {
    const auto row = static_cast<size_t>(rows->shape()[0] > 1 ? c : 0);
    auto& channel = jumps.channels.emplace_back();
    const bool falling = !op.falling.empty() && op.falling[row] != 0;
    for (int64_t k = 0; k < steps; ++k) {
      const int64_t at = thresholds[row * static_cast<size_t>(steps) + static_cast<size_t>(k)];
      // x <= t for no x of 32 bits is x <= INT32_MIN - 1.
      channel.push_back({falling ? within_reach(at == INT64_MAX ? at : at + 1) - 1 : within_reach(at), 1, falling});
    }
  }
  add_jumps(writer, node, jumps);
  return {};
}

Refusal write_deeploy(DeeployWriter& writer, const graph::Node& node, const graph::Table& op) {
  const graph::Value& x = writer.graph()[node.inputs[0]];
  const Tensor* table = writer.graph().constant(node.inputs[1]);
  if (!table) return "a table that is computed";
  const auto entries = table->to_integers();
  if (entries.empty()) return "an empty table";
  std::vector<Jump> steps;
  for (size_t i = 1; i < entries.size(); ++i)
    if (entries[i] != entries[i - 1])
      steps.push_back({op.first + static_cast<int64_t>(i), entries[i] - entries[i - 1], false});
  if (const Refusal refusal = refused(x, static_cast<int64_t>(steps.size()), "a table")) return refusal;
  add_jumps(writer, node, {entries[0], {static_cast<size_t>(x.shape[1]), steps}});
  return {};
}

}  // namespace nibble::onnx
