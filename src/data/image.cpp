#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/file.hpp"
#include "data/formats/orientation.hpp"
#include "data/npz.hpp"

/// What the library may ask for at once while a thread decodes a picture: a PNG's rows end with its pixels, and what its
/// Deflate unpacks to beyond them is nothing that a picture needs.
static thread_local size_t most_picture_bytes = 0;
static void* picture_bytes(void* before, size_t size) {
  return size > most_picture_bytes ? nullptr : std::realloc(before, size);
}
#define STBI_MALLOC(size) picture_bytes(nullptr, size)
#define STBI_REALLOC(before, size) picture_bytes(before, size)
#define STBI_FREE(bytes) std::free(bytes)

// The library's own code is not held to our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 32768
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace nibble::data {

/// Whether the chunks of a PNG lie inside the file: the library asks for the memory that a chunk's length claims.
static bool chunks_fit(std::string_view bytes) {
  if (!bytes.starts_with("\x89PNG")) return true;
  for (size_t at = 8; at + 8 <= bytes.size();) {
    size_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(bytes[at + i]);
    if (length > bytes.size() - at - 8) return false;
    if (bytes.substr(at + 4, 4) == "IEND") return true;
    at += 12 + length;
  }
  return true;
}

/// The number that two bytes at a place in the file say, 0 behind its end.
static size_t length_at(std::string_view bytes, size_t at) {
  if (at + 2 > bytes.size()) return 0;
  return size_t{static_cast<uint8_t>(bytes[at])} << 8 | static_cast<uint8_t>(bytes[at + 1]);
}

/// Whether no table of the segment at a place, of those of a JPEG's "DHT", has more than 256 codes.
static bool codes_fit(std::string_view bytes, size_t at) {
  constexpr size_t head = 17;  // the table's number, and how many codes there are of 1 to 16 bits
  const size_t end = std::min(at + length_at(bytes, at), bytes.size());
  for (at += 2; at < end;) {
    size_t codes = 0;
    for (size_t i = 1; i < head && at + i < bytes.size(); ++i) codes += static_cast<uint8_t>(bytes[at + i]);
    if (codes > 256) return false;
    at += head + codes;
  }
  return true;
}

/// What the library would do harm with in a JPEG, or take for a whole one, or nullptr: Huffman tables that have no room
/// where it puts them, scans without an end, no end. Segments are walked as it walks them; behind the first scan's head,
/// where it goes on from wherever the codes end, all that looks like a table is one.
static const char* fault_of_jpeg(std::string_view bytes) {
  constexpr int most_scans = 256;  // each goes through all pixels, and may be ten bytes long
  if (!bytes.starts_with('\xff')) return nullptr;
  int scans = 0;
  bool ended = false;
  for (size_t at = 0; (at = bytes.find('\xff', at)) != bytes.npos;) {
    at = bytes.find_first_not_of('\xff', at);
    if (at == bytes.npos) break;
    const auto marker = static_cast<uint8_t>(bytes[at++]);
    if (marker == 0xc4 && !codes_fit(bytes, at)) return "a Huffman table of more than 256 codes";
    if (marker == 0xda && ++scans > most_scans) return "more than 256 scans";
    ended |= marker == 0xd9 && scans > 0;
    const bool alone = marker <= 1 || (marker >= 0xd0 && marker <= 0xd9);
    if (!alone && scans == 0) at += length_at(bytes, at);
  }
  return scans > 0 && !ended ? "it ends before its end marker" : nullptr;
}

/// The little-endian number of so many bytes at a place in the file, 0 behind its end.
static int64_t number_at(std::string_view bytes, size_t at, size_t width) {
  int64_t number = 0;
  for (size_t i = width; i-- > 0;)
    number = number << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0);
  return number;
}

/// Whether the rows of a BMP, which the library reads as black behind the file's end, are all there.
static bool rows_fit(std::string_view bytes, int64_t width, int64_t height) {
  if (!bytes.starts_with("BM")) return true;
  const bool first_form = number_at(bytes, 14, 4) == 12;
  const int64_t bits = number_at(bytes, first_form ? 24 : 28, 2);
  return number_at(bytes, 10, 4) + (width * bits + 31) / 32 * 4 * height <= static_cast<int64_t>(bytes.size());
}

int64_t pixels_of(std::string_view picture) {
  int width = 0, height = 0, channels = 0;
  const auto* start = reinterpret_cast<const stbi_uc*>(picture.data());
  most_picture_bytes = size_t{1} << 20;
  if (!stbi_info_from_memory(start, static_cast<int>(picture.size()), &width, &height, &channels)) return 0;
  return width * std::abs(int64_t{height});
}

/// What a file claims to hold may lie in it.
static void check_size(std::string_view bytes, int64_t width, int64_t rows, const std::string& place) {
  constexpr int64_t largest_image = int64_t{1} << 28;
  const std::string pixels = std::to_string(width) + " x " + std::to_string(rows) + " pixels";
  if (width * rows > largest_image) fail("data", place, pixels, "at most 2^28");
  if (!chunks_fit(bytes))
    fail("data", place, "cannot be decoded: a chunk ends behind the file", "a JPEG, PNG or BMP image");
  if (!rows_fit(bytes, width, rows))
    fail("data", place, "cannot be decoded: its rows end behind the file", "a JPEG, PNG or BMP image");
  // Deflate packs a byte of 8 pixels at most 1032-fold, JPEG less: what claims more than that holds no image, and its
  // memory is not asked for.
  constexpr int64_t most_in_a_byte = int64_t{1} << 14;
  if (width * rows > most_in_a_byte * static_cast<int64_t>(bytes.size()))
    fail("data", place, pixels, "no more than " + std::to_string(bytes.size()) + " bytes can hold");
}

Tensor parse_image(std::string_view bytes, const std::string& place) {
  const auto* start = reinterpret_cast<const stbi_uc*>(bytes.data());
  const auto length = static_cast<int>(bytes.size());
  int width = 0, height = 0, channels = 0;
  const auto damaged = [&] {
    const std::string_view reason = stbi_failure_reason();
    fail("data", place,
         "cannot be decoded: " + std::string(reason == "outofmem" ? "more is packed in it than its pixels" : reason),
         "a JPEG, PNG or BMP image");
  };
  if (const char* fault = fault_of_jpeg(bytes))
    fail("data", place, std::string("cannot be decoded: ") + fault, "a JPEG, PNG or BMP image");
  most_picture_bytes = size_t{1} << 20;
  if (!stbi_info_from_memory(start, length, &width, &height, &channels)) damaged();
  // A BMP that begins with its top row says so by a height below zero.
  const int64_t rows = std::abs(int64_t{height});
  check_size(bytes, width, rows, place);
  // Four channels of 16 bits, twice over for a buffer that grows; or the file's own bytes.
  most_picture_bytes =
      static_cast<size_t>((width + int64_t{32}) * (rows + 32) * 16) + 2 * bytes.size() + (size_t{1} << 20);
  // Alpha is dropped: 2 channels are gray and alpha, 4 are RGB and alpha.
  const int kept = channels < 3 ? 1 : 3;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(start, length, &width, &height, &channels, kept), stbi_image_free);
  if (!pixels) damaged();
  Tensor image(ElementType::UInt8, {height, width, kept});
  std::memcpy(image.bytes().data(), pixels.get(), image.bytes().size());
  return image;
}

Tensor read_image(const std::filesystem::path& file) {
  return parse_image(read_file(file, "data", size_t{1} << 30), file.string());
}

}  // namespace nibble::data
