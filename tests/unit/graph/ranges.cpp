#include "graph/ranges.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

/// The extremes of a channel's sum of inputs within x, by trying every corner of the box that they lie in.
Interval walked(const std::vector<int64_t>& w, Interval x, int64_t zero_point) {
  Interval range{INT64_MAX, INT64_MIN};
  for (uint64_t corner = 0; corner < uint64_t{1} << w.size(); ++corner) {
    int64_t sum = 0;
    for (size_t k = 0; k < w.size(); ++k) sum += w[k] * ((corner >> k & 1 ? x.high : x.low) - zero_point);
    range = {std::min(range.low, sum), std::max(range.high, sum)};
  }
  return range;
}

/// The range that a node of `op` claims, its inputs being within `inputs`; behind them constants.
Ranges range_of(const Op& op, const Ranges& inputs, const std::vector<Tensor>& constants = {}) {
  Graph graph;
  Node node{"n", op, {}, {}};
  for (size_t i = 0; i < inputs.size(); ++i)
    node.inputs.push_back(graph.add_value("x" + std::to_string(i), ElementType::Int64, {1, 3, 4, 4}));
  for (const Tensor& constant : constants) node.inputs.push_back(graph.add_constant("c", constant));
  node.outputs = {graph.add_value("y", ElementType::Int64, {1, 3, 4, 4})};
  return integer_range(graph, node, [&](ValueId id) { return Ranges{inputs.at(static_cast<size_t>(id))}; });
}

}  // namespace

TEST(LinearBounds, AreReachedByTheWorstInputs) {
  Random random(3);
  for (int i = 0; i < 300; ++i) {
    const size_t taps = 1 + random.below(8);
    const int64_t zero_point = static_cast<int64_t>(random.below(9)) - 4;
    std::vector<int64_t> w(taps);
    for (int64_t& each : w) each = static_cast<int64_t>(random.below(255)) - 127;
    const Interval x{zero_point - static_cast<int64_t>(random.below(9)),
                     zero_point + static_cast<int64_t>(random.below(9))};
    EXPECT_EQ(linear_bounds(Tensor({1, static_cast<int64_t>(taps)}, w), x, zero_point).front(),
              walked(w, x, zero_point));
  }
}

TEST(LinearBounds, HoldPaddingsZeroWhereInputsNeverEqualTheZeroPoint) {
  // Inputs 3..5 add 6..10; a padded one adds 0.
  EXPECT_EQ(linear_bounds(Tensor({1, 1}, std::vector<int64_t>{2}), Interval{3, 5}, 0).front(), (Interval{0, 10}));
}

TEST(LinearBounds, EndWhereSixtyFourBitsDo) {
  const Tensor weights({1, 2}, std::vector<int64_t>{INT64_MAX, INT64_MAX});
  EXPECT_EQ(linear_bounds(weights, Interval{0, 2}, 0).front(), (Interval{0, INT64_MAX}));
}

TEST(IntegerRange, OfANegationIsTurned) {
  EXPECT_EQ(range_of(Neg{}, {{-3, 7}}), (Ranges{{-7, 3}}));
  EXPECT_EQ(range_of(Neg{}, {any_integer()}), (Ranges{{-INT64_MAX, INT64_MAX}}));
}

TEST(IntegerRange, OfAMagnitudeHasNoNegatives) {
  EXPECT_EQ(range_of(Abs{}, {{-9, 7}}), (Ranges{{0, 9}}));
  EXPECT_EQ(range_of(Abs{}, {{-9, -7}}), (Ranges{{7, 9}}));
}

TEST(IntegerRange, OfAQuotientIsNeverWiderThanTheDividend) {
  EXPECT_EQ(range_of(Div{}, {{-9, 7}, {-2, 3}}), (Ranges{{-9, 9}}));
}

TEST(IntegerRange, OfClippedIntegersIsTheClips) {
  EXPECT_EQ(range_of(Relu{}, {{-9, 7}}), (Ranges{{0, 7}}));
  EXPECT_EQ(range_of(Relu{}, {{-9, -7}}), (Ranges{{0, 0}}));
  EXPECT_EQ(range_of(Clip{-4, 4}, {{-9, 7}}), (Ranges{{-4, 4}}));
  EXPECT_EQ(range_of(Clip{.high = 4}, {{-9, 7}}), (Ranges{{-9, 4}}));
}

TEST(IntegerRange, OfWhatMovesIsTheInputs) {
  for (const Op& op : {Op(ReduceMax{}), Op(MaxPool{}), Op(Transpose{}), Op(Resize{})})
    EXPECT_EQ(range_of(op, {{-9, 7}}), (Ranges{{-9, 7}})) << name_of(op);
  EXPECT_EQ(range_of(Gather{}, {{-9, 7}}, {Tensor({2}, std::vector<int64_t>{500, 3})}), (Ranges{{-9, 7}}));
  EXPECT_EQ(range_of(Pad{{}, PadMode::Constant, 12}, {{-9, 7}}), (Ranges{{-9, 12}}));
}

TEST(IntegerRange, OfARequantisationIsItsLevels) {
  EXPECT_EQ(range_of(FloorDivide{{1}, {0}, {3}, -5, 6}, {{-900, 700}}), (Ranges{{-5, 6}}));
  EXPECT_EQ(range_of(Threshold{-2, {}}, {{-9, 7}}, {Tensor({1, 3}, std::vector<int64_t>{-5, 0, 5})}),
            (Ranges{{-2, 1}}));
  EXPECT_EQ(range_of(Table{-1}, {{-1, 1}}, {Tensor({3}, std::vector<int64_t>{40, -3, 9})}), (Ranges{{-3, 40}}));
}

TEST(IntegerRange, OfASumWithAConstantIsOneAChannel) {
  const Tensor each({1, 3, 1, 1}, std::vector<int64_t>{1, -2, 5});
  EXPECT_EQ(range_of(Add{}, {{-1, 2}}, {each}), (Ranges{{0, 3}, {-3, 0}, {4, 7}}));
  EXPECT_EQ(range_of(Mul{}, {{-1, 2}}, {each}), (Ranges{{-1, 2}, {-4, 2}, {-5, 10}}));
}

TEST(IntegerRange, OfWeightsThatAreComputedHoldsEveryProduct) {
  Graph graph;
  const ValueId x = graph.add_value("x", ElementType::Int64, {any, 2}),
                w = graph.add_value("w", ElementType::Int64, {2, 5});
  Node node{"n", MatMul{1, 0}, {x, w}, {graph.add_value("y", ElementType::Int64, {any, 5})}};
  const auto known = [&](ValueId id) { return Ranges{id == x ? Interval{1, 4} : Interval{-2, 3}}; };
  EXPECT_EQ(integer_range(graph, node, known), (Ranges{{-12, 18}}));
  graph[x].shape = {2, any};
  EXPECT_EQ(integer_range(graph, node, known), (Ranges{any_integer()}));
}
