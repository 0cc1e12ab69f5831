#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "onnx/standard/node_reader.hpp"

namespace nibble::onnx {

/// One op of the standard as we read it.
///
/// `attributes` are names with spaces between; "min<11" is read before opset 11 only, "axes>=18" from there on.
struct Import {
  std::string_view op;
  int64_t since;  ///< the first opset whose form we read; from 13 on: the first that has the op
  std::string_view attributes;
  /// Puts it into the graph; nullptr: only where its inputs are known.
  void (*read)(NodeReader&);
  /// Computes it where all inputs are known; nullptr: never.
  bool (*fold)(NodeReader&);
  std::string_view remark;  ///< for the reference page
  /// It only moves elements: between a QuantizeLinear and its DequantizeLinear it may stand on the integers.
  bool moves = false;
};

/// Every op that is read, in alphabetical order: the one table.
std::span<const Import> imports();
const Import* import_of(std::string_view op);

/// The first opset in which the standard has an op, or an attribute of it; no_opset where the table has no such op.
int64_t first_opset(std::string_view op, std::string_view attribute = {});

/// Reads a node by its row of a domain's or dialect's table; a UserError names the ops of the table where it has none.
/// `also` are names of attributes that a dialect puts beside the standard's, with spaces between.
void import_row(NodeReader& node, std::span<const Import> rows, std::string_view also = {});

/// Reads a node of the standard by its row: version, attributes and unknown ops are checked here. `attributes` are
/// names that a dialect puts beside the standard's, with spaces between.
void import_standard(NodeReader& node, std::string_view attributes = {});
/// An op of a file of integers that has no form on integers: with it a tail of reals begins.
bool begins_tail(const NodeReader& node);
/// Reads a node of the standard on reals in a file of integers: its inputs are what the integers stand for.
void import_tail(NodeReader& node);
/// The ops of domain com.microsoft that are read.
std::span<const Import> microsoft_imports();
void import_microsoft(NodeReader& node);
/// The ops of domain qonnx.custom_op.general (and its older names) that are read.
std::span<const Import> qonnx_imports();
bool is_qonnx_domain(std::string_view domain);
void import_qonnx(NodeReader& node);
/// Reads a node of domain `nibble`: any op of ours, its fields as attributes.
void import_nibble(NodeReader& node);

/// A constant whose -infinity (a mask's) is the lowest float32 instead, which a sum or a Softmax takes as well.
graph::ValueId without_infinity(NodeReader& node, std::string_view suffix, graph::ValueId id);

// clang-format off
// Linear, windows, pointwise, movement, quantisation: one function a form, in import_<kind>.cpp.
void read_conv(NodeReader&); void read_gemm(NodeReader&); void read_matmul(NodeReader&);
void read_conv_integer(NodeReader&); void read_matmul_integer(NodeReader&);
void read_batch_normalization(NodeReader&); void read_layer_normalization(NodeReader&);
void read_max_pool(NodeReader&); void read_average_pool(NodeReader&);
void read_global_average_pool(NodeReader&); void read_global_max_pool(NodeReader&);
void read_reduce_mean(NodeReader&); void read_reduce_sum(NodeReader&); void read_reduce_max(NodeReader&);
void read_arg_max(NodeReader&);
void read_clip(NodeReader&);
void read_gelu(NodeReader&); void read_softmax(NodeReader&); void read_dropout(NodeReader&);
void read_conv_transpose(NodeReader&); void read_rms_normalization(NodeReader&);
void read_log_softmax(NodeReader&); void read_min_max(NodeReader&); void read_where(NodeReader&);
void read_sum(NodeReader&); void read_mean(NodeReader&); void read_prelu(NodeReader&);
void read_cast_like(NodeReader&);
void read_pointwise(NodeReader&); void read_arithmetic(NodeReader&); void read_cast(NodeReader&);
void read_constant(NodeReader&);
void read_concat(NodeReader&); void read_split(NodeReader&); void read_slice(NodeReader&); void read_pad(NodeReader&);
void read_flatten(NodeReader&); void read_reshape(NodeReader&); void read_transpose(NodeReader&);
void read_squeeze(NodeReader&); void read_unsqueeze(NodeReader&); void read_gather(NodeReader&);
void read_resize(NodeReader&); void read_upsample(NodeReader&);
// Read as several ops of ours, in import_blocks.cpp and import_norms.cpp.
void read_depth_to_space(NodeReader&); void read_space_to_depth(NodeReader&);
void read_tile(NodeReader&); void read_expand(NodeReader&);
void read_instance_normalization(NodeReader&); void read_group_normalization(NodeReader&);
void read_lp_normalization(NodeReader&);
void read_reduce_l1(NodeReader&); void read_reduce_l2(NodeReader&); void read_reduce_min(NodeReader&);
void read_reduce_sum_square(NodeReader&); void read_reduce_log_sum(NodeReader&);
/// What a reduction's attributes say, or its second input from an opset on. `nothing`: it leaves its input as it is.
struct Reduction {
  graph::Ints axes;
  bool keep_dims = true, nothing = false;
};
Reduction reduction_of(NodeReader& node, int64_t first_as_input);
void read_lstm(NodeReader&); void read_gru(NodeReader&); void read_rnn(NodeReader&);
/// Refuses pads that are not two for each of `axes` axes, or beyond 31 bits; attribute 'mode' of a Pad.
void check_pads(const NodeReader&, const graph::Ints& pads, size_t axes); graph::PadMode pad_mode_of(const NodeReader&);
void read_quantize_linear(NodeReader&); void read_dequantize_linear(NodeReader&);
/// What QuantizeLinear and DequantizeLinear say: scale (input 1), zero point (input 2), levels of the type.
Grid grid_of_quantize(const NodeReader&, size_t rank); Grid grid_of_dequantize(const NodeReader&, ElementType, size_t rank);
/// A Clip on the integers of a QuantizeLinear or of a constant (QCDQ): fewer levels. False where they are none.
bool clip_levels(NodeReader&);
/// A convolution's attributes for x and w; the one zero point of an integer op's input, 0 where it is absent.
graph::Conv conv_of(const NodeReader&, graph::ValueId x, graph::ValueId w); int64_t zero_point(const NodeReader&, size_t index);
/// The constant integers of input `slot` less their zero points (input `points`, one or one for each index of `axis`).
graph::ValueId centred_weights(NodeReader&, size_t slot, size_t points, int64_t axis);
// Integers of the standard, in import_qlinear.cpp and import_integers.cpp.
void read_qlinear_conv(NodeReader&); void read_qlinear_matmul(NodeReader&); void read_qgemm(NodeReader&);
void read_qlinear_add(NodeReader&); void read_qlinear_mul(NodeReader&); void read_qlinear_concat(NodeReader&);
void read_qlinear_average_pool(NodeReader&); void read_qlinear_global_average_pool(NodeReader&);
void read_qlinear_reduce_mean(NodeReader&);
void read_qlinear_sigmoid(NodeReader&); void read_qlinear_leaky_relu(NodeReader&);
void quantise_integers(NodeReader&); void dequantise_integers(NodeReader&);
// Folding, in fold_<kind>.cpp: false where an input is not known.
bool fold_shape(NodeReader&); bool fold_size(NodeReader&); bool fold_constant_of_shape(NodeReader&);
bool fold_range(NodeReader&); bool fold_cast(NodeReader&); bool fold_cast_like(NodeReader&); bool fold_identity(NodeReader&);
bool fold_arithmetic(NodeReader&); bool fold_unary(NodeReader&); bool fold_where(NodeReader&);
bool fold_reduce(NodeReader&);
bool fold_gather(NodeReader&); bool fold_concat(NodeReader&); bool fold_slice(NodeReader&);
bool fold_squeeze(NodeReader&); bool fold_unsqueeze(NodeReader&); bool fold_reshape(NodeReader&);
bool fold_expand(NodeReader&); bool fold_transpose(NodeReader&);
// clang-format on

}  // namespace nibble::onnx
