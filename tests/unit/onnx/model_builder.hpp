#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "base/tensor.hpp"

/// ONNX files as other tools write them, from the format's field numbers (onnx.proto): nothing of our writers is used.
namespace nibble::foreign {

inline std::string varint(uint64_t number) {
  std::string bytes;
  for (; number >= 128; number >>= 7) bytes += static_cast<char>(number | 128);
  return bytes + static_cast<char>(number);
}
inline std::string field(int number, const std::string& bytes) {
  return varint(static_cast<uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}
inline std::string number(int field_number, int64_t value) {
  return varint(static_cast<uint64_t>(field_number) << 3) + varint(static_cast<uint64_t>(value));
}

/// Element types of the format.
enum Type {
  Float = 1,
  UInt8 = 2,
  Int8 = 3,
  Int32 = 6,
  Int64 = 7,
  Float8 = 17,
  UInt4 = 21,
  Int4 = 22,
  UInt2 = 25,
  Int2 = 26
};

inline std::string value_info(const std::string& name, const std::vector<int64_t>& shape, int type) {
  std::string dims;
  for (int64_t extent : shape) dims += field(1, extent < 0 ? field(2, "N") : number(1, extent));
  return field(1, name) + field(2, field(1, number(1, type) + field(2, dims)));
}

inline std::string attribute(const std::string& name, int64_t value) {
  return field(5, field(1, name) + number(20, 2) + number(3, value));
}
inline std::string attribute(const std::string& name, const std::vector<int64_t>& values) {
  std::string bytes = field(1, name) + number(20, 7);
  for (int64_t value : values) bytes += number(8, value);
  return field(5, bytes);
}

inline std::string attribute(const std::string& name, float value) {
  std::string raw(sizeof(float), '\0');
  std::memcpy(raw.data(), &value, sizeof(float));
  return field(5, field(1, name) + number(20, 1) + varint(2 << 3 | 5) + raw);
}
inline std::string attribute(const std::string& name, int value) {
  return attribute(name, static_cast<int64_t>(value));
}

/// A model under construction; names of nodes are their first outputs'.
class Model {
 public:
  Model& input(const std::string& name, std::vector<int64_t> shape, int type = Float) {
    graph_ += field(11, value_info(name, shape, type));
    return *this;
  }
  /// Of reals, each extent a number, a name or (empty) nothing.
  Model& open_input(const std::string& name, const std::vector<std::string>& extents) {
    std::string dims;
    for (const std::string& extent : extents) {
      const bool fixed = extent.find_first_not_of("0123456789") == extent.npos;
      dims += field(1, extent.empty() ? "" : fixed ? number(1, std::stoll(extent)) : field(2, extent));
    }
    graph_ += field(11, field(1, name) + field(2, field(1, number(1, Float) + field(2, dims))));
    return *this;
  }
  Model& output(const std::string& name, std::vector<int64_t> shape, int type = Float) {
    graph_ += field(12, value_info(name, shape, type));
    return *this;
  }
  Model& node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
              const std::string& attributes = {}, const std::string& domain = {}) {
    std::string bytes;
    for (const auto& input : inputs) bytes += field(1, input);
    bytes += field(2, output) + field(3, output + "_node") + field(4, op) + attributes;
    if (!domain.empty()) bytes += field(7, domain);
    graph_ += field(1, bytes);
    return *this;
  }
  /// Several outputs, the first of which names it.
  Model& node_of(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                 const std::vector<std::string>& others, const std::string& attributes = {}) {
    std::string bytes;
    for (const auto& input : inputs) bytes += field(1, input);
    bytes += field(2, output);
    for (const auto& other : others) bytes += field(2, other);
    graph_ += field(1, bytes + field(3, output + "_node") + field(4, op) + attributes);
    return *this;
  }
  Model& reals(const std::string& name, std::vector<int64_t> shape, const std::vector<float>& values) {
    std::string raw(values.size() * sizeof(float), '\0');
    std::memcpy(raw.data(), values.data(), raw.size());
    return raw_tensor(name, shape, Float, raw);
  }
  /// Integers of 8 or 32 bits, or packed low bits first.
  Model& integers(const std::string& name, std::vector<int64_t> shape, int type, const std::vector<int64_t>& values) {
    const int bits = type == Int32 ? 32 : type == Int64 ? 64 : type >= UInt2 ? 2 : type >= UInt4 ? 4 : 8;
    std::string raw((values.size() * static_cast<size_t>(bits) + 7) / 8, '\0');
    for (size_t i = 0; i < values.size(); ++i)
      for (int bit = 0; bit < bits; ++bit)
        if (values[i] >> bit & 1) {
          const size_t at = i * static_cast<size_t>(bits) + static_cast<size_t>(bit);
          raw[at / 8] = static_cast<char>(raw[at / 8] | 1 << at % 8);
        }
    return raw_tensor(name, shape, type, raw);
  }
  /// QuantizeLinear and DequantizeLinear with scale `s` and zero point of `type`; returns *this. Output `<name>`.
  Model& pair(const std::string& x, const std::string& name, float scale, int64_t point, int type) {
    reals(name + "_s", {}, {scale}).integers(name + "_z", {}, type, {point});
    node("QuantizeLinear", {x, name + "_s", name + "_z"}, name + "_i");
    return node("DequantizeLinear", {name + "_i", name + "_s", name + "_z"}, name);
  }
  std::string bytes(int64_t opset = 13, const std::vector<std::string>& domains = {}) const {
    std::string all = number(1, 8) + field(7, graph_ + field(2, "foreign")) + field(8, number(2, opset));
    for (const std::string& domain : domains) all += field(8, field(1, domain) + number(2, 1));
    return all;
  }

 private:
  Model& raw_tensor(const std::string& name, const std::vector<int64_t>& shape, int type, const std::string& raw) {
    std::string bytes;
    for (int64_t extent : shape) bytes += number(1, extent);
    graph_ += field(5, bytes + number(2, type) + field(8, name) + field(9, raw));
    return *this;
  }

  std::string graph_;
};

}  // namespace nibble::foreign
