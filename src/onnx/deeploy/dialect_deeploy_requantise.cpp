#include <algorithm>
#include <cmath>

#include "onnx/deeploy/dialect_deeploy.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/integers.hpp"
#include "onnx/standard/import.hpp"

namespace nibble::onnx {
namespace {

/// mul or add of a requantisation as the file has it.
struct Parameter {
  Shape shape;
  graph::Ints values;
};

/// clip((x mul + add) >> shift, low, high)
struct Scaling {
  Parameter mul, add;
  int64_t shift = 0, low = 0, high = 255;
};

Parameter parameter(const NodeReader& node, size_t input, std::string_view what) {
  const Tensor& tensor = node.constant(input, what).tensor;
  const std::string place = node.place() + ": " + std::string(what) + " (input " + std::to_string(input) + ")";
  return {tensor.shape(), narrowest_integers(tensor, place).to_integers()};
}

/// n_levels_out (or n_levels) and signed: -n/2 to n/2 - 1, or 0 to n - 1. `prefix` is RequantizedAdd's.
void read_levels(const NodeReader& node, const std::string& prefix, Scaling& scaling) {
  const std::string given = prefix + "n_levels";
  const int64_t levels = whole_number(node, node.attributes().has(given + "_out") ? given + "_out" : given);
  if (levels < 2 || levels > int64_t{1} << 32)
    node.fail("attribute " + in_quotes(given) + " is " + std::to_string(levels), "2 to 2^32");
  const int64_t is_signed = whole_number(node, prefix + "signed");
  if (is_signed != 0 && is_signed != 1)
    node.fail("attribute " + in_quotes(prefix + "signed") + " is " + std::to_string(is_signed), "0 or 1");
  scaling.low = is_signed ? -(levels / 2) : 0;
  scaling.high = is_signed ? levels / 2 - 1 : levels - 1;
}

/// Half of the divisor into the addend. Fused ops that say their shift have it there already.
void round_half_up(const NodeReader& node, Scaling& scaling) {
  const int64_t half = scaling.shift == 0 ? 0 : int64_t{1} << (scaling.shift - 1);
  for (int64_t& addend : scaling.add.values)
    if (__builtin_add_overflow(addend, half, &addend)) node.fail("add of " + std::to_string(addend), "64 bits");
}

/// div, levels and rounding of a node whose mul and add are given.
Scaling scaling_of(const NodeReader& node, Parameter mul, Parameter add, const std::string& prefix = "") {
  Scaling scaling{std::move(mul), std::move(add)};
  scaling.shift = shift_of(node, prefix + "div");
  read_levels(node, prefix, scaling);
  if (!node.attributes().has(prefix + "shift")) {
    round_half_up(node, scaling);
  } else if (whole_number(node, prefix + "shift") != scaling.shift) {
    node.fail(
        "attribute " + in_quotes(prefix + "shift") + " is " + std::to_string(whole_number(node, prefix + "shift")),
        std::to_string(scaling.shift) + ", that of 'div'");
  }
  return scaling;
}

/// Along which axis of x a parameter lies: nothing for one number. A shape of x's rank that broadcasts to x is taken at
/// its word; else one number for each channel of axis 1, whatever the shape, as the dialect counts them; else a shorter
/// shape broadcasts. `several` where the parameter varies along more than one.
enum class Lie : uint8_t { One, Axis, Several };
struct Place {
  Lie lie = Lie::One;
  size_t axis = 0;
  bool operator==(const Place&) const = default;
};

std::optional<Place> broadcast_place(const Shape& x, const Shape& parameter) {
  if (parameter.size() > x.size()) return {};
  Place place;
  const size_t offset = x.size() - parameter.size();
  for (size_t i = 0; i < parameter.size(); ++i) {
    if (parameter[i] == 1) continue;
    if (parameter[i] != x[i + offset]) return {};
    place = {place.lie == Lie::One ? Lie::Axis : Lie::Several, i + offset};
  }
  return place;
}

Place place_of(const NodeReader& node, const Shape& x, const Parameter& parameter) {
  if (parameter.values.size() == 1) return {};
  const auto broadcast = broadcast_place(x, parameter.shape);
  if (parameter.shape.size() == x.size() && broadcast) return *broadcast;
  const auto wide = std::count_if(parameter.shape.begin(), parameter.shape.end(), [](int64_t n) { return n != 1; });
  if (x.size() >= 2 && wide == 1 && x[1] == static_cast<int64_t>(parameter.values.size())) return {Lie::Axis, 1};
  if (broadcast) return *broadcast;
  node.fail("a parameter of shape " + to_string(parameter.shape) + " for " + to_string(x),
            "one number, or one for each channel of axis 1");
}

/// As a constant that broadcasts to x.
graph::ValueId spread(NodeReader& node, std::string_view name, const Parameter& parameter, Place place, size_t rank) {
  Shape shape = parameter.shape;
  if (place.lie == Lie::Axis) {
    shape = Shape(rank, 1);
    shape[place.axis] = static_cast<int64_t>(parameter.values.size());
  }
  return node.add_constant(name, Tensor(shape, parameter.values));
}

/// The requantisation of x, as put() does.
graph::ValueId put_scaling(NodeReader& node, const std::string& suffix, graph::ValueId x, Scaling scaling) {
  const Shape shape = node.shape(x);
  const Place mul = place_of(node, shape, scaling.mul), add = place_of(node, shape, scaling.add);
  graph::Requantise op{scaling.mul.values, scaling.add.values, {}, scaling.low, scaling.high};
  const auto simple = [](Place place) { return place.lie == Lie::One || place == Place{Lie::Axis, 1}; };
  if (simple(mul) && simple(add)) {
    const size_t count = std::max(op.multiplier.size(), op.addend.size());
    if (op.multiplier.size() < count) op.multiplier.assign(count, op.multiplier[0]);
    if (op.addend.size() < count) op.addend.assign(count, op.addend[0]);
    op.shift.assign(count, scaling.shift);
    return put(node, suffix, op, {x});
  }
  const std::string stem = suffix.empty() ? "" : suffix + ".";
  const auto product =
      node.step(stem + "product", graph::Mul{}, {x, spread(node, stem + "mul", scaling.mul, mul, shape.size())});
  const auto sum =
      node.step(stem + "sum", graph::Add{}, {product, spread(node, stem + "add", scaling.add, add, shape.size())});
  return put(node, suffix, graph::Requantise{{1}, {0}, {scaling.shift}, scaling.low, scaling.high}, {sum});
}

int64_t flag(const NodeReader& node, std::string_view name) {
  const int64_t value = node.attributes().has(name) ? whole_number(node, name) : 0;
  if (value != 0 && value != 1) node.fail("attribute " + in_quotes(name) + " is " + std::to_string(value), "0 or 1");
  return value;
}

/// x times the whole number of an attribute, by 1 where it is not there: a constant's integers, else a Mul.
graph::ValueId times(NodeReader& node, graph::ValueId x, std::string_view attribute, const std::string& suffix) {
  const int64_t factor = node.attributes().has(attribute) ? whole_number(node, attribute) : 1;
  if (factor == 1) return x;
  if (const auto& constant = node.typed(x).constant) {
    graph::Ints numbers = constant->to_integers();
    for (int64_t& number : numbers)
      if (__builtin_mul_overflow(number, factor, &number)) node.fail("a product beyond 64 bits", "smaller factors");
    const Tensor product(constant->shape(), numbers);
    return node.add_constant(suffix, narrowest_integers(product, node.place()));
  }
  const Tensor by(Shape{}, graph::Ints{factor});
  const graph::ValueId constant =
      node.add_constant(suffix + "." + std::string(attribute), narrowest_integers(by, node.place()));
  return node.step(suffix, graph::Mul{}, {x, constant});
}

graph::ValueId transposed(NodeReader& node, std::string_view suffix, graph::ValueId x) {
  graph::Transpose op;
  const auto rank = static_cast<int64_t>(node.shape(x).size());
  for (int64_t axis = 0; axis < rank; ++axis) op.perm.push_back(axis);
  if (rank < 2) node.fail("an input of shape " + to_string(node.shape(x)), "a matrix");
  std::swap(op.perm[static_cast<size_t>(rank) - 1], op.perm[static_cast<size_t>(rank) - 2]);
  return node.step(suffix, op, {x});
}

/// alpha a b + beta c with the flags of a Gemm, of any rank; `c` may be absent. alpha is multiplied into the constant of
/// the two where there is one.
graph::ValueId put_gemm(NodeReader& node, const std::string& suffix, graph::ValueId c) {
  graph::Gemm op;
  op.transpose_a = flag(node, "transA"), op.transpose_b = flag(node, "transB");
  graph::ValueId a = node.value(0), b = node.value(1);
  graph::ValueId& factor = node.typed(a).constant ? a : b;
  factor = times(node, factor, "alpha", "times_alpha");
  if (c != graph::absent) c = times(node, c, "beta", "times_beta");
  if (node.shape(a).size() == 2 && node.shape(b).size() == 2) {
    std::vector<graph::ValueId> inputs{a, b};
    if (c != graph::absent) inputs.push_back(c);
    return put(node, suffix, op, inputs);
  }
  if (op.transpose_a) a = transposed(node, "a", a);
  if (op.transpose_b) b = transposed(node, "b", b);
  if (c == graph::absent) return put(node, suffix, graph::MatMul{}, {a, b});
  return put(node, suffix, graph::Add{}, {node.step("product", graph::MatMul{}, {a, b}), c});
}

}  // namespace

void read_requant_shift(NodeReader& node) {
  node.expect_inputs(3, 3);
  put_scaling(node, "", node.value(0), scaling_of(node, parameter(node, 1, "mul"), parameter(node, 2, "add")));
}

void read_requantized_conv(NodeReader& node) {
  node.expect_inputs(4, 5);
  const size_t mul = node.input_count() - 2;
  const auto x = node.value(0), w = node.value(1);
  std::vector<graph::ValueId> inputs{x, w};
  if (mul == 3) inputs.push_back(node.value(2));
  const auto sum = node.step("conv", conv_of(node, x, w), inputs);
  put_scaling(node, "", sum, scaling_of(node, parameter(node, mul, "mul"), parameter(node, mul + 1, "add")));
}

void read_requantized_gemm(NodeReader& node) {
  node.expect_inputs(4, 5);
  const size_t add = node.input_count() - 2;
  const auto sum = put_gemm(node, "gemm", add == 3 ? node.value(2) : graph::absent);
  put_scaling(node, "", sum, scaling_of(node, parameter(node, add + 1, "mul"), parameter(node, add, "add")));
}

void read_requantized_matmul(NodeReader& node) {
  node.expect_inputs(4, 4);
  const auto sum = node.step("matmul", graph::MatMul{}, {node.value(0), node.value(1)});
  put_scaling(node, "", sum, scaling_of(node, parameter(node, 3, "mul"), parameter(node, 2, "add")));
}

void read_requantized_add(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto scaling = [&](const std::string& prefix) {
    const auto number = [&](const std::string& name) { return Parameter{{}, {whole_number(node, prefix + name)}}; };
    return scaling_of(node, number("mul"), number("add"), prefix);
  };
  const auto a = put_scaling(node, "in1", node.value(0), scaling("rqs1_"));
  const auto b = put_scaling(node, "in2", node.value(1), scaling("rqs2_"));
  put_scaling(node, "", node.step("add", graph::Add{}, {a, b}), scaling("rqsOut_"));
}

void read_requantized_gelu(NodeReader& node) {
  node.expect_inputs(3, 4);
  const auto x = node.step("gelu", gelu_of(node), {node.value(0)});
  Scaling scaling{parameter(node, 1, "mul"), parameter(node, 2, "add")};
  if (node.attributes().has("n_levels") || node.attributes().has("n_levels_out"))
    read_levels(node, "", scaling);
  else
    scaling.low = -128, scaling.high = 127;
  if (node.input_count() == 4) {
    const Parameter shift = parameter(node, 3, "shift");
    if (shift.values.size() != 1 || shift.values[0] < 0 || shift.values[0] > 62)
      node.fail("a shift that is not one number of 0 to 62", "one");
    scaling.shift = shift.values[0];
  } else {
    scaling.shift = shift_of(node, "div");
  }
  round_half_up(node, scaling);
  put_scaling(node, "", x, scaling);
}

void read_requantized_hard_swish(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto x = node.step("hard_swish", hard_swish_of(node), {node.value(0)});
  Scaling scaling{{{}, {whole_number(node, "mul")}}, {{}, {whole_number(node, "add")}}};
  if (node.attributes().has("n_levels") || node.attributes().has("n_levels_out"))
    read_levels(node, "", scaling);
  else
    scaling.low = -128, scaling.high = 127;
  scaling.shift = node.attributes().has("div") ? shift_of(node, "div") : whole_number(node, "shift");
  if (scaling.shift < 0 || scaling.shift > 62)
    node.fail("attribute 'shift' is " + std::to_string(scaling.shift), "0 to 62");
  round_half_up(node, scaling);
  put_scaling(node, "", x, scaling);
}

void read_requantized_division(NodeReader& node) {
  node.expect_inputs(4, 5);
  const auto x = node.step("division", division_of(node), {node.value(0), node.value(1)});
  put_scaling(node, "", x, scaling_of(node, parameter(node, 2, "mul"), parameter(node, 3, "add")));
}

void read_integer_gemm(NodeReader& node) {
  node.expect_inputs(2, 3);
  put_gemm(node, "", node.optional_value(2));
}

}  // namespace nibble::onnx
