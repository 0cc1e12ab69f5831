#include "codegen/literals.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <string_view>

#include "base/error.hpp"
#include "base/foreign_text.hpp"

namespace nibble::codegen {
namespace {

int64_t size_of_type(const std::string& type) {
  if (type == "int8_t" || type == "uint8_t") return 1;
  if (type == "int16_t" || type == "uint16_t") return 2;
  if (type == "int32_t" || type == "float") return 4;
  ensure(type == "int64_t" || type == "double", "a constant is of a type that C has");
  return 8;
}

template <class T>
T element(const std::vector<uint8_t>& bytes, int64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string element_text(const std::string& type, const std::vector<uint8_t>& bytes, int64_t at) {
  if (type == "int8_t") return std::to_string(element<int8_t>(bytes, at));
  if (type == "uint8_t") return std::to_string(element<uint8_t>(bytes, at));
  if (type == "int16_t") return std::to_string(element<int16_t>(bytes, at));
  if (type == "uint16_t") return std::to_string(element<uint16_t>(bytes, at));
  if (type == "int32_t") return integer(element<int32_t>(bytes, at), false);
  if (type == "int64_t") return integer(element<int64_t>(bytes, at), true);
  if (type == "float") return real(element<float>(bytes, at), true);
  return real(element<double>(bytes, at));
}

}  // namespace

std::string identifier(const std::string& name, const std::string& otherwise) {
  std::string id;
  for (char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      id += c;
    else if (!id.empty() && id.back() != '_')
      id += '_';
  }
  while (!id.empty() && id.back() == '_' && name.back() != '_') id.pop_back();
  if (id.empty()) return otherwise;
  return std::isdigit(static_cast<unsigned char>(id[0])) != 0 ? otherwise + "_" + id : id;
}

bool is_reserved(const std::string& id) {
  static const std::set<std::string_view> words{
      // headers that generated files include, and what compilers define
      "EOF", "NULL", "errno", "linux", "memcmp", "memcpy", "memset", "size_t", "stdin", "stdout", "stderr", "unix",
      // generated functions and files
      "arena", "at", "bytes", "call", "count", "external", "fault", "fetch", "from", "golden", "goldens", "hook", "i",
      "init", "layer", "part", "rest", "run", "step", "steps", "stack", "hot", "classes", "class_names"};
  // int8_t, uint_least16_t, INT32_MAX, UINT64_C
  const bool of_stdint = (id.starts_with("int") || id.starts_with("uint")) && id.ends_with("_t");
  const bool numbered = id.find_first_not_of("0123456789", id.starts_with("step_") ? 5 : 1) == std::string::npos;
  const bool generated = (numbered && (id[0] == 'c' || id.starts_with("step_"))) || id.starts_with("golden_");
  return is_c_word(id) || words.contains(id) || of_stdint || generated || id.starts_with("INT") ||
         id.starts_with("UINT") || id.starts_with("nibble_");
}

std::string c_string(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    // Octal, which three digits end, as they end no escape by x. A question mark may begin a trigraph.
    if (byte < 32 || byte == 127 || c == '"' || c == '\\' || c == '?')
      result += fmt::format("\\{:03o}", byte);
    else
      result += c;
  }
  return result + "\"";
}

std::string comment(const std::string& text) {
  std::string result;
  for (char c : text) {
    const bool trigraph = c == '?' && !result.empty() && result.back() == '?';
    result += c == '*' || c == '\\' || trigraph || static_cast<unsigned char>(c) < 32 ? '_' : c;
  }
  return result;
}

std::string integer(int64_t value, bool wide) {
  if (value == std::numeric_limits<int64_t>::min()) return "INT64_MIN";
  if (value == std::numeric_limits<int32_t>::min()) return wide ? "INT64_C(-2147483648)" : "INT32_MIN";
  if (value >= INT32_MIN && value <= INT32_MAX) return std::to_string(value);
  return fmt::format("INT64_C({})", value);
}

std::string real(double value, bool single) {
  const char* end = single ? "F" : "";
  if (std::isinf(value)) return value > 0 ? "HUGE_VAL" : "-HUGE_VAL";
  if (std::isnan(value)) return "NAN";
  if (value == std::floor(value) && std::abs(value) < 1e6 && !std::signbit(value))
    return fmt::format("{:.1f}{}", value, end);
  return fmt::format("{:a}{}", value, end);
}

int64_t elements_of(const program::Piece& piece) {
  return std::max<int64_t>(piece.bytes / size_of_type(piece.type), 1);
}

std::string array_of(const program::Piece& piece, const std::vector<uint8_t>& bytes) {
  const int64_t size = size_of_type(piece.type);
  std::string text, line;
  for (int64_t at = piece.offset; at < piece.offset + piece.bytes; at += size) {
    const std::string one = element_text(piece.type, bytes, at) + ",";
    if (line.size() + one.size() + 5 > 118) text += "    " + line + "\n", line.clear();
    line += (line.empty() ? "" : " ") + one;
  }
  if (!line.empty()) text += "    " + line + "\n";
  return text.empty() ? "    0\n" : text;
}

}  // namespace nibble::codegen
