#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/random.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

// LSTM, GRU and RNN unrolled, against the formulas of the standard written down plainly.
namespace nibble {
namespace {

using foreign::Model;
using Numbers = std::vector<float>;

std::string text_attribute(const std::string& name, const std::string& value) {
  return foreign::field(5, foreign::field(1, name) + foreign::number(20, 3) + foreign::field(4, value));
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// One direction's sizes and parameters; rows of w, r and b are gate after gate.
struct Cell {
  size_t gates, inputs, hidden;
  Numbers w, r, b, p;

  /// Row `row` of w x (+ its bias), and of r h (+ its own).
  double of_x(size_t row, const std::vector<double>& x, bool bias = true) const {
    double sum = bias && !b.empty() ? b[row] : 0;
    for (size_t i = 0; i < inputs; ++i) sum += w[row * inputs + i] * x[i];
    return sum;
  }
  double of_h(size_t row, const std::vector<double>& h, bool bias = true) const {
    double sum = bias && !b.empty() ? b[gates * hidden + row] : 0;
    for (size_t i = 0; i < hidden; ++i) sum += r[row * hidden + i] * h[i];
    return sum;
  }
};

struct State {
  std::vector<double> h, c;
};

State lstm(const Cell& cell, const std::vector<double>& x, const State& before) {
  State after = before;
  const size_t n = cell.hidden;
  for (size_t k = 0; k < n; ++k) {
    const auto gate = [&](size_t g) { return cell.of_x(g * n + k, x) + cell.of_h(g * n + k, before.h); };
    const auto peep = [&](size_t g, double c) { return cell.p.empty() ? 0 : cell.p[g * n + k] * c; };
    const double i = sigmoid(gate(0) + peep(0, before.c[k])), f = sigmoid(gate(2) + peep(2, before.c[k]));
    after.c[k] = f * before.c[k] + i * std::tanh(gate(3));
    after.h[k] = sigmoid(gate(1) + peep(1, after.c[k])) * std::tanh(after.c[k]);
  }
  return after;
}

State gru(const Cell& cell, const std::vector<double>& x, const State& before, bool before_reset) {
  State after = before;
  const size_t n = cell.hidden;
  std::vector<double> reset(n), seen(n);
  for (size_t k = 0; k < n; ++k) {
    reset[k] = sigmoid(cell.of_x(n + k, x) + cell.of_h(n + k, before.h));
    seen[k] = reset[k] * before.h[k];
  }
  for (size_t k = 0; k < n; ++k) {
    const double z = sigmoid(cell.of_x(k, x) + cell.of_h(k, before.h));
    const double inner = before_reset ? reset[k] * cell.of_h(2 * n + k, before.h) : cell.of_h(2 * n + k, seen);
    after.h[k] = (1 - z) * std::tanh(cell.of_x(2 * n + k, x) + inner) + z * before.h[k];
  }
  return after;
}

State rnn(const Cell& cell, const std::vector<double>& x, const State& before) {
  State after = before;
  for (size_t k = 0; k < cell.hidden; ++k) after.h[k] = std::tanh(cell.of_x(k, x) + cell.of_h(k, before.h));
  return after;
}

constexpr size_t steps = 4, batch = 2, inputs = 3, hidden = 2;

struct Form {
  std::string op, direction = "forward";
  bool layout = false, bias = true, states = false, peepholes = false, before_reset = false;
};

struct Run {
  std::vector<double> y, last, cell;
};

size_t gates_of(const std::string& op) {
  return op == "LSTM" ? 4 : op == "GRU" ? 3 : 1;
}

/// By the formulas: x [steps, batch, inputs] (or the batch first).
Run expected_of(const Form& form, const std::vector<Cell>& cells, const Numbers& x, const Numbers& h0,
                const Numbers& c0) {
  const size_t directions = cells.size();
  Run run;
  run.y.resize(steps * directions * batch * hidden);
  run.last.resize(directions * batch * hidden), run.cell = run.last;
  for (size_t d = 0; d < directions; ++d)
    for (size_t n = 0; n < batch; ++n) {
      const size_t at = form.layout ? n * directions + d : d * batch + n;
      State state{std::vector<double>(hidden), std::vector<double>(hidden)};
      for (size_t k = 0; form.states && k < hidden; ++k)
        state.h[k] = h0[at * hidden + k], state.c[k] = c0[at * hidden + k];
      for (size_t count = 0; count < steps; ++count) {
        const size_t t = form.direction == "reverse" || d == 1 ? steps - 1 - count : count;
        std::vector<double> step(inputs);
        for (size_t i = 0; i < inputs; ++i) step[i] = x[(form.layout ? n * steps + t : t * batch + n) * inputs + i];
        state = form.op == "LSTM"  ? lstm(cells[d], step, state)
                : form.op == "GRU" ? gru(cells[d], step, state, form.before_reset)
                                   : rnn(cells[d], step, state);
        const size_t row = form.layout ? (n * steps + t) * directions + d : (t * directions + d) * batch + n;
        for (size_t k = 0; k < hidden; ++k) run.y[row * hidden + k] = state.h[k];
      }
      for (size_t k = 0; k < hidden; ++k)
        run.last[at * hidden + k] = state.h[k], run.cell[at * hidden + k] = state.c[k];
    }
  return run;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-6) << i;
}

void try_form(const Form& form) {
  SCOPED_TRACE(form.op + " " + form.direction + (form.layout ? " batch first" : "") + (form.bias ? " bias" : "") +
               (form.states ? " states" : "") + (form.peepholes ? " peepholes" : "") +
               (form.before_reset ? " before reset" : ""));
  Random random(steps);
  const auto numbers = [&](size_t count) {
    Numbers values(count);
    for (float& value : values) value = static_cast<float>(random.uniform() * 2 - 1);
    return values;
  };
  const size_t directions = form.direction == "bidirectional" ? 2 : 1, gates = gates_of(form.op);
  std::vector<Cell> cells;
  Numbers w, r, b, p;
  for (size_t d = 0; d < directions; ++d) {
    Cell cell{gates, inputs, hidden, numbers(gates * hidden * inputs), numbers(gates * hidden * hidden), {}, {}};
    if (form.bias) cell.b = numbers(2 * gates * hidden);
    if (form.peepholes) cell.p = numbers(3 * hidden);
    for (auto [to, from] : {std::pair{&w, &cell.w}, {&r, &cell.r}, {&b, &cell.b}, {&p, &cell.p}})
      to->insert(to->end(), from->begin(), from->end());
    cells.push_back(cell);
  }
  const Numbers x = numbers(steps * batch * inputs), h0 = numbers(directions * batch * hidden),
                c0 = numbers(directions * batch * hidden);
  const auto count = static_cast<int64_t>(directions), rows = static_cast<int64_t>(gates * hidden);
  const std::vector<int64_t> x_shape =
      form.layout ? std::vector<int64_t>{batch, steps, inputs} : std::vector<int64_t>{steps, batch, inputs};
  const std::vector<int64_t> state =
      form.layout ? std::vector<int64_t>{batch, count, hidden} : std::vector<int64_t>{count, batch, hidden};
  Model model;
  model.input("x", x_shape).output("y", {}).output("last", {}).reals("w", {count, rows, inputs}, w);
  model.reals("r", {count, rows, hidden}, r);
  if (form.bias) model.reals("b", {count, 2 * rows}, b);
  if (form.peepholes) model.reals("p", {count, 3 * hidden}, p);
  std::vector<std::string> names{"x", "w", "r", form.bias ? "b" : "", "", "", "", ""};
  std::vector<Tensor> given{Tensor(x_shape, x)};
  if (form.states) {
    names[5] = "h0", names[6] = form.op == "LSTM" ? "c0" : "";
    model.input("h0", state);
    given.emplace_back(state, h0);
    if (form.op == "LSTM") model.input("c0", state), given.emplace_back(state, c0);
  }
  if (form.peepholes) names[7] = "p";
  names.resize(form.op == "LSTM" ? 8 : 6);
  if (form.op == "LSTM") model.output("cell", {});
  const std::string attributes = foreign::attribute("hidden_size", static_cast<int64_t>(hidden)) +
                                 text_attribute("direction", form.direction) +
                                 (form.layout ? foreign::attribute("layout", 1) : "") +
                                 (form.before_reset ? foreign::attribute("linear_before_reset", 1) : "");
  std::vector<std::string> outputs{"last"};
  if (form.op == "LSTM") outputs.push_back("cell");
  model.node_of(form.op, names, "y", outputs, attributes);
  const graph::Graph graph = onnx::read_bytes(model.bytes(14), "recurrent.onnx");
  const std::vector<Tensor> found = graph::evaluate(graph, given);
  const Run expected = expected_of(form, cells, x, h0, c0);
  expect_near(found[0].to_reals(), expected.y);
  expect_near(found[1].to_reals(), expected.last);
  if (form.op == "LSTM") expect_near(found[2].to_reals(), expected.cell);
}

TEST(Recurrent, NetworksAreTheFormulasOfTheStandardStepByStep) {
  for (const std::string op : {"LSTM", "GRU", "RNN"})
    for (const std::string direction : {"forward", "reverse", "bidirectional"})
      for (const bool layout : {false, true})
        for (const bool bias : {false, true})
          for (const bool states : {false, true}) try_form({op, direction, layout, bias, states});
}

TEST(Recurrent, NetworksHavePeepholesAndResetBehindTheProduct) {
  for (const bool states : {false, true}) {
    try_form({"LSTM", "bidirectional", false, true, states, true});
    for (const bool bias : {false, true}) try_form({"GRU", "bidirectional", true, bias, states, false, true});
  }
}

std::string refused(const std::vector<std::string>& names, const std::string& attributes = {},
                    std::vector<int64_t> shape = {4, 1, 3}) {
  Model model;
  model.input("x", shape).output("y", {}).reals("w", {1, 8, 3}, Numbers(24)).reals("r", {1, 8, 2}, Numbers(16));
  model.integers("lengths", {1}, foreign::Int32, {3}).integers("whole", {1}, foreign::Int32, {4});
  model.node("LSTM", names, "y", foreign::attribute("hidden_size", 2) + attributes);
  try {
    onnx::read_bytes(model.bytes(14), "m.onnx");
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(Recurrent, NodesAreRefusedByWhatTheyCannotBe) {
  EXPECT_EQ(refused({"x", "w", "r", "", "whole"}), "");
  EXPECT_EQ(refused({"x", "w", "r", "", "lengths"}),
            "onnx: m.onnx: node 'y_node' (LSTM): sequence_lens (input 4) that are not all 4 (expected examples of as "
            "many steps each: leave sequence_lens out)");
  EXPECT_EQ(refused({"x", "r", "w"}), "onnx: m.onnx: node 'y_node' (LSTM): W of shape [1, 8, 2] (expected [1, 8, 3])");
  EXPECT_EQ(refused({"x", "w", "r"}, text_attribute("direction", "sideways")),
            "onnx: m.onnx: node 'y_node' (LSTM): attribute 'direction' is 'sideways' (expected forward, reverse or "
            "bidirectional)");
  EXPECT_EQ(refused({"x", "w", "r"}, {}, {-1, 1, 3}),
            "onnx: m.onnx: node 'y_node' (LSTM): axis 0 of X, its steps, is open (expected a number of steps: bind it "
            "(--batch N))");
}

TEST(Recurrent, StateOfZerosThatTheBatchSizesIsNone) {
  // As exporters write it: zeros of [1, batch of x, hidden].
  Model model;
  model.input("x", {-1, 4, 3}).output("y", {}).reals("w", {1, 8, 3}, Numbers(24, 0.5f));
  model.reals("r", {1, 8, 2}, Numbers(16, -0.25f)).integers("zero", {}, foreign::Int64, {0});
  model.integers("one", {1}, foreign::Int64, {1}).integers("two", {1}, foreign::Int64, {2});
  model.integers("front", {1}, foreign::Int64, {0}).reals("nothing", {1, 1, 1}, {0});
  model.node("Transpose", {"x"}, "steps", foreign::attribute("perm", std::vector<int64_t>{1, 0, 2}));
  model.node("Shape", {"x"}, "shape").node("Gather", {"shape", "zero"}, "n", foreign::attribute("axis", 0));
  model.node("Unsqueeze", {"n", "front"}, "n1");
  model.node("Concat", {"one", "n1", "two"}, "extents", foreign::attribute("axis", 0));
  model.node("ConstantOfShape", {"extents"}, "h0").node("Expand", {"nothing", "extents"}, "c0");
  model.node("LSTM", {"steps", "w", "r", "", "", "h0", "c0"}, "y", foreign::attribute("hidden_size", 2));
  const graph::Graph graph = onnx::read_bytes(model.bytes(14), "m.onnx");
  const Tensor y = graph::evaluate(graph, {Tensor({3, 4, 3}, Numbers(36, 0.125f))}).at(0);
  EXPECT_EQ(y.shape(), (Shape{4, 1, 3, 2}));
  EXPECT_EQ(y.to_reals()[0], y.to_reals()[2]);
}

}  // namespace
}  // namespace nibble
