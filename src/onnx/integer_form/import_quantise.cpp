#include <algorithm>

#include "base/channels.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/metadata.hpp"
#include "onnx/integer_form/integer_ops.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "onnx/standard/import.hpp"
#include "quant/range.hpp"

namespace nibble::onnx {
namespace {

void refuse_unusual(const NodeReader& node) {
  if (node.attributes().integer("block_size", 0) != 0)
    node.fail("attribute 'block_size' is set", "0: a scale a tensor or a channel");
  if (node.attributes().integer("saturate", 1) != 1) node.fail("attribute 'saturate' is 0", "1");
  node.attributes().integer("precision", 0);
}

std::vector<int64_t> points_of(const NodeReader& node, size_t scales) {
  if (!node.has(2)) return {0};
  std::vector<int64_t> points = node.integers(2, "zero point");
  if (points.size() != scales)
    node.fail(std::to_string(points.size()) + " zero points with " + std::to_string(scales) + " scales", "as many");
  return points;
}

bool all_equal(const std::vector<int64_t>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [&](int64_t number) { return number == numbers[0]; });
}

/// A scale of 0 makes zeros of whatever a constant holds; they are on every grid.
std::vector<double> with_one_for_zero(std::vector<double> scales) {
  std::replace(scales.begin(), scales.end(), 0.0, 1.0);
  return scales;
}

/// The grid that scale (input 1) and zero point (input 2) say over the levels of `data_type`, for x of rank `rank`;
/// `zeros`: of a constant, whose scales may be 0.
Grid grid_of(const NodeReader& node, int data_type, size_t rank, bool zeros = false) {
  const FileTensor& scale = node.constant(1, "scale");
  if (!is_real(scale.tensor.type())) node.fail("a scale of " + type_name(scale.data_type), "reals");
  if (scale.tensor.rank() > 1)
    node.fail("scales of shape " + to_string(scale.tensor.shape()), "one, or one for each channel");
  const Interval range = range_of(data_type);
  if (range.low > range.high)
    node.fail("integers of " + type_name(data_type), "INT8, UINT8, INT16, UINT16, INT32, INT4, UINT4, INT2 or UINT2");
  Grid grid;
  grid.scale = zeros ? with_one_for_zero(scale.tensor.to_reals()) : scale.tensor.to_reals();
  grid.low = range.low, grid.high = range.high;
  if (grid.scale.empty()) node.fail("no scale", "one, or one for each channel");
  const std::vector<int64_t> points = points_of(node, grid.scale.size());
  if (!all_equal(points)) node.fail("zero points that differ from channel to channel", "one for all");
  grid.zero_point = points[0];
  if (scale.tensor.rank() == 1 && grid.scale.size() > 1)
    grid.axis = static_cast<int>(node.axis(node.attributes().integer("axis", 1), rank));
  check_grid(grid, "onnx", node.place());
  return grid;
}

}  // namespace

Grid grid_of_quantize(const NodeReader& node, size_t rank) {
  const int64_t asked = node.attributes().integer("output_dtype", 0);
  int data_type =
      asked == 0 ? static_cast<int>(pb::TensorProto::UINT8) : static_cast<int>(std::clamp<int64_t>(asked, 0, 127));
  if (node.has(2)) data_type = node.constant(2, "zero point").data_type;
  return grid_of(node, data_type, rank);
}

Grid grid_of_dequantize(const NodeReader& node, ElementType type, size_t rank) {
  return grid_of(node, file_type(type), rank);
}

namespace {

/// Our own metadata may say that fewer levels than the container's are used.
Grid narrowed(const NodeReader& node, Grid grid) {
  if (node.native()) return grid;
  const auto declared = declared_grid(node.reader().metadata_of(node.output_name(0)), node.reader().place());
  if (declared && declared->scale == grid.scale && declared->zero_point == grid.zero_point &&
      declared->low >= grid.low && declared->high <= grid.high)
    grid.low = declared->low, grid.high = declared->high;
  return grid;
}

void expect_scale_for_each_channel(const NodeReader& node, const Shape& shape, const Grid& grid) {
  if (!grid.per_channel()) return;
  const auto channels = static_cast<size_t>(shape[static_cast<size_t>(grid.axis)]);
  if (channels != grid.scale.size())
    node.fail(std::to_string(grid.scale.size()) + " scales for " + to_string(shape), std::to_string(channels));
}

/// Calls f(element, channel) for each element of a tensor of `shape`.
template <class F>
void each_channel(const NodeReader& node, const Shape& shape, const Grid& grid, F&& f) {
  expect_scale_for_each_channel(node, shape, grid);
  const ChannelOf channel(shape, grid.axis);
  const auto count = static_cast<size_t>(element_count(shape));
  for (size_t i = 0; i < count; ++i) f(i, channel(i));
}

}  // namespace

Tensor dequantised(const NodeReader& node, const Tensor& integers, const Grid& grid) {
  expect_scale_for_each_channel(node, integers.shape(), grid);
  return quant::dequantise(integers, grid);
}

namespace {

/// Integers of the file, whether or not they are a value of the graph already.
const Tensor* integer_constant(const NodeReader& node, const Item& item) {
  if (item.constant) return &item.constant->tensor;
  return node.reader().graph().constant(item.id);
}

/// A constant's integers with a zero point each channel as integers without one, which stand for the same reals.
struct Centred {
  Tensor integers;
  Grid grid;
};
Centred centred(const NodeReader& node, const Tensor& integers, int data_type) {
  const Interval range = range_of(data_type);
  const FileTensor& scale = node.constant(1, "scale");
  const std::vector<int64_t> points = points_of(node, scale.tensor.size());
  const auto [least, most] = std::minmax_element(points.begin(), points.end());
  if (*least < range.low || *most > range.high)
    node.fail("zero points from " + std::to_string(*least) + " to " + std::to_string(*most),
              "those of " + type_name(data_type));
  Grid grid;
  grid.scale = with_one_for_zero(scale.tensor.to_reals());
  grid.axis = static_cast<int>(node.axis(node.attributes().integer("axis", 1), integers.rank()));
  grid.low = range.low - *most, grid.high = range.high - *least;
  std::vector<int64_t> q = integers.to_integers();
  each_channel(node, integers.shape(), grid, [&](size_t i, size_t channel) { q[i] -= points[channel]; });
  const bool bytes = std::all_of(q.begin(), q.end(), [](int64_t level) { return level >= -128 && level <= 127; });
  if (bytes) grid.low = -128, grid.high = 127;
  check_grid(grid, "onnx", node.place());
  return {Tensor(integers.shape(), q), grid};
}

void give_quantised(NodeReader& node, const Tensor& integers, const Grid& grid) {
  Tensor reals = dequantised(node, integers, grid);
  const std::vector<int64_t> q = integers.to_integers();
  const std::vector<double> x = reals.to_reals();
  bool survives = true;
  each_channel(node, integers.shape(), grid, [&](size_t i, size_t channel) {
    survives = survives && grid.quantise(x[i], channel, Rounding::HalfEven) == q[i];
  });
  // 32-bit integers that a float cannot tell apart: the reals are what a reader in float32 adds.
  if (!survives) return node.give(FileTensor{std::move(reals), pb::TensorProto::FLOAT});
  const graph::ValueId real = node.add_constant("reals", std::move(reals));
  node.emit(graph::Quantise{grid, Rounding::HalfEven}, {real});
}

/// The integers with their zero points where the scale is 0.
Tensor without_zero_scales(const NodeReader& node, const Tensor& integers) {
  const std::vector<double> scales = node.constant(1, "scale").tensor.to_reals();
  if (std::find(scales.begin(), scales.end(), 0.0) == scales.end()) return integers;
  const std::vector<int64_t> points = points_of(node, scales.size());
  Grid grid;
  grid.scale = scales;
  if (scales.size() > 1) grid.axis = static_cast<int>(node.axis(node.attributes().integer("axis", 1), integers.rank()));
  std::vector<int64_t> q = integers.to_integers();
  each_channel(node, integers.shape(), grid, [&](size_t i, size_t channel) {
    if (scales[channel] == 0) q[i] = points[points.size() == 1 ? 0 : channel];
  });
  return Tensor(integers.shape(), q).cast(integers.type());
}

void dequantise_constant(NodeReader& node, const Item& item, const Tensor& given) {
  const Tensor integers = without_zero_scales(node, given);
  const int data_type = item.constant ? item.constant->data_type : file_type(integers.type());
  const size_t scales = node.constant(1, "scale").tensor.size();
  if (scales > 1 && range_of(data_type).high >= 0 && !all_equal(points_of(node, scales))) {
    const Centred all = centred(node, integers, data_type);
    return give_quantised(node, all.integers, all.grid);
  }
  Grid grid = narrowed(node, grid_of(node, data_type, integers.rank(), true));
  if (item.cut) grid.low = item.cut->low, grid.high = item.cut->high;
  give_quantised(node, integers, grid);
}

/// A bound of a Clip on integers; `otherwise` where it is absent.
int64_t level_bound(const NodeReader& node, size_t index, std::string_view name, int64_t otherwise) {
  if (!node.has(index)) return otherwise;
  const graph::Ints bound = node.integers(index, name);
  if (bound.size() != 1) node.fail(std::string(name) + " has " + std::to_string(bound.size()) + " elements", "one");
  return bound[0];
}

Interval cut_range(const NodeReader& node, Interval range) {
  const Interval cut{std::max(range.low, level_bound(node, 1, "min", range.low)),
                     std::min(range.high, level_bound(node, 2, "max", range.high))};
  if (cut.low >= cut.high)
    node.fail("levels " + std::to_string(cut.low) + " to " + std::to_string(cut.high), "at least two levels");
  return cut;
}

void cut_quantiser(NodeReader& node, const Item& item) {
  GraphReader& reader = node.reader();
  const size_t whole = *item.quantise;
  graph::Quantise op = get<graph::Quantise>(reader.graph().nodes[whole].op);
  const Interval cut = cut_range(node, {op.grid.low, op.grid.high});
  op.grid.low = cut.low, op.grid.high = cut.high;
  Item narrow;
  narrow.id = reader.add_node(reader.free_node_name(node.name()), op, {reader.graph().nodes[whole].inputs[0]},
                              {reader.free_value_name(node.name() + ".real")})[0];
  narrow.integers_of = op.grid;
  narrow.quantise = reader.graph().nodes.size() - 1;
  // Whoever reads the integers behind the Clip alone sees the quantiser under its own name.
  std::swap(reader.graph().nodes[whole].name, reader.graph().nodes.back().name);
  reader.define(node.output_name(0), std::move(narrow));
}

}  // namespace

/// The input of an integer network that nothing but its quantiser and this Clip read holds its levels from the start.
static bool cut_input(NodeReader& node, const Item& item) {
  GraphReader& reader = node.reader();
  const auto& inputs = reader.graph().inputs;
  if (!reader.integer_form() || std::find(inputs.begin(), inputs.end(), item.id) == inputs.end()) return false;
  graph::Value& value = reader.graph()[item.id];
  const std::string& whole = node.input_name(0);
  if (!value.grid || is_real(value.type) || !reader.read_once(whole) || !reader.read_once(value.name)) return false;
  // Integers of the same grid may be the input's under another name: what reads those is not behind this Clip.
  if (!reader.writes("QuantizeLinear", value.name, whole)) return false;
  const Interval cut = cut_range(node, {value.grid->low, value.grid->high});
  value.grid->low = cut.low, value.grid->high = cut.high;
  value.bounds = {{cut.low, cut.high}};
  node.alias(item.id);
  return true;
}

bool clip_levels(NodeReader& node) {
  const Item& item = node.item(0);
  if (cut_input(node, item)) return true;
  if (item.quantise && item.integers_of) return cut_quantiser(node, item), true;
  if (!item.constant || node.native()) return false;
  const Interval range = range_of(item.constant->data_type);
  if (range.low > range.high) return false;
  Item clipped;
  clipped.cut = cut_range(node, item.cut.value_or(range));
  std::vector<int64_t> q = item.constant->tensor.to_integers();
  for (int64_t& level : q) level = std::clamp(level, clipped.cut->low, clipped.cut->high);
  clipped.constant =
      FileTensor{Tensor(item.constant->tensor.shape(), q).cast(item.constant->tensor.type()), item.constant->data_type};
  node.reader().define(node.output_name(0), std::move(clipped));
  return true;
}

void read_quantize_linear(NodeReader& node) {
  node.expect_inputs(2, 3);
  refuse_unusual(node);
  if (node.reader().integer_form()) return quantise_integers(node);
  const auto x = node.value(0);
  if (!is_real(node.typed(x).type)) node.fail("of " + std::string(to_string(node.typed(x).type)), "reals");
  const Grid grid = grid_of_quantize(node, node.shape(x).size());
  const graph::Quantise op{grid, Rounding::HalfEven};
  GraphReader& reader = node.reader();
  Item item;
  item.id =
      reader.add_node(reader.free_node_name(node.name()), op, {x}, {reader.free_value_name(node.name() + ".real")})[0];
  item.integers_of = grid;
  item.quantise = reader.graph().nodes.size() - 1;
  reader.define(node.output_name(0), std::move(item));
}

void read_dequantize_linear(NodeReader& node) {
  node.expect_inputs(2, 3);
  refuse_unusual(node);
  if (node.reader().integer_form()) return dequantise_integers(node);
  Item& item = node.item(0);
  GraphReader& reader = node.reader();
  if (item.folded && !item.constant && !item.folded->has_batch())
    item.constant = FileTensor{tensor_of(*item.folded), file_type(item.folded->type)};
  if (!item.integers_of) {
    if (const Tensor* integers = integer_constant(node, item)) return dequantise_constant(node, item, *integers);
    const auto x = node.value(0);
    return node.emit(graph::Dequantise{grid_of(node, file_type(node.typed(x).type), node.shape(x).size())}, {x});
  }
  const Grid& written = *item.integers_of;
  const int data_type = node.has(2) ? node.constant(2, "zero point").data_type : file_type(written.container());
  Grid grid = grid_of(node, data_type, node.shape(item.id).size());
  grid.low = written.low, grid.high = written.high;
  if (grid != written) node.fail("another scale or zero point than the QuantizeLinear before it", "the same");
  const graph::ValueId fake = item.id;
  if (!item.renamed) {
    item.renamed = true;
    reader.rename(fake, node.output_name(0));
    if (item.quantise) {
      auto& op = get<graph::Quantise>(reader.graph().nodes[*item.quantise].op);
      op.grid = narrowed(node, op.grid);
    }
  }
  node.alias(fake);
}

}  // namespace nibble::onnx
