#include <algorithm>
#include <bit>
#include <cmath>

#include "base/file.hpp"
#include "base/json.hpp"
#include "onnx/dory/dialect_quantlab.hpp"
#include "onnx/dory/layer_writer.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/file/tensors.hpp"

namespace nibble::onnx {
namespace {

using graph::Ints;

constexpr Interval either_sign{-128, 255};

/// 2, 4 or 8 where the levels are all of so many bits, else 0.
int bits_of_levels(Interval levels) {
  for (int bits : {2, 4, 8}) {
    const int64_t half = int64_t{1} << (bits - 1);
    if (levels == Interval{0, 2 * half - 1} || levels == Interval{-half, half - 1}) return bits;
  }
  return 0;
}

Interval all_of_8_bits(bool with_sign) {
  return with_sign ? Interval{-128, 127} : Interval{0, 255};
}

int bits_of_weights(const Tensor& weights) {
  const Ints w = weights.to_integers();
  const auto [low, high] = std::minmax_element(w.begin(), w.end());
  for (int bits : {2, 4, 8})
    if (w.empty() || (*low >= -(1 << (bits - 1)) && *high < 1 << (bits - 1))) return bits;
  return 0;
}

class QuantlabWriter : public LayerWriter {
 public:
  explicit QuantlabWriter(const graph::Graph& graph) : LayerWriter(graph, "quantlab", 10) {}

  /// Sums, products and constants of 32 bits are enough everywhere.
  bool narrow() const { return narrow_; }

 protected:
  std::string objection_to_levels(Interval levels) const override {
    const bool fits = (levels.low >= 0 && levels.high <= 255) || (levels.low >= -128 && levels.high <= 127);
    if (fits) return "";
    return "levels " + std::to_string(levels.low) + ".." + std::to_string(levels.high) + ", more than 8 bits";
  }
  bool takes_levels(Interval levels) const override { return bits_of_levels(levels) != 0; }
  /// The configuration says of the input that it has 8 bits.
  Interval levels_in_file(Interval levels, bool input) const override {
    if (input ? levels == either_sign : bits_of_levels(levels) != 0) return levels;
    return all_of_8_bits(levels.low < 0);
  }
  /// The kernels clip to all levels of 2, 4 or 8 bits. Fewer come of three chains:
  ///
  ///     z = clip(f(x) - low, 0, 255)     w = clip(z + 255 - (high - low), 0, 255)     y = w + high - 255
  void settle_levels(ChainOfLayer& chain) const override {
    const Interval levels = chain.levels;
    if (bits_of_levels(levels) != 0) return;
    for (int64_t& addend : chain.addend) addend -= levels.low * chain.divisor;
    const Interval whole = all_of_8_bits(false), last = all_of_8_bits(levels.low < 0);
    chain.levels = whole;
    chain.behind = {{{1}, {whole.high - (levels.high - levels.low)}, 1, whole, {}},
                    {{1}, {levels.high - whole.high}, 1, last, {}}};
  }
  std::string objection_to_input(Interval levels) const override {
    const bool fits = levels.high - levels.low < 256 && levels.low >= -128 && (levels.low >= 0 || levels.high <= 127);
    if ((fits && levels.high <= 255) || levels == either_sign) return "";
    return "levels " + std::to_string(levels.low) + ".." + std::to_string(levels.high) + ", more than 8 bits";
  }
  std::string objection_to_weights(const Tensor& weights) const override {
    return bits_of_weights(weights) != 0 ? "" : "weights beyond 8 signed bits";
  }
  std::string objection_to_divisor(int64_t divisor) const override {
    if (std::has_single_bit(static_cast<uint64_t>(divisor))) return "";
    return "divides by " + std::to_string(divisor) + ", no power of two";
  }
  void annotate_linear(pb::NodeProto& node, const Tensor& weights) const override {
    set_integer(node, "weight_bits", bits_of_weights(weights));
    set_integer(node, "bias_bits", 32);
  }

  std::string write_chain(const std::string& name, const std::string& x, const ChainOfLayer& chain, const Shape& shape,
                          double largest) override {
    note_widths(chain, largest);
    const std::string product = next_name(), sum = next_name(), constant = next_name(), quotient = next_name(),
                      floored = next_name(), output = next_name();
    const std::string factor = add_initializer(product + ".mul", Tensor(shape, chain.multiplier));
    set_integer(add_node(name + ".mul", "Mul", {x, factor}, product), "mult_bits", 32);
    const std::string addend = add_initializer(sum + ".add", Tensor(shape, chain.addend));
    set_integer(add_node(name + ".add", "Add", {product, addend}, sum), "add_bits", 32);
    auto& value = *add_node(name + ".divisor", "Constant", {}, constant).add_attribute();
    value.set_name("value");
    value.set_type(pb::AttributeProto::TENSOR);
    write_tensor(Tensor(Shape{}, std::vector<float>{static_cast<float>(chain.divisor)}), "", *value.mutable_t());
    add_node(name + ".div", "Div", {sum, constant}, quotient);
    add_node(name + ".floor", "Floor", {quotient}, floored);
    auto& clip = add_node(name, "Clip", {floored}, output);
    set_real(clip, "max", static_cast<double>(chain.levels.high));
    set_real(clip, "min", static_cast<double>(chain.levels.low));
    set_integer(clip, "out_bits", bits_of_levels(chain.levels));
    return output;
  }

  std::string write_residual(const graph::Node& add, const std::vector<graph::ValueId>& branches,
                             const std::vector<const graph::Node*>& requantised, const graph::Node& out) override {
    struct Side {
      std::string name;
      ChainOfLayer chain;
      bool requantises;
    };
    std::vector<Side> sides;
    for (size_t i = 0; i < 2; ++i) {
      ChainOfLayer chain{{1}, {0}, 1, all_of_8_bits(levels_in(branches[i]).low < 0), {}};
      if (requantised[i]) chain = chain_of(*requantised[i]);
      if (chain.multiplier.empty()) return "";
      sides.push_back({name_of(branches[i]), chain, requantised[i] != nullptr});
    }
    // DORY takes the branch that stands first in the file for the first one, whatever the order of inputs.
    if (std::stoll("0" + sides[0].name) > std::stoll("0" + sides[1].name)) std::swap(sides[0], sides[1]);
    sides.push_back({"", chain_of(out), true});
    if (sides[2].chain.multiplier.empty()) return "";
    for (const Side& side : sides) {
      const ChainOfLayer& chain = side.chain;
      const auto same = [](const Ints& numbers) {
        return std::all_of(numbers.begin(), numbers.end(), [&](int64_t each) { return each == numbers[0]; });
      };
      if (!same(chain.multiplier) || !same(chain.addend)) return refuse(add, "parameters of each channel"), "";
    }
    std::string output = next_name();
    const ChainOfLayer& last = sides[2].chain;
    auto& node =
        add_node(last.behind.empty() ? out.name : out.name + ".whole", "Add", {sides[0].name, sides[1].name}, output);
    double largest = 0;
    for (size_t i = 0; i < 3; ++i) {
      const std::string prefix = i == 0 ? "in1_" : i == 1 ? "in2_" : "out_";
      const ChainOfLayer& chain = sides[i].chain;
      set_integer(node, prefix + "add", chain.addend[0]);
      set_integer(node, prefix + "mul", chain.multiplier[0]);
      set_integer(node, prefix + "n_levels", chain.levels.high - chain.levels.low + 1);
      set_integer(node, prefix + "rq", sides[i].requantises);
      set_integer(node, prefix + "shift", std::countr_zero(static_cast<uint64_t>(chain.divisor)));
      set_integer(node, prefix + "signed", chain.levels.low < 0);
      note_widths(chain, i == 2 ? largest : 256);
      largest += static_cast<double>(std::max(std::abs(chain.levels.low), std::abs(chain.levels.high)));
    }
    set_integer(node, "add_bits", 8);
    for (size_t i = 0; i < last.behind.size(); ++i)
      output = write_chain(i + 1 < last.behind.size() ? out.name + ".cut" : out.name, output, last.behind[i], {}, 256);
    return output;
  }

 private:
  void note_widths(const ChainOfLayer& chain, double largest) {
    for (size_t c = 0; c < chain.multiplier.size(); ++c) {
      const double sum = std::abs(static_cast<double>(chain.multiplier[c])) * std::max(largest, 1.0) +
                         std::abs(static_cast<double>(chain.addend[c]));
      narrow_ = narrow_ && sum < 0x1p31 && chain.divisor <= (int64_t{1} << 31);
    }
  }

  bool narrow_ = true;
};

Json config_of(const graph::Graph& graph, const std::filesystem::path& file, bool narrow) {
  const graph::Value& input = graph[graph.inputs.front()];
  const Interval levels = !input.bounds.empty() ? input.bounds[0]
                                                : Interval{input.type == ElementType::UInt8 ? 0 : -128,
                                                           input.type == ElementType::UInt8 ? 255 : 127};
  Json config = {{"BNRelu_bits", narrow ? 32 : 64},
                 {"onnx_file", file.filename().string()},
                 {"code reserved space", 152000},
                 {"n_inputs", 1}};
  // Without the two DORY takes 8 bits without a sign.
  if (levels != either_sign) {
    config["input_bits"] = 8;
    config["input_signed"] = levels.low < 0;
  }
  return config;
}

}  // namespace

void write_quantlab(const graph::Graph& graph, const std::filesystem::path& file) {
  QuantlabWriter writer(graph);
  const std::string bytes = writer.bytes();
  const auto config = file.parent_path() / ("config_" + file.stem().string() + ".json");
  write_file(file, bytes, "onnx");
  write_file(config, config_of(graph, file, writer.narrow()).dump(4) + "\n", "onnx");
}

}  // namespace nibble::onnx
