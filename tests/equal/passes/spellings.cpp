#include <gtest/gtest.h>

#include "equal/passes/walk.hpp"

/// Networks that say what we have an op for in other words: products with the weights first, normalisations over any
/// axes in pieces, powers, slopes for each channel. Float, fake, deployable and integer.
namespace nibble::passes::testing {
namespace {

using graph::Ints;

ValueId number(Network& n, double value) {
  return n.constant("k", Tensor(Shape{}, std::vector<float>{static_cast<float>(value)}));
}
template <class Op>
ValueId op(Network& n, ValueId a, ValueId b) {
  return n.node(std::string(Op::name), Op{}, {a, b});
}

/// (x - mean) / sqrt(variance + e) over the axes.
ValueId in_pieces(Network& n, ValueId x, const Ints& axes, bool by_product) {
  const ValueId rest = op<graph::Sub>(n, x, n.node("mean", graph::ReduceMean{axes, true}, {x}));
  const ValueId square = by_product ? op<graph::Mul>(n, rest, rest) : op<graph::Pow>(n, rest, number(n, 2));
  const ValueId variance = n.node("variance", graph::ReduceMean{axes, true}, {square});
  const ValueId root = n.node("root", graph::Sqrt{}, {op<graph::Add>(n, variance, number(n, 1e-5))});
  return op<graph::Div>(n, rest, root);
}

int64_t count_named(const Graph& graph, std::string_view name) {
  int64_t count = 0;
  for (const graph::Node& node : graph.nodes) count += graph::name_of(node.op) == name;
  return count;
}

Graph canonical(Graph graph) {
  run(canonicalise(), graph);
  return graph;
}

}  // namespace

TEST(Spellings, ANormalisationInPiecesIsOneOpWhereverItsAxesStand) {
  for (const bool by_product : {false, true})
    for (const Ints& axes : {Ints{1}, Ints{-1}, Ints{2, 3}, Ints{1, 2, 3}, Ints{-3}}) {
      Network n(static_cast<uint64_t>(axes.size()) + 5);
      const ValueId x = n.conv("in", n.input({any, 3, 6, 5}), 4, 3, 1, 1);
      const Graph& graph = n.finish({n.conv("out", in_pieces(n, x, axes, by_product), 3, 1)});
      EXPECT_EQ(count_named(canonical(graph), "LayerNormalization"), 1) << nibble::to_string(axes);
      EXPECT_GT(walk(graph), 18) << nibble::to_string(axes);
    }
}

TEST(Spellings, ANormalisationKeepsTheGainAndBiasOfItsAxis) {
  Network n(9);
  const ValueId x = n.conv("in", n.input({any, 3, 6, 5}), 4, 3, 1, 1);
  const ValueId normal = in_pieces(n, x, {1}, false);
  const ValueId scaled = op<graph::Mul>(n, normal, n.constant("g", n.normal({4, 1, 1}, 0.3, 1)));
  const ValueId y = op<graph::Add>(n, scaled, n.constant("b", n.normal({1, 4, 1, 1}, 0.3)));
  const Graph& graph = n.finish({n.conv("out", y, 3, 1)});
  const Graph after = canonical(graph);
  EXPECT_EQ(count_named(after, "LayerNormalization"), 1);
  EXPECT_EQ(count_named(after, "Mul") + count_named(after, "Add"), 0);
  EXPECT_GT(walk(graph), 25);
}

TEST(Spellings, AVectorOverItsLengthIsARootMeanSquareNormalisationThatNeverDividesByZero) {
  Network n(3);
  const ValueId x = n.conv("in", n.input({any, 3, 4, 4}), 4, 3, 1, 1, 1, false);
  const ValueId sum = n.node("sum", graph::ReduceSum{{1}, true, 0}, {op<graph::Mul>(n, x, x)});
  const Graph& graph = n.finish({n.conv("out", op<graph::Div>(n, x, n.node("root", graph::Sqrt{}, {sum})), 3, 1)});
  const Graph after = canonical(graph);
  EXPECT_EQ(count_named(after, "RMSNormalization"), 1);
  const auto y = graph::evaluate(after, {Tensor(ElementType::Float32, {1, 3, 4, 4})}).at(0).to_reals();
  for (double value : y) EXPECT_TRUE(std::isfinite(value));
  EXPECT_GT(walk(graph), 22);
}

TEST(Spellings, WeightsBeforeTheirActivationAreTransposedBehindIt) {
  for (const Shape& x : {Shape{any, 6, 5}, Shape{any, 2, 6, 5}}) {
    Network n(2);
    const ValueId in = n.input(x);
    const ValueId mixed = n.node("mix", graph::MatMul{}, {n.constant("m", n.normal({4, 6}, 0.3)), in});
    const ValueId biased = op<graph::Add>(n, mixed, n.constant("b", n.normal({4, 1}, 0.3)));
    const Graph& graph = n.finish({n.project("out", n.relu("f", biased), 3)});
    const Graph after = canonical(graph);
    for (const graph::Node& node : after.nodes)
      if (holds_alternative<graph::MatMul>(node.op)) {
        EXPECT_EQ(after.constant(node.inputs[0]), nullptr);
      }
    EXPECT_GT(walk(graph), 25);
  }
}

TEST(Spellings, PowersThatHaveAnOpAreThatOpAndOthersAreTables) {
  for (const double exponent : {2.0, 0.5, 1.0, 3.0, 1.5}) {
    Network n(4);
    const ValueId x = n.node("abs", graph::Abs{}, {n.conv("in", n.input({any, 3, 4, 4}), 4, 3, 1, 1)});
    const Graph& graph = n.finish({n.conv("out", op<graph::Pow>(n, x, number(n, exponent)), 3, 1)});
    EXPECT_EQ(count_named(canonical(graph), "Pow"), exponent == 3 || exponent == 1.5 ? 1 : 0) << exponent;
    EXPECT_GT(walk(graph), 12) << exponent;
  }
}

TEST(Spellings, SlopesForEachChannelAreATableEach) {
  for (const Shape& slopes : {Shape{4, 1, 1}, Shape{5}, Shape{1, 4, 4, 5}, Shape{1}}) {
    Network n(6);
    const ValueId x = n.conv("in", n.input({any, 3, 4, 5}), 4, 3, 1, 1);
    const ValueId bent = n.node("bent", graph::PRelu{}, {x, n.constant("s", n.normal(slopes))});
    const Graph& graph = n.finish({n.conv("out", bent, 3, 1)});
    EXPECT_GT(walk(graph), 20) << nibble::to_string(slopes);
  }
}

TEST(Spellings, ADivisorIsNeverZeroOnItsGrid) {
  Network n(8);
  const ValueId x = n.conv("in", n.input({any, 3, 4, 4}), 4, 3, 1, 1);
  const ValueId size = n.node("size", graph::Sigmoid{}, {n.conv("by", x, 4, 1)});
  Graph graph = n.finish({op<graph::Div>(n, x, size)});
  EXPECT_GT(walk(graph), 15);
  quantise_by(graph);
  for (const graph::Node& node : graph.nodes) {
    if (!holds_alternative<graph::Div>(node.op)) continue;
    const Grid& grid = graph[node.inputs[1]].grid.value();
    EXPECT_GT(grid.low, grid.zero_point);
  }
}

TEST(Spellings, ADivisorOfBothSignsIsRefusedWhereItIsQuantised) {
  Network n(8);
  const ValueId x = n.input({any, 3, 4, 4});
  Graph graph = n.finish({op<graph::Div>(n, n.relu("f", x), n.conv("by", x, 3, 3, 1, 1))});
  try {
    quantise_by(graph);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "passes: value 'by': divides, and is 0 within its range (expected a divisor of one sign, or "
                 "{\"enabled\": false} for the layer that divides)");
  }
}

}  // namespace nibble::passes::testing
