#include <gtest/gtest.h>

#include "graph/windows.hpp"
#include "unit/graph/evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

Conv convolution(Ints strides, Ints pads, Ints dilations, int64_t group = 1, int64_t zero_point = 0) {
  return {std::move(strides), std::move(pads), std::move(dilations), group, zero_point};
}

Tensor real(const Tensor& x) {
  return x.cast(ElementType::Float64);
}

/// The formula above Conv in ops.hpp for two spatial axes, loop by loop.
Tensor by_formula(const Tensor& x, const Tensor& w, const Tensor& b, const Conv& op) {
  const Shape &sx = x.shape(), &sw = w.shape();
  const auto extent = [&](size_t i) {
    return (sx[i + 2] + op.pads[i] + op.pads[i + 2] - op.dilations[i] * (sw[i + 2] - 1) - 1) / op.strides[i] + 1;
  };
  const int64_t rows = extent(0), columns = extent(1);
  std::vector<int64_t> y;
  for (int64_t n = 0; n < sx[0]; ++n)
    for (int64_t o = 0; o < sw[0]; ++o)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t s = 0; s < columns; ++s) {
          int64_t sum = b.as<int64_t>()[static_cast<size_t>(o)];
          for (int64_t c = 0; c < sw[1]; ++c)
            for (int64_t i = 0; i < sw[2]; ++i)
              for (int64_t j = 0; j < sw[3]; ++j) {
                const int64_t row = r * op.strides[0] - op.pads[0] + i * op.dilations[0];
                const int64_t column = s * op.strides[1] - op.pads[1] + j * op.dilations[1];
                if (row < 0 || row >= sx[2] || column < 0 || column >= sx[3]) continue;
                const int64_t channel = o / (sw[0] / op.group) * sw[1] + c;
                sum += w.as<int64_t>()[static_cast<size_t>(((o * sw[1] + c) * sw[2] + i) * sw[3] + j)] *
                       (x.as<int64_t>()[static_cast<size_t>(((n * sx[1] + channel) * sx[2] + row) * sx[3] + column)] -
                        op.zero_point);
              }
          y.push_back(sum);
        }
  return Tensor(Shape{sx[0], sw[0], rows, columns}, y);
}

}  // namespace

TEST(EvaluateConv, SumsProductsOfAWindow) {
  const Tensor x = integers({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const Tensor w = integers({1, 1, 2, 2}, {1, 10, 100, 1000});
  EXPECT_EQ(evaluated(convolution({}, {}, {}), {x, w}), integers({1, 1, 2, 2}, {5421, 6532, 8754, 9865}));
  EXPECT_EQ(evaluated(convolution({}, {}, {}), {x, w, integers({1}, {7})}),
            integers({1, 1, 2, 2}, {5428, 6539, 8761, 9872}));
  EXPECT_EQ(evaluated(convolution({}, {}, {}), {real(x), real(w)}), reals({1, 1, 2, 2}, {5421, 6532, 8754, 9865}));
}

TEST(EvaluateConv, AddsNothingWhereThePaddingIs) {
  const Tensor x = integers({1, 1, 2}, {5, 9});
  const Tensor w = integers({1, 1, 3}, {1, 10, 100});
  EXPECT_EQ(evaluated(convolution({}, {1, 1}, {}), {x, w}), integers({1, 1, 2}, {950, 95}));
  // With the zero point 5 the first element is real zero, and so is the padding.
  EXPECT_EQ(evaluated(convolution({}, {1, 1}, {}, 1, 5), {x, w}), integers({1, 1, 2}, {400, 40}));
}

TEST(EvaluateConv, IsItsFormulaForStridesPadsDilationsAndGroups) {
  for (const Conv& op :
       {convolution({1, 1}, {0, 0, 0, 0}, {1, 1}), convolution({2, 1}, {1, 0, 2, 3}, {1, 2}, 1, 3),
        convolution({1, 3}, {0, 4, 4, 0}, {2, 2}, 2, -128), convolution({3, 2}, {5, 5, 5, 5}, {1, 1}, 4, 1)}) {
    const Tensor x = some_integers({2, 4, 7, 6}), w = some_integers({8, 4 / op.group, 3, 2}, 5);
    const Tensor b = some_integers({8}, 9);
    EXPECT_EQ(evaluated(op, {x, w, b}), by_formula(x, w, b, op));
    if (op.zero_point != 0) continue;
    EXPECT_EQ(evaluated(op, {real(x), real(w), real(b)}), real(by_formula(x, w, b, op)));
  }
}

TEST(EvaluateConv, WorksInOneAndInThreeDimensions) {
  EXPECT_EQ(evaluated(convolution({2}, {}, {}), {integers({1, 1, 5}, {1, 2, 3, 4, 5}), integers({1, 1, 1}, {3})}),
            integers({1, 1, 3}, {3, 9, 15}));
  EXPECT_EQ(evaluated(convolution({}, {}, {}), {integers({1, 1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}),
                                                integers({1, 1, 2, 2, 2}, {1, 1, 1, 1, 1, 1, 1, 1})}),
            integers({1, 1, 1, 1, 1}, {36}));
}

TEST(EvaluateConv, GivesNothingForAnEmptyBatch) {
  EXPECT_EQ(evaluated(convolution({}, {}, {}), {integers({0, 1, 3}, {}), integers({2, 1, 3}, {1, 1, 1, 1, 1, 1})}),
            integers({0, 2, 1}, {}));
}

TEST(EvaluateGemm, MultipliesWhateverIsTransposed) {
  const Tensor a = integers({2, 3}, {1, 2, 3, 4, 5, 6}), at = integers({3, 2}, {1, 4, 2, 5, 3, 6});
  const Tensor b = integers({3, 2}, {1, 0, 0, 1, 10, 100}), bt = integers({2, 3}, {1, 0, 10, 0, 1, 100});
  const Tensor y = integers({2, 2}, {31, 302, 64, 605});
  EXPECT_EQ(evaluated(Gemm{}, {a, b}), y);
  EXPECT_EQ(evaluated(Gemm{1, 1, true, false, 0}, {at, b}), y);
  EXPECT_EQ(evaluated(Gemm{1, 1, false, true, 0}, {a, bt}), y);
  EXPECT_EQ(evaluated(Gemm{1, 1, true, true, 0}, {at, bt}), y);
}

TEST(EvaluateGemm, SubtractsTheZeroPointOfItsFirstInput) {
  EXPECT_EQ(evaluated(Gemm{1, 1, false, false, 3}, {integers({1, 2}, {3, 5}), integers({2, 1}, {7, 11})}),
            integers({1, 1}, {22}));
}

TEST(EvaluateGemm, BroadcastsItsThirdInput) {
  const Tensor a = reals({2, 1}, {1, 2}), b = reals({1, 2}, {10, 20});
  const Gemm op{2, 3, false, false, 0};
  EXPECT_EQ(evaluated(op, {a, b}), reals({2, 2}, {20, 40, 40, 80}));
  EXPECT_EQ(evaluated(op, {a, b, reals({2}, {1, 2})}), reals({2, 2}, {23, 46, 43, 86}));
  EXPECT_EQ(evaluated(op, {a, b, reals({2, 1}, {1, 2})}), reals({2, 2}, {23, 43, 46, 86}));
  EXPECT_EQ(evaluated(op, {a, b, reals({1, 2}, {1, 2})}), reals({2, 2}, {23, 46, 43, 86}));
  EXPECT_EQ(evaluated(op, {a, b, reals({2, 2}, {1, 2, 3, 4})}), reals({2, 2}, {23, 46, 49, 92}));
  EXPECT_EQ(evaluated(op, {a, b, reals({}, {1})}), reals({2, 2}, {23, 43, 43, 83}));
}

TEST(EvaluateConv, OfNoChannelsTakesNoMemoryForItsExtents) {
  constexpr int64_t extent = int64_t{1} << 31;
  const Conv op{{1}, {0, 0}, {1}, 1, 0};
  EXPECT_EQ(evaluated(op, {integers({1, 0, extent}, {}), integers({2, 0, extent}, {})}), integers({1, 2, 1}, {0, 0}));
}

TEST(EvaluateMatMul, IsNumpys) {
  const Tensor row = integers({2}, {1, 2}), matrix = integers({2, 2}, {1, 10, 100, 1000});
  EXPECT_EQ(evaluated(MatMul{}, {row, row}), integers({}, {5}));
  EXPECT_EQ(evaluated(MatMul{}, {row, matrix}), integers({2}, {201, 2010}));
  EXPECT_EQ(evaluated(MatMul{}, {matrix, row}), integers({2}, {21, 2100}));
}

TEST(EvaluateMatMul, BroadcastsLeadingAxesAndSubtractsBothZeroPoints) {
  const Tensor a = some_integers({3, 1, 2, 4}), b = some_integers({5, 4, 3}, 3);
  const Tensor y = evaluated(MatMul{2, -1}, {a, b});
  ASSERT_EQ(y.shape(), (Shape{3, 5, 2, 3}));
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 5; ++j)
      for (size_t r = 0; r < 2; ++r)
        for (size_t c = 0; c < 3; ++c) {
          int64_t sum = 0;
          for (size_t k = 0; k < 4; ++k)
            sum += (a.as<int64_t>()[i * 8 + r * 4 + k] - 2) * (b.as<int64_t>()[j * 12 + k * 3 + c] + 1);
          EXPECT_EQ(y.as<int64_t>()[((i * 5 + j) * 2 + r) * 3 + c], sum);
        }
}

TEST(EvaluateBatchNormalization, WorksAlongAxisOne) {
  const Tensor y = evaluated(BatchNormalization{1}, {reals({1, 2, 2}, {1, 2, 3, 4}), reals({2}, {2, 10}),
                                                     reals({2}, {1, 0}), reals({2}, {1, 2}), reals({2}, {3, 0})});
  EXPECT_EQ(y, reals({1, 2, 2}, {1, 2, 10, 20}));
}

TEST(EvaluateLayerNormalization, BroadcastsScaleAndBiasToTheAxesItNormalises) {
  const Tensor x = reals({2, 2, 2}, {0, 2, 0, 2, 1, 1, 3, 3});
  EXPECT_EQ(evaluated(LayerNormalization{1, 0}, {x, reals({2, 1}, {1, 10})}),
            reals({2, 2, 2}, {-1, 1, -10, 10, -1, -1, 10, 10}));
  EXPECT_EQ(evaluated(LayerNormalization{1, 0}, {x, reals({2}, {1, 10}), reals({1}, {5})}),
            reals({2, 2, 2}, {4, 15, 4, 15, 4, -5, 6, 15}));
  EXPECT_EQ(evaluated(LayerNormalization{-1, 3}, {reals({1, 2}, {0, 2}), reals({1}, {1})}), reals({1, 2}, {-0.5, 0.5}));
}
