#include "onnx/file/model_writer.hpp"

#include <limits>

#include "onnx/file/attributes.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/tensors.hpp"

namespace nibble::onnx {
namespace {

pb::AttributeProto& add_attribute(pb::NodeProto& node, const std::string& name,
                                  pb::AttributeProto::AttributeType type) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

std::string grid_text(const Grid& grid) {
  std::string text = "levels " + std::to_string(grid.low) + ".." + std::to_string(grid.high) + ", zero point " +
                     std::to_string(grid.zero_point) + ", scale ";
  if (grid.per_channel()) return text + std::to_string(grid.scale.size()) + " along axis " + std::to_string(grid.axis);
  return text + Json(grid.scale[0]).dump();
}

}  // namespace

void set_integer(pb::NodeProto& node, const std::string& name, int64_t value) {
  add_attribute(node, name, pb::AttributeProto::INT).set_i(value);
}
void set_integers(pb::NodeProto& node, const std::string& name, const graph::Ints& values) {
  auto& attribute = add_attribute(node, name, pb::AttributeProto::INTS);
  for (int64_t value : values) attribute.add_ints(value);
}
void set_real(pb::NodeProto& node, const std::string& name, double value) {
  add_attribute(node, name, pb::AttributeProto::FLOAT).set_f(static_cast<float>(value));
}
void set_text(pb::NodeProto& node, const std::string& name, std::string_view value) {
  add_attribute(node, name, pb::AttributeProto::STRING).set_s(std::string(value));
}

bool survives_float(double number) {
  return decimal_of(static_cast<float>(number)) == number;
}

ModelWriter::ModelWriter(const graph::Graph& graph, int64_t opset, int64_t ir_version) : graph_(graph), opset_(opset) {
  model_.set_ir_version(ir_version);
  model_.set_producer_name("nibble");
  model_.mutable_graph()->set_name(graph.name);
  auto& standard = *model_.add_opset_import();
  standard.set_domain("");
  standard.set_version(opset);
  for (const graph::Value& value : graph.values) names_.insert(value.name);
}

const std::string& ModelWriter::name(graph::ValueId id) const {
  static const std::string none;
  return id == graph::absent ? none : graph_[id].name;
}

std::string ModelWriter::free_name(const std::string& wanted) {
  std::string free = wanted;
  for (int number = 1; !names_.insert(free).second; ++number) free = wanted + "_" + std::to_string(number);
  return free;
}

pb::NodeProto& ModelWriter::add_node(const std::string& node_name, std::string_view op, std::string_view domain) {
  auto& node = *model_.mutable_graph()->add_node();
  node.set_name(node_name);
  node.set_op_type(std::string(op));
  if (!domain.empty()) {
    node.set_domain(std::string(domain));
    domains_.insert(std::string(domain));
  }
  return node;
}

std::string ModelWriter::add_constant(const std::string& wanted, const Tensor& tensor) {
  std::string free = free_name(wanted);
  write_tensor(tensor, free, *model_.mutable_graph()->add_initializer());
  return free;
}

std::string ModelWriter::add_packed(const std::string& wanted, const Tensor& integers, int data_type) {
  std::string free = free_name(wanted);
  write_packed(integers, free, data_type, *model_.mutable_graph()->add_initializer());
  return free;
}

void ModelWriter::add_value_constant(graph::ValueId id) {
  write_tensor(*graph_[id].constant, name(id), *model_.mutable_graph()->add_initializer());
}

void ModelWriter::describe(graph::ValueId id, ElementType type, pb::ValueInfoProto& info) const {
  const graph::Value& value = graph_[id];
  info.set_name(value.name);
  if (value.grid) info.set_doc_string(grid_text(*value.grid));
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(file_type(type));
  auto& shape = *tensor.mutable_shape();
  for (int64_t extent : value.shape) {
    auto& axis = *shape.add_dim();
    if (extent == any)
      axis.set_dim_param("N");
    else
      axis.set_dim_value(extent);
  }
}

void ModelWriter::add_initializer(const std::string& tensor_name, const Tensor& tensor) {
  write_tensor(tensor, tensor_name, *model_.mutable_graph()->add_initializer());
}

void ModelWriter::add_input(graph::ValueId id) {
  add_input(id, graph_[id].type);
}
void ModelWriter::add_input(graph::ValueId id, ElementType type) {
  describe(id, type, *model_.mutable_graph()->add_input());
}
void ModelWriter::add_output(graph::ValueId id, ElementType type) {
  describe(id, type, *model_.mutable_graph()->add_output());
}
void ModelWriter::add_value_info(graph::ValueId id, ElementType type) {
  describe(id, type, *model_.mutable_graph()->add_value_info());
}

void ModelWriter::add_metadata(const std::string& key, const std::string& text) {
  auto& entry = *model_.add_metadata_props();
  entry.set_key(key);
  entry.set_value(text);
}

std::string ModelWriter::bytes() {
  for (const std::string& domain : domains_) {
    auto& import = *model_.add_opset_import();
    import.set_domain(domain);
    import.set_version(domain == nibble_domain ? nibble_version : 1);
  }
  domains_.clear();
  const size_t size = model_.ByteSizeLong();
  if (size > static_cast<size_t>(std::numeric_limits<int>::max()))
    fail("onnx", graph_.name, std::to_string(size) + " bytes", "at most 2^31 - 1, the format's limit");
  return model_.SerializeAsString();
}

}  // namespace nibble::onnx
