#include "onnx/standard/fields.hpp"

#include <unordered_set>
#include <utility>

#include "onnx/file/container.hpp"

namespace nibble::onnx {
namespace {

// clang-format off
template <class E> struct Names;
template <> struct Names<Rounding> { static constexpr std::pair<Rounding, std::string_view> rows[] = {
    {Rounding::Floor, "floor"}, {Rounding::HalfUp, "half_up"}, {Rounding::HalfEven, "half_even"}}; };
template <> struct Names<graph::PadMode> { static constexpr std::pair<graph::PadMode, std::string_view> rows[] = {
    {graph::PadMode::Constant, "constant"}, {graph::PadMode::Reflect, "reflect"}, {graph::PadMode::Edge, "edge"}}; };
template <> struct Names<graph::ResizeMode> { static constexpr std::pair<graph::ResizeMode, std::string_view> rows[] = {
    {graph::ResizeMode::Nearest, "nearest"}, {graph::ResizeMode::Linear, "linear"}}; };
template <> struct Names<graph::ResizeCoordinates> { static constexpr std::pair<graph::ResizeCoordinates, std::string_view> rows[] = {
    {graph::ResizeCoordinates::HalfPixel, "half_pixel"}, {graph::ResizeCoordinates::PytorchHalfPixel, "pytorch_half_pixel"},
    {graph::ResizeCoordinates::AlignCorners, "align_corners"}, {graph::ResizeCoordinates::Asymmetric, "asymmetric"}}; };
template <> struct Names<graph::ResizeNearest> { static constexpr std::pair<graph::ResizeNearest, std::string_view> rows[] = {
    {graph::ResizeNearest::RoundPreferFloor, "round_prefer_floor"}, {graph::ResizeNearest::RoundPreferCeil, "round_prefer_ceil"},
    {graph::ResizeNearest::Floor, "floor"}, {graph::ResizeNearest::Ceil, "ceil"}}; };
// clang-format on

struct Writer {
  pb::NodeProto& node;

  pb::AttributeProto& add(std::string_view name, pb::AttributeProto::AttributeType type) const {
    auto& attribute = *node.add_attribute();
    attribute.set_name(std::string(name));
    attribute.set_type(type);
    return attribute;
  }
  void operator()(std::string_view name, int64_t value) const { add(name, pb::AttributeProto::INT).set_i(value); }
  void operator()(std::string_view name, int value) const { (*this)(name, static_cast<int64_t>(value)); }
  void operator()(std::string_view name, bool value) const { (*this)(name, static_cast<int64_t>(value)); }
  void operator()(std::string_view name, const graph::Ints& values) const {
    auto& attribute = add(name, pb::AttributeProto::INTS);
    for (int64_t value : values) attribute.add_ints(value);
  }
  void operator()(std::string_view name, double value) const {
    write_tensor(Tensor(Shape{}, std::vector<double>{value}), "", *add(name, pb::AttributeProto::TENSOR).mutable_t());
  }
  void operator()(std::string_view name, const std::vector<double>& values) const {
    write_tensor(Tensor({static_cast<int64_t>(values.size())}, values), "",
                 *add(name, pb::AttributeProto::TENSOR).mutable_t());
  }
  void operator()(std::string_view, const Grid& grid) const {
    (*this)("scale", grid.scale);
    (*this)("axis", grid.axis);
    (*this)("zero_point", grid.zero_point);
    (*this)("low", grid.low);
    (*this)("high", grid.high);
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(std::string_view name, E value) const {
    for (const auto& [each, text] : Names<E>::rows)
      if (each == value) return add(name, pb::AttributeProto::STRING).set_s(std::string(text));
    throw InternalError("an enumeration's every value has a name");
  }
};

struct FieldReader {
  const NodeReader& node;
  std::unordered_set<std::string_view>& seen;

  void expect(std::string_view name) const {
    if (!node.attributes().has(name)) node.fail("no attribute " + in_quotes(name), "every field of the op");
    seen.insert(name);
  }
  void operator()(std::string_view name, int64_t& value) const {
    expect(name), value = node.attributes().integer(name, 0);
  }
  void operator()(std::string_view name, int& value) const {
    int64_t wide = 0;
    (*this)(name, wide);
    value = static_cast<int>(wide);
    if (value != wide) node.fail("attribute " + in_quotes(name) + " is " + std::to_string(wide), "a 32-bit integer");
  }
  void operator()(std::string_view name, bool& value) const {
    int64_t wide = 0;
    (*this)(name, wide);
    if (wide != 0 && wide != 1) node.fail("attribute " + in_quotes(name) + " is " + std::to_string(wide), "0 or 1");
    value = wide == 1;
  }
  void operator()(std::string_view name, graph::Ints& values) const {
    expect(name), values = node.attributes().integers(name);
  }
  void operator()(std::string_view name, std::vector<double>& values) const {
    expect(name);
    const Tensor tensor = node.tensor_attribute(name).tensor;
    if (!is_real(tensor.type()))
      node.fail("attribute " + in_quotes(name) + " holds " + std::string(to_string(tensor.type())), "reals");
    values = tensor.to_reals();
  }
  void operator()(std::string_view name, double& value) const {
    std::vector<double> values;
    (*this)(name, values);
    if (values.size() != 1)
      node.fail("attribute " + in_quotes(name) + " has " + std::to_string(values.size()) + " elements", "one");
    value = values[0];
  }
  void operator()(std::string_view, Grid& grid) const {
    (*this)("scale", grid.scale);
    (*this)("axis", grid.axis);
    (*this)("zero_point", grid.zero_point);
    (*this)("low", grid.low);
    (*this)("high", grid.high);
    check_grid(grid, "onnx", node.name());
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(std::string_view name, E& value) const {
    expect(name);
    const std::string found = node.attributes().text(name, "");
    std::string known;
    for (const auto& [each, text] : Names<E>::rows) {
      if (text == found) return void(value = each);
      known += (known.empty() ? "" : ", ") + std::string(text);
    }
    node.fail("attribute " + in_quotes(name) + " is " + in_quotes(found), "one of " + known);
  }
};

std::vector<std::string_view> op_names() {
  std::vector<std::string_view> names;
  for (const graph::Op& op : graph::every_op()) names.push_back(graph::name_of(op));
  return names;
}

}  // namespace

void write_fields(const graph::Op& op, pb::NodeProto& node) {
  visit([&](const auto& each) { std::decay_t<decltype(each)>::fields(Writer{node}, each); }, op);
}

graph::Op op_of_fields(const NodeReader& node) {
  const graph::Op* named = graph::op_named(node.op_type());
  if (!named)
    node.fail("an op that domain 'nibble' does not have" + did_you_mean(node.op_type(), op_names()), "one of ours");
  graph::Op op = *named;
  std::unordered_set<std::string_view> seen;
  visit([&](auto& each) { std::decay_t<decltype(each)>::fields(FieldReader{node, seen}, each); }, op);
  for (std::string_view name : node.attributes().names())
    if (!seen.contains(name)) node.fail("attribute " + in_quotes(name) + did_you_mean(name, seen), "a field of the op");
  return op;
}

}  // namespace nibble::onnx
