#include "onnx/dory/layer_writer.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/int128.hpp"
#include "base/interval.hpp"
#include "base/transposed.hpp"
#include "graph/op_traits.hpp"
#include "onnx/dory/integer_chains.hpp"
#include "onnx/file/metadata.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/file/tensors.hpp"
#include "onnx/integer_form/make_levels_unsigned.hpp"

namespace nibble::onnx {
namespace {

using graph::Ints;
using graph::Node;
using graph::ValueId;

bool all_are(const Ints& numbers, int64_t number) {
  return std::all_of(numbers.begin(), numbers.end(), [&](int64_t each) { return each == number; });
}

int64_t product(const Ints& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), int64_t{1}, std::multiplies<int64_t>());
}

/// The requantisations that are (x m + b) / D.
bool multiplies_and_divides(const graph::Op& op) {
  return holds_alternative<graph::Requantise>(op) || holds_alternative<graph::FloorDivide>(op);
}

Interval levels_of_requantisation(const graph::Op& op) {
  if (const auto* divide = get_if<graph::FloorDivide>(&op)) return {divide->low, divide->high};
  const auto& shift = get<graph::Requantise>(op);
  return {shift.low, shift.high};
}

/// Sums that a layer gives, too wide for an activation. DORY has no layer of a ConvTranspose or of a difference.
bool sums(const graph::Op& op) {
  return terms_of(op) != graph::Terms::None && !holds_alternative<graph::ConvTranspose>(op) &&
         !holds_alternative<graph::Sub>(op);
}

/// What may make [N, K] of a layer's output. Not an Unsqueeze, which DORY does not read.
bool may_flatten(const graph::Op& op) {
  return reshapes(op) && !holds_alternative<graph::Unsqueeze>(op);
}

/// Sum over everything but the channel of each weight, for |sum| and for the zero point.
template <class F>
Ints channel_sums(const Tensor& weights, bool convolution, F&& f) {
  const Ints w = weights.to_integers();
  const auto channels = static_cast<size_t>(weights.shape()[convolution ? 0 : 1]);
  Ints result(channels);
  for (size_t i = 0; i < w.size(); ++i) result[convolution ? i / (w.size() / channels) : i % channels] += f(w[i]);
  return result;
}

/// Splits an addend that float32 cannot hold: (a m + b) = (a + q) m + r with |r| < |m|.
void move_into_bias(ChainOfLayer& chain, Ints& bias) {
  for (size_t c = 0; c < chain.addend.size(); ++c) {
    const int64_t m = chain.multiplier[c];
    if (m == 0 || exact_in_float(chain.addend[c])) continue;
    bias[c] += chain.addend[c] / m;
    chain.addend[c] %= m;
  }
}

}  // namespace

bool exact_in_float(int64_t number) {
  constexpr int digits = 24;
  const auto magnitude = static_cast<uint64_t>(number < 0 ? -number : number);
  return magnitude == 0 || std::bit_width(magnitude) - std::countr_zero(magnitude) <= digits;
}

bool settle_addend(ChainOfLayer& chain, Interval reachable) {
  const int64_t addend = chain.addend[0], multiplier = chain.multiplier[0];
  if (exact_in_float(addend)) return true;
  const auto level = [&](int64_t x, int64_t b) {
    const int128 sum = static_cast<int128>(x) * multiplier + b;
    const int128 quotient = sum / chain.divisor - (sum % chain.divisor < 0 ? 1 : 0);
    return std::clamp<int128>(quotient, chain.levels.low, chain.levels.high);
  };
  if (reachable.high - reachable.low > 1 << 20) return false;
  const auto near = static_cast<float>(addend);
  for (float candidate : {near, std::nextafter(near, -HUGE_VALF), std::nextafter(near, HUGE_VALF)}) {
    const auto b = static_cast<int64_t>(candidate);
    bool same = true;
    for (int64_t x = reachable.low; same && x <= reachable.high; ++x) same = level(x, b) == level(x, addend);
    if (same) return chain.addend[0] = b, true;
  }
  return false;
}

LayerWriter::LayerWriter(const graph::Graph& graph, std::string_view dialect, int64_t opset)
    : graph_(graph), uses_(graph), dialect_(dialect), names_(graph.values.size()) {
  model_.set_ir_version(opset < 10 ? 4 : 5);
  model_.set_producer_name("nibble");
  model_.mutable_graph()->set_name(graph.name.empty() ? "network" : graph.name);
  auto& standard = *model_.add_opset_import();
  standard.set_domain("");
  standard.set_version(opset);
}

std::string LayerWriter::bytes() {
  write_inputs();
  for (const Node& node : graph_.nodes)
    if (written_.count(&node) == 0) write_node(node);
  write_outputs();
  if (!refusals_.empty()) {
    std::string all;
    for (const std::string& refusal : refusals_) all.append(all.empty() ? "" : "; ").append(refusal);
    fail("onnx", graph_.name, "what " + std::string(dialect_) + " cannot say: " + all,
         "a network of its layers; docs/guide/dialects.md says which options give one");
  }
  for (const auto& [key, text] : graph_.metadata) {
    auto& entry = *model_.add_metadata_props();
    entry.set_key(key), entry.set_value(text);
  }
  auto& entry = *model_.add_metadata_props();
  entry.set_key(std::string(metadata_key)), entry.set_value(metadata());
  return model_.SerializeAsString();
}

void LayerWriter::refuse(const Node& node, const std::string& reason) {
  // What belongs to a refused layer is refused with it.
  if (const Node* behind = sums(node.op) ? requantisation_behind(node.outputs[0]) : nullptr) written_.insert(behind);
  refusals_.push_back("'" + node.name + "' (" + std::string(graph::name_of(node.op)) + "): " + reason);
}

pb::NodeProto& LayerWriter::add_node(const std::string& name, std::string_view op,
                                     const std::vector<std::string>& inputs, const std::string& output) {
  auto& node = *model_.mutable_graph()->add_node();
  // DORY takes a pool for a global one where its name says "Global".
  std::string plain = name;
  for (size_t at = plain.find("Global"); at != plain.npos; at = plain.find("Global")) plain[at] = 'g';
  node.set_name(plain);
  node.set_op_type(std::string(op));
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

std::string LayerWriter::add_initializer(const std::string& name, const Tensor& tensor) {
  std::string free = name;
  for (int number = 1; !initializers_.insert(free).second; ++number) free = name + "_" + std::to_string(number);
  write_tensor(tensor.cast(ElementType::Float32), free, *model_.mutable_graph()->add_initializer());
  return free;
}

namespace {

void describe_tensor(pb::ValueInfoProto& info, const std::string& name, const Shape& shape) {
  info.set_name(name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(pb::TensorProto::FLOAT);
  auto& extents = *tensor.mutable_shape();
  for (int64_t extent : shape) {
    auto& axis = *extents.add_dim();
    if (extent == any)
      axis.set_dim_param("N");
    else
      axis.set_dim_value(extent);
  }
}

}  // namespace

void LayerWriter::describe(const std::string& name, const Shape& shape) {
  describe_tensor(*model_.mutable_graph()->add_value_info(), name, shape);
}

Interval LayerWriter::levels_in(ValueId id) const {
  const graph::Value& value = graph_[id];
  const Node* writer = writer_of(id);
  if (value.bounds.empty() && writer && holds_alternative<graph::Add>(writer->op)) {
    Interval sum{0, 0};
    for (ValueId term : writer->inputs) sum = {sum.low + levels_in(term).low, sum.high + levels_in(term).high};
    return sum;
  }
  if (value.bounds.empty() && writer && multiplies_and_divides(writer->op)) return levels_of_requantisation(writer->op);
  if (value.bounds.empty()) return value.grid ? Interval{value.grid->low, value.grid->high} : levels_of(value.type);
  return hull(value.bounds);
}

double LayerWriter::reach_of(ValueId id) const {
  const Node* writer = writer_of(id);
  if (writer && passes_on(writer->op)) return reach_of(writer->inputs[0]);
  const Interval levels =
      writer && multiplies_and_divides(writer->op) ? levels_of_requantisation(writer->op) : levels_in(id);
  const Interval told = levels_in_file(levels, writer == nullptr);
  return static_cast<double>(std::max(std::abs(told.low), std::abs(told.high)));
}

const Node* LayerWriter::writer_of(ValueId id) const {
  const int writer = uses_.writer[static_cast<size_t>(id)];
  return writer < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(writer)];
}

const Node* LayerWriter::only_reader(ValueId id) const {
  const int reader = uses_.only_reader(id);
  return reader < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(reader)];
}

const Node* LayerWriter::requantisation_behind(ValueId id) const {
  const Node* reader = only_reader(id);
  return reader && multiplies_and_divides(reader->op) ? reader : nullptr;
}

bool LayerWriter::belongs_to_add(const Node& node) const {
  const Node* reader = only_reader(node.outputs[0]);
  const Node* writer = writer_of(node.inputs[0]);
  const auto* shift = get_if<graph::Requantise>(&node.op);
  return reader && holds_alternative<graph::Add>(reader->op) && writer && !sums(writer->op) && shift &&
         takes_levels({shift->low, shift->high});
}

void LayerWriter::finish(ValueId id, const std::string& name) {
  names_[static_cast<size_t>(id)] = name;
  describe(name, graph_[id].shape);
  // A Flatten is only known to DORY by the layer that stands right before it.
  if (const Node* reader = only_reader(id)) write_flat(*reader);
}

void LayerWriter::write_inputs() {
  for (size_t i = 1; i < graph_.inputs.size(); ++i)
    refusals_.push_back("input '" + graph_[graph_.inputs[i]].name + "': a second input, and the dialect has one");
  for (ValueId id : graph_.inputs) {
    names_[static_cast<size_t>(id)] = next_name();
    describe_tensor(*model_.mutable_graph()->add_input(), name_of(id), graph_[id].shape);
    const std::string objection = objection_to_input(levels_in(id));
    if (!objection.empty()) refusals_.push_back("input '" + graph_[id].name + "': " + objection);
    const size_t readers = uses_.readers[static_cast<size_t>(id)].size();
    if (readers > 1)
      refusals_.push_back("input '" + graph_[id].name + "': read by " + std::to_string(readers) +
                          " layers, and DORY tells its format to the first layer alone");
    if (const Node* reader = only_reader(id)) write_flat(*reader);
  }
}

void LayerWriter::write_outputs() {
  for (ValueId id : graph_.outputs) {
    const Node* writer = writer_of(id);
    if (!writer && !graph_.constant(id)) refusals_.push_back("output '" + graph_[id].name + "', which is an input");
    if (graph_.constant(id)) refusals_.push_back("output '" + graph_[id].name + "', which is a constant");
    describe_tensor(*model_.mutable_graph()->add_output(), name_of(id), graph_[id].shape);
  }
}

void LayerWriter::write_node(const Node& node) {
  const auto& op = node.op;
  if (is_linear(op) && !holds_alternative<graph::ConvTranspose>(op)) return write_linear(node);
  if (holds_alternative<graph::SumPool>(op) || holds_alternative<graph::ReduceSum>(op)) return write_sum(node);
  if (const auto* pool = get_if<graph::MaxPool>(&op)) return write_max_pool(node, *pool);
  if (holds_alternative<graph::Add>(op)) return write_add(node);
  if (multiplies_and_divides(op)) return write_bare(node);
  if (holds_alternative<graph::Identity>(op)) {
    names_[static_cast<size_t>(node.outputs[0])] = name_of(node.inputs[0]);
    return;
  }
  std::string reason = "no layer of the dialect";
  if (holds_alternative<graph::Concat>(op)) reason = "DORY reads a Concat and drops it";
  if (holds_alternative<graph::Threshold>(op))
    reason = "a list of thresholds is no (x m + b) / D; integerize --thresholds never gives one";
  if (may_flatten(op)) reason = "only a flattening to [N, K] right behind the one layer that it reads";
  refuse(node, reason);
}

void LayerWriter::write_linear(const Node& node) {
  const Tensor* weights = graph_.constant(node.inputs[1]);
  if (!weights) return refuse(node, "weights that are computed");
  Linear linear;
  linear.weights = *weights;
  int64_t zero_point = 0;
  if (const auto* conv = get_if<graph::Conv>(&node.op)) {
    linear.strides = conv->strides, linear.pads = conv->pads, linear.dilations = conv->dilations;
    linear.group = conv->group;
    zero_point = conv->zero_point;
    const size_t axes = weights->rank() - 2;
    if (linear.strides.empty()) linear.strides.assign(axes, 1);
    if (linear.dilations.empty()) linear.dilations.assign(axes, 1);
    if (linear.pads.empty()) linear.pads.assign(2 * axes, 0);
    const int64_t channels = graph_[node.inputs[0]].shape[1];
    if (linear.group != 1 && (linear.group != channels || linear.group != weights->shape()[0]))
      return refuse(node, "group " + std::to_string(linear.group) + ", neither 1 nor depthwise");
  } else {
    linear.convolution = false;
    const auto* gemm = get_if<graph::Gemm>(&node.op);
    const auto* matmul = get_if<graph::MatMul>(&node.op);
    zero_point = gemm ? gemm->zero_point : matmul->zero_point_a;
    if ((gemm && gemm->transpose_a) || (matmul && matmul->zero_point_b != 0) || weights->rank() != 2 ||
        graph_[node.inputs[0]].shape.size() != 2)
      return refuse(node, "no product of [N, K] and [K, O]");
    if (gemm && gemm->transpose_b) linear.weights = transposed(*weights);
  }
  const std::string objection = objection_to_weights(*weights);
  if (!objection.empty()) return refuse(node, objection);
  if (zero_point != 0 && !all_are(linear.pads, 0))
    return refuse(node, "pads an input whose zero is " + std::to_string(zero_point) +
                            ", and the dialect pads with 0; quantize --symmetric-activations");
  linear.bias = channel_sums(linear.weights, linear.convolution, [&](int64_t w) { return -zero_point * w; });
  if (node.inputs.size() > 2 && node.inputs[2] != graph::absent) {
    const Tensor* bias = graph_.constant(node.inputs[2]);
    if (!bias) return refuse(node, "a bias that is computed");
    const Ints b = bias->to_integers();
    if (b.size() != 1 && b.size() != linear.bias.size()) return refuse(node, "a bias that is not one a channel");
    for (size_t c = 0; c < linear.bias.size(); ++c) linear.bias[c] += b[b.size() == 1 ? 0 : c];
  }
  write_layer(node, linear);
}

/// A sum over windows is a depthwise convolution with ones.
void LayerWriter::write_sum(const Node& node) {
  const Shape& x = graph_[node.inputs[0]].shape;
  if (x.size() < 3) return refuse(node, "a sum of [N, C]");
  const size_t axes = x.size() - 2;
  Linear linear;
  linear.group = x[1];
  int64_t zero_point = 0;
  Ints kernel;
  if (const auto* pool = get_if<graph::SumPool>(&node.op)) {
    if (pool->ceil_mode) return refuse(node, "ceil_mode");
    kernel = pool->kernel, linear.strides = pool->strides, linear.pads = pool->pads;
    linear.dilations = pool->dilations;
    zero_point = pool->zero_point;
  } else {
    const auto& op = get<graph::ReduceSum>(node.op);
    zero_point = op.zero_point;
    std::set<int64_t> over;
    for (int64_t axis : op.axes) over.insert(normalise_axis(axis, x.size()));
    std::set<int64_t> spatial;
    for (size_t axis = 2; axis < x.size(); ++axis) spatial.insert(static_cast<int64_t>(axis));
    if (over != spatial || !is_static(Shape(x.begin() + 1, x.end())))
      return refuse(node, "a sum over other axes than H, W");
    kernel.assign(x.begin() + 2, x.end());
  }
  if (linear.strides.empty()) linear.strides.assign(axes, 1);
  if (linear.pads.empty()) linear.pads.assign(2 * axes, 0);
  if (linear.dilations.empty()) linear.dilations.assign(axes, 1);
  if (zero_point != 0 && !all_are(linear.pads, 0))
    return refuse(node, "pads an input whose zero is " + std::to_string(zero_point));
  Shape shape{x[1], 1};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  linear.weights = Tensor(shape, Ints(static_cast<size_t>(element_count(shape)), 1)).cast(ElementType::Int8);
  linear.bias.assign(static_cast<size_t>(x[1]), -zero_point * product(kernel));
  if (!write_mean(node, linear)) write_layer(node, linear);
}

/// floor(sum / K) on the levels of what is pooled is the dialect's AveragePool.
bool LayerWriter::write_mean(const Node& sum, const Linear& ones) {
  const Node* behind = requantisation_behind(sum.outputs[0]);
  const auto* pool = get_if<graph::SumPool>(&sum.op);
  if (!behind || !all_are(ones.bias, 0) || !all_are(ones.dilations, 1)) return false;
  const Ints kernel(ones.weights.shape().begin() + 2, ones.weights.shape().end());
  const int64_t count = product(kernel);
  Ints multiplier, addend;
  Interval levels;
  bool divides = false;
  if (const auto* op = get_if<graph::FloorDivide>(&behind->op)) {
    multiplier = op->multiplier, addend = op->addend, levels = {op->low, op->high};
    divides = all_are(op->divisor, count);
  } else {
    const auto& shift = get<graph::Requantise>(behind->op);
    multiplier = shift.multiplier, addend = shift.addend, levels = {shift.low, shift.high};
    divides = std::all_of(shift.shift.begin(), shift.shift.end(),
                          [&](int64_t d) { return d < 62 && int64_t{1} << d == count; });
  }
  Interval pooled = levels_in(sum.inputs[0]);
  const bool padded = !all_are(ones.pads, 0);
  if (padded) pooled = {std::min<int64_t>(pooled.low, 0), std::max<int64_t>(pooled.high, 0)};
  if (!divides || !all_are(multiplier, 1) || !all_are(addend, 0) || levels.low > pooled.low ||
      levels.high < pooled.high || count < 2)
    return false;
  std::string output = next_name();
  auto& node = add_node(behind->name, "AveragePool", {name_of(sum.inputs[0])}, output);
  set_integers(node, "kernel_shape", kernel);
  set_integers(node, "pads", ones.pads);
  set_integers(node, "strides", ones.strides);
  if (padded) set_integer(node, "count_include_pad", 1);
  const Shape& y = graph_[behind->outputs[0]].shape;
  if (!pool && y.size() == 2) {
    Shape whole = y;
    whole.resize(graph_[sum.inputs[0]].shape.size(), 1);
    describe(output, whole);
    const std::string flat = next_name();
    set_integer(add_node(behind->name + ".flat", "Flatten", {output}, flat), "axis", 1);
    output = flat;
  }
  written_.insert(behind);
  finish(behind->outputs[0], output);
  return true;
}

void LayerWriter::write_layer(const Node& node, const Linear& given) {
  Linear linear = given;
  const ValueId y = node.outputs[0];
  const Node* behind = requantisation_behind(y);
  const bool is_output = uses_.is_output[static_cast<size_t>(y)];
  if (!behind && !is_output) return refuse(node, "sums that more than one requantisation reads, or another op");
  if (!behind && !uses_.readers[static_cast<size_t>(y)].empty())
    return refuse(node, "sums that are an output and are read too");
  ChainOfLayer chain;
  if (behind) {
    chain = chain_of(*behind);
    if (chain.multiplier.empty()) return;
    const size_t channels = linear.bias.size();
    if (chain.scalar())
      chain.multiplier.resize(channels, chain.multiplier[0]), chain.addend.resize(channels, chain.addend[0]);
    for (size_t c = 0; c < channels; ++c) {
      const int128 whole = static_cast<int128>(chain.multiplier[c]) * linear.bias[c] + chain.addend[c];
      if (whole != static_cast<int64_t>(whole)) return refuse(*behind, "addends beyond 64 bits");
      chain.addend[c] = static_cast<int64_t>(whole);
    }
    linear.bias.assign(channels, 0);
    move_into_bias(chain, linear.bias);
  }
  for (int64_t b : chain.addend)
    if (!exact_in_float(b)) return refuse(*behind, "addend " + std::to_string(b) + ", which float32 does not hold");
  for (int64_t b : linear.bias)
    if (!exact_in_float(b)) return refuse(node, "a bias of " + std::to_string(b) + ", which float32 does not hold");
  const bool biased = !all_are(linear.bias, 0);
  const std::string output = next_name();
  std::vector<std::string> inputs{name_of(node.inputs[0]), add_initializer(output + ".weight", linear.weights)};
  if (biased)
    inputs.push_back(
        add_initializer(output + ".bias", Tensor({static_cast<int64_t>(linear.bias.size())}, linear.bias)));
  auto& proto = add_node(node.name, linear.convolution ? "Conv" : biased ? "Gemm" : "MatMul", inputs, output);
  if (linear.convolution) {
    set_integers(proto, "dilations", linear.dilations);
    set_integer(proto, "group", linear.group);
    set_integers(proto, "kernel_shape", Ints(linear.weights.shape().begin() + 2, linear.weights.shape().end()));
    set_integers(proto, "pads", linear.pads);
    set_integers(proto, "strides", linear.strides);
  } else if (biased) {
    set_real(proto, "alpha", 1), set_real(proto, "beta", 1);
    set_integer(proto, "transA", 0), set_integer(proto, "transB", 0);
  }
  annotate_linear(proto, linear.weights);
  if (!behind) return finish(y, output);

  const Shape& x = graph_[node.inputs[0]].shape;
  Shape whole = graph_[y].shape;
  const bool flattens = whole.size() < x.size();
  if (flattens) whole.resize(x.size(), 1);
  describe(output, whole);
  const double reach = reach_of(node.inputs[0]);
  const Ints magnitudes = channel_sums(linear.weights, linear.convolution, [](int64_t w) { return std::abs(w); });
  double largest = 0;
  for (size_t c = 0; c < magnitudes.size(); ++c)
    largest =
        std::max(largest, static_cast<double>(magnitudes[c]) * reach + std::abs(static_cast<double>(linear.bias[c])));
  Shape constants(whole.size() < 2 ? 0 : whole.size() - 1, 1);
  constants[0] = static_cast<int64_t>(chain.multiplier.size());
  std::string result = write_chains(behind->name, output, chain, constants, largest);
  if (flattens) {
    describe(result, whole);
    const std::string flat = next_name();
    set_integer(add_node(behind->name + ".flat", "Flatten", {result}, flat), "axis", 1);
    result = flat;
  }
  written_.insert(behind);
  finish(behind->outputs[0], result);
}

namespace {

std::string objection_to_multipliers(const Ints& multipliers) {
  const auto refused = [](int64_t multiplier) { return !exact_in_float(multiplier); };
  const auto first = std::find_if(multipliers.begin(), multipliers.end(), refused);
  if (first == multipliers.end()) return "";
  const auto count = std::count_if(first, multipliers.end(), refused);
  return "multiplier " + std::to_string(*first) + " of channel " + std::to_string(first - multipliers.begin()) + " (" +
         std::to_string(count) + " of " + std::to_string(multipliers.size()) +
         " channels), and the dialect's float32 tensors hold 24 bits; integerize --multiplier-bits 25 gives the best "
         "that fit and counts the sums on which they differ";
}

}  // namespace

ChainOfLayer LayerWriter::chain_of(const Node& node) {
  ChainOfLayer chain;
  const auto stop = [&](const std::string& reason) {
    refuse(node, reason);
    written_.insert(&node);
    return ChainOfLayer{};
  };
  if (const auto* op = get_if<graph::FloorDivide>(&node.op)) {
    chain = {op->multiplier, op->addend, op->divisor[0], {op->low, op->high}, {}};
    if (!all_are(op->divisor, chain.divisor)) return stop("divisors that differ from channel to channel");
  } else {
    const auto& shift = get<graph::Requantise>(node.op);
    chain = {shift.multiplier, shift.addend, 1, {shift.low, shift.high}, {}};
    const int64_t most = *std::max_element(shift.shift.begin(), shift.shift.end());
    if (most > 62) return stop("a shift of " + std::to_string(most));
    chain.divisor = int64_t{1} << most;
    for (size_t c = 0; c < chain.multiplier.size(); ++c) {
      const int64_t factor = int64_t{1} << (most - shift.shift[c]);
      if (__builtin_mul_overflow(chain.multiplier[c], factor, &chain.multiplier[c]) ||
          __builtin_mul_overflow(chain.addend[c], factor, &chain.addend[c]))
        return stop("shifts that differ too much from channel to channel");
    }
  }
  std::string objection = objection_to_levels(chain.levels);
  if (objection.empty()) objection = objection_to_divisor(chain.divisor);
  if (objection.empty()) objection = objection_to_multipliers(chain.multiplier);
  if (!objection.empty()) return stop(objection);
  settle_levels(chain);
  return chain;
}

std::string LayerWriter::write_chains(const std::string& node, const std::string& x, const ChainOfLayer& chain,
                                      const Shape& shape, double largest) {
  std::string result = write_chain(chain.behind.empty() ? node : node + ".whole", x, chain, shape, largest);
  constexpr double largest_level = 256;
  for (size_t i = 0; i < chain.behind.size(); ++i)
    result =
        write_chain(i + 1 < chain.behind.size() ? node + ".cut" : node, result, chain.behind[i], {}, largest_level);
  return result;
}

void LayerWriter::write_max_pool(const Node& node, const graph::MaxPool& op) {
  const Interval levels = levels_in(node.inputs[0]);
  if (op.ceil_mode) return refuse(node, "ceil_mode");
  if (!all_are(op.dilations, 1)) return refuse(node, "dilations");
  if (!all_are(op.pads, 0) && levels.low < 0)
    return refuse(node, "pads integers below zero, and the dialect pads with 0");
  const std::string output = next_name();
  auto& proto = add_node(node.name, "MaxPool", {name_of(node.inputs[0])}, output);
  const size_t axes = op.kernel.size();
  set_integers(proto, "kernel_shape", op.kernel);
  set_integers(proto, "pads", op.pads.empty() ? Ints(2 * axes, 0) : op.pads);
  set_integers(proto, "strides", op.strides.empty() ? Ints(axes, 1) : op.strides);
  finish(node.outputs[0], output);
}

void LayerWriter::write_add(const Node& node) {
  const Node* out = requantisation_behind(node.outputs[0]);
  if (!out) return refuse(node, "a sum without a requantisation behind it");
  if (node.inputs.size() != 2)
    return refuse(node, "a sum of " + std::to_string(node.inputs.size()) + ", and the dialect adds two");
  std::vector<ValueId> branches;
  std::vector<const Node*> requantised;
  for (ValueId id : node.inputs) {
    if (graph_.constant(id)) return refuse(node, "a constant");
    const Node* writer = writer_of(id);
    const bool inside = writer && multiplies_and_divides(writer->op) && belongs_to_add(*writer);
    requantised.push_back(inside ? writer : nullptr);
    branches.push_back(inside ? writer->inputs[0] : id);
    if (!writer_of(branches.back())) return refuse(node, "adds the network's input, which no layer of DORY writes");
    if (writer && sums(writer->op)) return refuse(node, "adds sums that no requantisation has brought to 8 bits");
  }
  if (graph_[node.inputs[0]].shape != graph_[node.inputs[1]].shape) return refuse(node, "broadcasts");
  const std::string output = write_residual(node, branches, requantised, *out);
  written_.insert(out);
  if (!output.empty()) finish(out->outputs[0], output);
}

void LayerWriter::write_bare(const Node& node) {
  if (belongs_to_add(node)) return;
  const ChainOfLayer chain = chain_of(node);
  if (chain.multiplier.empty()) return;
  if (!chain.scalar() && !(all_are(chain.multiplier, chain.multiplier[0]) && all_are(chain.addend, chain.addend[0])))
    return refuse(node, "parameters of each channel without a linear op before them");
  ChainOfLayer one = chain;
  one.multiplier.resize(1), one.addend.resize(1);
  if (!settle_addend(one, levels_in(node.inputs[0])))
    return refuse(node, "addend " + std::to_string(one.addend[0]) + ", which float32 does not hold");
  finish(node.outputs[0], write_chains(node.name, name_of(node.inputs[0]), one, {}, reach_of(node.inputs[0])));
}

/// Where `node` flattens to [N, K], it is written at once.
void LayerWriter::write_flat(const Node& node) {
  if (!may_flatten(node.op)) return;
  const Shape &x = graph_[node.inputs[0]].shape, &y = graph_[node.outputs[0]].shape;
  if (y.size() != 2 || x.empty() || y[0] != x[0]) return;
  const std::string output = next_name();
  set_integer(add_node(node.name, "Flatten", {name_of(node.inputs[0])}, output), "axis", 1);
  written_.insert(&node);
  finish(node.outputs[0], output);
}

std::string LayerWriter::metadata() const {
  Json values = Json::object();
  for (size_t i = 0; i < names_.size(); ++i)
    if (!names_[i].empty() && graph_.values[i].grid) values[names_[i]] = {{"grid", grid_json(*graph_.values[i].grid)}};
  return Json{{"version", 1}, {"dialect", dialect_}, {"stage", "ID"}, {"values", values}}.dump();
}

}  // namespace nibble::onnx
