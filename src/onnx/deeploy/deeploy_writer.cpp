#include "onnx/deeploy/deeploy_writer.hpp"

#include <algorithm>

#include "onnx/file/tensors.hpp"

namespace nibble::onnx {
namespace {

/// Every integer up to here is a float32.
constexpr int64_t exact = int64_t{1} << 24;

Tensor carried(const Tensor& integers) {
  const auto values = integers.to_integers();
  const bool fits = std::all_of(values.begin(), values.end(), [](int64_t x) { return x >= -exact && x <= exact; });
  if (!fits) return Tensor(integers.shape(), values);
  return Tensor(integers.shape(), std::vector<float>(values.begin(), values.end()));
}

/// Float32 for a value that is known to stay where float32 is exact, else its own integers.
ElementType carrier(const graph::Value& value) {
  const bool narrow = value.type != ElementType::Int32 && value.type != ElementType::Int64;
  const auto inside = [](const Interval& bound) { return bound.low >= -exact && bound.high <= exact; };
  const bool bounded = !value.bounds.empty() && std::all_of(value.bounds.begin(), value.bounds.end(), inside);
  return narrow || bounded ? ElementType::Float32 : value.type;
}

}  // namespace

std::string DeeployWriter::name(graph::ValueId id) {
  if (id == graph::absent || !graph()[id].constant) return writer_.name(id);
  const auto [entry, fresh] = constants_.emplace(id, writer_.name(id));
  if (fresh) writer_.add_initializer(entry->second, carried(*graph()[id].constant));
  return entry->second;
}

std::string DeeployWriter::add(const std::string& node_name, std::string_view op,
                               const std::vector<std::string>& inputs, const std::string& output) {
  last_ = &writer_.add_node(node_name, op);
  for (const std::string& input : inputs) last_->add_input(input);
  last_->add_output(output.empty() ? writer_.free_name(node_name) : output);
  return last_->output(0);
}

std::string DeeployWriter::constant(const std::string& wanted, const Tensor& integers) {
  return writer_.add_constant(wanted, carried(integers));
}

std::string DeeployWriter::indices(graph::ValueId id) {
  const Tensor& integers = *graph()[id].constant;
  if (constants_.contains(id)) return indices(writer_.name(id), integers);
  writer_.add_initializer(writer_.name(id), integers.cast(ElementType::Int64));
  return constants_.emplace(id, writer_.name(id)).first->second;
}

std::string DeeployWriter::indices(const std::string& wanted, const Tensor& integers) {
  return writer_.add_constant(wanted, integers.cast(ElementType::Int64));
}

bool DeeployWriter::add_standard(const graph::Node& node) {
  for (graph::ValueId id : node.inputs)
    if (id != graph::absent && graph()[id].constant && constants_.emplace(id, graph()[id].name).second)
      writer_.add_value_constant(id);
  return write_standard(writer_, node);
}

void DeeployWriter::set_number(const std::string& attribute, int64_t value) {
  auto& added = *last_->add_attribute();
  added.set_name(attribute);
  added.set_type(pb::AttributeProto::TENSOR);
  write_tensor(carried(Tensor({1}, std::vector<int64_t>{value})), "", *added.mutable_t());
}

std::string DeeployWriter::finish() {
  for (graph::ValueId id : graph().inputs) writer_.add_input(id, carrier(graph()[id]));
  for (graph::ValueId id : graph().outputs) {
    if (graph()[id].constant) name(id);
    writer_.add_output(id, carrier(graph()[id]));
  }
  for (const auto& [key, text] : graph().metadata) writer_.add_metadata(key, text);
  return writer_.bytes();
}

}  // namespace nibble::onnx
