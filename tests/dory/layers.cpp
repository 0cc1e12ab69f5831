#include "layers.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

namespace dory {
namespace {

using certificate::Attribute;
using certificate::Model;
using certificate::Node;
using certificate::Tensor;

enum AttributeType { Float = 1, Int = 2, TensorType = 4, IntList = 7 };

const std::set<std::string> passed_over = {"Cast",    "Floor",     "Flatten", "Shape",   "Gather",
                                           "Squeeze", "Unsqueeze", "Reshape", "Sigmoid", "LogSoftmax"};
const std::set<std::string> layers_of_dory = {"Conv", "Gemm", "MatMul", "MaxPool", "AveragePool",
                                              "Add",  "Mul",  "Div",    "Clip"};

std::optional<int64_t> number_in(const std::string& name) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number < 0) return {};
  return number;
}

class Reader {
 public:
  Reader(const Model& model, std::vector<std::string>& complaints) : model_(model), complaints_(complaints) {}

  Network read() {
    if (model_.opset < 1 || model_.opset > 10) complain("opset " + std::to_string(model_.opset) + ", not 10 or less");
    if (model_.inputs.size() != 1 || model_.outputs.size() != 1) throw std::runtime_error("not one input and output");
    check_names();
    for (const Node& node : model_.nodes) take(node);
    join();
    network_.input = model_.inputs[0];
    network_.output = model_.outputs[0];
    check_wiring();
    return std::move(network_);
  }

 private:
  /// A node as DORY keeps it: inputs that are no constants, output behind what is passed over.
  struct Entry {
    const Node* node;
    std::vector<std::string> inputs;
    std::vector<const Tensor*> constants;
    std::vector<std::string> constant_names;
    std::string output;
    bool taken = false;
  };

  void complain(const std::string& what) { complaints_.push_back(what); }
  void complain(const Node& node, const std::string& what) {
    complain("node '" + node.name + "' (" + node.op + "): " + what);
  }

  /// "tensor names are decimal integers, increasing in graph order"
  void check_names() {
    int64_t last = -1;
    const auto follow = [&](const std::string& name) {
      const auto number = number_in(name);
      if (!number) return complain("tensor '" + name + "', no decimal number");
      if (*number <= last) complain("tensor " + name + " behind " + std::to_string(last));
      last = *number;
    };
    for (const std::string& name : model_.inputs) follow(name);
    for (const Node& node : model_.nodes)
      for (const std::string& name : node.outputs) follow(name);
  }

  void take(const Node& node) {
    if (node.outputs.size() != 1) return complain(node, "not one output");
    if (node.op == "Constant") {
      if (const Attribute* value = need(node, "value", TensorType)) constants_[node.outputs[0]] = &value->tensor;
      return;
    }
    if (passed_over.count(node.op) != 0) {
      // DORY gives its output to the entry before it, whatever it reads.
      if (entries_.empty() || node.inputs.empty() || entries_.back().output != node.inputs[0])
        return complain(node, "does not read what the node before it writes");
      entries_.back().output = node.outputs[0];
      if (node.op == "Floor") floored_.insert(node.outputs[0]);
      return;
    }
    if (layers_of_dory.count(node.op) == 0) return complain(node, "an op that DORY refuses or drops");
    Entry entry{&node, {}, {}, {}, node.outputs[0], false};
    for (const std::string& input : node.inputs) {
      const Tensor* constant = model_.constant(input);
      if (!constant && constants_.count(input) != 0) constant = constants_.at(input);
      if (!constant) {
        entry.inputs.push_back(input);
        continue;
      }
      entry.constants.push_back(constant);
      entry.constant_names.push_back(input);
      if (constant->type != 1) complain(node, "a constant that is no float32 tensor");
    }
    entries_.push_back(entry);
  }

  const Attribute* need(const Node& node, const std::string& name, AttributeType type) {
    const auto found = node.attributes.find(name);
    if (found != node.attributes.end() && found->second.type == type) return &found->second;
    complain(node, "no attribute '" + name + "' of type " + std::to_string(type));
    return nullptr;
  }
  int64_t integer(const Node& node, const std::string& name, int64_t otherwise = 0) {
    const Attribute* attribute = need(node, name, Int);
    return attribute ? attribute->integer : otherwise;
  }
  Ints integers(const Node& node, const std::string& name, size_t count) {
    const Attribute* attribute = need(node, name, IntList);
    if (attribute && attribute->integers.size() == count) return attribute->integers;
    if (attribute) complain(node, "attribute '" + name + "' of " + std::to_string(attribute->integers.size()));
    return Ints(count, name == "pads" ? 0 : 1);
  }
  void expect_integer(const Node& node, const std::string& name, int64_t expected) {
    const int64_t found = integer(node, name, expected);
    if (found != expected) complain(node, "attribute '" + name + "' is " + std::to_string(found));
  }

  Ints whole_numbers(const Node& node, const Tensor& tensor) {
    Ints numbers;
    for (double real : tensor.reals) {
      if (real != std::floor(real)) complain(node, "a constant that holds no integers");
      numbers.push_back(static_cast<int64_t>(real));
    }
    return numbers;
  }

  Entry* only_reader(const std::string& value) {
    Entry* found = nullptr;
    for (Entry& entry : entries_)
      for (const std::string& input : entry.inputs)
        if (input == value) {
          if (found) return nullptr;
          found = &entry;
        }
    return found;
  }

  /// Entries to layers: what DORY's patterns join.
  void join() {
    for (Entry& entry : entries_) {
      if (entry.taken) continue;
      entry.taken = true;
      const std::string& op = entry.node->op;
      Layer layer;
      layer.name = entry.node->name;
      layer.inputs = entry.inputs;
      layer.output = entry.output;
      if (op == "Conv" || op == "Gemm" || op == "MatMul")
        read_linear(entry, layer);
      else if (op == "MaxPool" || op == "AveragePool")
        read_pool(entry, layer);
      else if (op == "Add" && entry.inputs.size() == 2)
        read_addition(entry, layer);
      else if (op == "Mul")
        layer.chain = read_chain(entry, layer);
      else
        complain(*entry.node, "belongs to no pattern of DORY");
      Entry* behind = only_reader(layer.output);
      const bool linear = layer.kind == Layer::Kind::Convolution || layer.kind == Layer::Kind::FullyConnected;
      const bool pool = layer.kind == Layer::Kind::MaxPool || layer.kind == Layer::Kind::AveragePool;
      if ((linear || pool) && behind && behind->node->op == "Mul" && !behind->taken) {
        behind->taken = true;
        layer.chain = read_chain(*behind, layer);
        if (layer.chain->scalar == linear) complain(*behind->node, "no requantisation that DORY joins to its layer");
      }
      network_.layers.push_back(std::move(layer));
    }
  }

  void read_linear(const Entry& entry, Layer& layer) {
    const Node& node = *entry.node;
    if (entry.inputs.size() != 1 || entry.constants.empty()) throw std::runtime_error(node.name + " has no weights");
    layer.weight_shape = entry.constants[0]->shape;
    layer.weights = whole_numbers(node, *entry.constants[0]);
    if (entry.constants.size() > 1) layer.bias = whole_numbers(node, *entry.constants[1]);
    for (size_t i = 0; i < entry.constants.size(); ++i) {
      const bool called_bias = entry.constant_names[i].find("bias") != std::string::npos;
      const bool called_weight = entry.constant_names[i].find("weight") != std::string::npos;
      if (called_bias != (i == 1) || called_weight != (i == 0))
        complain(node, "constant '" + entry.constant_names[i] + "', which DORY tells by its name");
    }
    expect_integer(node, "bias_bits", 32);
    for (int64_t b : layer.bias)
      if (b < INT32_MIN || b > INT32_MAX) complain(node, "a bias beyond 32 bits");
    const int64_t bits = integer(node, "weight_bits", 8);
    if (bits != 2 && bits != 4 && bits != 8) complain(node, "weights of " + std::to_string(bits) + " bits");
    for (int64_t w : layer.weights)
      if (w < -(1 << (bits - 1)) || w >= 1 << (bits - 1)) {
        complain(node, "a weight of " + std::to_string(w));
        break;
      }
    if (node.op == "Conv")
      read_convolution(node, layer);
    else
      read_product(node, layer);
  }

  void read_convolution(const Node& node, Layer& layer) {
    layer.kind = Layer::Kind::Convolution;
    const size_t axes = layer.weight_shape.size() - 2;
    if (axes != 1 && axes != 2) throw std::runtime_error(node.name + ": neither one nor two spatial axes");
    layer.kernel = integers(node, "kernel_shape", axes);
    layer.pads = integers(node, "pads", 2 * axes);
    layer.strides = integers(node, "strides", axes);
    layer.dilations = integers(node, "dilations", axes);
    layer.group = integer(node, "group", 1);
    if (layer.kernel != Ints(layer.weight_shape.begin() + 2, layer.weight_shape.end()))
      complain(node, "a kernel_shape that is not the weights'");
    if (layer.group != 1 && (layer.group != layer.weight_shape[0] || layer.weight_shape[1] != 1))
      complain(node, "neither dense nor depthwise");
  }

  /// DORY transposes weights by their shape alone: [K, O] where K is the number of inputs.
  void read_product(const Node& node, Layer& layer) {
    layer.kind = Layer::Kind::FullyConnected;
    if (layer.weight_shape.size() != 2) throw std::runtime_error(node.name + ": no matrix of weights");
    if (node.integer("transA", 0) != 0) complain(node, "transA");
    const auto rows = static_cast<size_t>(layer.weight_shape[0]), columns = static_cast<size_t>(layer.weight_shape[1]);
    if (node.op == "Gemm" && node.integer("transB", 0) != 0) {
      if (rows == columns) complain(node, "square weights that DORY transposes");
      return;
    }
    Ints turned(layer.weights.size());
    for (size_t i = 0; i < turned.size(); ++i) turned[i % columns * rows + i / columns] = layer.weights[i];
    layer.weights = turned;
    std::swap(layer.weight_shape[0], layer.weight_shape[1]);
  }

  void read_pool(const Entry& entry, Layer& layer) {
    const Node& node = *entry.node;
    layer.kind = node.op == "MaxPool" ? Layer::Kind::MaxPool : Layer::Kind::AveragePool;
    const size_t axes = node.integers("kernel_shape").size();
    if (node.name.find("Global") != std::string::npos) complain(node, "a name that DORY takes for a global pool's");
    layer.kernel = integers(node, "kernel_shape", axes);
    layer.pads = integers(node, "pads", 2 * axes);
    layer.strides = integers(node, "strides", axes);
    layer.dilations = Ints(axes, 1);
    if (node.integer("ceil_mode", 0) != 0) complain(node, "ceil_mode");
    const bool padded = std::any_of(layer.pads.begin(), layer.pads.end(), [](int64_t pad) { return pad != 0; });
    if (padded && node.op == "AveragePool" && node.integer("count_include_pad", 0) == 0)
      complain(node, "divides by what lies inside x alone");
  }

  /// Mul, Add, Div, Floor, Clip, each with one constant and one reader.
  Chain read_chain(Entry& mul, Layer& layer) {
    Chain chain;
    std::vector<Entry*> links{&mul};
    for (const char* op : {"Add", "Div", "Clip"}) {
      Entry* next = only_reader(links.back()->output);
      if (!next || next->node->op != op || next->taken)
        throw std::runtime_error(mul.node->name + ": no " + op + " behind");
      next->taken = true;
      links.push_back(next);
    }
    for (size_t i = 0; i < 3; ++i)
      if (links[i]->constants.size() != 1 || links[i]->inputs.size() != 1)
        throw std::runtime_error(links[i]->node->name + ": not one constant");
    if (floored_.count(links[2]->output) == 0) complain(*links[3]->node, "no Floor before it");
    expect_integer(*links[0]->node, "mult_bits", 32);
    expect_integer(*links[1]->node, "add_bits", 32);
    chain.k = whole_numbers(*links[0]->node, *links[0]->constants[0]);
    chain.l = whole_numbers(*links[1]->node, *links[1]->constants[0]);
    chain.scalar = links[0]->constants[0]->shape.empty();
    if (chain.scalar != links[1]->constants[0]->shape.empty() || chain.k.size() != chain.l.size())
      complain(*links[1]->node, "another number of constants than the Mul has");
    const Ints divisor = whole_numbers(*links[2]->node, *links[2]->constants[0]);
    if (divisor.size() != 1 || divisor[0] < 1 || (divisor[0] & (divisor[0] - 1)) != 0)
      complain(*links[2]->node, "a divisor that is no power of two");
    else
      while (int64_t{1} << chain.shift < divisor[0]) ++chain.shift;
    chain.levels = clip_of(*links[3]->node);
    layer.output = links[3]->output;
    return chain;
  }

  Levels clip_of(const Node& node) {
    const Attribute* low = need(node, "min", Float);
    const Attribute* high = need(node, "max", Float);
    if (!low || !high) return {};
    const Levels levels{static_cast<int64_t>(low->number), static_cast<int64_t>(high->number)};
    check_levels(node, levels);
    const auto bits = static_cast<int64_t>(std::lround(std::log2(static_cast<double>(levels.high - levels.low + 1))));
    expect_integer(node, "out_bits", bits);
    return levels;
  }

  /// All levels of 2, 4 or 8 bits: what the kernels clip to.
  void check_levels(const Node& node, Levels levels) {
    for (int64_t bits : {2, 4, 8}) {
      const int64_t n = int64_t{1} << bits;
      if ((levels.low == 0 && levels.high == n - 1) || (levels.low == -n / 2 && levels.high == n / 2 - 1)) return;
    }
    complain(node, "levels " + std::to_string(levels.low) + ".." + std::to_string(levels.high));
  }

  void read_addition(const Entry& entry, Layer& layer) {
    const Node& node = *entry.node;
    layer.kind = Layer::Kind::Addition;
    expect_integer(node, "add_bits", 8);
    for (size_t i = 0; i < 3; ++i) {
      const std::string prefix = i == 0 ? "in1_" : i == 1 ? "in2_" : "out_";
      Side& side = layer.sides[i];
      side.mul = integer(node, prefix + "mul", 1);
      side.add = integer(node, prefix + "add");
      side.shift = integer(node, prefix + "shift");
      const int64_t n = integer(node, prefix + "n_levels", 256);
      const bool with_sign = node.integer(prefix + "signed", 0) != 0;
      side.levels = with_sign ? Levels{-n / 2, n / 2 - 1} : Levels{0, n - 1};
      check_levels(node, side.levels);
      if (side.shift < 0 || side.shift > 62) complain(node, "a shift of " + std::to_string(side.shift));
      const bool identity = side.mul == 1 && side.add == 0 && side.shift == 0;
      if (integer(node, prefix + "rq", 1) == 0 && !identity)
        complain(node, prefix + "rq is 0, its numbers are not 1, 0, 0");
    }
    if (node.attributes.count("out_signed") == 0 && layer.sides[2].levels.low == 0 &&
        (layer.sides[0].levels.low < 0 || layer.sides[1].levels.low < 0))
      complain(node, "no out_signed, and DORY takes the output to have a sign");
  }

  /// DORY tells the format of the network's input to its first layer alone; a fully connected layer's weights are
  /// turned by the extents of the layer before it.
  void check_wiring() {
    std::set<std::string> written;
    for (size_t i = 0; i < network_.layers.size(); ++i) {
      const Layer& layer = network_.layers[i];
      for (const std::string& input : layer.inputs) {
        const bool first = i == 0 && input == network_.input;
        if (!first && written.count(input) == 0)
          complain("layer '" + layer.name + "' reads " + input + ", which no layer wrote");
      }
      if (layer.kind == Layer::Kind::FullyConnected && i > 0 && network_.layers[i - 1].output != layer.inputs[0])
        complain("layer '" + layer.name + "' does not read the layer before it");
      const bool linear = layer.kind == Layer::Kind::Convolution || layer.kind == Layer::Kind::FullyConnected;
      if (linear && !layer.chain && layer.output != network_.output) complain("layer '" + layer.name + "' in raw sums");
      written.insert(layer.output);
    }
    if (written.count(network_.output) == 0) complain("no layer writes the output");
  }

  const Model& model_;
  std::vector<std::string>& complaints_;
  std::vector<Entry> entries_;
  std::map<std::string, const Tensor*> constants_;
  std::set<std::string> floored_;
  Network network_;
};

}  // namespace

Network read_layers(const Model& model, std::vector<std::string>& complaints) {
  return Reader(model, complaints).read();
}

}  // namespace dory
