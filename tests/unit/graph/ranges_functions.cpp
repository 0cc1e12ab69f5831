#include "graph/ranges.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "graph/evaluate/evaluate.hpp"

using namespace nibble;

namespace {

using Intervals = std::vector<Interval>;

Tensor drawn(Random& random, const Shape& shape, Interval range) {
  Tensor tensor(ElementType::Int64, shape);
  const auto levels = static_cast<uint64_t>(range.high - range.low + 1);
  for (int64_t& value : tensor.as<int64_t>()) value = range.low + static_cast<int64_t>(random.below(levels));
  return tensor;
}

Interval range_of(const graph::Node& node, const Intervals& ranges) {
  graph::Graph graph;
  for (size_t i = 0; i < ranges.size(); ++i) graph.add_value("x" + std::to_string(i), ElementType::Int64);
  return integer_range(graph, node, [&](graph::ValueId id) { return Intervals{ranges.at(static_cast<size_t>(id))}; })
      .at(0);
}

/// Everything that the op gives of inputs within `ranges` lies within its bounds.
void expect_within_bounds(const graph::Op& op, const Intervals& ranges) {
  graph::Node node{"n", op, {}, {}};
  for (size_t i = 0; i < ranges.size(); ++i) node.inputs.push_back(static_cast<graph::ValueId>(i));
  const Interval bound = range_of(node, ranges);
  Random random(5);
  std::vector<Tensor> inputs;
  for (const Interval& range : ranges)
    inputs.push_back(drawn(random, inputs.empty() ? Shape{300, 8} : Shape{8}, range));
  std::vector<const Tensor*> read;
  for (const Tensor& input : inputs) read.push_back(&input);
  for (int64_t y : graph::evaluate(node, read).at(0).to_integers())
    EXPECT_TRUE(bound.contains(y)) << graph::name_of(op) << " gives " << y << ", not " << bound.low << " to "
                                   << bound.high;
}

constexpr Interval bytes{-128, 127};

}  // namespace

TEST(FunctionBounds, HoldWhatTheFunctionsGive) {
  expect_within_bounds(graph::ISoftmax{1, 345, 62395, 255, 256}, {bytes});
  expect_within_bounds(graph::ItaMax{256}, {bytes});
  expect_within_bounds(graph::ItaPartialMax{256, 4}, {bytes});
  expect_within_bounds(graph::IGelu{-40, 1743}, {bytes});
  expect_within_bounds(graph::IGelu{-400, 17}, {bytes});
  expect_within_bounds(graph::ILayerNorm{4, 64}, {bytes, {-300, 300}, {-1000, 1000}});
  expect_within_bounds(graph::IRmsNorm{4, 64}, {bytes, {-300, 300}});
  expect_within_bounds(graph::IHardSwish{100, 200, -3}, {bytes});
  expect_within_bounds(graph::IntegerDiv{5, 1, 3}, {bytes, {1, 9}});
  expect_within_bounds(graph::IntegerDiv{-5, 1, 3}, {bytes, {-9, 9}});
  expect_within_bounds(graph::TrueIntegerDiv{1000, 1, 3, 1}, {bytes, {-9, 9}});
  expect_within_bounds(graph::TrueIntegerDiv{1000, 1, 3, -2}, {bytes});
  expect_within_bounds(graph::INoNorm{3, 2, 256}, {bytes, bytes, {-1000, 1000}});
}

TEST(FunctionBounds, EndWhereSixtyFourBitsDo) {
  const graph::Node node{"n", graph::IHardSwish{0, INT64_MAX, 2}, {0}, {1}};
  EXPECT_EQ(range_of(node, {bytes}), (Interval{INT64_MIN, INT64_MAX}));
}
