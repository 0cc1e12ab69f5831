#pragma once
#include <span>
#include <string_view>

#include "onnx/onnx.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "onnx/standard/import.hpp"

/// The dialect deeploy (DIALECTS.md): tensors of reals that hold integers, the standard's linear ops and movement on
/// them, RequantShift with its half rounded up, and integer functions.
namespace nibble::onnx {

/// Every op that the dialect has beside the standard's, or reads otherwise, in alphabetical order: the one table.
std::span<const Import> deeploy_imports();

/// Whether a file says by its ops, or by a form that only the dialect has, that it is of the dialect. One that only
/// moves and multiplies integers does not.
bool is_deeploy(const pb::ModelProto& model);
/// How GraphReader reads the dialect.
DialectRules deeploy_rules();

// clang-format off
// One function a form, in dialect_deeploy_<kind>.cpp.
void read_requant_shift(NodeReader&); void read_requantized_conv(NodeReader&); void read_requantized_gemm(NodeReader&);
void read_requantized_matmul(NodeReader&); void read_requantized_add(NodeReader&);
void read_requantized_gelu(NodeReader&); void read_requantized_hard_swish(NodeReader&);
void read_requantized_division(NodeReader&);
void read_isoftmax(NodeReader&); void read_ita_max(NodeReader&); void read_ita_partial_max(NodeReader&);
void read_igelu(NodeReader&); void read_ihard_swish(NodeReader&); void read_ilayer_norm(NodeReader&);
void read_irms_norm(NodeReader&); void read_inonorm(NodeReader&); void read_integer_division(NodeReader&);
void read_true_integer_division(NodeReader&); void read_integer_mean(NodeReader&);
void read_integer_sum(NodeReader&); void read_integer_gemm(NodeReader&); void read_integer_pad(NodeReader&);
void read_integer_squeeze(NodeReader&); void read_integer_unsqueeze(NodeReader&);
void read_integer_concat(NodeReader&); void read_integer_cast(NodeReader&); void read_debug_print(NodeReader&);
// clang-format on

// What a function and its requantised form share: the op, of the node's attributes.
graph::Op gelu_of(const NodeReader& node);
graph::Op hard_swish_of(const NodeReader& node);
graph::Op division_of(const NodeReader& node);

// What the files share: attributes as the dialect's writers give them (a number of any kind, or a tensor of one).
graph::Ints whole_numbers(const NodeReader& node, std::string_view attribute);
int64_t whole_number(const NodeReader& node, std::string_view attribute);
/// log2 of an attribute that must be a power of two.
int64_t shift_of(const NodeReader& node, std::string_view attribute);
/// The node's own op where `suffix` is empty (the result is `absent`), else one before it.
graph::ValueId put(NodeReader& node, std::string_view suffix, graph::Op op, std::vector<graph::ValueId> inputs);

}  // namespace nibble::onnx
