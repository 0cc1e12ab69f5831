#include "data/npy.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/file.hpp"
#include "data/npz.hpp"

namespace nibble::data {
namespace {

constexpr std::string_view magic{"\x93NUMPY", 6};

struct Header {
  char order = '|', kind = 0;
  size_t width = 0;
  bool fortran = false;
  Shape shape;
};

/// Reads the dictionary that numpy writes: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string_view place) : text_(text), place_(place) {}

  Header read() {
    Header header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = true;
        read_type(quoted(), header);
      } else if (key == "fortran_order" && !order) {
        order = true;
        header.fortran = boolean();
      } else if (key == "shape" && !shape) {
        shape = true;
        header.shape = extents();
      } else {
        bad();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    space();
    if (!text_.empty() || !descr || !order || !shape) bad();
    return header;
  }

 private:
  [[noreturn]] void bad() const {
    fail("data", place_, "the npy header is damaged", "a dictionary of descr, fortran_order and shape");
  }
  void space() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\n')) text_.remove_prefix(1);
  }
  bool accept(char c) {
    space();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) bad();
  }
  std::string_view quoted() {
    space();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) bad();
    const size_t end = text_.find(text_.front(), 1);
    if (end == std::string_view::npos) bad();
    const std::string_view inside = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return inside;
  }
  bool boolean() {
    space();
    for (const std::string_view word : {"True", "False"})
      if (text_.starts_with(word)) {
        text_.remove_prefix(word.size());
        return word == "True";
      }
    bad();
  }
  Shape extents() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      space();
      int64_t extent = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0) bad();
      text_.remove_prefix(static_cast<size_t>(end - text_.data()));
      shape.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }
  void read_type(std::string_view descr, Header& header) const {
    constexpr std::string_view known[] = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"};
    const bool fine = descr.size() == 3 && std::string_view("<>|=").find(descr[0]) != std::string_view::npos &&
                      std::find(std::begin(known), std::end(known), descr.substr(1)) != std::end(known);
    if (!fine)
      fail("data", place_, "element type '" + std::string(descr) + "'",
           "bool, int8 to int64, uint8 to uint64 or float16 to float64");
    header.order = descr[0];
    header.kind = descr[1];
    header.width = static_cast<size_t>(descr[2] - '0');
  }

  std::string_view text_, place_;
};

double half_to_double(uint16_t half) {
  const int exponent = (half >> 10) & 31, fraction = half & 1023;
  double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) value = fraction == 0 ? HUGE_VAL : std::nan("");
  return half >> 15 ? -value : value;
}

ElementType held_as(const Header& header) {
  switch (header.kind) {
    case 'b': return ElementType::Bool;
    case 'f': return header.width == 8 ? ElementType::Float64 : ElementType::Float32;
    case 'i':
      if (header.width == 1) return ElementType::Int8;
      if (header.width == 2) return ElementType::Int16;
      return header.width == 4 ? ElementType::Int32 : ElementType::Int64;
    default:
      if (header.width == 1) return ElementType::UInt8;
      return header.width == 2 ? ElementType::UInt16 : ElementType::Int64;
  }
}

/// One stored element, in this machine's byte order, as an element of the held type.
void convert(const Header& header, const char* in, std::byte* out, std::string_view place) {
  if (header.kind == 'f' && header.width == 2) {
    uint16_t half = 0;
    std::memcpy(&half, in, 2);
    const auto value = static_cast<float>(half_to_double(half));
    std::memcpy(out, &value, 4);
  } else if (header.kind == 'u' && header.width >= 4) {
    uint64_t value = 0;
    std::memcpy(&value, in, header.width);
    if (value > INT64_MAX) fail("data", place, "element " + std::to_string(value), "at most 2^63 - 1");
    std::memcpy(out, &value, 8);
  } else if (header.kind == 'b') {
    if (*in != 0 && *in != 1) fail("data", place, "a bool that is neither 0 nor 1", "0 or 1");
    std::memcpy(out, in, 1);
  } else {
    std::memcpy(out, in, header.width);
  }
}

Tensor elements(const Header& header, std::string_view data, std::string_view place) {
  const ElementType type = held_as(header);
  Tensor result(type, header.shape);
  const size_t rank = header.shape.size(), size = size_of(type);
  const std::vector<int64_t> strides = strides_of(header.shape);
  std::vector<int64_t> at(rank, 0);
  const bool swap = header.order == '>';
  char element[8];
  for (size_t i = 0, target = 0; i < result.size(); ++i) {
    std::memcpy(element, data.data() + i * header.width, header.width);
    if (swap) std::reverse(element, element + header.width);
    convert(header, element, result.bytes().data() + target * size, place);
    if (!header.fortran) {
      target = i + 1;
      continue;
    }
    for (size_t axis = 0; axis < rank; ++axis) {
      target += static_cast<size_t>(strides[axis]);
      if (++at[axis] < header.shape[axis]) break;
      target -= static_cast<size_t>(strides[axis] * at[axis]);
      at[axis] = 0;
    }
  }
  return result;
}

}  // namespace

Tensor parse_npy(std::string_view bytes, std::string_view place) {
  if (bytes.size() < 10 || !bytes.starts_with(magic))
    fail("data", place, "no npy array", "a file that starts with \\x93NUMPY");
  const int version = static_cast<uint8_t>(bytes[6]);
  if (version < 1 || version > 3) fail("data", place, "npy version " + std::to_string(version), "1 to 3");
  const size_t field = version == 1 ? 2 : 4;
  size_t length = 0;
  if (bytes.size() < 8 + field) fail("data", place, "the npy header ends early", "a whole header");
  for (size_t i = 0; i < field; ++i) length |= static_cast<size_t>(static_cast<uint8_t>(bytes[8 + i])) << (8 * i);
  if (length > bytes.size() - 8 - field) fail("data", place, "the npy header ends early", "a whole header");
  const Header header = HeaderReader(bytes.substr(8 + field, length), place).read();
  const std::string_view data = bytes.substr(8 + field + length);
  int64_t most = 1;
  for (int64_t extent : header.shape)
    if (__builtin_mul_overflow(most, std::max<int64_t>(extent, 1), &most) || most > largest_tensor)
      fail("data", place, "shape " + to_string(header.shape),
           "at most " + std::to_string(largest_tensor) + " elements");
  const int64_t count = element_count(header.shape);
  if (data.size() != static_cast<size_t>(count) * header.width)
    fail("data", place, std::to_string(data.size()) + " bytes of elements",
         std::to_string(static_cast<size_t>(count) * header.width) + " for shape " + to_string(header.shape));
  return elements(header, data, place);
}

Tensor read_npy(const std::filesystem::path& file) {
  return parse_npy(read_file(file, "data"), file.string());
}

std::string npy_bytes(const Tensor& tensor) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::string_view types[] = {"<f4", "<f8", "|i1", "|u1", "<i2", "<u2", "<i4", "<i8", "|b1"};
  std::string header =
      "{'descr': '" + std::string(types[static_cast<size_t>(tensor.type())]) + "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < tensor.rank(); ++i) header += (i ? ", " : "") + std::to_string(tensor.shape()[i]);
  header += tensor.rank() == 1 ? ",), }" : "), }";
  // numpy aligns the elements to 64 bytes.
  header.append(63 - (10 + header.size()) % 64, ' ').push_back('\n');
  std::string bytes(magic);
  bytes.append({1, 0, static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)});
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
  return bytes;
}

void write_npy(const std::filesystem::path& file, const Tensor& tensor) {
  write_file(file, npy_bytes(tensor), "data");
}

}  // namespace nibble::data
