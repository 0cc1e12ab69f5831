#pragma once
#include <string>
#include <string_view>

namespace nibble::data {

enum class Wrapping { Gzip, Raw };

/// The expanded bytes, whose memory grows with what is really there, never with a claim. Throws UserError
/// "data: <place>: ..." where the stream is damaged, ends early or expands beyond `limit` bytes.
std::string inflate_bytes(std::string_view packed, Wrapping wrapping, size_t limit, std::string_view place);
/// Raw deflate.
std::string deflate_bytes(std::string_view bytes);

}  // namespace nibble::data
