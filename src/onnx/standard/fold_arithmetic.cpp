#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"

// Folding of arithmetic on shapes. The batch passes through what leaves it as it is (times 1, plus 0, Cast); where a
// number would be needed the error says to bind it.
namespace nibble::onnx {
namespace {

constexpr std::string_view bound_batch = "a batch of known size: bind it (--batch 1)";

size_t bounded_count(const NodeReader& node, const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count) || count > largest_folded)
      node.fail("a constant of shape " + to_string(shape), "at most " + std::to_string(largest_folded) + " elements");
  return static_cast<size_t>(count);
}

int64_t checked(const NodeReader& node, bool overflow, const int64_t& result) {
  if (overflow) node.fail("arithmetic beyond 64 bits", "shapes");
  return result;
}

int64_t integer_result(const NodeReader& node, std::string_view op, int64_t a, int64_t b) {
  int64_t y = 0;
  if (op == "Add") return checked(node, __builtin_add_overflow(a, b, &y), y);
  if (op == "Sub") return checked(node, __builtin_sub_overflow(a, b, &y), y);
  if (op == "Mul") return checked(node, __builtin_mul_overflow(a, b, &y), y);
  if (op == "Div" || op == "Mod") {
    if (b == 0 || (a == INT64_MIN && b == -1))
      node.fail("a division of " + std::to_string(a) + " by " + std::to_string(b), "a divisor");
    if (op == "Div") return a / b;
    const int64_t rest = a % b;
    const bool of_divisor = node.attributes().integer("fmod", 0) == 0 && rest != 0 && (rest < 0) != (b < 0);
    return of_divisor ? rest + b : rest;
  }
  if (op == "Min") return std::min(a, b);
  if (op == "Max") return std::max(a, b);
  if (op == "And") return a != 0 && b != 0;
  if (op == "Or") return a != 0 || b != 0;
  throw InternalError("an op that folds on integers is known");
}

double real_result(const NodeReader& node, std::string_view op, double a, double b) {
  if (op == "Add") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  if (op == "Div") return a / b;
  if (op == "Min") return std::min(a, b);
  if (op == "Max") return std::max(a, b);
  node.fail("of reals", "integers");
}

/// An order of two numbers, where `op` is a comparison.
template <class T>
std::optional<bool> compared(std::string_view op, T a, T b) {
  if (op == "Equal") return a == b;
  if (op == "Greater") return a > b;
  if (op == "GreaterOrEqual") return a >= b;
  if (op == "Less") return a < b;
  if (op == "LessOrEqual") return a <= b;
  return std::nullopt;
}

/// What two multiples of the batch give whatever it is; nothing where that depends.
std::optional<Element> result_of_batches(std::string_view op, int64_t a, int64_t b) {
  const auto times_batch = [](int64_t factor) { return factor == 0 ? Element{} : Element{factor, 0, true}; };
  if (op == "Add") return times_batch(a + b);
  if (op == "Sub") return times_batch(a - b);
  if (op == "Min") return times_batch(std::min(a, b));
  if (op == "Max") return times_batch(std::max(a, b));
  if (op == "Div" && a % b == 0) return Element{a / b};
  if (const auto order = compared(op, a, b)) return Element{*order};
  return std::nullopt;
}

/// What the batch, at least 1, gives whatever it is; nothing where that depends. Multiples of it are of whole numbers
/// above 0.
std::optional<Element> batch_result(std::string_view op, const Element& a, const Element& b) {
  if (a.batch && b.batch) return result_of_batches(op, a.integer, b.integer);
  const int64_t other = (a.batch ? b : a).integer;
  const Element& batch = a.batch ? a : b;
  if (other == 0 && (op == "Add" || (op == "Sub" && a.batch))) return batch;
  if (other == 0 && op == "Mul") return Element{};
  int64_t product = 0;
  if (op == "Mul" && other > 0 && !__builtin_mul_overflow(batch.integer, other, &product))
    return Element{product, 0, true};
  if (op == "Div" && a.batch && other > 0 && a.integer % other == 0) return Element{a.integer / other, 0, true};
  if (other <= batch.integer && op == "Max") return batch;
  if (other <= 0 && op == "Equal") return Element{0};
  if (other <= 0 && (op == "Greater" || op == "GreaterOrEqual")) return Element{a.batch};
  if (other <= 0 && (op == "Less" || op == "LessOrEqual")) return Element{!a.batch};
  return std::nullopt;
}

Element combined(const NodeReader& node, std::string_view op, ElementType type, const Element& a, const Element& b) {
  if (a.batch || b.batch) {
    const auto result = batch_result(op, a, b);
    if (!result) node.fail("arithmetic on the batch", bound_batch);
    return *result;
  }
  if (is_real(type)) {
    if (const auto order = compared(op, a.real, b.real)) return {*order};
    const double y = real_result(node, op, a.real, b.real);
    return {0, type == ElementType::Float32 ? static_cast<double>(static_cast<float>(y)) : y};
  }
  if (const auto order = compared(op, a.integer, b.integer)) return {*order};
  return {integer_result(node, op, a.integer, b.integer)};
}

/// Where element i of the broadcast shape lies in x.
size_t source_of(size_t i, const Shape& shape, const Shape& x) {
  size_t at = 0, stride = 1;
  for (size_t axis = shape.size(), own = x.size(); axis-- > 0 && own-- > 0;) {
    const auto extent = static_cast<size_t>(shape[axis]);
    if (x[own] != 1) at += i % extent * stride;
    stride *= static_cast<size_t>(x[own]);
    i /= extent;
  }
  return at;
}

bool is_comparison(std::string_view op) {
  return compared(op, 0, 0).has_value();
}

}  // namespace

bool fold_arithmetic(NodeReader& node) {
  const std::string op = node.op_type();
  node.expect_inputs(op == "Max" || op == "Min" ? 1 : 2, op == "Max" || op == "Min" ? 1000 : 2);
  std::vector<Folded> inputs;
  for (size_t i = 0; i < node.input_count(); ++i) {
    auto input = node.known(i);
    if (!input) return false;
    inputs.push_back(std::move(*input));
  }
  Folded y = inputs[0];
  for (size_t k = 1; k < inputs.size(); ++k) {
    const Folded& b = inputs[k];
    if (b.type != y.type)
      node.fail("inputs of " + std::string(to_string(y.type)) + " and " + std::string(to_string(b.type)), "one type");
    Folded next{y.type, broadcast(y.shape, b.shape), {}};
    const size_t count = bounded_count(node, next.shape);
    for (size_t i = 0; i < count; ++i)
      next.elements.push_back(combined(node, op, y.type, y.elements[source_of(i, next.shape, y.shape)],
                                       b.elements[source_of(i, next.shape, b.shape)]));
    y = std::move(next);
  }
  if (is_comparison(op)) y.type = ElementType::Bool;
  return node.give(std::move(y)), true;
}

bool fold_unary(NodeReader& node) {
  node.expect_inputs(1, 1);
  auto x = node.known(0);
  if (!x) return false;
  const std::string op = node.op_type();
  for (Element& element : x->elements) {
    if (element.batch) {
      if (op != "Abs") node.fail("arithmetic on the batch", bound_batch);
    } else if (is_real(x->type)) {
      element.real = op == "Neg"     ? -element.real
                     : op == "Abs"   ? std::abs(element.real)
                     : op == "Floor" ? std::floor(element.real)
                     : op == "Round" ? std::nearbyint(element.real)
                                     : std::ceil(element.real);
    } else {
      if (element.integer == INT64_MIN) node.fail("arithmetic beyond 64 bits", "shapes");
      element.integer = op == "Not"   ? !element.integer
                        : op == "Abs" ? std::abs(element.integer)
                        : op == "Neg" ? -element.integer
                                      : element.integer;
    }
  }
  return node.give(std::move(*x)), true;
}

bool fold_where(NodeReader& node) {
  node.expect_inputs(3, 3);
  const auto condition = node.known(0), a = node.known(1), b = node.known(2);
  if (!condition || !a || !b) return false;
  if (a->type != b->type) node.fail("branches of two types", "one");
  Folded y{a->type, broadcast(broadcast(condition->shape, a->shape), b->shape), {}};
  const size_t count = bounded_count(node, y.shape);
  for (size_t i = 0; i < count; ++i) {
    const Element& chosen = condition->elements[source_of(i, y.shape, condition->shape)];
    const Folded& from = chosen.integer != 0 ? *a : *b;
    y.elements.push_back(from.elements[source_of(i, y.shape, from.shape)]);
  }
  return node.give(std::move(y)), true;
}

/// The known input 0 in another type.
static bool fold_to(NodeReader& node, ElementType type) {
  auto x = node.known(0);
  if (!x) return false;
  for (Element& element : x->elements) {
    if (element.batch) {
      // The batch is a count: it is the same number in every type but Bool, where it is true.
      if (type == ElementType::Bool) element = {1};
    } else if (is_real(x->type) && !is_real(type)) {
      if (!(std::abs(element.real) < 0x1p62))
        node.fail("element " + std::to_string(element.real), "an integer's range");
      element.integer = static_cast<int64_t>(element.real);
    } else if (!is_real(x->type) && is_real(type)) {
      element.real = static_cast<double>(element.integer);
    }
    if (type == ElementType::Bool && !element.batch) element.integer = element.integer != 0;
  }
  x->type = type;
  return node.give(std::move(*x)), true;
}

bool fold_cast(NodeReader& node) {
  node.expect_inputs(1, 1);
  const int64_t to = node.attributes().integer("to", 0);
  if (!node.known(0)) return false;
  if (to < 0 || to > INT32_MAX) node.fail("attribute 'to' is " + std::to_string(to), "a type");
  return fold_to(node, element_type_of_file(static_cast<int>(to), node.place(), false));
}

bool fold_cast_like(NodeReader& node) {
  node.expect_inputs(2, 2);
  const Item& like = node.item(1);
  if (!node.known(0)) return false;
  return fold_to(node, like.folded     ? like.folded->type
                       : like.constant ? like.constant->tensor.type()
                                       : node.typed(node.value(1)).type);
}

bool fold_reduce(NodeReader& node) {
  auto x = node.known(0);
  if (!x || x->shape.size() > 1 || node.input_count() > 1 || x->elements.empty()) return false;
  const std::string op = node.op_type();
  for (int64_t axis : node.attributes().integers("axes")) node.axis(axis, x->shape.size());
  const std::string result = op.substr(std::string_view("Reduce").size());
  const std::string pair = result == "Prod" ? "Mul" : result == "Sum" ? "Add" : result;  // Max, Min
  Folded y{x->type, {}, {x->elements[0]}};
  for (size_t i = 1; i < x->elements.size(); ++i)
    y.elements[0] = combined(node, pair, x->type, y.elements[0], x->elements[i]);
  if (node.attributes().integer("keepdims", 1) != 0) y.shape.assign(x->shape.size(), 1);
  return node.give(std::move(y)), true;
}

bool fold_shape(NodeReader& node) {
  node.expect_inputs(1, 1);
  const Item& item = node.item(0);
  const Shape shape = item.folded     ? item.folded->shape
                      : item.constant ? item.constant->tensor.shape()
                                      : node.shape(item.id);
  const auto rank = static_cast<int64_t>(shape.size());
  const auto bound = [&](std::string_view name, int64_t otherwise) {
    const int64_t at = node.attributes().integer(name, otherwise);
    return std::clamp<int64_t>(at < 0 ? std::max(at, -rank) + rank : at, 0, rank);
  };
  const int64_t first = bound("start", 0), last = std::max(first, bound("end", rank));
  node.give(folded_shape(Shape(shape.begin() + first, shape.begin() + last)));
  return true;
}

bool fold_size(NodeReader& node) {
  node.expect_inputs(1, 1);
  const Item& item = node.item(0);
  const Shape shape = item.folded     ? item.folded->shape
                      : item.constant ? item.constant->tensor.shape()
                                      : node.shape(item.id);
  Element product{1};
  for (const Element& extent : folded_shape(shape).elements)
    product = combined(node, "Mul", ElementType::Int64, product, extent);
  return node.give({ElementType::Int64, {}, {product}}), true;
}

bool fold_constant_of_shape(NodeReader& node) {
  node.expect_inputs(1, 1);
  const auto extents = node.known(0);
  if (!extents) return false;
  Folded value{ElementType::Float32, {1}, {Element{}}};
  if (node.attributes().has("value")) value = folded_of(node.tensor_attribute("value").tensor);
  if (value.elements.size() != 1) node.fail("a value of " + std::to_string(value.elements.size()) + " elements", "one");
  if (extents->has_batch() && value.elements[0].real == 0 && value.elements[0].integer == 0)
    return node.give_zeros(value.type), true;
  const Shape shape = node.integers(0, "shape");
  const size_t count = bounded_count(node, shape);
  return node.give({value.type, shape, std::vector<Element>(count, value.elements[0])}), true;
}

bool fold_range(NodeReader& node) {
  node.expect_inputs(3, 3);
  const auto start = node.known(0), limit = node.known(1), delta = node.known(2);
  if (!start || !limit || !delta) return false;
  for (const auto* each : {&*start, &*limit, &*delta}) {
    if (each->has_batch()) node.fail("arithmetic on the batch", bound_batch);
    if (each->elements.size() != 1 || each->type != start->type)
      node.fail("bounds that are not three scalars of one type", "scalars");
  }
  const bool real = is_real(start->type);
  const auto number = [&](const Folded& folded) {
    return real ? folded.elements[0].real : static_cast<double>(folded.elements[0].integer);
  };
  const double steps = std::ceil((number(*limit) - number(*start)) / number(*delta));
  if (!(steps <= static_cast<double>(largest_folded)))
    node.fail("a range of too many steps, or none", "at most " + std::to_string(largest_folded));
  const auto count = std::max<int64_t>(static_cast<int64_t>(std::max(steps, 0.0)), 0);
  Folded y{start->type, {count}, {}};
  for (int64_t i = 0; i < count; ++i) {
    Element element;
    if (real)
      element.real = number(*start) + static_cast<double>(i) * number(*delta);
    else
      element.integer = integer_result(node, "Add", start->elements[0].integer,
                                       integer_result(node, "Mul", i, delta->elements[0].integer));
    y.elements.push_back(element);
  }
  return node.give(std::move(y)), true;
}

void read_constant(NodeReader& node) {
  node.expect_inputs(0, 0);
  const Attributes& attributes = node.attributes();
  if (attributes.names().size() != 1)
    node.fail(std::to_string(attributes.names().size()) + " attributes", "one: the value");
  if (attributes.has("value")) return node.give(node.tensor_attribute("value"));
  const auto give = [&](Tensor tensor) { node.give(FileTensor{tensor, file_type(tensor.type())}); };
  if (attributes.has("value_int"))
    return give(Tensor(Shape{}, std::vector<int64_t>{attributes.integer("value_int", 0)}));
  if (attributes.has("value_float"))
    return give(Tensor(Shape{}, std::vector<float>{static_cast<float>(attributes.real("value_float", 0))}));
  if (attributes.has("value_ints")) {
    const graph::Ints values = attributes.integers("value_ints");
    return give(Tensor({static_cast<int64_t>(values.size())}, values));
  }
  const std::vector<double> values = attributes.reals("value_floats");
  give(Tensor({static_cast<int64_t>(values.size())}, values).cast(ElementType::Float32));
}

}  // namespace nibble::onnx
