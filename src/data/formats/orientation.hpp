#pragma once
#include <string_view>

#include "base/tensor.hpp"

namespace nibble::data {

/// How a camera says that its JPEG is to be turned: 1 (as it is) to 8, EXIF's tag 274; 1 where it does not say.
/// Source: CIPA DC-008, 4.6.4.
int orientation_of(std::string_view jpeg);

/// How many pixels the header of a JPEG, PNG or BMP claims; 0 where it is none.
int64_t pixels_of(std::string_view picture);

/// The image [H, W, C] as it is to be seen.
Tensor upright(const Tensor& image, int orientation);

}  // namespace nibble::data
