#include "onnx/file/tensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "base/interval.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/external.hpp"

namespace nibble::onnx {
namespace {

struct TypeRow {
  int data_type;
  std::string_view name;
  int bits;
  ElementType element;
  bool levels = false;  ///< its integers may be those of a quantiser
};

constexpr TypeRow types[] = {
    {pb::TensorProto::FLOAT, "FLOAT", 32, ElementType::Float32, false},
    {pb::TensorProto::DOUBLE, "DOUBLE", 64, ElementType::Float64, false},
    {pb::TensorProto::FLOAT16, "FLOAT16", 16, ElementType::Float32, false},
    {pb::TensorProto::BFLOAT16, "BFLOAT16", 16, ElementType::Float32, false},
    {pb::TensorProto::INT8, "INT8", 8, ElementType::Int8, true},
    {pb::TensorProto::UINT8, "UINT8", 8, ElementType::UInt8, true},
    {pb::TensorProto::INT16, "INT16", 16, ElementType::Int16, true},
    {pb::TensorProto::UINT16, "UINT16", 16, ElementType::UInt16, true},
    {pb::TensorProto::INT32, "INT32", 32, ElementType::Int32, true},
    {pb::TensorProto::UINT32, "UINT32", 32, ElementType::Int64, false},
    {pb::TensorProto::INT64, "INT64", 64, ElementType::Int64, false},
    {pb::TensorProto::UINT64, "UINT64", 64, ElementType::Int64, false},
    {pb::TensorProto::BOOL, "BOOL", 8, ElementType::Bool, false},
    {INT4, "INT4", 4, ElementType::Int8, true},
    {UINT4, "UINT4", 4, ElementType::UInt8, true},
    {INT2, "INT2", 2, ElementType::Int8, true},
    {UINT2, "UINT2", 2, ElementType::UInt8, true},
};

constexpr std::array<std::string_view, 27> all_names = {
    "UNDEFINED", "FLOAT",      "UINT8",      "INT8",         "UINT16",         "INT16",      "INT32",
    "INT64",     "STRING",     "BOOL",       "FLOAT16",      "DOUBLE",         "UINT32",     "UINT64",
    "COMPLEX64", "COMPLEX128", "BFLOAT16",   "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ",
    "UINT4",     "INT4",       "FLOAT4E2M1", "FLOAT8E8M0",   "UINT2",          "INT2"};

const TypeRow* row_of(int data_type) {
  for (const TypeRow& row : types)
    if (row.data_type == data_type) return &row;
  return nullptr;
}

constexpr Interval none{0, -1};

Interval levels_of(const TypeRow& row) {
  if (!row.levels) return none;
  const Interval held = nibble::range_of(row.element);
  const int unused = std::max(8 - row.bits, 0);  // of the byte that holds a narrower type
  return {held.low >> unused, held.high >> unused};
}

const TypeRow& known_row(int data_type, const std::string& place) {
  const TypeRow* row = row_of(data_type);
  if (!row) {
    std::string known;
    for (const TypeRow& each : types) known += (known.empty() ? "" : ", ") + std::string(each.name);
    fail("onnx", place, "elements of " + type_name(data_type), "one of " + known);
  }
  return *row;
}

Shape checked_shape(const pb::TensorProto& proto, const std::string& place) {
  constexpr int deepest = 32;
  if (proto.dims_size() > deepest)
    fail("onnx", place, std::to_string(proto.dims_size()) + " axes", "at most " + std::to_string(deepest));
  Shape shape(proto.dims().begin(), proto.dims().end());
  for (int64_t extent : shape)
    if (extent < 0) fail("onnx", place, "an extent of " + std::to_string(extent), "at least 0");
  try {
    element_count(shape);
  } catch (const UserError&) {
    fail("onnx", place, "shape " + to_string(shape), "at most " + std::to_string(largest_tensor) + " elements");
  }
  return shape;
}

template <class T, class Values>
std::string narrowed(const Values& values, const std::string& place) {
  std::string bytes(static_cast<size_t>(values.size()) * sizeof(T), '\0');
  for (int i = 0; i < values.size(); ++i) {
    const auto wide = values.Get(i);
    const auto element = static_cast<T>(wide);
    if (static_cast<decltype(wide)>(element) != wide)
      fail("onnx", place, "element " + std::to_string(wide), "one that its type can hold");
    std::memcpy(bytes.data() + static_cast<size_t>(i) * sizeof(T), &element, sizeof(T));
  }
  return bytes;
}

/// The typed fields of a TensorProto as little-endian bytes, no larger than they are in the file's own message.
std::string typed_bytes(const pb::TensorProto& proto, const TypeRow& row, const std::string& place) {
  switch (row.data_type) {
    case pb::TensorProto::FLOAT: return narrowed<float>(proto.float_data(), place);
    case pb::TensorProto::DOUBLE: return narrowed<double>(proto.double_data(), place);
    case pb::TensorProto::INT64: return narrowed<int64_t>(proto.int64_data(), place);
    case pb::TensorProto::UINT64: return narrowed<uint64_t>(proto.uint64_data(), place);
    case pb::TensorProto::UINT32: return narrowed<uint32_t>(proto.uint64_data(), place);
    case pb::TensorProto::INT32: return narrowed<int32_t>(proto.int32_data(), place);
    case pb::TensorProto::INT16: return narrowed<int16_t>(proto.int32_data(), place);
    case pb::TensorProto::INT8: return narrowed<int8_t>(proto.int32_data(), place);
    case pb::TensorProto::UINT16:
    case pb::TensorProto::FLOAT16:
    case pb::TensorProto::BFLOAT16: return narrowed<uint16_t>(proto.int32_data(), place);
    default: return narrowed<uint8_t>(proto.int32_data(), place);
  }
}

float float_of_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half >> 15) << 31;
  const uint32_t exponent = (half >> 10) & 31;
  const uint32_t fraction = half & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

template <class T>
T element_at(std::string_view bytes, size_t index) {
  T element;
  std::memcpy(&element, bytes.data() + index * sizeof(T), sizeof(T));
  return element;
}

void unpack(std::string_view bytes, const TypeRow& row, Tensor& tensor) {
  const auto per_byte = static_cast<size_t>(8 / row.bits);
  const unsigned mask = (1u << row.bits) - 1;
  const int64_t highest = levels_of(row).high;
  for (size_t i = 0; i < tensor.size(); ++i) {
    const unsigned byte = static_cast<unsigned char>(bytes[i / per_byte]);
    const unsigned field = byte >> (i % per_byte * static_cast<unsigned>(row.bits)) & mask;
    if (row.element == ElementType::UInt8)
      tensor.as<uint8_t>()[i] = static_cast<uint8_t>(field);
    else
      tensor.as<int8_t>()[i] = static_cast<int8_t>(
          static_cast<int64_t>(field) > highest ? static_cast<int>(field) - (1 << row.bits) : static_cast<int>(field));
  }
}

int64_t signed_of(uint64_t wide, const std::string& place) {
  if (wide > static_cast<uint64_t>(INT64_MAX)) fail("onnx", place, "element " + std::to_string(wide), "below 2^63");
  return static_cast<int64_t>(wide);
}

void decode(std::string_view bytes, const TypeRow& row, Tensor& tensor, const std::string& place) {
  switch (row.data_type) {
    case pb::TensorProto::FLOAT16:
      for (size_t i = 0; i < tensor.size(); ++i) tensor.as<float>()[i] = float_of_half(element_at<uint16_t>(bytes, i));
      return;
    case pb::TensorProto::BFLOAT16:
      for (size_t i = 0; i < tensor.size(); ++i)
        tensor.as<float>()[i] = std::bit_cast<float>(static_cast<uint32_t>(element_at<uint16_t>(bytes, i)) << 16);
      return;
    case pb::TensorProto::UINT32:
      for (size_t i = 0; i < tensor.size(); ++i) tensor.as<int64_t>()[i] = element_at<uint32_t>(bytes, i);
      return;
    case pb::TensorProto::UINT64:
      for (size_t i = 0; i < tensor.size(); ++i)
        tensor.as<int64_t>()[i] = signed_of(element_at<uint64_t>(bytes, i), place);
      return;
    case pb::TensorProto::BOOL:
      for (size_t i = 0; i < tensor.size(); ++i) tensor.as<uint8_t>()[i] = bytes[i] != 0;
      return;
    default: break;
  }
  if (row.bits < 8)
    unpack(bytes, row, tensor);
  else if (!bytes.empty())
    std::memcpy(tensor.bytes().data(), bytes.data(), bytes.size());
}

}  // namespace

std::string type_name(int data_type) {
  if (data_type >= 0 && static_cast<size_t>(data_type) < all_names.size())
    return std::string(all_names[static_cast<size_t>(data_type)]);
  return "type " + std::to_string(data_type);
}

Interval range_of(int data_type) {
  const TypeRow* row = row_of(data_type);
  return row ? levels_of(*row) : none;
}

ElementType element_type_of_file(int data_type, const std::string& place, bool keep_doubles) {
  const ElementType element = known_row(data_type, place).element;
  return element == ElementType::Float64 && !keep_doubles ? ElementType::Float32 : element;
}

FileTensor read_tensor(const pb::TensorProto& proto, const std::string& place, const TensorRules& rules) {
  const TypeRow& row = known_row(proto.data_type(), place);
  if (proto.has_segment()) fail("onnx", place, "a tensor in segments", "a whole one");
  const Shape shape = checked_shape(proto, place);
  const int64_t bits = element_count(shape) * row.bits;
  const auto expected = static_cast<size_t>((bits + 7) / 8);
  const bool outside = proto.data_location() == pb::TensorProto::EXTERNAL;
  std::string held;
  std::string_view bytes;
  if (outside) {
    held = external_bytes(proto, expected, place, rules.folder);
    bytes = held;
  } else if (proto.has_raw_data()) {
    bytes = proto.raw_data();
  } else {
    held = typed_bytes(proto, row, place);
    bytes = held;
  }
  if (bytes.size() != expected)
    fail("onnx", place,
         std::to_string(bytes.size()) + " bytes for " + type_name(row.data_type) + " " + to_string(shape),
         std::to_string(expected) + " bytes");
  FileTensor result{Tensor(row.element, shape), row.data_type};
  decode(bytes, row, result.tensor, place);
  if (row.element == ElementType::Float64 && !rules.keep_doubles)
    result.tensor = result.tensor.cast(ElementType::Float32);
  return result;
}

Tensor tensor_from_bytes(std::string_view bytes, const std::string& place) {
  pb::TensorProto proto;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    fail("onnx", place, "not a tensor, or a damaged one", "a serialised TensorProto");
  return read_tensor(proto, place, {{}, true}).tensor;
}

int file_type(ElementType type) {
  switch (type) {
    case ElementType::Float32: return pb::TensorProto::FLOAT;
    case ElementType::Float64: return pb::TensorProto::DOUBLE;
    case ElementType::Int8: return pb::TensorProto::INT8;
    case ElementType::UInt8: return pb::TensorProto::UINT8;
    case ElementType::Int16: return pb::TensorProto::INT16;
    case ElementType::UInt16: return pb::TensorProto::UINT16;
    case ElementType::Int32: return pb::TensorProto::INT32;
    case ElementType::Int64: return pb::TensorProto::INT64;
    case ElementType::Bool: return pb::TensorProto::BOOL;
  }
  throw InternalError("an element type is one of the enumeration");
}

void write_tensor(const Tensor& tensor, const std::string& name, pb::TensorProto& proto) {
  proto.set_name(name);
  proto.set_data_type(file_type(tensor.type()));
  for (int64_t extent : tensor.shape()) proto.add_dims(extent);
  proto.set_raw_data(tensor.bytes().data(), tensor.bytes().size());
}

void write_packed(const Tensor& integers, const std::string& name, int data_type, pb::TensorProto& proto) {
  const TypeRow* row = row_of(data_type);
  ensure(row && row->bits < 8, "a packed tensor has a type below 8 bits");
  const auto per_byte = static_cast<size_t>(8 / row->bits);
  const std::vector<int64_t> values = integers.to_integers();
  const Interval levels = levels_of(*row);
  std::string bytes((values.size() + per_byte - 1) / per_byte, '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    ensure(levels.contains(values[i]), "packed integers fit their type");
    const unsigned field = static_cast<unsigned>(values[i]) & ((1u << row->bits) - 1);
    const unsigned byte = static_cast<unsigned char>(bytes[i / per_byte]);
    bytes[i / per_byte] = static_cast<char>(byte | field << (i % per_byte * static_cast<unsigned>(row->bits)));
  }
  proto.set_name(name);
  proto.set_data_type(data_type);
  for (int64_t extent : integers.shape()) proto.add_dims(extent);
  proto.set_raw_data(bytes);
}

}  // namespace nibble::onnx
