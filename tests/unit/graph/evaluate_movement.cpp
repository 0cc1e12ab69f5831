#include <gtest/gtest.h>

#include "unit/graph/evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

TEST(EvaluateMovement, ConcatJoinsWhatSplitCuts) {
  const Tensor x = some_integers({2, 6, 3});
  for (const Split& split : {Split{1, {1, 0, 5}}, Split{-1, {2, 1}}, Split{0, {1, 1}}})
    EXPECT_EQ(evaluated(Concat{split.axis}, all_evaluated(split, {x})), x);
  EXPECT_EQ(evaluated(Concat{1}, {integers({2, 1}, {1, 2}), integers({2, 2}, {3, 4, 5, 6})}),
            integers({2, 3}, {1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(evaluated(Concat{0}, {reals({1}, {1}), reals({2}, {2, 3})}), reals({3}, {1, 2, 3}));
}

TEST(EvaluateMovement, SliceIsNumpys) {
  const Tensor x = integers({2, 4}, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(evaluated(Slice{{1}, {3}, {1}, {1}}, {x}), integers({2, 2}, {1, 2, 5, 6}));
  EXPECT_EQ(evaluated(Slice{{-1}, {INT64_MIN}, {-1}, {-1}}, {x}), integers({2, 4}, {3, 2, 1, 0, 7, 6, 5, 4}));
  EXPECT_EQ(evaluated(Slice{{1, 3}, {INT64_MIN, 0}, {0, 1}, {-1, -2}}, {x}), integers({2, 2}, {7, 5, 3, 1}));
  EXPECT_EQ(evaluated(Slice{{3}, {1}, {1}, {1}}, {x}), integers({2, 0}, {}));
}

TEST(EvaluateMovement, PadFillsAsItsModeSays) {
  const Tensor x = integers({1, 3}, {1, 2, 3});
  EXPECT_EQ(evaluated(Pad{{0, 2, 0, 1}, PadMode::Constant, 9}, {x}), integers({1, 6}, {9, 9, 1, 2, 3, 9}));
  EXPECT_EQ(evaluated(Pad{{0, 2, 0, 1}, PadMode::Edge, 9}, {x}), integers({1, 6}, {1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(evaluated(Pad{{0, 2, 0, 1}, PadMode::Reflect, 9}, {x}), integers({1, 6}, {3, 2, 1, 2, 3, 2}));
  EXPECT_EQ(evaluated(Pad{{1, 0, 0, -1}, PadMode::Constant, 9}, {x}), integers({2, 2}, {9, 9, 1, 2}));
  EXPECT_EQ(evaluated(Pad{{0, -1, 0, 1}, PadMode::Constant, 0.5}, {reals({1, 2}, {1, 2})}), reals({1, 2}, {2, 0.5}));
}

TEST(EvaluateMovement, ShapesChangeButElementsKeepTheirOrder) {
  const Tensor x = some_integers({2, 1, 3, 1});
  const auto shape = [&](Op op) {
    const Tensor y = evaluated(std::move(op), {x});
    EXPECT_EQ(y.to_integers(), x.to_integers());
    return y.shape();
  };
  EXPECT_EQ(shape(Flatten{1}), (Shape{2, 3}));
  EXPECT_EQ(shape(Flatten{0}), (Shape{1, 6}));
  EXPECT_EQ(shape(Flatten{-1}), (Shape{6, 1}));
  EXPECT_EQ(shape(Flatten{4}), (Shape{6, 1}));
  EXPECT_EQ(shape(Reshape{{3, -1}, false}), (Shape{3, 2}));
  EXPECT_EQ(shape(Reshape{{0, 1, -1}, false}), (Shape{2, 1, 3}));
  EXPECT_EQ(shape(Squeeze{}), (Shape{2, 3}));
  EXPECT_EQ(shape(Squeeze{{-1}}), (Shape{2, 1, 3}));
  EXPECT_EQ(shape(Unsqueeze{{0, -1}}), (Shape{1, 2, 1, 3, 1, 1}));
}

TEST(EvaluateMovement, TransposePutsAxisPermIOfXAtI) {
  EXPECT_EQ(evaluated(Transpose{{1, 0}}, {integers({2, 3}, {1, 2, 3, 4, 5, 6})}), integers({3, 2}, {1, 4, 2, 5, 3, 6}));
  const Tensor x = some_integers({2, 3, 4});
  EXPECT_EQ(evaluated(Transpose{{2, 0, 1}}, {x}).shape(), (Shape{4, 2, 3}));
  EXPECT_EQ(evaluated(Transpose{{1, 2, 0}}, {evaluated(Transpose{{2, 0, 1}}, {x})}), x);
}

TEST(EvaluateMovement, GatherTakesAlongItsAxisAndCountsNegativesFromTheEnd) {
  const Tensor x = integers({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(evaluated(Gather{1}, {x, integers({2}, {-1, 0})}), integers({2, 2}, {3, 1, 6, 4}));
  EXPECT_EQ(evaluated(Gather{0}, {x, integers({}, {1})}), integers({3}, {4, 5, 6}));
  EXPECT_EQ(evaluated(Gather{-1}, {x, integers({1, 2}, {1, 1})}), integers({2, 1, 2}, {2, 2, 5, 5}));
  EXPECT_EQ(evaluated(Gather{0}, {reals({2}, {0.5, 1.5}), integers({3}, {1, 0, 1})}), reals({3}, {1.5, 0.5, 1.5}));
}

// ---- resize: the examples of ONNX's reference page, and the corners of each mode

TEST(EvaluateResize, RepeatsTheNearest) {
  EXPECT_EQ(evaluated(Resize{{1, 1, 2, 3}, {}}, {integers({1, 1, 2, 2}, {1, 2, 3, 4})}),
            integers({1, 1, 4, 6}, {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4}));
  EXPECT_EQ(evaluated(Resize{{}, {any, 1, 1, 2}}, {integers({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})}),
            integers({1, 1, 1, 2}, {1, 3}));
}

TEST(EvaluateResize, BreaksTiesAsNearestSays) {
  const auto taken = [](ResizeNearest nearest) {
    return evaluated(Resize{{1, 1, 2}, {}, ResizeMode::Nearest, ResizeCoordinates::Asymmetric, nearest},
                     {integers({1, 1, 3}, {10, 20, 30})})
        .to_integers();
  };
  EXPECT_EQ(taken(ResizeNearest::RoundPreferFloor), (Ints{10, 10, 20, 20, 30, 30}));
  EXPECT_EQ(taken(ResizeNearest::RoundPreferCeil), (Ints{10, 20, 20, 30, 30, 30}));
  EXPECT_EQ(taken(ResizeNearest::Floor), (Ints{10, 10, 20, 20, 30, 30}));
  EXPECT_EQ(taken(ResizeNearest::Ceil), (Ints{10, 20, 20, 30, 30, 30}));
}

TEST(EvaluateResize, BlendsLinearly) {
  const Tensor x = reals({1, 1, 2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(evaluated(Resize{{1, 1, 2, 2}, {}, ResizeMode::Linear}, {x}),
            reals({1, 1, 4, 4}, {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4}));
  EXPECT_EQ(evaluated(Resize{{1, 1, 1.5}, {}, ResizeMode::Linear, ResizeCoordinates::AlignCorners},
                      {reals({1, 1, 2}, {1, 2})}),
            reals({1, 1, 3}, {1, 1.5, 2}));
  const Tensor down =
      evaluated(Resize{{1, 1, 0.6, 0.6}, {}, ResizeMode::Linear}, {reals({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})});
  ASSERT_EQ(down.shape(), (Shape{1, 1, 1, 2}));
  EXPECT_NEAR(down.as<double>()[0], 8.0 / 3, 1e-12);
  EXPECT_NEAR(down.as<double>()[1], 13.0 / 3, 1e-12);
}

TEST(EvaluateResize, PutsAnExtentOfOneAtTheStartInPytorchsForm) {
  const Tensor x = reals({1, 1, 4}, {1, 2, 3, 4});
  const auto first = [&](ResizeCoordinates coordinates) {
    return evaluated(Resize{{1, 1, 0.25}, {}, ResizeMode::Linear, coordinates}, {x}).as<double>()[0];
  };
  EXPECT_EQ(first(ResizeCoordinates::HalfPixel), 2.5);
  EXPECT_EQ(first(ResizeCoordinates::PytorchHalfPixel), 1);
  EXPECT_EQ(first(ResizeCoordinates::AlignCorners), 1);
  EXPECT_EQ(first(ResizeCoordinates::Asymmetric), 1);
}
