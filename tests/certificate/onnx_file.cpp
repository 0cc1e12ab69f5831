#include "onnx_file.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace certificate {
namespace {

/// One message of protobuf's wire format, field after field.
class Wire {
 public:
  explicit Wire(std::string_view bytes) : bytes_(bytes) {}

  /// False at the end.
  bool next() {
    if (bytes_.empty()) return false;
    const uint64_t key = varint();
    field = static_cast<int>(key >> 3);
    switch (key & 7) {
      case 0: number = varint(); break;
      case 1: payload = take(8); break;
      case 2: payload = take(varint()); break;
      case 5: payload = take(4); break;
      default: throw std::runtime_error("no protobuf message");
    }
    return true;
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw std::runtime_error("a number that does not end");
  }
  bool at_end() const { return bytes_.empty(); }

  int field = 0;
  uint64_t number = 0;
  std::string_view payload;

 private:
  std::string_view take(uint64_t size) {
    if (size > bytes_.size()) throw std::runtime_error("a field beyond its message");
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::string_view bytes_;
};

template <class T>
T from_bytes(std::string_view bytes) {
  T value;
  if (bytes.size() != sizeof value) throw std::runtime_error("a number of the wrong size");
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

template <class T, class Out>
void spread(std::string_view raw, std::vector<Out>& out) {
  for (size_t i = 0; i + sizeof(T) <= raw.size(); i += sizeof(T))
    out.push_back(static_cast<Out>(from_bytes<T>(raw.substr(i, sizeof(T)))));
}

/// Packed or not, a repeated integer field.
void append_integers(const Wire& wire, bool packed, std::vector<int64_t>& out) {
  if (!packed) return out.push_back(static_cast<int64_t>(wire.number));
  for (Wire list(wire.payload); !list.at_end();) out.push_back(static_cast<int64_t>(list.varint()));
}

void read_raw(std::string_view raw, Tensor& tensor) {
  switch (tensor.type) {
    case 1: return spread<float>(raw, tensor.reals);
    case 11: return spread<double>(raw, tensor.reals);
    case 2: return spread<uint8_t>(raw, tensor.integers);
    case 3: return spread<int8_t>(raw, tensor.integers);
    case 4: return spread<uint16_t>(raw, tensor.integers);
    case 5: return spread<int16_t>(raw, tensor.integers);
    case 6: return spread<int32_t>(raw, tensor.integers);
    case 7: return spread<int64_t>(raw, tensor.integers);
    case 9: return spread<uint8_t>(raw, tensor.integers);
    default: throw std::runtime_error("a tensor of type " + std::to_string(tensor.type));
  }
}

Tensor read_tensor(std::string_view bytes) {
  Tensor tensor;
  std::string_view raw;
  bool has_raw = false;
  for (Wire wire(bytes); wire.next();) {
    const bool packed = !wire.payload.empty();
    switch (wire.field) {
      case 1: append_integers(wire, packed, tensor.shape); break;
      case 2: tensor.type = static_cast<int>(wire.number); break;
      case 4: spread<float>(wire.payload, tensor.reals); break;
      case 5:
      case 7: append_integers(wire, packed, tensor.integers); break;
      case 8: tensor.name = wire.payload; break;
      case 9: raw = wire.payload, has_raw = true; break;
      case 10: spread<double>(wire.payload, tensor.reals); break;
      case 13:
      case 14: throw std::runtime_error("data outside the file");
      default: break;
    }
    wire.payload = {};
  }
  tensor.real = tensor.type == 1 || tensor.type == 11;
  if (has_raw) read_raw(raw, tensor);
  if (tensor.type == 3)
    for (int64_t& each : tensor.integers) each = static_cast<int8_t>(each);
  return tensor;
}

Attribute read_attribute(std::string_view bytes, std::string& name) {
  Attribute attribute;
  for (Wire wire(bytes); wire.next(); wire.payload = {}) {
    switch (wire.field) {
      case 1: name = wire.payload; break;
      case 2: attribute.number = from_bytes<float>(wire.payload); break;
      case 3: attribute.integer = static_cast<int64_t>(wire.number); break;
      case 4: attribute.text = wire.payload; break;
      case 5: attribute.tensor = read_tensor(wire.payload); break;
      case 8: append_integers(wire, !wire.payload.empty(), attribute.integers); break;
      case 20: attribute.type = static_cast<int>(wire.number); break;
      default: break;
    }
  }
  return attribute;
}

Node read_node(std::string_view bytes) {
  Node node;
  for (Wire wire(bytes); wire.next(); wire.payload = {}) {
    std::string name;
    switch (wire.field) {
      case 1: node.inputs.emplace_back(wire.payload); break;
      case 2: node.outputs.emplace_back(wire.payload); break;
      case 3: node.name = wire.payload; break;
      case 4: node.op = wire.payload; break;
      case 5: {
        Attribute attribute = read_attribute(wire.payload, name);
        node.attributes[name] = std::move(attribute);
        break;
      }
      default: break;
    }
  }
  return node;
}

/// TensorShapeProto inside TypeProto inside ValueInfoProto.
std::vector<int64_t> read_shape(std::string_view type) {
  std::vector<int64_t> shape;
  for (Wire outer(type); outer.next();) {
    if (outer.field != 1) continue;
    for (Wire tensor(outer.payload); tensor.next();) {
      if (tensor.field != 2) continue;
      for (Wire dims(tensor.payload); dims.next();) {
        int64_t extent = -1;
        for (Wire dim(dims.payload); dim.next();)
          if (dim.field == 1) extent = static_cast<int64_t>(dim.number);
        shape.push_back(extent);
      }
    }
  }
  return shape;
}

std::string read_value(std::string_view bytes, Model& model) {
  std::string name, note;
  std::vector<int64_t> shape;
  for (Wire wire(bytes); wire.next();) {
    if (wire.field == 1) name = wire.payload;
    if (wire.field == 2) shape = read_shape(wire.payload);
    if (wire.field == 3) note = wire.payload;
  }
  model.shapes[name] = shape;
  model.notes[name] = note;
  return name;
}

void read_graph(std::string_view bytes, Model& model) {
  for (Wire wire(bytes); wire.next();) {
    if (wire.field == 1) model.nodes.push_back(read_node(wire.payload));
    if (wire.field == 5) {
      Tensor tensor = read_tensor(wire.payload);
      model.constants[tensor.name] = std::move(tensor);
    }
    if (wire.field == 11) model.inputs.push_back(read_value(wire.payload, model));
    if (wire.field == 12) model.outputs.push_back(read_value(wire.payload, model));
    if (wire.field == 13) read_value(wire.payload, model);
  }
}

void read_opset(std::string_view bytes, Model& model) {
  std::string domain;
  int64_t version = 0;
  for (Wire wire(bytes); wire.next();) {
    if (wire.field == 1) domain = wire.payload;
    if (wire.field == 2) version = static_cast<int64_t>(wire.number);
  }
  if (domain.empty()) model.opset = version;
}

}  // namespace

int64_t Node::integer(const std::string& key, int64_t otherwise) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? otherwise : found->second.integer;
}

std::vector<int64_t> Node::integers(const std::string& key) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? std::vector<int64_t>{} : found->second.integers;
}

const Node* Model::writer(const std::string& value) const {
  const auto found = writers.find(value);
  return found == writers.end() ? nullptr : found->second;
}

const Tensor* Model::constant(const std::string& value) const {
  const auto found = constants.find(value);
  return found == constants.end() ? nullptr : &found->second;
}

const Node* Model::node(const std::string& name) const {
  for (const Node& each : nodes)
    if (each.name == name) return &each;
  return nullptr;
}

Model read_model(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error(file + ": cannot be opened");
  const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  Model model;
  for (Wire wire(bytes); wire.next();) {
    if (wire.field == 7) read_graph(wire.payload, model);
    if (wire.field == 8) read_opset(wire.payload, model);
  }
  if (model.nodes.empty()) throw std::runtime_error(file + ": no network");
  for (const Node& node : model.nodes)
    for (const std::string& output : node.outputs) model.writers[output] = &node;
  return model;
}

}  // namespace certificate
