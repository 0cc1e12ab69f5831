#include <gtest/gtest.h>

#include <set>

#include "graph/infer/infer.hpp"
#include "graph/text.hpp"
#include "graph/verify.hpp"

using namespace nibble;
using namespace nibble::graph;

namespace {

constexpr auto F32 = ElementType::Float32;
constexpr auto F64 = ElementType::Float64;
constexpr auto I8 = ElementType::Int8;
constexpr auto U8 = ElementType::UInt8;
constexpr auto I16 = ElementType::Int16;
constexpr auto I32 = ElementType::Int32;
constexpr auto I64 = ElementType::Int64;

/// One use of an op: what it reads, and what must follow.
struct Case {
  Op op;
  std::vector<TypedShape> inputs;
  std::vector<TypedShape> outputs;
};

std::vector<Case> windows() {
  const TypedShape x{F32, {any, 4, 8, 8}}, q{U8, {any, 4, 8, 8}};
  return {
      {Conv{{2, 2}, {1, 1, 1, 1}, {1, 1}, 1, 0}, {x, {F32, {6, 4, 3, 3}}, {F32, {6}}}, {{F32, {any, 6, 4, 4}}}},
      {Conv{{1}, {0, 2}, {2}, 2, 3}, {{U8, {any, 4, 9}}, {I8, {2, 2, 3}}}, {{I32, {any, 2, 7}}}},
      {Conv{}, {x, {F32, {6, 4, 3, 3}}}, {{F32, {any, 6, 6, 6}}}},
      {ConvTranspose{{2, 2}, {1, 1, 1, 1}, {1, 1}, {1, 1}, 2, 0},
       {x, {F32, {4, 3, 3, 3}}, {F32, {6}}},
       {{F32, {any, 6, 16, 16}}}},
      {ConvTranspose{{3}, {}, {2}, {}, 1, 7}, {{U8, {any, 4, 5}}, {I8, {4, 2, 2}}}, {{I32, {any, 2, 15}}}},
      {ReduceMax{{2, -1}, false}, {q}, {{U8, {any, 4}}}},
      {ArgMax{1, false, true}, {q}, {{I64, {any, 8, 8}}}},
      {MaxPool{{3, 3}, {2, 2}, {0, 0, 0, 0}, {1, 1}, true}, {q}, {{U8, {any, 4, 4, 4}}}},
      {AveragePool{{2, 2}, {2, 2}, {}, {}, false, true}, {x}, {{F32, {any, 4, 4, 4}}}},
      {SumPool{{2, 2}, {2, 2}, {}, {}, false, -3}, {q}, {{I32, {any, 4, 4, 4}}}},
      {GlobalAveragePool{}, {x}, {{F32, {any, 4, 1, 1}}}},
      {ReduceMean{{-1, 2}, true}, {x}, {{F32, {any, 4, 1, 1}}}},
      {ReduceSum{{}, false, 7}, {q}, {{I32, {}}}},
  };
}

std::vector<Case> linear() {
  const TypedShape c{F32, {4}};
  return {
      {Gemm{0.5, 2, false, true, 0}, {{F32, {any, 4}}, {F32, {7, 4}}, {F32, {7}}}, {{F32, {any, 7}}}},
      {Gemm{1, 1, true, false, 9}, {{U8, {4, 3}}, {I8, {4, 5}}}, {{I32, {3, 5}}}},
      {MatMul{}, {{F32, {any, 2, 5, 3}}, {F64, {3, 7}}}, {{F64, {any, 2, 5, 7}}}},
      {MatMul{1, -2}, {{I64, {3}}, {I8, {2, 3, 7}}}, {{I64, {2, 7}}}},
      {MatMul{}, {{F32, {2, 3}}, {F32, {3}}}, {{F32, {2}}}},
      {BatchNormalization{1e-3}, {{F32, {any, 4, 2}}, c, c, c, c}, {{F32, {any, 4, 2}}}},
      {LayerNormalization{-1, 1e-6}, {{F32, {any, 3, 4}}, c, c}, {{F32, {any, 3, 4}}}},
      {RmsNormalization{-2, 1e-6}, {{F32, {any, 3, 4}}, c}, {{F32, {any, 3, 4}}}},
  };
}

std::vector<Case> pointwise() {
  std::vector<Case> cases;
  const TypedShape x{F32, {any, 5}};
  for (const Op& op : {Op(Identity{}),    Op(Relu{}),         Op(HardSwish{}),
                       Op(Sigmoid{}),     Op(Tanh{}),         Op(Erf{}),
                       Op(Exp{}),         Op(Log{}),          Op(Sqrt{}),
                       Op(Neg{}),         Op(Abs{}),          Op(Reciprocal{}),
                       Op(Softplus{}),    Op(Dropout{0.1}),   Op(Clip{}),
                       Op(Clip{-0.0, 6}), Op(LeakyRelu{0.2}), Op(HardSigmoid{1.0 / 6, 0.5}),
                       Op(Gelu{true}),    Op(Softmax{1}),     Op(Mish{}),
                       Op(Elu{0.5}),      Op(Swish{1.702}),   Op(LogSoftmax{1}),
                       Op(Selu{1.5, 2}),  Op(Celu{2}),        Op(ThresholdedRelu{0.5}),
                       Op(Shrink{1, 2}),  Op(Softsign{}),     Op(Round{}),
                       Op(Floor{}),       Op(Ceil{}),         Op(Sign{}),
                       Op(Sin{}),         Op(Cos{})})
    cases.push_back({op, {x}, {x}});
  cases.push_back({PRelu{}, {{F32, {any, 5, 4}}, {F32, {5, 1}}}, {{F32, {any, 5, 4}}}});
  for (const Op& op : {Op(Add{}), Op(Sub{}), Op(Mul{}), Op(Div{}), Op(Pow{})})
    cases.push_back({op, {x, {F32, {3, 1, 1}}}, {{F32, {3, any, 5}}}});
  cases.push_back({Add{}, {{I8, {any, 5}}, {U8, {1, 5}}}, {{I32, {any, 5}}}});
  cases.push_back({Add{}, {{I32, {any, 5}}, {I64, {}}}, {{I64, {any, 5}}}});
  for (const Op& op : {Op(Min{}), Op(Max{})}) {
    cases.push_back({op, {x, {F32, {1}}}, {x}});
    cases.push_back({op, {{I8, {any, 5}}, {I8, {5}}}, {{I8, {any, 5}}}});
  }
  cases.push_back({Where{}, {{ElementType::Bool, {4, 1, 1}}, x, {F32, {}}}, {{F32, {4, any, 5}}}});
  return cases;
}

std::vector<Case> movement() {
  const TypedShape q{I8, {any, 4, 6}};
  return {
      {Concat{-1}, {q, {I8, {any, 4, 1}}}, {{I8, {any, 4, 7}}}},
      {Split{1, {1, 3}}, {q}, {{I8, {any, 1, 6}}, {I8, {any, 3, 6}}}},
      {Slice{{-1}, {INT64_MIN}, {2}, {-2}}, {q}, {{I8, {any, 4, 3}}}},
      {Slice{{0}, {INT64_MAX}, {0}, {1}}, {q}, {{I8, {any, 4, 6}}}},
      {Pad{{0, 1, -2, 0, 0, 3}, PadMode::Edge, 5}, {q}, {{I8, {any, 5, 7}}}},
      {Flatten{1}, {q}, {{I8, {any, 24}}}},
      {Flatten{0}, {{I8, {2, 3}}}, {{I8, {1, 6}}}},
      {Reshape{{0, 2, -1}, false}, {q}, {{I8, {any, 2, 12}}}},
      {Reshape{{0, 5}, true}, {{I8, {0, 4}}}, {{I8, {0, 5}}}},
      {Transpose{{1, 0, 2}}, {q}, {{I8, {4, any, 6}}}},
      {Squeeze{}, {{I8, {2, 1, 3, 1}}}, {{I8, {2, 3}}}},
      {Squeeze{{-1}}, {{I8, {any, 1, 3, 1}}}, {{I8, {any, 1, 3}}}},
      {Unsqueeze{{-1, 1}}, {q}, {{I8, {any, 1, 4, 6, 1}}}},
      {Gather{1}, {q, {I64, {2, 2}}}, {{I8, {any, 2, 2, 6}}}},
      {Resize{{1, 1, 2.5}, {}, ResizeMode::Linear, ResizeCoordinates::AlignCorners, ResizeNearest::Ceil},
       {{F32, {any, 4, 5}}},
       {{F32, {any, 4, 12}}}},
      {Resize{{}, {any, 4, 9}}, {q}, {{I8, {any, 4, 9}}}},
  };
}

std::vector<Case> quantisation() {
  const TypedShape x{F32, {any, 2, 3}}, q{U8, {any, 2, 3}}, sum{I32, {any, 2, 3}};
  const Grid channels{{0.5, 0x1p-126}, 1, -4, -8, 7};
  return {
      {Quantise{channels, Rounding::Floor}, {x}, {x}},
      {Dequantise{channels}, {q}, {x}},
      {Rescale{{-0.1, 1e-300}, {0.3}, Rounding::HalfEven, 3, 0, 15}, {sum}, {{I8, {any, 2, 3}}}},
      {Rescale{{0.5, -2, 3, 1e-3}, {0.3, 1}, Rounding::HalfUp, 0, 0, 15}, {q, {I8, {3}}}, {{I8, {any, 2, 3}}}},
      {Requantise{{3, -5}, {1, INT64_MIN}, {0, 63}, 0, 255}, {sum}, {q}},
      {FloorDivide{{3, -5}, {1, INT64_MIN}, {7, INT64_MAX}, -8, 7}, {sum}, {{I8, {any, 2, 3}}}},
      {FloorDivide{{1}, {0}, {49}}, {sum}, {sum}},
      {Threshold{-7, {0, 1}}, {sum, {I64, {2, 15}}}, {{I8, {any, 2, 3}}}},
      {InterpolatedTable{-128, 4, 6, -8, 7}, {{I16, {any, 2, 3}}, {I32, {17}}}, {{I8, {any, 2, 3}}}},
      {TableSoftmax{-1, 255, 0, Rounding::HalfUp, 0, 0, 255}, {q, {I32, {9}}}, {q}},
      {IntegerNormalization{-1, false, 3, 7, 10, 40, 30, -128, 127}, {q, {I32, {3}}, {I64, {1}}}, {{I8, {any, 2, 3}}}},
      {RoundedDivision{1, 2, 3, 4, Rounding::HalfEven, 5, 0, 255}, {q, {I8, {3}}}, {q}},
      {Table{-128}, {{I8, {any, 2, 3}}, {I16, {256}}}, {{I16, {any, 2, 3}}}},
  };
}

std::vector<Case> functions() {
  const TypedShape x{I8, {any, 3, 8}}, sum{I32, {any, 3, 8}}, row{I32, {8}}, one{I64, {}};
  return {
      {ISoftmax{1, 345, 62395, 255, 256}, {x}, {{U8, {any, 3, 8}}}},
      {ItaMax{16}, {x}, {x}},
      {ItaPartialMax{512, 4}, {x}, {{U8, {any, 3, 8}}}},
      {IGelu{-40, 1743}, {x}, {sum}},
      {ILayerNorm{14, 256}, {x, row, {I32, {1}}}, {x}},
      {IRmsNorm{16, 65536}, {sum, one}, {{I16, {any, 3, 8}}}},
      {IHardSwish{765, 1530, 33}, {x}, {sum}},
      {IntegerDiv{1000, 1, 3}, {x, {I64, {3, 1}}}, {{I64, {any, 3, 8}}}},
      {TrueIntegerDiv{16384, 1, 200000, 2}, {x}, {sum}},
      {TrueIntegerDiv{16384, 1, 2, 0}, {{I8, {8}}, x}, {sum}},
      {INoNorm{425, 16, 256}, {x, {I8, {3, 8}}, {I16, {8}}}, {x}},
  };
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& some : {linear(), windows(), pointwise(), movement(), quantisation(), functions()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

Graph graph_of(const Case& one) {
  Graph graph;
  graph.name = "case";
  for (const TypedShape& input : one.inputs) graph.inputs.push_back(graph.add_value("x", input.type, input.shape));
  graph.outputs = {graph.add_node("n", one.op, graph.inputs)};
  while (graph.outputs.size() < one.outputs.size()) graph.outputs.push_back(graph.add_value("n"));
  graph.nodes.front().outputs = graph.outputs;
  return graph;
}

}  // namespace

TEST(EveryOp, HasACase) {
  std::set<OpKind> seen;
  for (const Case& one : cases()) seen.insert(one.op.kind());
  EXPECT_EQ(seen.size(), every_op().size());
}

TEST(EveryOp, HasTheTypesAndShapesOfItsCase) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(name_of(one.op));
    Graph graph = graph_of(one);
    infer_shapes(graph);
    for (size_t i = 0; i < one.outputs.size(); ++i) {
      EXPECT_EQ(graph[graph.outputs[i]].shape, one.outputs[i].shape);
      EXPECT_EQ(to_string(graph[graph.outputs[i]].type), to_string(one.outputs[i].type));
    }
    EXPECT_NO_THROW(verify(graph));
  }
}

TEST(EveryOp, ReadsBackFromItsText) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(name_of(one.op));
    Graph graph = graph_of(one);
    tidy(graph);
    const std::string text = to_text(graph, Constants::Whole);
    EXPECT_EQ(to_text(from_text(text), Constants::Whole), text);
  }
}

TEST(EveryOp, RefusesMoreInputsThanItHas) {
  for (Case one : cases()) {
    if (holds_alternative<Concat>(one.op) || holds_alternative<Add>(one.op)) continue;
    SCOPED_TRACE(name_of(one.op));
    one.inputs.resize(6, {F32, {1}});
    Graph graph = graph_of(one);
    try {
      infer_shapes(graph);
      FAIL();
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find("): 6 inputs (expected "), std::string::npos) << error.what();
    }
  }
}
