#include <gtest/gtest.h>

#include <cmath>

#include "unit/passes/networks.hpp"

/// Functions as exporters take them apart, and the one op that they become.
namespace nibble::passes::testing {
namespace {

ValueId number(Network& n, double value) {
  return n.constant("k", Tensor(Shape{}, std::vector<float>{static_cast<float>(value)}));
}
template <class Op>
ValueId op(Network& n, ValueId a) {
  return n.node(std::string(Op::name), Op{}, {a});
}
template <class Op>
ValueId op(Network& n, ValueId a, ValueId b) {
  return n.node(std::string(Op::name), Op{}, {a, b});
}

void expect_same(const Graph& before, const Graph& after) {
  Random random(3);
  const auto inputs = batch_for(before, random, 4);
  const auto a = graph::evaluate(before, inputs).at(0).to_reals(), b = graph::evaluate(after, inputs).at(0).to_reals();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-5);
}

/// The graph after canonicalisation: one node, of that op, which computes the same.
template <class Op>
Op only(Network& n, ValueId y) {
  Graph graph = n.finish({y});
  const Graph before = graph;
  run(canonicalise(), graph);
  expect_same(before, graph);
  EXPECT_EQ(graph.nodes.size(), 1U);
  const auto* found = get_if<Op>(&graph.nodes[0].op);
  EXPECT_NE(found, nullptr) << graph::name_of(graph.nodes[0].op);
  return found ? *found : Op{};
}

using namespace nibble::graph;

}  // namespace

TEST(FuseFunctions, KnowsGeluInPyTorchsOrderAndInOthers) {
  Network a;
  ValueId x = a.input({any, 5});
  ValueId y = op<Add>(a, op<Erf>(a, op<Div>(a, x, number(a, std::sqrt(2.0)))), number(a, 1));
  EXPECT_FALSE(only<Gelu>(a, op<Mul>(a, op<Mul>(a, x, y), number(a, 0.5))).tanh_form);
  Network b;
  x = b.input({any, 5});
  y = op<Mul>(b, op<Add>(b, number(b, 1), op<Erf>(b, op<Mul>(b, number(b, std::sqrt(0.5)), x))), number(b, 0.5));
  EXPECT_FALSE(only<Gelu>(b, op<Mul>(b, y, x)).tanh_form);
  Network c;
  x = c.input({any, 5});
  const ValueId inner = op<Add>(c, x, op<Mul>(c, op<Pow>(c, x, number(c, 3)), number(c, 0.044715)));
  y = op<Tanh>(c, op<Mul>(c, inner, number(c, 0.7978845608028654)));
  y = op<Add>(c, y, number(c, 1));
  EXPECT_TRUE(only<Gelu>(c, op<Mul>(c, op<Mul>(c, x, number(c, 0.5)), y)).tanh_form);
}

TEST(FuseFunctions, KnowsSwishHardSwishAndMish) {
  Network a;
  ValueId x = a.input({any, 5});
  EXPECT_EQ(only<Swish>(a, op<Mul>(a, x, op<Sigmoid>(a, x))).alpha, 1);
  Network b;
  x = b.input({any, 5});
  const ValueId quick = op<Sigmoid>(b, op<Mul>(b, x, number(b, 1.702)));
  EXPECT_NEAR(only<Swish>(b, op<Mul>(b, quick, x)).alpha, 1.702, 1e-5);
  Network c;
  x = c.input({any, 5});
  const ValueId six = c.node("clip", Clip{0, 6}, {op<Add>(c, x, number(c, 3))});
  only<HardSwish>(c, op<Div>(c, op<Mul>(c, x, six), number(c, 6)));
  Network d;
  x = d.input({any, 5});
  only<HardSwish>(d, op<Mul>(d, x, d.node("gate", HardSigmoid{1.0 / 6, 0.5}, {x})));
  Network e;
  x = e.input({any, 5});
  only<Mish>(e, op<Mul>(e, x, op<Tanh>(e, op<Softplus>(e, x))));
}

TEST(FuseFunctions, KnowsSoftplusThatNoLargeArgumentOverflows) {
  Network n;
  const ValueId x = n.input({any, 5});
  const ValueId small = op<Exp>(n, op<Neg>(n, op<Abs>(n, x)));
  only<Softplus>(n, op<Add>(n, op<Relu>(n, x), op<Log>(n, op<Add>(n, number(n, 1), small))));
}

TEST(FuseFunctions, LeavesAloneWhatItDoesNotKnow) {
  Network n;
  const ValueId x = n.input({any, 5});
  Graph graph = n.finish({op<Mul>(n, x, op<Tanh>(n, x))});
  run(canonicalise(), graph);
  EXPECT_EQ(count_of<Tanh>(graph), 1);
}

TEST(FuseNormalizations, KnowsLayerNormalizationInPyTorchsOrderAndInTensorFlows) {
  for (const bool tensorflow : {false, true}) {
    Network n;
    const ValueId x = n.input({any, 3, 8});
    const ValueId w = n.constant("w", n.normal({8}, 0.3, 1)), b = n.constant("b", n.normal({8}));
    const ValueId mean = n.node("mean", ReduceMean{{-1}, true}, {x});
    const ValueId rest = op<Sub>(n, x, mean);
    const ValueId square = tensorflow ? op<Mul>(n, rest, rest) : op<Pow>(n, rest, number(n, 2));
    const ValueId variance = n.node("variance", ReduceMean{{2}, true}, {square});
    const ValueId root = op<Sqrt>(n, op<Add>(n, variance, number(n, 1e-3)));
    ValueId y;
    if (tensorflow) {
      const ValueId gain = op<Mul>(n, op<Reciprocal>(n, root), w);
      y = op<Add>(n, op<Mul>(n, x, gain), op<Sub>(n, b, op<Mul>(n, mean, gain)));
    } else {
      y = op<Add>(n, op<Mul>(n, op<Div>(n, rest, root), w), b);
    }
    EXPECT_NEAR(only<LayerNormalization>(n, y).epsilon, 1e-3, 1e-9);
  }
}

TEST(FuseNormalizations, KnowsRmsNormalization) {
  Network n;
  const ValueId x = n.input({any, 3, 8});
  const ValueId square = n.node("mean", ReduceMean{{-1}, true}, {op<Pow>(n, x, number(n, 2))});
  const ValueId inverse = op<Reciprocal>(n, op<Sqrt>(n, op<Add>(n, square, number(n, 1e-6))));
  const ValueId y = op<Mul>(n, n.constant("w", n.normal({8}, 0.3, 1)), op<Mul>(n, x, inverse));
  EXPECT_NEAR(only<RmsNormalization>(n, y).epsilon, 1e-6, 1e-12);
}

TEST(UnifyMasks, WritesWhereAsAnAdd) {
  Network n;
  const ValueId x = n.input({any, 2, 2});
  const ValueId flags = n.constant("flags", Tensor({2, 2}, std::vector<int64_t>{0, 1, 0, 0}));
  const ValueId masked = n.node("masked", Where{}, {flags, number(n, -3e38), x});
  Graph graph = n.finish({n.node("softmax", Softmax{-1}, {masked})});
  const Graph before = graph;
  run(canonicalise(), graph);
  EXPECT_EQ(count_of<Where>(graph), 0);
  EXPECT_EQ(count_of<Add>(graph), 1);
  expect_same(before, graph);
}

TEST(MoveScales, PutsTheFactorsOfBothSidesBehindTheProduct) {
  Network n;
  const ValueId x = n.input({any, 2, 4}), y = n.input({any, 4, 2}, "y");
  const ValueId scaled = op<Mul>(n, x, number(n, 0.5)), other = op<Div>(n, y, number(n, 4));
  Graph graph = n.finish({op<MatMul>(n, scaled, other)});
  const Graph before = graph;
  run(canonicalise(), graph);
  expect_same(before, graph);
  EXPECT_TRUE(holds_alternative<MatMul>(graph.nodes[0].op));
}

}  // namespace nibble::passes::testing
