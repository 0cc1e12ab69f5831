#include <algorithm>

#include "base/file.hpp"
#include "onnx/dory/dialect_nemo.hpp"
#include "onnx/dory/layer_writer.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/file/tensors.hpp"
#include "onnx/integer_form/make_levels_unsigned.hpp"

namespace nibble::onnx {
namespace {

class NemoWriter : public LayerWriter {
 public:
  explicit NemoWriter(const graph::Graph& graph) : LayerWriter(graph, "nemo", 9) {}

 protected:
  std::string objection_to_levels(Interval levels) const override {
    if (levels.low >= 0 && levels.high <= 255) return "";
    return "levels " + std::to_string(levels.low) + ".." + std::to_string(levels.high) +
           ", and the dialect's activations are 0..255 at most: its Div rounds toward zero; levels below zero are "
           "raised where no padding and no output needs them, so a Relu or other bits help";
  }
  bool takes_levels(Interval levels) const override { return objection_to_levels(levels).empty(); }
  std::string objection_to_input(Interval levels) const override {
    if (levels.low >= -128 && levels.high <= 255) return "";
    return "levels " + std::to_string(levels.low) + ".." + std::to_string(levels.high) + ", more than 8 bits";
  }
  std::string objection_to_weights(const Tensor& weights) const override {
    const graph::Ints w = weights.to_integers();
    const bool fit = std::all_of(w.begin(), w.end(), [](int64_t each) { return each >= -128 && each <= 127; });
    return fit ? "" : "weights beyond 8 signed bits";
  }
  std::string objection_to_divisor(int64_t) const override { return ""; }

  std::string write_chain(const std::string& name, const std::string& x, const ChainOfLayer& chain, const Shape& given,
                          double) override {
    Shape shape = given;
    if (shape.size() > 1) shape.insert(shape.begin(), 1);
    const std::string product = next_name(), sum = next_name();
    add_node(name + ".mul", "Mul", {add_initializer(name + ".kappa", Tensor(shape, chain.multiplier)), x}, product);
    add_node(name + ".add", "Add", {product, add_initializer(name + ".lamda", Tensor(shape, chain.addend))}, sum);
    std::string last = cast(name + ".cast", sum, pb::TensorProto::INT64);
    const std::string factor = constant(name + ".factor", 1), scaled = next_name();
    add_node(name + ".scale", "Mul", {last, factor}, scaled);
    const std::string divisor = constant(name + ".divisor", chain.divisor), quotient = next_name();
    add_node(name + ".div", "Div", {scaled, divisor}, quotient);
    last = cast(name + ".cast_1", quotient, pb::TensorProto::INT64);
    last = cast(name + ".cast_2", last, pb::TensorProto::INT64);
    last = cast(name + ".cast_3", last, pb::TensorProto::FLOAT);
    const std::string output = next_name();
    auto& clip = add_node(name, "Clip", {last}, output);
    set_real(clip, "max", static_cast<double>(chain.levels.high));
    set_real(clip, "min", static_cast<double>(chain.levels.low));
    return output;
  }

  std::string write_residual(const graph::Node& add, const std::vector<graph::ValueId>& branches,
                             const std::vector<const graph::Node*>& requantised, const graph::Node& out) override {
    std::vector<std::string> inputs;
    for (size_t i = 0; i < branches.size(); ++i)
      inputs.push_back(requantised[i] ? write_scalar(*requantised[i], branches[i], name_of(branches[i]))
                                      : name_of(branches[i]));
    const std::string sum = next_name();
    add_node(add.name, "Add", inputs, sum);
    return write_scalar(out, add.outputs[0], sum);
  }

 private:
  std::string write_scalar(const graph::Node& node, graph::ValueId read, const std::string& x) {
    ChainOfLayer chain = chain_of(node);
    if (chain.multiplier.empty()) return next_name();
    const auto same = [](const graph::Ints& numbers) {
      return std::all_of(numbers.begin(), numbers.end(), [&](int64_t each) { return each == numbers[0]; });
    };
    if (!same(chain.multiplier) || !same(chain.addend)) refuse(node, "parameters of each channel behind an Add");
    chain.multiplier.resize(1), chain.addend.resize(1);
    if (!settle_addend(chain, levels_in(read)))
      refuse(node, "addend " + std::to_string(chain.addend[0]) + ", which float32 does not hold");
    return write_chain(node.name, x, chain, {}, 0);
  }

  std::string cast(const std::string& name, const std::string& x, int to) {
    const std::string output = next_name();
    set_integer(add_node(name, "Cast", {x}, output), "to", to);
    return output;
  }

  std::string constant(const std::string& name, int64_t number) {
    const std::string output = next_name();
    auto& value = *add_node(name, "Constant", {}, output).add_attribute();
    value.set_name("value");
    value.set_type(pb::AttributeProto::TENSOR);
    write_tensor(Tensor({1}, std::vector<int64_t>{number}), "", *value.mutable_t());
    return output;
  }
};

}  // namespace

void write_nemo(const graph::Graph& graph, const std::filesystem::path& file) {
  const graph::Graph raised = make_levels_unsigned(graph);
  write_file(file, NemoWriter(raised).bytes(), "onnx");
}

}  // namespace nibble::onnx
