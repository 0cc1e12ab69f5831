#pragma once
#include <filesystem>

namespace nibble::tests {

/// Writes what the text tests work on into a folder:
///
///     tiny.onnx           conv 3x3, batch-norm, relu, max-pool, flatten, gemm: [N, 1, 4, 4] -> [N, 3], in float
///     zero_channel.onnx   the same, the second channel of the convolution all zero
///     nan.onnx            the same, NaN among the convolution's weights
///     tokens.onnx         embedding, position, gemm: int64 [N, 6], 0 to 11, -> [N, 3]
///     examples.npz        x float32 [24, 1, 4, 4] in [0, 1], y [24]
///     pixels.npz          x uint8 [24, 4, 4, 1], y [24]
///     ids.npz             x int64 [24, 6] in 0 to 11, y [24]
///     beyond.npz          x int64 [1, 6], one of them 12, y [1]
///     reals.npz           x float32 [1, 6]
///     empty.npz           x float32 [0, 1, 4, 4]
///     one.npy, wide.npy   float32 [1, 1, 4, 4] and [1, 1, 5, 5]
void write_models(const std::filesystem::path& folder);

}  // namespace nibble::tests
