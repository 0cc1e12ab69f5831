#include "data/formats/inflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/error.hpp"

namespace nibble::data {
namespace {

constexpr size_t chunk = size_t{1} << 18;

/// zlib counts input in 32 bits.
void feed(z_stream& stream, std::string_view& rest) {
  if (stream.avail_in != 0 || rest.empty()) return;
  const size_t count = std::min(rest.size(), size_t{1} << 30);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest.data()));
  stream.avail_in = static_cast<uInt>(count);
  rest.remove_prefix(count);
}

struct Inflater {
  explicit Inflater(int window) { ensure(inflateInit2(&stream, window) == Z_OK, "zlib starts"); }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream stream{};
};

}  // namespace

std::string inflate_bytes(std::string_view packed, Wrapping wrapping, size_t limit, std::string_view place) {
  Inflater inflater(wrapping == Wrapping::Gzip ? 15 + 16 : -15);
  z_stream& stream = inflater.stream;
  std::string result;
  std::vector<char> buffer(chunk);
  for (;;) {
    feed(stream, packed);
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(chunk);
    const int status = inflate(&stream, Z_NO_FLUSH);
    result.append(buffer.data(), chunk - stream.avail_out);
    if (result.size() > limit)
      fail("data", place, "expands beyond " + std::to_string(limit) + " bytes", "as many as stated");
    if (status == Z_STREAM_END) {
      feed(stream, packed);
      // A .gz file may hold several members, one after the other.
      if (wrapping == Wrapping::Raw || stream.avail_in == 0) return result;
      inflateReset(&stream);
    } else if (status == Z_BUF_ERROR ||
               (status == Z_OK && stream.avail_in == 0 && packed.empty() && stream.avail_out != 0)) {
      fail("data", place, "compressed data end early", "a whole deflate stream");
    } else if (status != Z_OK) {
      fail("data", place, "compressed data are damaged", "a deflate stream");
    }
  }
}

std::string deflate_bytes(std::string_view bytes) {
  z_stream stream{};
  ensure(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib starts");
  std::string result;
  std::vector<char> buffer(chunk);
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    feed(stream, bytes);
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(chunk);
    status = deflate(&stream, bytes.empty() ? Z_FINISH : Z_NO_FLUSH);
    result.append(buffer.data(), chunk - stream.avail_out);
  }
  deflateEnd(&stream);
  return result;
}

}  // namespace nibble::data
