#include "onnx/standard/import.hpp"

#include <algorithm>
#include <charconv>

#include "graph/op_traits.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/model_writer.hpp"
#include "onnx/standard/fields.hpp"
#include "onnx/standard/graph_reader.hpp"

namespace nibble::onnx {
namespace {

// clang-format off
constexpr Import table[] = {
    {"Abs", 6, "", read_pointwise, fold_unary, ""},
    {"Add", 6, "axis<7 broadcast<7", read_arithmetic, fold_arithmetic, ""},
    {"And", 7, "", nullptr, fold_arithmetic, "known inputs only"},
    {"ArgMax", 6, "axis keepdims select_last_index>=12", read_arg_max, nullptr, ""},
    {"AveragePool", 6, "auto_pad ceil_mode count_include_pad dilations>=19 kernel_shape pads strides", read_average_pool, nullptr, "auto_pad needs known extents"},
    {"BatchNormalization", 6, "epsilon is_test<7 momentum spatial<9 training_mode>=14", read_batch_normalization, nullptr, "inference; spatial = 1"},
    {"Cast", 6, "saturate>=19 round_mode>=24 to", read_cast, fold_cast, "reals to reals, an input's integers to reals, levels to integers that hold them, integers to wider ones in a file of QLinear ops, or known inputs"},
    {"CastLike", 15, "saturate>=19 round_mode>=24", read_cast_like, fold_cast_like, "reals to reals, or known inputs"},
    {"Ceil", 6, "", read_pointwise, fold_unary, ""},
    {"Celu", 12, "alpha", read_pointwise, nullptr, ""},
    {"Clip", 6, "max<11 min<11", read_clip, nullptr, "constant bounds; on the integers of a quantiser fewer levels"},
    {"Concat", 6, "axis", read_concat, fold_concat, "", true},
    {"Constant", 6, "value value_float>=12 value_floats>=12 value_int>=12 value_ints>=12", read_constant, nullptr, ""},
    {"ConstantOfShape", 9, "value", nullptr, fold_constant_of_shape, "known inputs only"},
    {"Conv", 6, "auto_pad dilations group kernel_shape pads strides", read_conv, nullptr, "auto_pad needs known extents"},
    {"ConvInteger", 10, "auto_pad dilations group kernel_shape pads strides", read_conv_integer, nullptr, "one zero point for x, 0 for w"},
    {"ConvTranspose", 6, "auto_pad dilations group kernel_shape output_padding output_shape pads strides", read_conv_transpose, nullptr, "output_shape and auto_pad need known extents"},
    {"Cos", 7, "", read_pointwise, nullptr, ""},
    {"DepthToSpace", 6, "blocksize mode>=11", read_depth_to_space, nullptr, "Reshape, Transpose, Reshape", true},
    {"DequantizeLinear", 10, "axis>=13 block_size>=21 output_dtype>=23", read_dequantize_linear, nullptr, "no blocks; of a constant (a zero point each channel too) or of a QuantizeLinear: the fake quantiser, a Clip between the two narrows its levels"},
    {"Div", 6, "axis<7 broadcast<7", read_arithmetic, fold_arithmetic, ""},
    {"Dropout", 6, "is_test<7 ratio<12 seed>=12", read_dropout, nullptr, "inference; no mask"},
    {"Elu", 6, "alpha", read_pointwise, nullptr, ""},
    {"Equal", 7, "", nullptr, fold_arithmetic, "known inputs only"},
    {"Erf", 9, "", read_pointwise, nullptr, ""},
    {"Exp", 6, "", read_pointwise, nullptr, ""},
    {"Expand", 8, "", read_expand, fold_expand, "a Concat of copies", true},
    {"Flatten", 6, "axis", read_flatten, nullptr, "", true},
    {"Floor", 6, "", read_pointwise, fold_unary, ""},
    {"Gather", 6, "axis", read_gather, fold_gather, "", true},
    {"Gelu", 20, "approximate", read_gelu, nullptr, ""},
    {"Gemm", 6, "alpha beta broadcast<7 transA transB", read_gemm, nullptr, ""},
    {"GRU", 7, "activation_alpha activation_beta activations clip direction hidden_size layout>=14 linear_before_reset", read_gru, nullptr, "its steps, of known count; no sequence_lens"},
    {"GlobalAveragePool", 1, "", read_global_average_pool, nullptr, ""},
    {"GlobalMaxPool", 1, "", read_global_max_pool, nullptr, "known extents: a MaxPool"},
    {"Greater", 7, "", nullptr, fold_arithmetic, "known inputs only"},
    {"GreaterOrEqual", 12, "", nullptr, fold_arithmetic, "known inputs only"},
    {"GroupNormalization", 18, "epsilon num_groups stash_type>=21", read_group_normalization, nullptr, "a LayerNormalization of each group, then Mul and Add"},
    {"HardSigmoid", 6, "alpha beta", read_pointwise, nullptr, ""},
    {"HardSwish", 14, "", read_pointwise, nullptr, ""},
    {"Identity", 6, "", read_pointwise, fold_identity, "", true},
    {"InstanceNormalization", 6, "epsilon", read_instance_normalization, nullptr, "a LayerNormalization of each channel, then Mul and Add"},
    {"LSTM", 7, "activation_alpha activation_beta activations clip direction hidden_size input_forget layout>=14", read_lstm, nullptr, "its steps, of known count; no sequence_lens"},
    {"LayerNormalization", 17, "axis epsilon stash_type", read_layer_normalization, nullptr, ""},
    {"LeakyRelu", 6, "alpha", read_pointwise, nullptr, ""},
    {"Less", 7, "", nullptr, fold_arithmetic, "known inputs only"},
    {"LessOrEqual", 12, "", nullptr, fold_arithmetic, "known inputs only"},
    {"Log", 6, "", read_pointwise, nullptr, ""},
    {"LogSoftmax", 6, "axis", read_log_softmax, nullptr, "before opset 13 along the last axis"},
    {"LpNormalization", 6, "axis p", read_lp_normalization, nullptr, "p = 1: Abs, ReduceSum, Div; p = 2: a RMSNormalization"},
    {"MatMul", 6, "", read_matmul, nullptr, ""},
    {"MatMulInteger", 10, "", read_matmul_integer, nullptr, "one zero point each"},
    {"Max", 8, "", read_min_max, fold_arithmetic, "a Clip where one is a number"},
    {"MaxPool", 6, "auto_pad ceil_mode>=10 dilations>=10 kernel_shape pads storage_order>=8 strides", read_max_pool, nullptr, "no indices; auto_pad needs known extents", true},
    {"Mean", 6, "", read_mean, nullptr, "an Add of all, a Div"},
    {"Min", 8, "", read_min_max, fold_arithmetic, "a Clip where one is a number"},
    {"Mish", 18, "", read_pointwise, nullptr, ""},
    {"Mod", 10, "fmod", nullptr, fold_arithmetic, "known inputs only"},
    {"Mul", 6, "axis<7 broadcast<7", read_arithmetic, fold_arithmetic, ""},
    {"Neg", 6, "", read_pointwise, fold_unary, ""},
    {"Not", 1, "", nullptr, fold_unary, "known inputs only"},
    {"Or", 7, "", nullptr, fold_arithmetic, "known inputs only"},
    {"PRelu", 6, "", read_prelu, nullptr, "a LeakyRelu where all slopes are one number; computed slopes in pieces"},
    {"Pad", 6, "mode pads<11 value<11", read_pad, nullptr, "constant, reflect, edge; constant pads", true},
    {"Pow", 6, "axis<7 broadcast<7", read_arithmetic, nullptr, ""},
    {"QLinearConv", 10, "auto_pad dilations group kernel_shape pads strides", read_qlinear_conv, nullptr, "a requantisation: docs/design/dialects.md"},
    {"QLinearMatMul", 10, "", read_qlinear_matmul, nullptr, "a requantisation; one scale for a"},
    {"QuantizeLinear", 10, "axis>=13 block_size>=21 output_dtype>=21 precision>=23 saturate>=19", read_quantize_linear, nullptr, "one zero point; no blocks"},
    {"RMSNormalization", 23, "axis epsilon stash_type", read_rms_normalization, nullptr, ""},
    {"RNN", 7, "activation_alpha activation_beta activations clip direction hidden_size layout>=14", read_rnn, nullptr, "its steps, of known count; no sequence_lens"},
    {"Range", 11, "", nullptr, fold_range, "known inputs only"},
    {"Reciprocal", 6, "", read_pointwise, nullptr, ""},
    {"ReduceL1", 6, "axes<18 keepdims noop_with_empty_axes>=18", read_reduce_l1, nullptr, "constant axes; Abs, ReduceSum"},
    {"ReduceL2", 6, "axes<18 keepdims noop_with_empty_axes>=18", read_reduce_l2, nullptr, "constant axes; Mul, ReduceSum, Sqrt"},
    {"ReduceLogSum", 6, "axes<18 keepdims noop_with_empty_axes>=18", read_reduce_log_sum, nullptr, "constant axes; ReduceSum, Log"},
    {"ReduceMax", 6, "axes<18 keepdims noop_with_empty_axes>=18", read_reduce_max, fold_reduce, "constant axes"},
    {"ReduceMean", 6, "axes<18 keepdims noop_with_empty_axes>=18", read_reduce_mean, nullptr, "constant axes"},
    {"ReduceMin", 6, "axes<18 keepdims noop_with_empty_axes>=18", read_reduce_min, fold_reduce, "constant axes; Neg, ReduceMax, Neg"},
    {"ReduceProd", 6, "axes<18 keepdims noop_with_empty_axes>=18", nullptr, fold_reduce, "known inputs only"},
    {"ReduceSum", 6, "axes<13 keepdims noop_with_empty_axes>=13", read_reduce_sum, fold_reduce, "constant axes"},
    {"ReduceSumSquare", 6, "axes<18 keepdims noop_with_empty_axes>=18", read_reduce_sum_square, nullptr, "constant axes; Mul, ReduceSum"},
    {"Relu", 6, "", read_pointwise, nullptr, ""},
    {"Reshape", 6, "allowzero>=14", read_reshape, fold_reshape, "known shape; the batch carried", true},
    {"Resize", 10, "antialias>=18 axes>=18 coordinate_transformation_mode>=11 cubic_coeff_a>=11 exclude_outside>=11 extrapolation_value>=11 keep_aspect_ratio_policy>=18 mode nearest_mode>=11", read_resize, nullptr, "nearest, linear; half_pixel, pytorch_half_pixel, align_corners, asymmetric; no antialias"},
    {"Round", 11, "", read_pointwise, fold_unary, "halves to even"},
    {"Selu", 6, "alpha gamma", read_pointwise, nullptr, ""},
    {"Shape", 6, "end>=15 start>=15", nullptr, fold_shape, "folded; the batch carried", true},
    {"Shrink", 9, "bias lambd", read_pointwise, nullptr, ""},
    {"Sigmoid", 6, "", read_pointwise, nullptr, ""},
    {"Sign", 9, "", read_pointwise, nullptr, ""},
    {"SimplifiedLayerNormalization", 1, "axis epsilon stash_type", read_rms_normalization, nullptr, "ONNX Runtime's RMSNormalization"},
    {"Sin", 7, "", read_pointwise, nullptr, ""},
    {"Size", 6, "", nullptr, fold_size, "folded"},
    {"Slice", 6, "axes<10 ends<10 starts<10", read_slice, fold_slice, "constant bounds", true},
    {"Softmax", 6, "axis", read_softmax, nullptr, "before opset 13 of the flattened input: Flatten and Reshape put around it where that differs"},
    {"Softplus", 1, "", read_pointwise, nullptr, ""},
    {"Softsign", 1, "", read_pointwise, nullptr, ""},
    {"SpaceToDepth", 6, "blocksize", read_space_to_depth, nullptr, "Reshape, Transpose, Reshape", true},
    {"Split", 6, "axis num_outputs>=18 split<13", read_split, nullptr, "constant sizes", true},
    {"Sqrt", 6, "", read_pointwise, nullptr, ""},
    {"Squeeze", 6, "axes<13", read_squeeze, fold_squeeze, "constant axes", true},
    {"Sub", 6, "axis<7 broadcast<7", read_arithmetic, fold_arithmetic, ""},
    {"Sum", 6, "", read_sum, nullptr, "an Add of all"},
    {"Swish", 24, "alpha", read_pointwise, nullptr, ""},
    {"Tanh", 6, "", read_pointwise, nullptr, ""},
    {"ThresholdedRelu", 10, "alpha", read_pointwise, nullptr, ""},
    {"Tile", 6, "", read_tile, nullptr, "constant repeats; a Concat of copies", true},
    {"Transpose", 6, "perm", read_transpose, fold_transpose, "", true},
    {"Unsqueeze", 6, "axes<13", read_unsqueeze, fold_unsqueeze, "constant axes", true},
    {"Upsample", 7, "mode scales<9", read_upsample, nullptr, "nearest, linear: a Resize; until opset 9"},
    {"Where", 9, "", read_where, fold_where, ""},
};

/// Domain com.microsoft, version 1: what ONNX Runtime's quantiser writes beside the standard's ops.
constexpr Import microsoft_table[] = {
    {"QGemm", 1, "alpha transA transB", read_qgemm, nullptr, "alpha above 0; without a y_scale reals"},
    {"QLinearAdd", 1, "", read_qlinear_add, nullptr, "every pair of integers checked"},
    {"QLinearAveragePool", 1, "auto_pad ceil_mode channels_last count_include_pad kernel_shape pads strides", read_qlinear_average_pool, nullptr, "one divisor: no pads that do not count, no ceil_mode"},
    {"QLinearConcat", 1, "axis", read_qlinear_concat, nullptr, "a table a branch"},
    {"QLinearGlobalAveragePool", 1, "channels_last", read_qlinear_global_average_pool, nullptr, "channels first"},
    {"QLinearLeakyRelu", 1, "alpha", read_qlinear_leaky_relu, nullptr, "a table"},
    {"QLinearMul", 1, "", read_qlinear_mul, nullptr, ""},
    {"QLinearReduceMean", 1, "axes keepdims", read_qlinear_reduce_mean, nullptr, "known extents"},
    {"QLinearSigmoid", 1, "", read_qlinear_sigmoid, nullptr, "a table"},
};
// clang-format on

const Import* row_of(std::span<const Import> rows, std::string_view op) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Import& row) { return row.op == op; });
  return found == rows.end() ? nullptr : &*found;
}

/// The opset that an attribute's rule names, 0 where it names none.
int64_t bound_of(std::string_view rule) {
  int64_t bound = 0;
  const size_t digits = rule.find_first_of("0123456789", rule.find_first_of("<>"));
  if (digits != rule.npos) std::from_chars(rule.data() + digits, rule.data() + rule.size(), bound);
  return bound;
}

/// "min<11": the name, and whether an attribute of that name belongs to the opset.
bool attribute_matches(std::string_view rule, std::string_view name, int64_t opset) {
  const size_t mark = rule.find_first_of("<>");
  if (rule.substr(0, mark) != name) return false;
  if (mark == rule.npos) return true;
  const bool until = rule[mark] == '<';
  return until ? opset < bound_of(rule) : opset >= bound_of(rule);
}

std::vector<std::string_view> rules_of(std::string_view list) {
  std::vector<std::string_view> rules;
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(' ', begin), list.size());
    rules.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return rules;
}

void check_attributes(const NodeReader& node, const Import& row, std::string_view also) {
  std::vector<std::string_view> rules = rules_of(row.attributes);
  for (std::string_view name : rules_of(also)) rules.push_back(name);
  for (std::string_view name : node.attributes().names()) {
    if (name == "consumed_inputs" && node.opset() < 7) continue;
    const bool known = std::any_of(rules.begin(), rules.end(),
                                   [&](std::string_view rule) { return attribute_matches(rule, name, node.opset()); });
    if (known) continue;
    std::vector<std::string_view> names;
    for (std::string_view rule : rules) names.push_back(rule.substr(0, rule.find_first_of("<>")));
    std::string supported;
    for (std::string_view each : rules) supported += (supported.empty() ? "" : ", ") + std::string(each);
    node.fail("attribute " + in_quotes(name) + " at opset " + std::to_string(node.opset()) + did_you_mean(name, names),
              supported.empty() ? "none" : "one of " + supported);
  }
}

/// What was not written by the import is an output that we do not give; its reader is told.
void refuse_other_outputs(NodeReader& node) {
  for (size_t i = 1; i < node.output_count(); ++i) {
    const std::string& name = node.output_name(i);
    if (name.empty() || node.reader().is_defined(name)) continue;
    Item item;
    item.refusal = "output " + std::to_string(i) + " of " + node.op_type() + ", which is not supported";
    node.reader().define(name, std::move(item));
  }
}

/// An output has a name; of an op that reads no further ones, the first.
void check_outputs(const NodeReader& node, bool any_of_them = false) {
  bool named = false;
  for (size_t i = 0; i < (any_of_them ? node.output_count() : 1); ++i) named = named || !node.output_name(i).empty();
  if (!named) node.fail("no first output", "a name");
}

}  // namespace

void import_row(NodeReader& node, std::span<const Import> rows, std::string_view also) {
  const std::string op = node.op_type();
  const Import* row = row_of(rows, op);
  if (!row) {
    std::vector<std::string_view> names;
    for (const Import& each : rows)
      if (each.read) names.push_back(each.op);
    std::string supported;
    for (std::string_view each : names) supported += (supported.empty() ? "" : ", ") + std::string(each);
    node.fail("an op that is not supported" + did_you_mean(op, names), "one of " + supported);
  }
  if (node.opset() < row->since)
    node.fail("opset " + std::to_string(node.opset()), std::to_string(row->since) + " or later");
  const bool recurrent = row->read == read_lstm || row->read == read_gru || row->read == read_rnn;
  check_outputs(node, recurrent);
  check_attributes(node, *row, also);
  const bool moves = row->moves || op == "Cast";
  if (moves && node.has(0)) {
    node.hold_levels(0);
    if (const auto& grid = node.item(0).integers_of; grid && row->moves) node.move_levels(*grid);
    if (row->moves && node.item(0).zeros && op != "Shape") return node.give_zeros(node.item(0).folded->type);
  }
  // Folding knows numbers alone; constant levels keep their type.
  const bool levels = moves && node.has(0) && node.item(0).constant && is_levels(*node.item(0).constant);
  const bool folded = row->fold && !node.native() && !levels && row->fold(node);
  if (!folded && !row->read)
    node.fail("of a value that is computed", "inputs that are known while reading: " + op + " is folded, not run");
  if (!folded) row->read(node);
  refuse_other_outputs(node);
}

std::span<const Import> imports() {
  return table;
}

const Import* import_of(std::string_view op) {
  return row_of(table, op);
}

int64_t first_opset(std::string_view op, std::string_view attribute) {
  const Import* row = import_of(op);
  if (!row) return no_opset;
  if (attribute.empty()) return row->since;
  for (std::string_view rule : rules_of(row->attributes))
    if (rule.substr(0, rule.find('>')) == attribute) return std::max(row->since, bound_of(rule));
  throw InternalError("the table has no attribute '" + std::string(attribute) + "' of " + std::string(op));
}

void import_standard(NodeReader& node, std::string_view attributes) {
  import_row(node, table, attributes);
}

bool begins_tail(const NodeReader& node) {
  const graph::Op* op = graph::op_named(node.op_type());
  if (!op) return false;
  const graph::OpClass kind = graph::class_of(*op);
  const bool function = kind == graph::OpClass::Function || kind == graph::OpClass::Algorithm ||
                        holds_alternative<graph::LogSoftmax>(*op);
  return function && visit([]<class Op>(const Op&) { return graph::OnReals<Op>; }, *op);
}

void import_tail(NodeReader& node) {
  node.take_reals();
  import_standard(node);
}

std::span<const Import> microsoft_imports() {
  return microsoft_table;
}

void import_microsoft(NodeReader& node) {
  import_row(node, microsoft_table, {});
}

void import_nibble(NodeReader& node) {
  check_outputs(node);
  graph::Op op = op_of_fields(node);
  std::vector<graph::ValueId> inputs;
  for (size_t i = 0; i < node.input_count(); ++i) inputs.push_back(node.optional_value(i));
  node.emit(std::move(op), std::move(inputs), node.output_count());
}

}  // namespace nibble::onnx
