#pragma once
#include <string>

#include "base/grid.hpp"
#include "base/tensor.hpp"

namespace nibble::onnx {

/// Integers that a file of an integer dialect carries as reals (or as a wider type), in the narrowest of int8, uint8,
/// int16, uint16, int32 and int64 that holds them all. Throws UserError "onnx: <place>: ..." on a number that is none.
Tensor narrowest_integers(const Tensor& tensor, const std::string& place);

/// The integer that a real stands for. Throws UserError "onnx: <place>: ..." where it is none of 64 bits.
int64_t integer_of(double real, const std::string& place);

/// What a type holds in a file of an integer dialect: of a bool its byte, of int64 and of reals, which carry integers,
/// what an accumulator of 32 bits does.
Interval range_in_file(ElementType type);

}  // namespace nibble::onnx
