#pragma once
#include <limits>
#include <optional>

#include "graph/op.hpp"

/// What passes, writers and trainers ask of an op, once. One row an op, without a default: a new op compiles only when
/// it has its row in op_table.hpp. Lists of ops elsewhere ask another question, and their names say which.
namespace nibble::graph {

/// How quantisation sees an op.
enum class OpClass : uint8_t {
  Linear,      ///< Conv, ConvTranspose, Gemm, MatMul: integers in, an accumulator out
  Affine,      ///< BatchNormalization, Neg: composed into the requantisation
  Arithmetic,  ///< Add, Sub, Mul, Div: affine with a constant, harmonised or a product without
  Clip,        ///< Relu, Clip: narrows the quantiser after it
  Mean,        ///< AveragePool, GlobalAveragePool, ReduceMean, linear Resize: a sum, 1/K in the requantisation
  Movement,    ///< integers in, the same integers out
  Concat,      ///< movement of several, on one grid
  Function,    ///< pointwise, of one activation: a table; a second input is constant
  Algorithm,   ///< Softmax, LayerNormalization, RMSNormalization: an integer algorithm onto the quantiser after it
  Choice,      ///< Min, Max, Where: one of two integers of one grid
  Index,       ///< ArgMax: a place, not a number on a grid
  Quantiser,   ///< Quantise, Dequantise
  Integer,     ///< of QD and ID only
  Refused,     ///< no integer form yet
};

/// Where an output's elements come from.
enum class Elements : uint8_t {
  Computed,    ///< new numbers
  Chosen,      ///< elements of the inputs, some or all, in any number; a Pad's value besides
  Transposed,  ///< each of the input's once
  Reshaped,    ///< each once, in the same order
  Same,        ///< each once, in the same order and shape
};

/// Of how many terms an output's element is the sum.
enum class Terms : uint8_t {
  None,      ///< it is no sum
  Operands,  ///< one of each input
  Many,      ///< a row or a window
};

OpClass class_of(const Op& op);
Elements elements_of(const Op& op);
Terms terms_of(const Op& op);

/// Conv, ConvTranspose, Gemm, MatMul.
bool is_linear(const Op& op);
/// The outputs' elements are the inputs' (a Pad's value besides): of one tensor,
/// or of several joined, but not chosen one by one as Min, Max and Where do.
bool moves_data(const Op& op);
/// Each element of the input once, perhaps at another place or under another shape: Transpose, and what reshapes.
bool reorders(const Op& op);
/// Each element once, in the same order under another shape: Flatten, Reshape, Squeeze, Unsqueeze.
bool reshapes(const Op& op);
/// Each element is computed from those at its place in the inputs (broadcast), and from nothing else: functions,
/// arithmetic, bounds, choices; not the quantisers, which differ from channel to channel.
bool is_pointwise(const Op& op);
/// Integers of one grid onto another, element by element.
bool requantises(const Op& op);
/// The slot of the input on whose grid the output lies; -1 of ops that have none.
int same_grid_input(const Op& op);
/// No result is below zero.
bool never_negative(const Op& op);

/// What an op of class Clip clips to; none: another op.
struct ClipBounds {
  double low = 0, high = std::numeric_limits<double>::infinity();
};
std::optional<ClipBounds> clip_bounds(const Op& op);

}  // namespace nibble::graph
