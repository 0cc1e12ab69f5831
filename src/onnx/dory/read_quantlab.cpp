#include <algorithm>

#include "base/json.hpp"
#include "onnx/dory/dialect_quantlab.hpp"
#include "onnx/dory/integer_chains.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/metadata.hpp"

namespace nibble::onnx {
namespace {

constexpr std::string_view own_attributes = "weight_bits bias_bits mult_bits add_bits out_bits";

/// Half or all of the levels below zero.
Interval levels_of_count(int64_t count, bool with_sign) {
  return with_sign ? Interval{-count / 2, count - count / 2 - 1} : Interval{0, count - 1};
}

class QuantlabReader : public ChainReader {
 public:
  explicit QuantlabReader(Interval input_levels) : ChainReader({own_attributes, true}, input_levels) {}

  void read(NodeReader& node) override {
    const bool residual = node.op_type() == "Add" && node.attributes().has("in1_mul");
    if (residual) return read_residual(node);
    if (node.op_type() == "Sigmoid") return read_sigmoid(node);
    ChainReader::read(node);
  }

 private:
  /// in1_, in2_ or out_ as its attributes say it.
  struct Side {
    graph::Requantise op;
    bool requantises = false;  ///< it does more than pass on what it reads
  };

  static Side side_of(const NodeReader& node, const std::string& prefix, bool with_sign) {
    const auto read = [&](const std::string& name) {
      if (!node.attributes().has(prefix + name))
        node.fail("no attribute " + in_quotes(prefix + name), "mul, add, shift and n_levels of in1_, in2_ and out_");
      return node.attributes().integer(prefix + name, 0);
    };
    const int64_t levels = read("n_levels"), shift = read("shift");
    if (levels < 2 || levels > 65536)
      node.fail("attribute " + in_quotes(prefix + "n_levels") + " is " + std::to_string(levels), "2 to 65536");
    if (shift < 0 || shift > 63)
      node.fail("attribute " + in_quotes(prefix + "shift") + " is " + std::to_string(shift), "0 to 63");
    const bool below_zero = node.attributes().integer(prefix + "signed", with_sign) != 0;
    const Interval range = levels_of_count(levels, below_zero);
    Side side{{{read("mul")}, {read("add")}, {shift}, range.low, range.high}};
    const bool identity = side.op.multiplier[0] == 1 && side.op.addend[0] == 0 && shift == 0;
    side.requantises = node.attributes().integer(prefix + "rq", 1) != 0 || !identity;
    return side;
  }

  void read_residual(NodeReader& node) {
    node.expect_inputs(2, 2);
    settle_inputs(node);
    bool below_zero = false;
    std::vector<graph::ValueId> branches;
    for (size_t i = 0; i < 2; ++i) {
      const graph::ValueId x = node.value(i);
      if (is_real(node.typed(x).type)) node.fail("reals in input " + std::to_string(i), "integers");
      const graph::Value& value = node.typed(x);
      const bool with_sign = value.bounds.empty() ? levels_of(value.type).low < 0 : value.bounds[0].low < 0;
      const Side side = side_of(node, i == 0 ? "in1_" : "in2_", with_sign);
      below_zero = below_zero || side.op.low < 0;
      branches.push_back(side.requantises ? node.step(i == 0 ? "in1" : "in2", side.op, {x}) : x);
    }
    const graph::ValueId sum = node.step("sum", graph::Add{}, branches);
    Side out = side_of(node, "out_", below_zero);
    if (node.attributes().integer("out_rq", 1) == 0) out.op.multiplier = {1}, out.op.addend = {0}, out.op.shift = {0};
    node.emit(out.op, {sum});
    graph::Graph& graph = node.reader().graph();
    graph[graph.nodes.back().outputs[0]].bounds = {{out.op.low, out.op.high}};
  }

  /// QuantLab leaves the Sigmoid of a decision behind the last layer, on integers, and keeps its integer part: in
  /// float32 sigmoid(x) is 1 from x = 17 on and less below.
  void read_sigmoid(NodeReader& node) {
    node.expect_inputs(1, 1);
    settle_inputs(node);
    const graph::ValueId x = node.value(0);
    if (is_real(node.typed(x).type)) node.fail("reals in input 0", "integers");
    constexpr int32_t last_below = 16;
    const graph::ValueId offset = node.add_constant("offset", Tensor(Shape{}, std::vector<int32_t>{-last_below}));
    node.emit(graph::Clip{0, 1}, {node.step("above", graph::Add{}, {x, offset})});
  }
};

/// The levels of the input that the file beside the network states; else of 8 bits, of either sign.
Interval input_levels(const Source& source) {
  constexpr Interval either_sign{-128, 255};
  const auto config = source.folder / ("config_" + std::filesystem::path(source.place).stem().string() + ".json");
  if (source.folder.empty() || !std::filesystem::exists(config)) return either_sign;
  const Json json = read_json(config, "onnx");
  if (!json.is_object() || !json.contains("input_bits") || !json.contains("input_signed")) return either_sign;
  const Json &bits = json["input_bits"], &sign = json["input_signed"];
  if (!bits.is_number_integer() || bits < 1 || bits > 16)
    fail("onnx", config.string(), "input_bits " + bits.dump(), "1 to 16");
  if (!sign.is_boolean()) fail("onnx", config.string(), "input_signed " + sign.dump(), "true or false");
  return levels_of_count(int64_t{1} << bits.get<int>(), sign.get<bool>());
}

}  // namespace

bool is_quantlab_file(const Source& source) {
  const auto& nodes = source.model.graph().node();
  return std::any_of(nodes.begin(), nodes.end(), [](const pb::NodeProto& node) {
    return std::any_of(node.attribute().begin(), node.attribute().end(), [](const pb::AttributeProto& attribute) {
      const std::string_view name = attribute.name();
      return name == "weight_bits" || name == "mult_bits" || name == "out_bits" || name == "in1_mul";
    });
  });
}

graph::Graph read_quantlab(const Source& source) {
  QuantlabReader importer(input_levels(source));
  return GraphReader(source.model, source.place, source.options, {source.folder, false},
                     {.integers = true, .importer = &importer})
      .run();
}

}  // namespace nibble::onnx
