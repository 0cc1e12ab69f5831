#pragma once
#include "base/tensor.hpp"

namespace nibble {

/// [R, C] -> [C, R], elements of any type.
Tensor transposed(const Tensor& matrix);

}  // namespace nibble
