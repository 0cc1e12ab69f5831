#include <gtest/gtest.h>

#include "graph/infer/infer.hpp"
#include "unit/graph/evaluated.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

constexpr auto I8 = ElementType::Int8;

std::string complaint(const Op& op, const std::vector<Shape>& shapes, ElementType type = I8) {
  Graph graph;
  for (const Shape& shape : shapes) graph.inputs.push_back(graph.add_value("x", type, shape));
  graph.add_node("n", op, graph.inputs);
  try {
    infer_shapes(graph);
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing";
}

std::string failure(const Op& op, const std::vector<Tensor>& inputs) {
  try {
    evaluated(op, inputs);
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST(DialectErrors, AFunctionOfIntegersTakesNoReals) {
  for (const Op& op :
       {Op(ISoftmax{}), Op(ItaMax{}), Op(ItaPartialMax{}), Op(IGelu{}), Op(IHardSwish{}), Op(TrueIntegerDiv{})})
    EXPECT_EQ(complaint(op, {{2, 3}}, ElementType::Float32),
              "graph: node 'n' (" + std::string(name_of(op)) + "): input 0 of float32 (expected integers)");
}

TEST(DialectErrors, RowsNeedAnAxis) {
  for (const Op& op : {Op(ISoftmax{}), Op(ItaMax{}), Op(ItaPartialMax{})})
    EXPECT_EQ(complaint(op, {{}}), "graph: node 'n' (" + std::string(name_of(op)) + "): a scalar (expected rows)");
}

TEST(DialectErrors, ConstantsHaveTheirRanges) {
  EXPECT_EQ(complaint(ISoftmax{1, 0, 0, 0, 256}, {{2}}), "graph: node 'n' (ISoftmax): log2 0 (expected at least 1)");
  EXPECT_EQ(complaint(ISoftmax{-1, 0, 0, 1, 256}, {{2}}),
            "graph: node 'n' (ISoftmax): a -1 and c 0 (expected at least 0)");
  EXPECT_EQ(complaint(ItaMax{1}, {{2}}), "graph: node 'n' (ItaMax): 1 levels (expected 2 to 2^31)");
  EXPECT_EQ(complaint(ItaPartialMax{256, 3}, {{2, 8}}),
            "graph: node 'n' (ItaPartialMax): groups of 3 in rows of 8 (expected a divisor of the row)");
  EXPECT_EQ(complaint(IGelu{1, 2}, {{2}}), "graph: node 'n' (IGelu): b 1 (expected at most 0)");
  EXPECT_EQ(complaint(IHardSwish{1, -2, 1}, {{2}}), "graph: node 'n' (IHardSwish): six -2 (expected at least 0)");
  EXPECT_EQ(complaint(IRmsNorm{63, 256}, {{2, 3}, {3}}), "graph: node 'n' (IRmsNorm): shift 63 (expected 0 to 62)");
  EXPECT_EQ(
      complaint(ILayerNorm{1, 256}, {{2, 3}, {2}, {3}}),
      "graph: node 'n' (ILayerNorm): input 1 [2] with rows of 3 (expected one element, or one for each of a row)");
  EXPECT_EQ(complaint(INoNorm{1, 1, 256}, {{2, 3}, {2}, {3}}),
            "graph: node 'n' (INoNorm): shapes [2] and [2, 3] (expected shapes that broadcast)");
  EXPECT_EQ(complaint(INoNorm{1, 1, 256}, {{3}, {2, 3}, {3}}),
            "graph: node 'n' (INoNorm): input 1 [2, 3] (expected one that broadcasts to [3])");
  EXPECT_EQ(complaint(TrueIntegerDiv{1, -6, 2, 3}, {{2}}),
            "graph: node 'n' (TrueIntegerDiv): y eta + eps of 0 (expected a divisor)");
  EXPECT_EQ(complaint(TrueIntegerDiv{1, 0, INT64_MAX, 3}, {{2}}),
            "graph: node 'n' (TrueIntegerDiv): y eta + eps of more than 64 bits (expected a divisor)");
}

TEST(DialectErrors, ADivisionByZeroNamesItsNode) {
  const auto expected = [](std::string_view op) {
    return "graph: node 'n' (" + std::string(op) + "): a division by 0 (expected a divisor that is not)";
  };
  const Tensor one = integers({1}, {1}), zero = integers({1}, {0});
  EXPECT_EQ(failure(IntegerDiv{1, 0, 1}, {one, zero}), expected("IntegerDiv"));
  EXPECT_EQ(failure(TrueIntegerDiv{1, 0, 1, 1}, {one, zero}), expected("TrueIntegerDiv"));
  EXPECT_EQ(failure(ISoftmax{0, 0, 0, 1, 256}, {one}), expected("ISoftmax"));
}

TEST(DialectErrors, WhatSixtyFourBitsDoNotHoldIsAnInternalError) {
  const Tensor large = integers({1}, {INT64_MAX}), small = integers({1}, {INT64_MIN});
  EXPECT_THROW(evaluated(IGelu{-1, 9}, {large}), InternalError);
  EXPECT_THROW(evaluated(IHardSwish{1, 1, 1}, {large}), InternalError);
  EXPECT_THROW(evaluated(IntegerDiv{2, 0, 1}, {large, large}), InternalError);
  EXPECT_THROW(evaluated(ItaMax{256}, {integers({2}, {INT64_MAX, INT64_MIN})}), InternalError);
  EXPECT_THROW(evaluated(IRmsNorm{0, 256}, {small, large}), InternalError);
}
