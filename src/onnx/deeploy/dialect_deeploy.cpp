#include "onnx/deeploy/dialect_deeploy.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "onnx/file/container.hpp"
#include "onnx/file/integers.hpp"
#include "onnx/standard/import.hpp"

namespace nibble::onnx {
namespace {

// clang-format off
constexpr Import table[] = {
    {"Cast", 1, "saturate round_mode to", read_integer_cast, fold_cast, "to reals or integers that hold any: nothing"},
    {"Concat", 1, "axis", read_integer_concat, fold_concat, "inputs of several integer types in one that holds them"},
    {"DebugPrint", 1, "", read_debug_print, nullptr, "nothing"},
    {"Gemm", 1, "alpha beta transA transB", read_integer_gemm, nullptr, "whole alpha and beta; of any rank"},
    {"ITAMax", 1, "axis n_levels", read_ita_max, nullptr, "ItaMax"},
    {"ITAPartialMax", 1, "axis group_width groups n_levels", read_ita_partial_max, nullptr, "ItaPartialMax"},
    {"IntegerDiv", 1, "Delta eps eta", read_integer_division, nullptr, "IntegerDiv"},
    {"IntegerMean", 1, "axes keepdims", read_integer_mean, nullptr, "ReduceSum, FloorDivide: floor((2 sum + N) / 2N)"},
    {"Pad", 1, "mode pads value", read_integer_pad, nullptr, "pads and value as attributes or inputs"},
    {"RQIntegerDiv", 1, "Delta div eps eta n_levels n_levels_out signed shift", read_requantized_division, nullptr, "IntegerDiv, RequantShift"},
    {"ReduceMean", 1, "axes keepdims noop_with_empty_axes", read_integer_mean, nullptr, "as IntegerMean"},
    {"ReduceSum", 1, "axes keepdims noop_with_empty_axes", read_integer_sum, fold_reduce, "axes as attribute or input"},
    {"RequantShift", 1, "div n_levels n_levels_out signed", read_requant_shift, nullptr, "Requantise: (x mul + add + div/2) >> log2 div"},
    {"RequantizedAdd", 1, "rqs1_add rqs1_div rqs1_mul rqs1_n_levels rqs1_n_levels_out rqs1_signed rqs1_shift rqs2_add rqs2_div rqs2_mul rqs2_n_levels rqs2_n_levels_out rqs2_signed rqs2_shift rqsOut_add rqsOut_div rqsOut_mul rqsOut_n_levels rqsOut_n_levels_out rqsOut_signed rqsOut_shift", read_requantized_add, nullptr, "three RequantShifts and an Add"},
    {"RequantizedConv", 1, "auto_pad dilations div group kernel_shape n_levels n_levels_out pads shift signed strides", read_requantized_conv, nullptr, "x, w, optional bias, mul, add: Conv, RequantShift"},
    {"RequantizedGemm", 1, "alpha beta div n_levels n_levels_out shift signed transA transB", read_requantized_gemm, nullptr, "a, b, optional c, add, mul: Gemm, RequantShift"},
    {"RequantizedMatMul", 1, "div n_levels n_levels_out shift signed", read_requantized_matmul, nullptr, "a, b, add, mul: MatMul, RequantShift"},
    {"RequantizediGELU", 1, "b div n_levels n_levels_out one shift signed", read_requantized_gelu, nullptr, "x, mul, add, and the shift as input or div: iGELU, RequantShift"},
    {"RequantizediHardswish", 1, "add div mul n_levels n_levels_out one_over_six shift signed six three", read_requantized_hard_swish, nullptr, "iHardswish, RequantShift"},
    {"Squeeze", 1, "axes", read_integer_squeeze, fold_squeeze, "axes as attribute or input"},
    {"TrueIntegerDiv", 1, "Delta eps eta y", read_true_integer_division, nullptr, "TrueIntegerDiv; y as attribute or input"},
    {"Unsqueeze", 1, "axes", read_integer_unsqueeze, fold_unsqueeze, "axes as attribute or input"},
    {"iGELU", 1, "b one", read_igelu, nullptr, "IGelu"},
    {"iHardswish", 1, "one_over_six six three", read_ihard_swish, nullptr, "IHardSwish"},
    {"iLayerNorm", 1, "D n_levels", read_ilayer_norm, nullptr, "ILayerNorm"},
    {"iNoNorm", 1, "D mul n_levels", read_inonorm, nullptr, "INoNorm"},
    {"iRMSNorm", 1, "D n_levels", read_irms_norm, nullptr, "IRmsNorm"},
    {"iSoftmax", 1, "axis coeffA coeffB coeffC log2 n_levels", read_isoftmax, nullptr, "ISoftmax"},
};
// clang-format on

const Import* row_of(const std::string& domain, std::string_view op) {
  // Domains that writers of the dialect put their ops in.
  if (!domain.empty() && domain != "ai.onnx" && domain != "PACTOps" && domain != "ai.onnx.contrib") return nullptr;
  const auto found = std::find_if(std::begin(table), std::end(table), [&](const Import& row) { return row.op == op; });
  return found == std::end(table) ? nullptr : found;
}

/// Pads as an attribute, which the standard has as an input since opset 11.
bool has_old_pads(const pb::ModelProto& model, const pb::NodeProto& node) {
  const auto& imports = model.opset_import();
  const auto newer = [](const pb::OperatorSetIdProto& import) {
    return import.domain().empty() && import.version() >= 11;
  };
  const auto pads = [](const pb::AttributeProto& attribute) { return attribute.name() == "pads"; };
  return node.op_type() == "Pad" && std::any_of(imports.begin(), imports.end(), newer) &&
         std::any_of(node.attribute().begin(), node.attribute().end(), pads);
}

bool read_node(NodeReader& node) {
  if (!row_of(node.domain(), node.op_type())) return false;
  import_row(node, table);
  return true;
}

}  // namespace

std::span<const Import> deeploy_imports() {
  return table;
}

bool is_deeploy(const pb::ModelProto& model) {
  const auto& nodes = model.graph().node();
  return std::any_of(nodes.begin(), nodes.end(), [&](const pb::NodeProto& node) {
    const Import* row = row_of(node.domain(), node.op_type());
    return row && (!import_of(row->op) || has_old_pads(model, node));
  });
}

DialectRules deeploy_rules() {
  return {true, read_node};
}

graph::Ints whole_numbers(const NodeReader& node, std::string_view attribute) {
  const std::string place = node.place() + ": attribute " + in_quotes(attribute);
  std::vector<double> reals;
  switch (node.attributes().type(attribute)) {
    case pb::AttributeProto::INT: return {node.attributes().integer(attribute, 0)};
    case pb::AttributeProto::INTS: return node.attributes().integers(attribute);
    case pb::AttributeProto::FLOAT: reals = {node.attributes().real(attribute, 0)}; break;
    case pb::AttributeProto::FLOATS: reals = node.attributes().reals(attribute); break;
    case pb::AttributeProto::TENSOR: {
      const Tensor tensor = node.tensor_attribute(attribute).tensor;
      if (!is_real(tensor.type())) return tensor.to_integers();
      reals = tensor.to_reals();
      break;
    }
    case pb::AttributeProto::UNDEFINED: fail("onnx", place, "is missing", "a number");
    default: fail("onnx", place, "no number", "a number, or a tensor of one");
  }
  graph::Ints numbers;
  for (double real : reals) numbers.push_back(integer_of(real, place));
  return numbers;
}

int64_t whole_number(const NodeReader& node, std::string_view attribute) {
  const graph::Ints numbers = whole_numbers(node, attribute);
  if (numbers.size() != 1)
    node.fail("attribute " + in_quotes(attribute) + " has " + std::to_string(numbers.size()) + " elements", "one");
  return numbers[0];
}

int64_t shift_of(const NodeReader& node, std::string_view attribute) {
  const int64_t divisor = whole_number(node, attribute);
  if (divisor < 1 || !std::has_single_bit(static_cast<uint64_t>(divisor)))
    node.fail("attribute " + in_quotes(attribute) + " is " + std::to_string(divisor), "a power of two");
  return std::countr_zero(static_cast<uint64_t>(divisor));
}

graph::ValueId put(NodeReader& node, std::string_view suffix, graph::Op op, std::vector<graph::ValueId> inputs) {
  if (!suffix.empty()) return node.step(suffix, std::move(op), std::move(inputs));
  node.emit(std::move(op), std::move(inputs));
  return graph::absent;
}

}  // namespace nibble::onnx
