#include "onnx/file/attributes.hpp"

#include <cmath>
#include <unordered_set>

#include "base/decimal.hpp"
#include "base/error.hpp"
#include "onnx/file/container.hpp"

namespace nibble::onnx {
namespace {

std::string kind_of(const pb::AttributeProto& attribute) {
  switch (attribute.type()) {
    case pb::AttributeProto::FLOAT: return "a real number";
    case pb::AttributeProto::INT: return "an integer";
    case pb::AttributeProto::STRING: return "a string";
    case pb::AttributeProto::TENSOR: return "a tensor";
    case pb::AttributeProto::GRAPH: return "a graph";
    case pb::AttributeProto::FLOATS: return "real numbers";
    case pb::AttributeProto::INTS: return "integers";
    case pb::AttributeProto::STRINGS: return "strings";
    default: return "of another type";
  }
}

}  // namespace

Attributes::Attributes(const pb::NodeProto& node, std::string place) : node_(node), place_(std::move(place)) {
  std::unordered_set<std::string_view> seen;
  for (const auto& attribute : node.attribute()) {
    if (!seen.insert(attribute.name()).second)
      fail("onnx", place_, "attribute " + in_quotes(attribute.name()) + " twice", "once");
    if (attribute.has_ref_attr_name())
      fail("onnx", place_, "attribute " + in_quotes(attribute.name()) + " refers to a function's", "a value");
  }
}

const pb::AttributeProto* Attributes::find(std::string_view name) const {
  for (const auto& attribute : node_.attribute())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}

const pb::AttributeProto* Attributes::typed(std::string_view name, int type, std::string_view what) const {
  const pb::AttributeProto* attribute = find(name);
  if (attribute && attribute->type() != type)
    fail("onnx", place_, "attribute " + in_quotes(name) + " is " + kind_of(*attribute), what);
  return attribute;
}

int Attributes::type(std::string_view name) const {
  const pb::AttributeProto* attribute = find(name);
  return attribute ? attribute->type() : pb::AttributeProto::UNDEFINED;
}

int64_t Attributes::integer(std::string_view name, int64_t otherwise) const {
  const auto* attribute = typed(name, pb::AttributeProto::INT, "an integer");
  return attribute ? attribute->i() : otherwise;
}

double Attributes::real(std::string_view name, double otherwise) const {
  const auto* attribute = typed(name, pb::AttributeProto::FLOAT, "a real number");
  if (!attribute) return otherwise;
  if (std::isnan(attribute->f())) fail("onnx", place_, "attribute " + in_quotes(name) + " is NaN", "a number");
  return decimal_of(attribute->f());
}

std::string Attributes::text(std::string_view name, std::string_view otherwise) const {
  const auto* attribute = typed(name, pb::AttributeProto::STRING, "a string");
  return attribute ? attribute->s() : std::string(otherwise);
}

graph::Ints Attributes::integers(std::string_view name, const graph::Ints& otherwise) const {
  const auto* attribute = typed(name, pb::AttributeProto::INTS, "integers");
  return attribute ? graph::Ints(attribute->ints().begin(), attribute->ints().end()) : otherwise;
}

std::vector<double> Attributes::reals(std::string_view name) const {
  const auto* attribute = typed(name, pb::AttributeProto::FLOATS, "real numbers");
  std::vector<double> numbers;
  if (attribute)
    for (float number : attribute->floats()) numbers.push_back(decimal_of(number));
  return numbers;
}

std::vector<std::string> Attributes::texts(std::string_view name) const {
  const auto* attribute = typed(name, pb::AttributeProto::STRINGS, "strings");
  if (!attribute) return {};
  return {attribute->strings().begin(), attribute->strings().end()};
}

const pb::TensorProto* Attributes::tensor(std::string_view name) const {
  const auto* attribute = typed(name, pb::AttributeProto::TENSOR, "a tensor");
  return attribute ? &attribute->t() : nullptr;
}

std::vector<std::string_view> Attributes::names() const {
  std::vector<std::string_view> all;
  for (const auto& attribute : node_.attribute()) all.push_back(attribute.name());
  return all;
}

}  // namespace nibble::onnx
