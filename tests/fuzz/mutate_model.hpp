#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nibble::fuzz {

/// Changes an ONNX model of `size` bytes field by field, so that most of what comes out is a model again; bytes that
/// are none change as bytes. Returns the new size, at most `room`.
size_t mutate_model(uint8_t* data, size_t size, size_t room, unsigned seed);
/// Puts a part of the second model into the first. Returns 0 where there is none.
size_t cross_models(std::string_view first, std::string_view second, uint8_t* out, size_t room, unsigned seed);

}  // namespace nibble::fuzz
