#include "data/formats/orientation.hpp"

#include <cstdint>
#include <cstring>

namespace nibble::data {
namespace {

/// Bytes of a TIFF header and what it points to, in the order that it says.
class Tiff {
 public:
  explicit Tiff(std::string_view bytes) : bytes_(bytes), little_(bytes.starts_with("II")) {}

  /// 0 behind the end.
  uint32_t number(size_t at, size_t size) const {
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const size_t place = at + (little_ ? size - 1 - i : i);
      value = value << 8 | (place < bytes_.size() ? static_cast<uint8_t>(bytes_[place]) : 0u);
    }
    return value;
  }

 private:
  std::string_view bytes_;
  bool little_;
};

int orientation_in(std::string_view bytes) {
  if (!bytes.starts_with("II") && !bytes.starts_with("MM")) return 1;
  const Tiff tiff(bytes);
  const size_t folder = tiff.number(4, 4);
  const size_t entries = tiff.number(folder, 2);
  for (size_t i = 0; i < entries && folder + 2 + 12 * i + 12 <= bytes.size(); ++i) {
    const size_t entry = folder + 2 + 12 * i;
    if (tiff.number(entry, 2) != 274) continue;
    const uint32_t said = tiff.number(entry + 8, 2);
    return said >= 1 && said <= 8 ? static_cast<int>(said) : 1;
  }
  return 1;
}

}  // namespace

int orientation_of(std::string_view jpeg) {
  if (!jpeg.starts_with("\xff\xd8")) return 1;
  constexpr std::string_view exif("Exif\0\0", 6);
  for (size_t at = 2; at + 4 <= jpeg.size() && jpeg[at] == '\xff';) {
    const auto marker = static_cast<uint8_t>(jpeg[at + 1]);
    const size_t length = size_t{static_cast<uint8_t>(jpeg[at + 2])} << 8 | static_cast<uint8_t>(jpeg[at + 3]);
    if (marker == 0xda || length < 2) break;
    const std::string_view segment = jpeg.substr(at + 4).substr(0, length - 2);
    if (marker == 0xe1 && segment.starts_with(exif)) return orientation_in(segment.substr(exif.size()));
    at += 2 + length;
  }
  return 1;
}

Tensor upright(const Tensor& image, int orientation) {
  if (orientation == 1) return image;
  const int64_t height = image.shape()[0], width = image.shape()[1];
  const auto channels = static_cast<size_t>(image.shape()[2]);
  const bool lies = orientation >= 5;
  Tensor turned(ElementType::UInt8, {lies ? width : height, lies ? height : width, image.shape()[2]});
  const int64_t rows = turned.shape()[0], columns = turned.shape()[1];
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const auto from = image.as<uint8_t>();
  auto to = turned.as<uint8_t>();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t y = lies ? column : row, x = lies ? row : column;
      const int64_t source = (from_below ? height - 1 - y : y) * width + (from_right ? width - 1 - x : x);
      std::memcpy(&to[static_cast<size_t>(row * columns + column) * channels],
                  &from[static_cast<size_t>(source) * channels], channels);
    }
  return turned;
}

}  // namespace nibble::data
