#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::data {

/// One channel, the mean of a file's.
struct Sound {
  std::vector<float> samples;  ///< finite; in [-1, 1] where the file's are integers
  int64_t rate = 0;            ///< samples a second, 1 to 1,000,000
};

/// WAV: PCM of 8, 16, 24 or 32 bits or IEEE floats of 32 or 64, plain or extensible, at most 2^30 bytes and 256 channels.
/// Chunks in any order, others than 'fmt ' and 'data' passed over. Throws UserError "data: <place>: ..." on anything
/// else, truncated or empty.
Sound read_wav(const std::filesystem::path& file);
Sound parse_wav(std::string_view bytes, const std::string& place);
/// 16-bit PCM of one channel; samples beyond [-1, 1) are held there.
std::string wav_bytes(const Sound& sound);

}  // namespace nibble::data
