#include "onnx/standard/spelled_quantisers.hpp"

#include <algorithm>
#include <cmath>

#include "onnx/file/container.hpp"
#include "onnx/standard/import.hpp"
#include "quant/range.hpp"

namespace nibble::onnx {
namespace {

/// Apart by no more than float32's roundings of products and quotients.
bool near(double a, double b) {
  return std::abs(a - b) <= 0x1p-21 * std::max(std::abs(a), std::abs(b));
}

std::vector<double> numbers_of(const Folded& known) {
  std::vector<double> numbers;
  for (const Element& element : known.elements)
    numbers.push_back(is_real(known.type) ? element.real : static_cast<double>(element.integer));
  return numbers;
}

/// One number, or the same everywhere.
std::optional<double> one_number(const Folded& known) {
  const std::vector<double> numbers = numbers_of(known);
  if (numbers.empty() || known.has_batch()) return {};
  for (double number : numbers)
    if (number != numbers[0]) return {};
  return numbers[0];
}

bool is_whole(double x) {
  return x == std::floor(x) && std::abs(x) <= 0x1p31;
}

/// Scales for x of that shape: one, or one for each index of one axis (its place in `axis`).
std::optional<std::vector<double>> scales_of(const Folded& known, const Shape& x, int& axis) {
  std::vector<double> scales = numbers_of(known);
  const auto bad = [](double scale) { return !(scale > 0) || !std::isfinite(scale); };
  if (scales.empty() || known.has_batch() || std::any_of(scales.begin(), scales.end(), bad)) return {};
  axis = -1;
  if (scales.size() == 1) return scales;
  if (known.shape.size() > x.size()) return {};
  const size_t offset = x.size() - known.shape.size();
  for (size_t i = 0; i < known.shape.size(); ++i) {
    if (known.shape[i] == 1) continue;
    if (axis >= 0 || known.shape[i] != x[offset + i]) return {};
    axis = static_cast<int>(offset + i);
  }
  return scales;
}

bool near(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) { return near(x, y); });
}

std::vector<double> inverses(std::vector<double> numbers) {
  for (double& number : numbers) number = static_cast<double>(static_cast<float>(1 / number));
  return numbers;
}

/// The shape of what an input leads to, where that is known without making it a value of the graph.
std::optional<Shape> shape_of(const NodeReader& node, size_t slot) {
  const Item& item = node.item(slot);
  if (item.constant) return item.constant->tensor.shape();
  if (item.folded) return item.folded->shape;
  if (item.id == graph::absent || item.integers_of || item.reals_of) return {};
  return node.typed(item.id).shape;
}

bool holds_reals(const NodeReader& node, size_t slot) {
  const Item& item = node.item(slot);
  if (item.constant) return is_real(item.constant->tensor.type());
  if (item.folded) return is_real(item.folded->type);
  return item.id != graph::absent && is_real(node.typed(item.id).type);
}

}  // namespace

/// The scale as a constant that divides x~.
graph::ValueId SpelledQuantisers::divisor_of(NodeReader& node, const Chain& chain) {
  Shape shape(chain.axis < 0 ? 0 : node.shape(chain.fake).size(), 1);
  if (chain.axis >= 0) shape[static_cast<size_t>(chain.axis)] = static_cast<int64_t>(chain.scale.size());
  return node.add_constant("scale", Tensor(shape, chain.scale).cast(ElementType::Float32));
}

bool may_spell_quantisers(const pb::ModelProto& model) {
  return std::any_of(model.graph().node().begin(), model.graph().node().end(),
                     [](const pb::NodeProto& node) { return node.op_type() == "Round" || node.op_type() == "Floor"; });
}

SpelledQuantisers::Chain* SpelledQuantisers::chain_of(const NodeReader& node, size_t slot) {
  const auto found = chains_.find(node.input_name(slot));
  return found == chains_.end() ? nullptr : &found->second;
}

void SpelledQuantisers::read(NodeReader& node) {
  if (!follow(node)) import_standard(node);
}

void SpelledQuantisers::end(GraphReader& reader) {
  move_divisions(reader.graph(), levels_);
}

/// Whether the node is read here and not by the standard. A chain that may yet be something else is followed beside the
/// standard's reading of it.
bool SpelledQuantisers::follow(NodeReader& node) {
  const std::string op = node.op_type();
  if (op == "Round" || op == "Floor") return round(node);
  if (op == "Clip" || op == "Min" || op == "Max") return cut(node);
  if (op == "Cast" || op == "Identity") return pass(node);
  if (op == "Mul" || op == "Div") return scale_back(node) || begin_chain(node);
  if (op == "Add" || op == "Sub") return shift(node);
  return false;
}

bool SpelledQuantisers::begin_chain(NodeReader& node) {
  node.expect_inputs(2, 2);
  const auto first = node.known(0), second = node.known(1);
  const bool divides = node.op_type() == "Div";
  // Of two constants the larger one is quantised.
  const bool second_is_scale = second && (divides || !first || first->elements.size() >= second->elements.size());
  if (!second_is_scale && (divides || !first)) return false;
  const size_t slot = second_is_scale ? 0 : 1;
  const auto shape = shape_of(node, slot);
  if (!shape || !holds_reals(node, slot)) return false;
  Chain chain;
  chain.source = node.input_name(slot);
  const auto scale = scales_of(second_is_scale ? *second : *first, *shape, chain.axis);
  if (!scale) return false;
  chain.scale = divides ? *scale : inverses(*scale);
  chains_[node.output_name(0)] = chain;
  return false;
}

bool SpelledQuantisers::shift(NodeReader& node) {
  node.expect_inputs(2, 2);
  const bool subtracts = node.op_type() == "Sub";
  const size_t slot = chain_of(node, 0) ? 0 : 1;
  const Chain* found = chain_of(node, slot);
  if (!found || (subtracts && slot == 1)) return false;
  const auto known = node.known(1 - slot);
  const auto number = known ? one_number(*known) : std::nullopt;
  if (!number) return false;
  const double by = subtracts ? -*number : *number;
  Chain chain = *found;
  if (chain.fake != graph::absent) {
    if (by != (chain.centred ? 0 : -chain.addend)) return false;
    chain.centred = true;
    node.emit(graph::Div{}, {chain.fake, divisor_of(node, chain)});
    levels_.push_back(node.reader().item(node.output_name(0), node.place()).id);
    chains_[node.output_name(0)] = chain;
    return true;
  }
  // Behind the rounding only a whole number keeps levels; behind a Clip that cut already, the cut moves with them.
  if (chain.rounded && !is_whole(by)) return false;
  if (chain.low) *chain.low += static_cast<int64_t>(by);
  if (chain.high) *chain.high += static_cast<int64_t>(by);
  if ((chain.low || chain.high) && !is_whole(by)) return false;
  chain.addend += by;
  if (!chain.rounded) {
    chains_[node.output_name(0)] = chain;
    return false;
  }
  if (chain.low && chain.high) return give_levels(node, chain);
  node.reader().define(node.output_name(0), node.item(slot));
  chains_[node.output_name(0)] = chain;
  return true;
}

bool SpelledQuantisers::round(NodeReader& node) {
  node.expect_inputs(1, 1);
  const Chain* found = chain_of(node, 0);
  if (!found || found->rounded) return false;
  Chain chain = *found;
  const bool floors = node.op_type() == "Floor";
  const double half = floors && !is_whole(chain.addend) ? 0.5 : 0;
  if (!is_whole(chain.addend - half)) return false;
  chain.addend -= half;
  chain.rounded = !floors ? Rounding::HalfEven : half > 0 ? Rounding::HalfUp : Rounding::Floor;
  if (chain.low && chain.high) return give_levels(node, chain);
  // Without a cut behind it this is a rounding and no quantiser.
  const std::string& name = node.output_name(0);
  const GraphReader& reader = node.reader();
  const auto only = [&](std::string_view op) { return reader.read_only_by(name, op); };
  if (!only("Clip") && !only("Min") && !only("Max") && !only("Add") && !only("Sub") && !only("Cast")) return false;
  node.reader().define(name, node.item(0));
  chains_[name] = chain;
  return true;
}

bool SpelledQuantisers::cut(NodeReader& node) {
  const std::string op = node.op_type();
  const bool clip = op == "Clip";
  size_t slot = 0;
  if (!clip) {
    if (node.input_count() != 2) return false;
    slot = chain_of(node, 0) ? 0 : 1;
  }
  const Chain* found = chain_of(node, slot);
  if (!found || found->fake != graph::absent) return false;
  Chain chain = *found;
  const auto bound = [&](std::optional<int64_t>& to, std::optional<double> number, bool low) {
    if (!number || std::abs(*number) > 0x1p32) return !number;
    if (*number != std::floor(*number)) return false;
    const auto level = std::min<int64_t>(static_cast<int64_t>(*number), INT32_MAX);
    to = !to ? level : low ? std::max(*to, level) : std::min(*to, level);
    return true;
  };
  const auto known = [&](size_t input) -> std::optional<double> {
    const auto folded = node.has(input) ? node.known(input) : std::nullopt;
    return folded ? one_number(*folded) : std::nullopt;
  };
  const auto attribute = [&](std::string_view name) -> std::optional<double> {
    if (!node.attributes().has(name)) return {};
    return node.attributes().real(name, 0);
  };
  const bool inputs = node.opset() >= 11;
  bool whole = true;
  if (clip) {
    whole = bound(chain.low, inputs ? known(1) : attribute("min"), true) &&
            bound(chain.high, inputs ? known(2) : attribute("max"), false);
  } else {
    const auto number = known(1 - slot);
    whole = number && bound(op == "Max" ? chain.low : chain.high, number, op == "Max");
  }
  if (!whole || (chain.low && chain.high && *chain.low >= *chain.high)) return false;
  if (chain.rounded && chain.low && chain.high) return give_levels(node, chain);
  chains_[node.output_name(0)] = chain;
  if (!chain.rounded) return false;
  node.reader().define(node.output_name(0), node.item(slot));
  return true;
}

/// Emits the Quantise, and the levels for who reads them: x~ / s + z.
bool SpelledQuantisers::give_levels(NodeReader& node, Chain chain) {
  GraphReader& reader = node.reader();
  Grid grid{chain.scale, chain.axis, static_cast<int64_t>(chain.addend), *chain.low, *chain.high};
  for (double& scale : grid.scale) scale = static_cast<double>(static_cast<float>(scale));
  check_grid(grid, "onnx", node.place());
  graph::ValueId x = reader.value_of(reader.item(chain.source, node.place()), chain.source, node.place());
  // A constant stands for the reals of its levels, as it does in files of QuantizeLinear.
  if (const auto& constant = node.typed(x).constant)
    x = node.add_constant("reals", quant::dequantise(node.quantised(*constant, grid, *chain.rounded), grid));
  chain.fake = node.step("real", graph::Quantise{grid, *chain.rounded}, {x});
  chain.scale = grid.scale;
  const graph::ValueId divisor = divisor_of(node, chain);
  if (grid.zero_point == 0) {
    node.emit(graph::Div{}, {chain.fake, divisor});
    levels_.push_back(reader.item(node.output_name(0), node.place()).id);
  } else {
    const graph::ValueId quotient = node.step("quotient", graph::Div{}, {chain.fake, divisor});
    const Tensor point(Shape{}, std::vector<float>{static_cast<float>(grid.zero_point)});
    node.emit(graph::Add{}, {quotient, node.add_constant("zero_point", point)});
    levels_.push_back(quotient);
  }
  chain.centred = grid.zero_point == 0;
  chains_[node.output_name(0)] = std::move(chain);
  return true;
}

bool SpelledQuantisers::scale_back(NodeReader& node) {
  node.expect_inputs(2, 2);
  const bool divides = node.op_type() == "Div";
  const size_t slot = divides || chain_of(node, 0) ? 0 : 1;
  const Chain* chain = chain_of(node, slot);
  if (!chain || chain->fake == graph::absent || !chain->centred) return false;
  const auto known = node.known(1 - slot);
  int axis = -1;
  const auto scale = known ? scales_of(*known, node.shape(chain->fake), axis) : std::nullopt;
  if (!scale || axis != chain->axis) return false;
  const std::vector<double> by = divides ? inverses(*scale) : *scale;
  if (!near(by, chain->scale)) return false;
  if (named_.insert(chain->fake).second) node.reader().rename(chain->fake, node.output_name(0));
  node.alias(chain->fake);
  return true;
}

/// A Cast, or nothing: what is followed stays so.
bool SpelledQuantisers::pass(NodeReader& node) {
  const Chain* chain = chain_of(node, 0);
  if (!chain || (!chain->rounded && node.op_type() == "Cast")) return false;
  node.reader().define(node.output_name(0), node.item(0));
  chains_[node.output_name(0)] = Chain(*chain);
  return true;
}

}  // namespace nibble::onnx
