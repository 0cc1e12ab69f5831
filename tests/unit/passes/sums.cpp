#include "passes/sums.hpp"

#include <gtest/gtest.h>

#include "unit/passes/networks.hpp"

/// What becomes of a sum: it leaves the network as one, or a quantiser takes it.
namespace nibble::passes::testing {
namespace {

/// A sum of one input, a whole number times one weight of 1, and a bias a channel.
struct SumOfOne : Network {
  Grid levels{{1.0}, -1, 0, -127, 127};
  ValueId sum;

  explicit SumOfOne(const std::vector<float>& bias) {
    const auto outputs = static_cast<int64_t>(bias.size());
    const ValueId x = node("x_q", graph::Quantise{levels, Rounding::HalfUp}, {input({any, 1})});
    const Tensor ones({outputs, 1}, std::vector<float>(bias.size(), 1));
    const ValueId w = node("w_q", graph::Quantise{levels, Rounding::HalfUp}, {constant("w", ones)});
    sum = node("fc", graph::Gemm{1, 1, false, true, 0}, {x, w, constant("b", Tensor({outputs}, bias))});
    graph.stage = graph::Stage::FQ;
  }
  /// Levels two apart behind it, ties to even.
  void quantise(ValueId x) {
    Grid twos = levels;
    twos.scale = {2.0};
    finish({node("y_q", graph::Quantise{twos, Rounding::HalfEven}, {x})});
  }
};

TEST(Sums, StayOnesWhereNothingButMovementStandsBeforeTheOutputsHoweverMuch) {
  SumOfOne n({1, 2});
  ValueId moved = n.reshape("first", n.sum, {0, 2, 1});
  moved = n.transpose("second", moved, {0, 2, 1});
  n.finish({moved});
  EXPECT_TRUE(stays_a_sum(n.graph, graph::Uses(n.graph), n.graph.find("fc")));
}

TEST(Sums, DoNotStayOnesWhereAnythingElseReadsThemBehindMovement) {
  SumOfOne n({1, 2});
  const ValueId first = n.reshape("first", n.sum, {0, 2, 1});
  n.finish({n.transpose("second", first, {0, 2, 1}), n.relu("relu", first)});
  EXPECT_FALSE(stays_a_sum(n.graph, graph::Uses(n.graph), n.graph.find("fc")));
}

TEST(Sums, DoNotStayOnesBehindAPad) {
  SumOfOne n({1, 2});
  n.finish({n.node("pad", graph::Pad{{0, 0, 0, 1}, graph::PadMode::Constant, 0}, {n.sum})});
  EXPECT_FALSE(stays_a_sum(n.graph, graph::Uses(n.graph), n.graph.find("fc")));
}

TEST(Sums, KeepARealBiasForAQuantiserBehindAReshape) {
  SumOfOne n({1 + 0x1p-23F});  // above a tie by a float's last bit
  n.quantise(n.reshape("moved", n.sum, {0, 1, 1}));
  const std::vector<Tensor> inputs{Tensor({1, 1}, std::vector<float>{0})};
  EXPECT_EQ(graph::evaluate(n.graph, inputs).at(0).to_reals()[0], 2);
  integerise(n.graph, {});
  EXPECT_EQ(graph::evaluate(n.graph, inputs).at(0).to_integers()[0], 1);
}

TEST(Sums, TakeABiasOfSeveralNumbersAsIntegersBeforeTheyAreMoved) {
  SumOfOne n({1, 3});
  n.quantise(n.reshape("moved", n.sum, {0, 2, 1}));
  const std::vector<Tensor> inputs{Tensor({1, 1}, std::vector<float>{6})};
  const auto reals = graph::evaluate(n.graph, inputs).at(0).to_reals();
  integerise(n.graph, {});
  const auto integers = graph::evaluate(n.graph, inputs).at(0).to_integers();
  for (size_t i = 0; i < reals.size(); ++i) EXPECT_EQ(2 * static_cast<double>(integers[i]), reals[i]);
}

TEST(Sums, LeaveWithTheirBiasAsIntegers) {
  SumOfOne n({1, 3});
  n.finish({n.reshape("moved", n.sum, {0, 2, 1})});
  integerise(n.graph, {});
  EXPECT_EQ(graph::evaluate(n.graph, {Tensor({1, 1}, std::vector<float>{6})}).at(0).to_integers(),
            (std::vector<int64_t>{7, 9}));
}

TEST(Places, LeaveAsTheyAreAndNotClipped) {
  const Grid levels{{1.0}, -1, 0, -127, 127};
  const auto network = [&](bool clipped) {
    Network n;
    const ValueId x = n.node("x_q", graph::Quantise{levels, Rounding::HalfUp}, {n.input({any, 4})});
    ValueId place = n.node("place", graph::ArgMax{1, true, false}, {x});
    if (clipped) place = n.node("clip", graph::Clip{0, 1}, {place});
    n.finish({place});
    n.graph.stage = graph::Stage::FQ;
    return n.graph;
  };
  Graph plain = network(false), clipped = network(true);
  integerise(plain, {});
  const Tensor x({1, 4}, std::vector<float>{1, 2, 4, 3});
  EXPECT_EQ(graph::evaluate(plain, {x}).at(0).to_integers(), (std::vector<int64_t>{2}));
  EXPECT_EQ(message_of([&] { integerise(clipped, {}); }),
            "passes: output 'clip': is not on one grid (expected a quantiser before it, or a linear op with one weight "
            "scale and its bias on the accumulator's grid)");
}

TEST(Places, AreNotAddedToNumbers) {
  Network n;
  const ValueId x = n.input({any, 4});
  const ValueId first = n.node("first", graph::ArgMax{1, true, false}, {x});
  const ValueId last = n.node("last", graph::ArgMax{1, true, true}, {x});
  n.finish({n.node("sum", graph::Add{}, {first, last})});
  EXPECT_EQ(message_of([&] { quantise_by(n.graph); }),
            "passes: node 'sum' (Add): joins 'first', a place, with numbers (expected numbers alone)");
}

}  // namespace
}  // namespace nibble::passes::testing
