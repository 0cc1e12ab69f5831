#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// ONNX files for the independent checkers (certificate, DORY's reader), read from their bytes: nothing here is shared
/// with the library that is checked. Whatever is not understood ends the program (std::runtime_error).
namespace certificate {

/// Reals hold what the file says exactly (float32 and float64 are doubles); integers are in `integers`.
struct Tensor {
  std::string name;
  std::vector<int64_t> shape;
  bool real = false;
  std::vector<double> reals;
  std::vector<int64_t> integers;
  int type = 0;  ///< TensorProto.DataType

  size_t size() const { return real ? reals.size() : integers.size(); }
};

struct Attribute {
  int type = 0;  ///< AttributeProto.AttributeType
  float number = 0;
  int64_t integer = 0;
  std::string text;
  std::vector<int64_t> integers;
  Tensor tensor;
};

struct Node {
  std::string name, op;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, Attribute> attributes;

  int64_t integer(const std::string& key, int64_t otherwise) const;
  std::vector<int64_t> integers(const std::string& key) const;
};

struct Model {
  std::vector<Node> nodes;
  std::map<std::string, Tensor> constants;
  std::map<std::string, std::vector<int64_t>> shapes;  ///< -1: symbolic
  std::map<std::string, std::string> notes;            ///< a value's doc_string
  std::vector<std::string> inputs, outputs;
  int64_t opset = 0;                           ///< of the standard's domain
  std::map<std::string, const Node*> writers;  ///< by output

  const Node* writer(const std::string& value) const;
  const Tensor* constant(const std::string& value) const;
  const Node* node(const std::string& name) const;
};

Model read_model(const std::string& file);

}  // namespace certificate
