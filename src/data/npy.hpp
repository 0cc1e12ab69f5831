#pragma once
#include <string_view>

#include "base/tensor.hpp"

namespace nibble::data {

/// The array in the bytes of a .npy file. Throws UserError "data: <place>: ...".
Tensor parse_npy(std::string_view bytes, std::string_view place);

}  // namespace nibble::data
