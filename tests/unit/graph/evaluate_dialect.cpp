#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "unit/graph/evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

// The formulas of DIALECTS.md said again on single numbers, with Euclid's, C's and the arithmetic shift's divisions
// kept apart by name.
namespace {

using Row = std::vector<int64_t>;

int64_t floor_of(int64_t a, int64_t b) {
  return static_cast<int64_t>(std::floor(static_cast<long double>(a) / static_cast<long double>(b)));
}
int64_t trunc_of(int64_t a, int64_t b) {
  return static_cast<int64_t>(std::trunc(static_cast<long double>(a) / static_cast<long double>(b)));
}
int64_t power(int64_t shift) {
  return int64_t{1} << shift;
}
int64_t sign(int64_t x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}
int64_t root(int64_t x) {
  int64_t s = 0;
  while ((s + 1) * (s + 1) <= x) ++s;
  return s;
}
int64_t clip(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}

/// Rows of 8-bit integers that repeat on every run: small, large, all equal, at the ends.
std::vector<Row> rows(size_t width) {
  std::vector<Row> all;
  uint64_t state = 7;
  for (int64_t spread : {1, 3, 40, 255}) {
    for (int count = 0; count < 20; ++count) {
      Row row(width);
      for (int64_t& x : row) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x = static_cast<int64_t>(state >> 33) % (spread + 1) - (spread + 1) / 2;
      }
      all.push_back(row);
    }
  }
  all.emplace_back(width, -128), all.emplace_back(width, 127), all.emplace_back(width, 0);
  all.back()[0] = 127, all.back()[width - 1] = -128;
  return all;
}

/// The op gives f of every row.
void expect_rows(const Op& op, size_t width, const std::vector<Row>& operands,
                 const std::function<Row(const Row&)>& f) {
  Row in, expected;
  for (const Row& row : rows(width)) {
    in.insert(in.end(), row.begin(), row.end());
    const Row out = f(row);
    expected.insert(expected.end(), out.begin(), out.end());
  }
  const auto count = static_cast<int64_t>(in.size() / width), extent = static_cast<int64_t>(width);
  std::vector<Tensor> inputs{integers({count, extent}, in)};
  for (const Row& operand : operands) inputs.push_back(integers({static_cast<int64_t>(operand.size())}, operand));
  EXPECT_EQ(evaluated(op, inputs), integers({count, extent}, expected));
}

void expect_elements(const Op& op, const std::function<int64_t(int64_t)>& f) {
  Row in, expected;
  for (int64_t x = -300; x <= 300; ++x) in.push_back(x), expected.push_back(f(x));
  EXPECT_EQ(evaluated(op, {integers({601}, in)}), integers({601}, expected));
}

int64_t most(const Row& row) {
  int64_t result = row[0];
  for (int64_t x : row) result = x > result ? x : result;
  return result;
}

Row normalised(const Row& e, const Row& w, const Row& b, int64_t shift, int64_t levels) {
  int64_t squares = 0;
  for (int64_t x : e) squares += x * x;
  const int64_t s = root(trunc_of(squares, static_cast<int64_t>(e.size())) + 1);
  Row y;
  for (size_t i = 0; i < e.size(); ++i)
    y.push_back(clip(floor_of(trunc_of(e[i] * w[i], s) + b[i], power(shift)), -levels / 2, levels / 2 - 1));
  return y;
}

}  // namespace

TEST(EvaluateISoftmax, IsItsFormulaOnRows) {
  for (int64_t log2 : {255, 23, 1})
    expect_rows(ISoftmax{1, 345, 62395, log2, 256}, 8, {}, [&](const Row& row) {
      Row e, y;
      int64_t sum = 0;
      for (int64_t x : row) {
        const int64_t t = x - most(row), z = clip(-trunc_of(t, log2), 0, 31), p = t + z * log2;
        e.push_back(floor_of((p + 345) * (p + 345) + 62395, power(z)));
        sum += e.back();
      }
      for (int64_t x : e) y.push_back(floor_of(x * 255, sum));
      return y;
    });
}

TEST(EvaluateISoftmax, RefusesARowWhoseTermsAreAllZero) {
  EXPECT_THROW(evaluated(ISoftmax{1, 0, 0, 255, 256}, {integers({1, 1}, {5})}), UserError);
}

TEST(EvaluateItaMax, IsItsFormulaOnRows) {
  for (int64_t levels : {256, 16})
    expect_rows(ItaMax{levels}, 8, {}, [&](const Row& row) {
      Row shifts, y;
      int64_t sum = 0;
      for (int64_t x : row) shifts.push_back(floor_of(most(row) - x + 16, 32));
      for (int64_t shift : shifts) sum += floor_of(256, power(shift));
      for (int64_t shift : shifts) y.push_back(floor_of(floor_of((levels - 1) * 256, sum), power(shift)));
      return y;
    });
}

TEST(EvaluateItaMax, CountsElementsFarBelowTheMaximumAsNothing) {
  EXPECT_EQ(evaluated(ItaMax{256}, {integers({1, 2}, {100000, -100000})}), integers({1, 2}, {255, 0}));
}

TEST(EvaluateItaPartialMax, IsItsFormulaOnRowsInGroups) {
  for (size_t width : {1, 2, 4, 8})
    expect_rows(ItaPartialMax{256, static_cast<int64_t>(width)}, 8, {}, [&](const Row& row) {
      int64_t m = -128, sum = 0;
      for (size_t at = 0; at < row.size(); at += width) {
        const Row group(row.begin() + static_cast<std::ptrdiff_t>(at),
                        row.begin() + static_cast<std::ptrdiff_t>(at + width));
        if (most(group) > m) {
          sum = floor_of(sum, power(floor_of(most(group) - m + 16, 32)));
          m = most(group);
        }
        for (int64_t x : group) sum += floor_of(256, power(floor_of(m - x + 16, 32)));
      }
      Row y;
      for (int64_t x : row) y.push_back(floor_of(floor_of(127 * 256, sum), power(floor_of(m - x + 16, 32))));
      return y;
    });
}

TEST(EvaluateItaPartialMax, IsNotItaMaxOverAllOfARow) {
  const Tensor x = integers({1, 4}, {-100, -20, 60, 127});
  EXPECT_NE(evaluated(ItaPartialMax{512, 1}, {x}), evaluated(ItaMax{256}, {x}));
  EXPECT_EQ(evaluated(ItaPartialMax{512, 4}, {x}), evaluated(ItaMax{256}, {x}));
}

TEST(EvaluateIGelu, IsItsFormulaOnEachElement) {
  expect_elements(IGelu{-40, 1743}, [](int64_t x) {
    const int64_t d = std::min(std::abs(x), int64_t{40}) - 40;
    return x * floor_of(1743 + sign(x) * (1743 - d * d), 2);
  });
  EXPECT_EQ(evaluated(IGelu{-40, 1743}, {integers({3}, {-1, 0, 1})}), integers({3}, {-760, 0, 982}));
}

TEST(EvaluateIHardSwish, IsItsFormulaOnEachElement) {
  expect_elements(IHardSwish{100, 200, -3}, [](int64_t x) { return x * clip(x + 100, 0, 200) * -3; });
}

TEST(EvaluateILayerNorm, IsItsFormulaOnRows) {
  const Row w{300000, -250000, 1, 0, 77777, 65536, 9, 300000}, b{-9188, 9188, 0, 1, -1, 5000, -70000, 3};
  expect_rows(ILayerNorm{14, 256}, 8, {w, b}, [&](const Row& row) {
    int64_t sum = 0;
    for (int64_t x : row) sum += x;
    Row e;
    for (int64_t x : row) e.push_back(x - trunc_of(sum, 8));
    return normalised(e, w, b, 14, 256);
  });
}

TEST(EvaluateILayerNorm, ReadsOneWeightForAllOfARow) {
  const Tensor x = some_integers({3, 5});
  const Op op = ILayerNorm{8, 256};
  EXPECT_EQ(evaluated(op, {x, integers({}, {4000}), integers({1}, {-77})}),
            evaluated(op, {x, integers({5}, Row(5, 4000)), integers({5}, Row(5, -77))}));
}

TEST(EvaluateIRmsNorm, IsItsFormulaOnRows) {
  const Row w{3957066, -3957066, 1, 0, 77777, 65536, 9, 300000}, none(8, 0);
  expect_rows(IRmsNorm{16, 64}, 8, {w}, [&](const Row& row) { return normalised(row, w, none, 16, 64); });
}

TEST(EvaluateIntegerDiv, RoundsTiesAwayFromZero) {
  const Tensor a = integers({5}, {-3, -1, 0, 1, 3});
  EXPECT_EQ(evaluated(IntegerDiv{1, 0, 1}, {a, integers({1}, {2})}), integers({5}, {-2, -1, 0, 1, 2}));
}

TEST(EvaluateIntegerDiv, IsItsFormulaOnEachPair) {
  for (int64_t a = -40; a <= 40; ++a)
    for (int64_t b = -9; b <= 9; ++b) {
      const int64_t n = 5 * 3 * a, d = 3 * b + 1;
      EXPECT_EQ(evaluated(IntegerDiv{5, 1, 3}, {integers({}, {a}), integers({}, {b})}),
                integers({}, {trunc_of(n + sign(n) * floor_of(d, 2), d)}));
    }
}

TEST(EvaluateTrueIntegerDiv, MultipliesByTheFlooredQuotient) {
  EXPECT_EQ(evaluated(TrueIntegerDiv{16384, 1, 200000, 2}, {integers({2}, {-126, 3})}),
            integers({2}, {-126 * 8191, 3 * 8191}));
  EXPECT_EQ(evaluated(TrueIntegerDiv{7, 0, 1, 0}, {integers({2}, {10, 10}), integers({2}, {2, -2})}),
            integers({2}, {30, -40}));
}

TEST(EvaluateINoNorm, FloorsAndClips) {
  const Tensor x = integers({1, 2, 2}, {-1, 3, 100, 5}), w = integers({2, 2}, {1, -2, 7, 0});
  EXPECT_EQ(evaluated(INoNorm{3, 2, 256}, {x, w, integers({2}, {0, 1})}), integers({1, 2, 2}, {-1, -4, 127, 0}));
}
