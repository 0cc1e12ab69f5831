#include <algorithm>
#include <array>
#include <cmath>

#include "graph/op_traits.hpp"
#include "onnx/file/container.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "onnx/standard/import.hpp"

// LSTM, GRU and RNN as their steps, one after the other, in ops that every network has.
namespace nibble::onnx {
namespace {

using graph::Ints;
using graph::ValueId;

/// More steps than anybody writes out.
constexpr int64_t most_steps = 4096;

enum class Direction : uint8_t { Forward, Reverse, Both };

/// One recurrent node: its sizes, and its inputs cut to what a direction and a step read.
class Recurrence {
 public:
  Recurrence(NodeReader& node, int64_t gates) : node_(node), gates_(gates) {
    const std::string direction = node.attributes().text("direction", "forward");
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
      node.fail("attribute 'direction' is " + in_quotes(direction), "forward, reverse or bidirectional");
    direction_ = direction == "forward"   ? Direction::Forward
                 : direction == "reverse" ? Direction::Reverse
                                          : Direction::Both;
    layout_ = node.attributes().integer("layout", 0);
    if (layout_ != 0 && layout_ != 1) node.fail("attribute 'layout' is " + std::to_string(layout_), "0 or 1");
    x_ = node.value(0);
    if (node.shape(x_).size() != 3) node.fail("X of shape " + to_string(node.shape(x_)), "three axes");
    const size_t time = layout_ == 0 ? 0 : 1;
    steps_ = node.shape(x_)[time];
    if (steps_ == any)
      node.fail("axis " + std::to_string(time) + " of X, its steps, is open", "a number of steps: bind it (--batch N)");
    if (steps_ < 1 || steps_ > most_steps)
      node.fail(std::to_string(steps_) + " steps", "1 to " + std::to_string(most_steps));
    check_weights();
    check_lengths();
  }

  size_t directions() const { return direction_ == Direction::Both ? 2 : 1; }
  int64_t hidden() const { return hidden_; }
  int64_t steps() const { return steps_; }
  NodeReader& node() const { return node_; }
  /// The step of X that a direction sees `count`-th.
  int64_t time(size_t direction, int64_t count) const {
    const bool reversed = direction_ == Direction::Reverse || direction == 1;
    return reversed ? steps_ - 1 - count : count;
  }

  /// X at a step: [batch, inputs].
  ValueId input(int64_t time) {
    if (inputs_.empty()) inputs_.resize(static_cast<size_t>(steps_), graph::absent);
    ValueId& id = inputs_[static_cast<size_t>(time)];
    if (id == graph::absent) id = one_of(x_, layout_ == 0 ? 0 : 1, time, "x" + std::to_string(time));
    return id;
  }

  /// Rows first to last of input `slot` [directions, rows, ...] of a direction.
  ValueId rows(size_t slot, size_t direction, int64_t first, int64_t last, const std::string& name) const {
    const Item& item = node_.item(slot);
    const std::string full = name + suffix(direction);
    const Tensor* constant =
        item.constant || item.folded ? &node_.constant(slot, name).tensor : node_.reader().graph().constant(item.id);
    if (constant) return node_.add_constant(full, rows_of(*constant, direction, first, last));
    const ValueId own = one_of(node_.value(slot), 0, static_cast<int64_t>(direction), full + ".own");
    return node_.step(full, graph::Slice{{first}, {last}, {0}, {1}}, {own});
  }

  /// The sum of both biases of gates first to last, [rows]; absent without any.
  ValueId bias(size_t direction, int64_t first, int64_t last, bool of_input, bool of_state) const {
    if (!node_.has(3)) return graph::absent;
    const Tensor& given = node_.constant(3, "B").tensor;
    const std::vector<double> input = rows_of(given, direction, first * hidden_, last * hidden_).to_reals();
    const std::vector<double> state =
        rows_of(given, direction, (gates_ + first) * hidden_, (gates_ + last) * hidden_).to_reals();
    std::vector<float> sum;
    for (size_t i = 0; i < input.size(); ++i)
      sum.push_back(static_cast<float>((of_input ? input[i] : 0) + (of_state ? state[i] : 0)));
    return node_.add_constant("bias" + suffix(direction), Tensor({(last - first) * hidden_}, sum));
  }

  /// The state before the first step [batch, hidden] of input `slot`; absent where it is zero.
  ValueId initial(size_t slot, size_t direction) const {
    if (!node_.has(slot) || node_.item(slot).zeros) return graph::absent;
    if (const auto known = node_.known(slot)) {
      const bool zero = std::all_of(known->elements.begin(), known->elements.end(),
                                    [](const Element& each) { return each.real == 0 && each.integer == 0; });
      if (zero) return graph::absent;
    }
    return one_of(node_.value(slot), layout_ == 0 ? 0 : 1, static_cast<int64_t>(direction),
                  "initial" + std::to_string(slot) + suffix(direction));
  }

  /// x w' + b
  ValueId linear(const std::string& name, ValueId x, ValueId w, ValueId b) const {
    graph::Gemm gemm;
    gemm.transpose_b = true;
    std::vector<ValueId> inputs{x, w};
    if (b != graph::absent) inputs.push_back(b);
    return node_.step(name, gemm, inputs);
  }
  ValueId sum(const std::string& name, ValueId a, ValueId b) const {
    return a == graph::absent ? b : b == graph::absent ? a : node_.step(name, graph::Add{}, {a, b});
  }
  ValueId product(const std::string& name, ValueId a, ValueId b) const {
    return node_.step(name, graph::Mul{}, {a, b});
  }
  ValueId number(const std::string& name, double number) const {
    return node_.add_constant(name, Tensor(Shape{}, std::vector<float>{static_cast<float>(number)}));
  }
  ValueId clipped(ValueId x) const {
    if (!node_.attributes().has("clip")) return x;
    const double bound = node_.attributes().real("clip", 0);
    if (!(bound > 0)) node_.fail("attribute 'clip' is " + std::to_string(bound), "a number above 0");
    return node_.step("clip", graph::Clip{-bound, bound}, {x});
  }

  /// Function `which` of so many of a direction on x. Unless the node says otherwise the first of several, that of the
  /// gates, is a Sigmoid and every other a Tanh.
  ValueId activated(size_t direction, size_t which, size_t functions, ValueId x) const {
    const std::vector<std::string> names = node_.attributes().texts("activations");
    if (names.empty()) return function(which == 0 && functions > 1 ? "Sigmoid" : "Tanh", 0, x);
    if (names.size() != functions * directions())
      node_.fail(std::to_string(names.size()) + " activations", std::to_string(functions * directions()));
    const size_t index = direction * functions + which;
    return function(names[index], index, x);
  }

  /// The outputs: states[direction][time] as Y, the last of each as Y_h; `cells` the last cells, where there are any.
  void give(const std::vector<std::vector<ValueId>>& states, const std::vector<ValueId>& cells) const {
    std::vector<ValueId> last;
    for (size_t d = 0; d < directions(); ++d) last.push_back(states[d][static_cast<size_t>(time(d, steps_ - 1))]);
    if (!node_.output_name(0).empty()) name_output(0, all_states(states));
    if (!node_.output_name(1).empty()) name_output(1, last_of(last, "last"));
    if (!node_.output_name(2).empty() && !cells.empty()) name_output(2, last_of(cells, "cell"));
  }

 private:
  std::string suffix(size_t direction) const { return directions() == 1 ? "" : direction == 0 ? ".f" : ".r"; }

  void check_weights() {
    const Shape w = node_.shape_of_input(1), r = node_.shape_of_input(2);
    hidden_ = node_.attributes().integer("hidden_size", r.size() == 3 ? r[2] : 0);
    const auto count = static_cast<int64_t>(directions());
    if (hidden_ < 1 || hidden_ > 1 << 20)
      node_.fail("attribute 'hidden_size' is " + std::to_string(hidden_), "1 or more");
    const int64_t features = node_.shape(x_)[2];
    if (w != Shape{count, gates_ * hidden_, features})
      node_.fail("W of shape " + to_string(w), to_string({count, gates_ * hidden_, features}));
    if (r != Shape{count, gates_ * hidden_, hidden_})
      node_.fail("R of shape " + to_string(r), to_string({count, gates_ * hidden_, hidden_}));
    if (node_.has(3) && node_.constant(3, "B").tensor.shape() != Shape{count, 2 * gates_ * hidden_})
      node_.fail("B of shape " + to_string(node_.constant(3, "B").tensor.shape()),
                 to_string({count, 2 * gates_ * hidden_}));
  }
  void check_lengths() const {
    if (!node_.has(4)) return;
    const auto lengths = node_.known(4);
    const bool whole =
        lengths && std::all_of(lengths->elements.begin(), lengths->elements.end(),
                               [&](const Element& each) { return !each.batch && each.integer == steps_; });
    if (!whole)
      node_.fail("sequence_lens (input 4) that are not all " + std::to_string(steps_),
                 "examples of as many steps each: leave sequence_lens out");
  }

  Tensor rows_of(const Tensor& all, size_t direction, int64_t first, int64_t last) const {
    const int64_t per_row = static_cast<int64_t>(strides_of(all.shape())[1]), rows = all.shape()[1];
    const std::vector<double> reals = all.to_reals();
    const auto begin = reals.begin() + (static_cast<int64_t>(direction) * rows + first) * per_row;
    Shape shape(all.shape().begin() + 1, all.shape().end());
    shape[0] = last - first;
    return Tensor(shape, std::vector<float>(begin, begin + (last - first) * per_row));
  }

  /// Index `at` of an axis, which goes.
  ValueId one_of(ValueId x, int64_t axis, int64_t at, const std::string& name) const {
    if (node_.shape(x)[static_cast<size_t>(axis)] == 1) return node_.step(name, graph::Squeeze{{axis}}, {x});
    const ValueId cut = node_.step(name + ".cut", graph::Slice{{at}, {at + 1}, {axis}, {1}}, {x});
    return node_.step(name, graph::Squeeze{{axis}}, {cut});
  }

  double parameter(std::string_view attribute, size_t index, double otherwise) const {
    const std::vector<double> numbers = node_.attributes().reals(attribute);
    return index < numbers.size() ? numbers[index] : otherwise;
  }

  ValueId function(const std::string& name, size_t index, ValueId x) const {
    const auto alpha = [&](double otherwise) { return parameter("activation_alpha", index, otherwise); };
    const auto beta = [&](double otherwise) { return parameter("activation_beta", index, otherwise); };
    if (name == "Affine")
      return sum("affine", product("scaled", x, number("alpha", alpha(1))), number("beta", beta(0)));
    if (name == "ScaledTanh") {
      const ValueId inner = product("inner", x, number("beta", beta(1)));
      return product("scaled_tanh", node_.step("tanh", graph::Tanh{}, {inner}), number("alpha", alpha(1)));
    }
    const graph::Op* known = graph::op_named(name);
    const bool is_function = known && class_of(*known) == graph::OpClass::Function;
    if (!is_function && name != "Relu")
      node_.fail("activation " + in_quotes(name), "Relu, Affine, ScaledTanh or a function of the table of ops");
    graph::Op op = *known;
    const auto set = [&]<class Field>(std::string_view key, Field& field) {
      if constexpr (std::is_same_v<Field, double>) field = key == "beta" ? beta(field) : alpha(field);
    };
    visit([&]<class Each>(Each& each) { Each::fields(set, each); }, op);
    return node_.step("activation", std::move(op), {x});
  }

  ValueId joined(const std::string& name, const std::vector<ValueId>& parts, int64_t axis) const {
    return parts.size() == 1 ? parts[0] : node_.step(name, graph::Concat{axis}, parts);
  }
  ValueId all_states(const std::vector<std::vector<ValueId>>& states) const {
    // Layout 0: [steps, directions, batch, hidden]; 1: [batch, steps, directions, hidden].
    const Ints axes = layout_ == 0 ? Ints{0, 1} : Ints{1, 2};
    std::vector<ValueId> all;
    for (size_t t = 0; t < static_cast<size_t>(steps_); ++t) {
      std::vector<ValueId> each;
      for (const auto& states_of : states) each.push_back(node_.step("state", graph::Unsqueeze{axes}, {states_of[t]}));
      all.push_back(joined("directions", each, axes[1]));
    }
    return joined("states", all, axes[0]);
  }
  ValueId last_of(const std::vector<ValueId>& states, const std::string& name) const {
    const int64_t axis = layout_ == 0 ? 0 : 1;
    std::vector<ValueId> each;
    for (ValueId state : states) each.push_back(node_.step(name, graph::Unsqueeze{{axis}}, {state}));
    return joined(name + "s", each, axis);
  }
  void name_output(size_t output, ValueId id) const {
    node_.reader().rename(id, node_.output_name(output));
    node_.alias(id, output);
  }

  NodeReader& node_;
  int64_t gates_;
  Direction direction_ = Direction::Forward;
  int64_t layout_ = 0, hidden_ = 0, steps_ = 0;
  ValueId x_ = graph::absent;
  std::vector<ValueId> inputs_;
};

/// Cuts a sum [batch, gates * hidden] into its gates.
std::vector<ValueId> gates_of(const Recurrence& all, ValueId sum, int64_t gates) {
  std::vector<ValueId> cut;
  for (int64_t g = 0; g < gates; ++g) {
    const graph::Slice slice{{g * all.hidden()}, {(g + 1) * all.hidden()}, {1}, {1}};
    cut.push_back(gates == 1 ? sum : all.node().step("gate", slice, {sum}));
  }
  return cut;
}

struct LstmState {
  ValueId h, c;
};

/// Gates in the order i, o, f, c; peepholes i, o, f.
LstmState lstm_step(const Recurrence& all, size_t d, ValueId sum, LstmState before,
                    const std::array<ValueId, 3>& peepholes, bool couples) {
  const std::vector<ValueId> gates = gates_of(all, sum, 4);
  const auto gate = [&](size_t g, size_t activation, ValueId cell) {
    ValueId x = gates[g];
    if (g < 3 && peepholes[g] != graph::absent && cell != graph::absent)
      x = all.sum("peephole", x, all.product("seen", cell, peepholes[g]));
    return all.activated(d, activation, 3, all.clipped(x));
  };
  const ValueId input = gate(0, 0, before.c), candidate = gate(3, 1, graph::absent);
  ValueId cell = all.product("new", input, candidate);
  if (before.c != graph::absent) {
    const ValueId forget =
        couples ? all.node().step("forget", graph::Sub{}, {all.number("one", 1), input}) : gate(2, 0, before.c);
    cell = all.sum("cell", all.product("kept", forget, before.c), cell);
  }
  const ValueId output = gate(1, 0, cell);
  return {all.product("hidden", output, all.activated(d, 2, 3, cell)), cell};
}

/// z and r of a GRU, then its candidate.
ValueId gru_step(const Recurrence& all, size_t d, ValueId of_x, ValueId candidate_of_x, ValueId before,
                 const std::array<ValueId, 3>& weights, bool before_reset) {
  const auto [r, r_candidate, b_candidate] = weights;
  const bool zero = before == graph::absent;
  const ValueId sum = zero ? of_x : all.sum("gates", of_x, all.linear("recurrent", before, r, graph::absent));
  const std::vector<ValueId> gates = gates_of(all, sum, 2);
  const ValueId update = all.activated(d, 0, 2, all.clipped(gates[0]));
  ValueId candidate = candidate_of_x;
  if (before_reset && (!zero || b_candidate != graph::absent)) {
    const ValueId reset = all.activated(d, 0, 2, all.clipped(gates[1]));
    const ValueId inner = zero ? b_candidate : all.linear("candidate_state", before, r_candidate, b_candidate);
    candidate = all.sum("candidate_sum", candidate, all.product("reset", reset, inner));
  } else if (!zero) {
    const ValueId reset = all.activated(d, 0, 2, all.clipped(gates[1]));
    const ValueId inner = all.product("reset", reset, before);
    candidate = all.sum("candidate_sum", candidate, all.linear("candidate_state", inner, r_candidate, graph::absent));
  }
  candidate = all.activated(d, 1, 2, all.clipped(candidate));
  const ValueId rest = all.node().step("rest", graph::Sub{}, {all.number("one", 1), update});
  const ValueId fresh = all.product("new", rest, candidate);
  return zero ? fresh : all.sum("hidden", fresh, all.product("kept", update, before));
}

std::vector<std::vector<ValueId>> no_states(const Recurrence& all) {
  return {all.directions(), std::vector<ValueId>(static_cast<size_t>(all.steps()), graph::absent)};
}

}  // namespace

void read_lstm(NodeReader& node) {
  node.expect_inputs(3, 8);
  Recurrence all(node, 4);
  const bool couples = node.attributes().integer("input_forget", 0) != 0;
  auto states = no_states(all);
  std::vector<ValueId> cells;
  for (size_t d = 0; d < all.directions(); ++d) {
    const int64_t rows = 4 * all.hidden();
    const ValueId w = all.rows(1, d, 0, rows, "w"), r = all.rows(2, d, 0, rows, "r"), b = all.bias(d, 0, 4, true, true);
    std::array<ValueId, 3> peepholes{graph::absent, graph::absent, graph::absent};
    for (int64_t g = 0; node.has(7) && g < 3; ++g)
      peepholes[static_cast<size_t>(g)] = all.rows(7, d, g * all.hidden(), (g + 1) * all.hidden(), "p");
    LstmState state{all.initial(5, d), all.initial(6, d)};
    for (int64_t count = 0; count < all.steps(); ++count) {
      const int64_t t = all.time(d, count);
      ValueId sum = all.linear("of_x", all.input(t), w, b);
      if (state.h != graph::absent) sum = all.sum("gates", sum, all.linear("recurrent", state.h, r, graph::absent));
      state = lstm_step(all, d, sum, state, peepholes, couples);
      states[d][static_cast<size_t>(t)] = state.h;
    }
    cells.push_back(state.c);
  }
  all.give(states, cells);
}

void read_gru(NodeReader& node) {
  node.expect_inputs(3, 6);
  Recurrence all(node, 3);
  const bool before_reset = node.attributes().integer("linear_before_reset", 0) != 0;
  const int64_t hidden = all.hidden();
  auto states = no_states(all);
  for (size_t d = 0; d < all.directions(); ++d) {
    const ValueId w = all.rows(1, d, 0, 2 * hidden, "w"), b = all.bias(d, 0, 2, true, true);
    const ValueId w_candidate = all.rows(1, d, 2 * hidden, 3 * hidden, "w_candidate");
    const ValueId b_input = all.bias(d, 2, 3, true, !before_reset);
    const std::array<ValueId, 3> weights{all.rows(2, d, 0, 2 * hidden, "r"),
                                         all.rows(2, d, 2 * hidden, 3 * hidden, "r_candidate"),
                                         before_reset ? all.bias(d, 2, 3, false, true) : graph::absent};
    ValueId state = all.initial(5, d);
    for (int64_t count = 0; count < all.steps(); ++count) {
      const int64_t t = all.time(d, count);
      const ValueId of_x = all.linear("of_x", all.input(t), w, b);
      const ValueId candidate = all.linear("candidate", all.input(t), w_candidate, b_input);
      state = gru_step(all, d, of_x, candidate, state, weights, before_reset);
      states[d][static_cast<size_t>(t)] = state;
    }
  }
  all.give(states, {});
}

void read_rnn(NodeReader& node) {
  node.expect_inputs(3, 6);
  Recurrence all(node, 1);
  auto states = no_states(all);
  for (size_t d = 0; d < all.directions(); ++d) {
    const ValueId w = all.rows(1, d, 0, all.hidden(), "w"), r = all.rows(2, d, 0, all.hidden(), "r");
    const ValueId b = all.bias(d, 0, 1, true, true);
    ValueId state = all.initial(5, d);
    for (int64_t count = 0; count < all.steps(); ++count) {
      const int64_t t = all.time(d, count);
      ValueId sum = all.linear("of_x", all.input(t), w, b);
      if (state != graph::absent) sum = all.sum("sum", sum, all.linear("recurrent", state, r, graph::absent));
      state = all.activated(d, 0, 1, all.clipped(sum));
      states[d][static_cast<size_t>(t)] = state;
    }
  }
  all.give(states, {});
}

}  // namespace nibble::onnx
