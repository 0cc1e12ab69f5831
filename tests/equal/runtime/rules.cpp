#include <limits>

#include "equal/runtime/integer_net.hpp"
#include "equal/runtime/runtime.hpp"

/// Each rule of lowering that a random network found broken, by the smallest network that needs it.
namespace nibble::tests {
namespace {

using graph::Add;
using graph::Conv;
using graph::ValueId;

constexpr Interval bytes{0, 255}, signed_bytes{-128, 127}, wide{-(int64_t{1} << 40), int64_t{1} << 40};

/// A convolution 3 by 3 that keeps the shape of x [1, 4, 5, 5].
ValueId convolved(IntegerNet& net, ValueId x) {
  return net.node(Conv{{1, 1}, {1, 1, 1, 1}, {1, 1}, 1, 3}, {x, net.constant({4, 4, 3, 3}, Interval{-9, 9})});
}

TEST(LoweredSums, TakeInNoBranchThatIsMoreThanARequantisation) {
  const std::vector<graph::Op> between{
      graph::MaxPool{{3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, false},
      graph::Transpose{{0, 1, 3, 2}},
      graph::Clip{-100, 100},
      graph::Abs{},
      graph::FloorDivide{{3}, {1}, {7}, -50, 50},
      graph::Slice{{4}, {INT64_MIN}, {2}, {-1}},
  };
  for (const graph::Op& op : between) {
    SCOPED_TRACE(graph::name_of(op));
    IntegerNet net;
    const ValueId x = net.input({1, 4, 5, 5}, bytes);
    const ValueId y = net.node(op, {convolved(net, x)});
    const ValueId sum = net.node(Add{}, {y, net.node(graph::Identity{}, {x})});
    expect_every_way(net.give({net.requantise(sum, 5, 100, 6, bytes)}));
  }
}

TEST(LoweredSums, TakeInARequantisationAChannelOnlyWhereChannelsAreColumns) {
  IntegerNet net;
  const ValueId x = net.input({1, 3, 6}, bytes);
  const ValueId y = net.node(graph::MatMul{}, {x, net.constant({6, 6}, Interval{-9, 9})});
  const ValueId rows = net.node(graph::Requantise{{3, 5, -7}, {1, 2, 3}, {2, 3, 1}, -5000, 5000}, {y});
  expect_every_way(net.give({net.requantise(net.node(Add{}, {rows, x}), 9, 7, 5, bytes)}));
}

/// Bounds between integers, with none between them at the last.
TEST(LoweredClips, OfBoundsThatAreNoIntegersKeepWithinThem) {
  const double open = std::numeric_limits<double>::infinity();
  for (const auto& [low, high] : {std::pair{-open, 5.5}, {-5.5, open}, {-7.5, -5.5}, {5.25, 5.5}, {-0.5, 0.5}}) {
    SCOPED_TRACE(high);
    IntegerNet net;
    const ValueId x = net.input({1, 6}, {-100, 100});
    const ValueId clip = net.node(graph::Clip{low, high}, {x});
    const ValueId less = net.node(graph::ReduceSum{{1}, true, 6}, {clip});
    const ValueId fixed = net.node(graph::Clip{low, high}, {net.constant({1, 1}, std::vector<int64_t>{70})});
    expect_every_way(net.give({clip, less, net.node(graph::ReduceSum{{1}, true, 6}, {fixed}),
                               net.requantise(net.node(Add{}, {x, clip}), 5, 100, 6, bytes)}));
  }
}

TEST(LoweredSums, LeaveATermThatDoesNotFit64BitsBeforeItsShift) {
  IntegerNet net;
  const ValueId x = net.input({1, 4}, {0, int64_t{1} << 40}), y = net.input({1, 4}, bytes);
  const ValueId term = net.requantise(x, int64_t{1} << 30, int64_t{1} << 62, 50, wide);
  expect_every_way(net.give({net.node(Add{}, {term, net.requantise(y, 3, 1, 1, wide)})}));
}

/// Elements before the first one are as much inside x as those after it. The pool has x lie channels last.
TEST(LoweredWindows, OfWhatLiesBackwardsReadAllOfIt) {
  for (const int64_t axis : {2, 3})
    for (const int64_t group : {1, 4}) {
      SCOPED_TRACE(axis);
      IntegerNet net;
      const ValueId x = net.input({1, 4, 5, 7}, signed_bytes);
      const ValueId pooled = net.node(graph::MaxPool{{3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, false}, {x});
      const ValueId turned = net.node(graph::Slice{{INT64_MAX}, {INT64_MIN}, {axis}, {-1}}, {x});
      const ValueId y = net.node(Conv{{1, 1}, {1, 1, 1, 1}, {1, 1}, group, -3},
                                 {turned, net.constant({4, 4 / group, 3, 3}, Interval{-9, 9})});
      expect_every_way(net.give({pooled, y}));
    }
}

TEST(LoweredProducts, OfARowReadAsAVectorAreProductsOfAVector) {
  IntegerNet net;
  const ValueId x = net.input({1, 4, 2, 3}, bytes);
  const ValueId pooled = net.node(graph::MaxPool{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, false}, {x});
  const ValueId flat = net.node(graph::Reshape{{24}, false}, {pooled});
  expect_every_way(net.give({net.node(graph::MatMul{}, {flat, net.constant({24, 5}, Interval{-9, 9})})}));
}

TEST(LoweredProducts, OfAChannelsLastRowWithAnyBiasHaveTheirWeightsTurnedOrTheRowCopied) {
  for (const Shape& bias : {Shape{5}, Shape{1}, Shape{}, Shape{1, 1}, Shape{1, 5}}) {
    SCOPED_TRACE(to_string(bias));
    IntegerNet net;
    const ValueId x = net.input({1, 4, 2, 3}, bytes);
    const ValueId pooled = net.node(graph::MaxPool{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, false}, {x});
    const ValueId flat = net.node(graph::Flatten{1}, {pooled});
    expect_every_way(net.give({net.node(graph::Gemm{1, 1, false, false, 2},
                                        {flat, net.constant({24, 5}, Interval{-9, 9}), net.constant(bias, bytes)})}));
  }
}

TEST(LoweredReshapes, SplitAndJoinAxesWhoseExtentsDoNotDivideEachOther) {
  for (const Shape& shape : {Shape{3, 4}, {4, 3}, {6, 2}, {12}, {1, 3, 1, 2, 2}, {2, 1, 6}}) {
    SCOPED_TRACE(to_string(shape));
    IntegerNet net;
    const ValueId x = net.input({2, 3, 2}, bytes);
    const ValueId turned = net.node(graph::Transpose{{1, 0, 2}}, {x});
    expect_every_way(net.give({net.node(graph::Abs{}, {net.node(graph::Reshape{shape, false}, {x})}),
                               net.node(graph::Abs{}, {net.node(graph::Reshape{shape, false}, {turned})})}));
  }
}

TEST(LoweredConvolutions, HaveAnyZeroPointBesidePads) {
  for (int64_t zero_point : {-1, 0, 255, 256, -400, 70000})
    for (const Interval& range : {bytes, Interval{-128, 127}}) {
      SCOPED_TRACE(zero_point);
      IntegerNet net;
      const ValueId x = net.input({1, 4, 5, 5}, range);
      const ValueId y = net.node(Conv{{2, 1}, {1, 0, 1, 2}, {1, 1}, 1, zero_point},
                                 {x, net.constant({20, 4, 3, 3}, Interval{-128, 127})});
      expect_every_way(net.give({y, net.requantise(y, 77, 12345, 16, bytes)}));
    }
}

TEST(LoweredConvolutions, OfOneTapMeetPadsAtEitherEnd) {
  for (const graph::Ints& pads : {graph::Ints{0, 0, 1, 2}, {1, 0, 0, 0}, {0, 2, 1, 0}}) {
    IntegerNet net;
    const ValueId x = net.input({1, 4, 3, 3}, bytes);
    const ValueId y = net.node(Conv{{1, 1}, pads, {1, 1}, 1, 7}, {x, net.constant({5, 4, 1, 1}, Interval{-9, 9})});
    expect_every_way(net.give({y, net.requantise(y, 7, 3, 5, bytes)}));
  }
}

TEST(LoweredConvolutions, FoldZeroPointsModulo32Bits) {
  // The bias and the folded sum alone leave 32 bits; what they make together does not.
  IntegerNet net;
  const ValueId x = net.input({1, 60, 1, 1}, {250, 255});
  const ValueId w = net.constant({1, 60, 1, 1}, std::vector<int64_t>(60, 127));
  const ValueId y =
      net.node(Conv{{1, 1}, {}, {1, 1}, 1, 250}, {x, w, net.constant({1}, std::vector<int64_t>{-2147483000})});
  expect_every_way(net.give({y, net.requantise(y, 1, 0, 20, {-2048, 2047})}));
}

}  // namespace
}  // namespace nibble::tests
