#include <algorithm>
#include <cmath>

#include "onnx/file/container.hpp"
#include "onnx/file/metadata.hpp"
#include "onnx/integer_form/integer_ops.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "onnx/standard/import.hpp"
#include "quant/range.hpp"

// Domain qonnx.custom_op.general: quantisers of any number of bits, in reals.
namespace nibble::onnx {
namespace {

using graph::ValueId;

Rounding rounding_from(const NodeReader& node, std::string_view otherwise, bool never_negative) {
  std::string mode = node.attributes().text("rounding_mode", otherwise);
  std::transform(mode.begin(), mode.end(), mode.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (mode == "ROUND" || mode == "HALF_EVEN") return Rounding::HalfEven;
  if (mode == "FLOOR") return Rounding::Floor;
  // Towards or away from zero: upwards or downwards where what is cut off is all that lies below it.
  if (mode == "HALF_UP" && never_negative) return Rounding::HalfUp;
  if ((mode == "ROUND_TO_ZERO" || mode == "DOWN") && never_negative) return Rounding::Floor;
  node.fail("attribute 'rounding_mode' is " + in_quotes(mode),
            "ROUND or FLOOR; of unsigned levels from 0 on HALF_UP or DOWN too");
}

/// A whole number of an input that is the same everywhere.
int64_t whole_input(const NodeReader& node, size_t slot, std::string_view what, int64_t low, int64_t high) {
  const std::vector<double> numbers = node.reals(slot, what);
  const bool one = !numbers.empty() &&
                   std::all_of(numbers.begin(), numbers.end(), [&](double number) { return number == numbers[0]; });
  if (!one) node.fail(std::string(what) + " (input " + std::to_string(slot) + ") that differs", "one for the tensor");
  if (numbers[0] != std::floor(numbers[0]) || numbers[0] < static_cast<double>(low) ||
      numbers[0] > static_cast<double>(high))
    node.fail(std::string(what) + " " + std::to_string(numbers[0]),
              "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<int64_t>(numbers[0]);
}

/// Scales (input 1) for a tensor of that shape: one, or one for each index of an axis.
void read_scales(const NodeReader& node, const Shape& x, Grid& grid) {
  const Tensor& scale = node.constant(1, "scale").tensor;
  grid.scale = scale.to_reals();
  if (scale.size() == 1) return;
  if (scale.rank() > x.size()) node.fail("scales of shape " + to_string(scale.shape()), to_string(x));
  const size_t offset = x.size() - scale.rank();
  for (size_t i = 0; i < scale.rank(); ++i) {
    if (scale.shape()[i] == 1) continue;
    if (grid.axis >= 0 || scale.shape()[i] != x[offset + i])
      node.fail("scales of shape " + to_string(scale.shape()) + " for " + to_string(x),
                "one, or one for each index of an axis");
    grid.axis = static_cast<int>(offset + i);
  }
}

/// Our own metadata may count the same levels from another integer.
Grid as_counted(const NodeReader& node, const Grid& grid) {
  const auto declared = declared_grid(node.reader().metadata_of(node.output_name(0)), node.reader().place());
  const auto reach = [](const Grid& g) { return std::pair(g.low - g.zero_point, g.high - g.zero_point); };
  const bool same =
      declared && declared->scale == grid.scale && declared->axis == grid.axis && reach(*declared) == reach(grid);
  return same ? *declared : grid;
}

/// The Quantise of input 0, whose reals a constant takes at once.
void emit_quantiser(NodeReader& node, const Grid& said, Rounding rounding) {
  const Grid grid = as_counted(node, said);
  check_grid(grid, "onnx", node.place());
  ValueId x = node.value(0);
  if (!is_real(node.typed(x).type)) node.fail("of " + std::string(to_string(node.typed(x).type)), "reals");
  if (const auto& constant = node.typed(x).constant)
    x = node.add_constant("reals", quant::dequantise(node.quantised(*constant, grid, rounding), grid));
  node.emit(graph::Quantise{grid, rounding}, {x});
}

/// y = (clip(round(x / s + z), low, high) - z) s
void read_quant(NodeReader& node) {
  node.expect_inputs(4, 4);
  Grid grid;
  read_scales(node, node.shape_of_input(0), grid);
  const int64_t bits = whole_input(node, 3, "bit width", 1, 32);
  const bool with_sign = node.attributes().integer("signed", 1) != 0;
  const bool narrow = node.attributes().integer("narrow", 0) != 0;
  const int64_t count = int64_t{1} << bits;
  grid.low = with_sign ? -count / 2 + narrow : 0;
  grid.high = with_sign ? count / 2 - 1 : count - 1 - narrow;
  constexpr int64_t farthest = int64_t{1} << 32;
  grid.zero_point = whole_input(node, 2, "zero point", -farthest, farthest);
  emit_quantiser(node, grid, rounding_from(node, "ROUND", grid.low >= grid.zero_point));
}

/// y = x < 0 ? -s : s. Of activations a floor onto {-2 s, 0}, to which s is added.
void read_bipolar_quant(NodeReader& node) {
  node.expect_inputs(2, 2);
  Grid grid{{}, -1, 0, -1, 1};
  read_scales(node, node.shape_of_input(0), grid);
  const ValueId x = node.value(0);
  if (const auto& constant = node.typed(x).constant) {
    std::vector<double> signs = constant->to_reals();
    for (double& sign : signs) sign = sign < 0 ? -1 : 1;
    const Tensor levels = Tensor(constant->shape(), signs).cast(ElementType::Int8);
    const ValueId reals = node.add_constant("reals", quant::dequantise(levels, grid));
    return node.emit(graph::Quantise{grid, Rounding::HalfEven}, {reals});
  }
  if (grid.per_channel()) node.fail("a scale for each channel of an activation", "one for the tensor");
  const Grid below{{2 * grid.scale[0]}, -1, 0, -1, 0};
  check_grid(below, "onnx", node.place());
  const ValueId sign = node.step("sign", graph::Quantise{below, Rounding::Floor}, {x});
  const Tensor s(Shape{}, std::vector<float>{static_cast<float>(grid.scale[0])});
  const ValueId both = node.step("both", graph::Add{}, {sign, node.add_constant("scale", s)});
  node.emit(graph::Quantise{grid, Rounding::HalfEven}, {both});
}

/// y = (floor(round(x / s + z) / 2^(in - out)) - z) s of integers of `in` bits, with z = 0.
void read_trunc(NodeReader& node) {
  node.expect_inputs(5, 5);
  Grid before;
  read_scales(node, node.shape_of_input(0), before);
  whole_input(node, 2, "zero point", 0, 0);
  const int64_t bits = whole_input(node, 3, "input bit width", 1, 32);
  const int64_t kept = whole_input(node, 4, "output bit width", 1, bits);
  before.low = -(int64_t{1} << (bits - 1)), before.high = (int64_t{1} << bits) - 1;
  check_grid(before, "onnx", node.place());
  Grid after = before;
  after.low = before.low >> (bits - kept), after.high = before.high >> (bits - kept);
  const Rounding rounding = rounding_from(node, "FLOOR", false);
  const ValueId levels = node.step("levels", graph::Quantise{before, Rounding::HalfEven}, {node.value(0)});
  const Tensor part(Shape{}, std::vector<float>{std::ldexp(1.0F, static_cast<int>(kept - bits))});
  const ValueId cut = node.step("part", graph::Mul{}, {levels, node.add_constant("divisor", part)});
  node.emit(graph::Quantise{after, rounding}, {cut});
}

// clang-format off
constexpr Import table[] = {
    {"BipolarQuant", 1, "", read_bipolar_quant, nullptr, "Quantise of two levels; of a constant the reals of its signs"},
    {"IntQuant", 1, "narrow rounding_mode signed", read_quant, nullptr, "as Quant"},
    {"Quant", 1, "narrow rounding_mode signed", read_quant, nullptr, "Quantise; one zero point and bit width. Ties go to the even level, counted without the zero point"},
    {"Trunc", 1, "narrow rounding_mode signed", read_trunc, nullptr, "Quantise, Mul, Quantise; zero point 0"},
};
// clang-format on

}  // namespace

std::span<const Import> qonnx_imports() {
  return table;
}

bool is_qonnx_domain(std::string_view domain) {
  return domain == qonnx_domain || domain == "qonnx" || domain == "onnx.brevitas" || domain == "finn.custom_op.general";
}

void import_qonnx(NodeReader& node) {
  import_row(node, table, {});
}

}  // namespace nibble::onnx
