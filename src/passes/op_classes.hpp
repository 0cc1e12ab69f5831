#pragma once
#include "graph/op.hpp"

/// How quantisation sees an op. One visit without a default: a new op must be placed here before it compiles.
namespace nibble::passes {

enum class OpClass : uint8_t {
  Linear,      ///< Conv, ConvTranspose, Gemm, MatMul: integers in, an accumulator out
  Affine,      ///< BatchNormalization, Neg: composed into the requantisation
  Arithmetic,  ///< Add, Sub, Mul, Div: affine with a constant, harmonised or a product without
  Clip,        ///< Relu, Clip: narrows the quantiser after it
  Mean,        ///< AveragePool, GlobalAveragePool, ReduceMean, linear Resize: a sum, 1/K in the requantisation
  Movement,    ///< integers in, the same integers out
  Concat,      ///< movement of several, on one grid
  Function,    ///< pointwise: a table
  Algorithm,   ///< Softmax, LayerNormalization, RMSNormalization: an integer algorithm onto the quantiser after it
  Choice,      ///< Min, Max, Where: one of two integers of one grid
  Index,       ///< ArgMax: a place, not a number on a grid
  Quantiser,   ///< Quantise, Dequantise
  Integer,     ///< of QD and ID only
  Refused,     ///< no integer form yet
};

OpClass class_of(const graph::Op& op);

/// Whether a Function's (or Clip's) result is never below zero.
bool gives_non_negative(const graph::Op& op);

}  // namespace nibble::passes
