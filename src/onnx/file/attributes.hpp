#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.hpp"
#include "graph/ops.hpp"
#include "onnx/file/proto.hpp"

namespace nibble::onnx {

/// A node's attributes by name. Every read checks the attribute's type; errors are UserErrors
/// "onnx: <place>: attribute '<name>' is <type> (expected <type>)".
class Attributes {
 public:
  /// Throws where two have one name, or one refers to a function's parameter.
  Attributes(const pb::NodeProto& node, std::string place);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  int64_t integer(std::string_view name, int64_t otherwise) const;
  double real(std::string_view name, double otherwise) const;
  std::string text(std::string_view name, std::string_view otherwise) const;
  graph::Ints integers(std::string_view name, const graph::Ints& otherwise = {}) const;
  std::vector<double> reals(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;
  /// nullptr where it is not there.
  const pb::TensorProto* tensor(std::string_view name) const;
  std::vector<std::string_view> names() const;
  /// The pb::AttributeProto::AttributeType, UNDEFINED where it is not there.
  int type(std::string_view name) const;

 private:
  const pb::AttributeProto* find(std::string_view name) const;
  const pb::AttributeProto* typed(std::string_view name, int type, std::string_view what) const;

  const pb::NodeProto& node_;
  std::string place_;
};

}  // namespace nibble::onnx
