#include <gtest/gtest.h>

#include <cmath>

#include "graph/text.hpp"
#include "unit/passes/networks.hpp"

/// What exporters write for one and the same network ends in one and the same canonical graph; and what each pass that
/// sees to it does, and leaves alone.
namespace nibble::passes::testing {
namespace {
using graph::Ints;

const Ints to_nhwc{0, 2, 3, 1}, to_nchw{0, 3, 1, 2};

/// The outputs on random inputs, all in one list.
std::vector<double> outputs_of(const Graph& graph, uint64_t seed = 5) {
  Random random(seed);
  std::vector<double> all;
  for (const Tensor& output : graph::evaluate(graph, batch_for(graph, random))) {
    const auto reals = output.to_reals();
    all.insert(all.end(), reals.begin(), reals.end());
  }
  return all;
}

std::vector<int64_t> outputs_of_integers(const Graph& graph) {
  Random random(3);
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs) {
    Shape shape = graph[id].shape;
    shape[0] = 2;
    std::vector<int64_t> values(static_cast<size_t>(element_count(shape)));
    for (int64_t& value : values) value = static_cast<int64_t>(random.below(256));
    inputs.push_back(Tensor(shape, values).cast(graph[id].type));
  }
  return graph::evaluate(graph, inputs).at(0).to_integers();
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 2e-5 * (1 + std::abs(a[i]))) << i;
}

/// Runs one pass to its end; the network computes the same afterwards.
int apply(int (*pass)(Graph&), Graph& graph) {
  const auto before = outputs_of(graph);
  int changed = 0;
  run({{"pass", "",
        [&](Graph& g) {
          const int now = pass(g);
          changed += now;
          return now;
        }}},
      graph);
  expect_near(before, outputs_of(graph));
  return changed;
}

std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> ops;
  for (const auto& node : graph.nodes) ops.emplace_back(graph::name_of(node.op));
  return ops;
}

/// The canonical graph: what its ops are, field by field, in order. The function stays the same on the way.
std::string canonical(Graph graph) {
  const auto before = outputs_of(graph);
  run(canonicalise(), graph);
  expect_near(before, outputs_of(graph));
  std::string text;
  for (const auto& node : graph.nodes) {
    graph::Graph one;
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) {
      if (id == graph::absent) continue;
      const graph::Value& value = graph[id];
      if (value.constant) {
        inputs.push_back(one.add_constant("c", Tensor(value.type, value.shape)));
      } else {
        inputs.push_back(one.add_value("x", value.type, value.shape));
        one.inputs.push_back(inputs.back());
      }
    }
    one.outputs = {one.add_node("node", node.op, inputs)};
    graph::infer_shapes(one);
    text += graph::to_text(one, graph::Constants::Short) + "\n";
  }
  return text;
}

std::vector<ValueId> split(Network& n, const std::string& name, ValueId x, int64_t axis, const Ints& sizes) {
  std::vector<ValueId> pieces;
  for (size_t i = 0; i < sizes.size(); ++i) pieces.push_back(n.graph.add_value(name + "_piece"));
  n.graph.nodes.push_back({name, graph::Split{axis, sizes}, {x}, pieces});
  graph::infer_shapes(n.graph);
  return pieces;
}

// ---- one pass each

TEST(SinkTransposes, CancelsAroundPointwiseOpsAddsAndConcats) {
  Network n;
  const ValueId a = n.node("a", graph::Transpose{to_nhwc}, {n.input({any, 3, 4, 5})});
  ValueId b = n.relu("relu", a);
  b = n.node("scale", graph::Mul{}, {b, n.constant("c", n.normal({3}))});
  b = n.node("shift", graph::Add{}, {n.constant("d", n.normal({1, 1, 3})), b});
  b = n.add("add", a, b);
  b = n.node("concat", graph::Concat{-1}, {a, b});
  n.finish({n.conv("conv", n.node("back", graph::Transpose{to_nchw}, {b}), 2, 3)});
  EXPECT_GT(apply(sink_transposes, n.graph), 0);
  EXPECT_EQ(count_of<graph::Transpose>(n.graph), 1);  // of nothing: remove_identity's
  apply(remove_identity, n.graph);
  EXPECT_EQ(count_of<graph::Transpose>(n.graph), 0);
  EXPECT_EQ(get<graph::Concat>(n.graph.nodes[static_cast<size_t>(index_of(n.graph, "concat"))].op).axis, 1);
}

TEST(SinkTransposes, CancelsAroundAChoiceByAMask) {
  Network n;
  const ValueId a = n.node("a", graph::Transpose{to_nhwc}, {n.input({any, 3, 4, 5})});
  Tensor mask(ElementType::Bool, {5, 3});
  for (size_t i = 0; i < mask.size(); i += 2) mask.bytes()[i] = std::byte{1};
  const ValueId chosen = n.node("where", graph::Where{}, {n.constant("mask", mask), a, n.relu("relu", a)});
  n.finish({n.conv("conv", n.node("back", graph::Transpose{to_nchw}, {chosen}), 2, 3)});
  EXPECT_GT(apply(sink_transposes, n.graph), 0);
  apply(remove_identity, n.graph);
  EXPECT_EQ(count_of<graph::Transpose>(n.graph), 0);
}

TEST(SinkTransposes, TurnsPadsSlicesSplitsAndMeans) {
  Network n;
  ValueId x = n.node("t", graph::Transpose{to_nhwc}, {n.input({any, 4, 5, 6})});
  x = n.node("pad", graph::Pad{{0, 1, 2, 0, 0, 0, 1, 0}, graph::PadMode::Constant, 0.5}, {x});
  x = n.node("slice", graph::Slice{{1, 0}, {6, 4}, {2, -1}, {2, 1}}, {x});
  const auto pieces = split(n, "split", x, 3, {1, 3});
  const ValueId softmax = n.node("softmax", graph::Softmax{-1}, {pieces[1]});
  n.finish({n.node("mean", graph::ReduceMean{{1, 2}, false}, {softmax}),
            n.node("kept", graph::ReduceMean{{-1}, true}, {pieces[0]})});
  apply(sink_transposes, n.graph);
  EXPECT_EQ(count_of<graph::Transpose>(n.graph), 1);  // behind the mean that keeps its axes: an output
}

TEST(SinkTransposes, LeavesAloneWhatAnotherReaderKeeps) {
  Network n;
  const ValueId t = n.node("t", graph::Transpose{to_nchw}, {n.input({any, 4, 5, 3})});
  n.finish({n.relu("relu", t), n.conv("conv", t, 2, 1)});
  EXPECT_EQ(apply(sink_transposes, n.graph), 0);
}

TEST(SinkTransposes, LeavesAloneAnAddOfWhatIsNotTransposedAlike) {
  Network n;
  const ValueId x = n.input({any, 4, 4, 4});
  const ValueId t = n.node("t", graph::Transpose{to_nhwc}, {x});
  n.finish({n.add("add", t, x)});
  EXPECT_EQ(apply(sink_transposes, n.graph), 0);
}

TEST(SinkTransposes, KeepsTheFunctionOfRandomIslands) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Network n(seed);
    std::vector<ValueId> nhwc{n.node("t0", graph::Transpose{to_nhwc}, {n.input({any, 3, 4, 4})})};
    for (int i = 0; i < 8; ++i) {
      const ValueId a = nhwc[n.random.below(nhwc.size())], b = nhwc[n.random.below(nhwc.size())];
      const std::string name = "n" + std::to_string(i);
      switch (n.random.below(6)) {
        case 0: nhwc.push_back(n.relu(name, a)); break;
        case 1:
          nhwc.push_back(n.node(name, graph::Mul{}, {a, n.constant(name + "_c", n.normal({n.graph[a].shape[3]}))}));
          break;
        case 2:
          if (n.graph[a].shape == n.graph[b].shape) nhwc.push_back(n.add(name, a, b));
          break;
        case 3: nhwc.push_back(n.node(name, graph::Concat{3}, {a, b})); break;
        case 4: {
          const ValueId nchw = n.node(name + "_in", graph::Transpose{to_nchw}, {a});
          nhwc.push_back(n.node(name + "_out", graph::Transpose{to_nhwc}, {n.conv(name, nchw, 3, 3, 1, 1)}));
          break;
        }
        default: nhwc.push_back(n.node(name, graph::Sigmoid{}, {b}));
      }
    }
    n.finish({n.relu("y", nhwc.back()), n.relu("z", nhwc[nhwc.size() / 2])});
    const auto before = outputs_of(n.graph);
    run(canonicalise(), n.graph);
    expect_near(before, outputs_of(n.graph));
    EXPECT_LE(count_of<graph::Transpose>(n.graph), 2) << seed;  // before the two outputs at most
  }
}

TEST(TurnTransposeIntoReshape, SeesExtentsOfOne) {
  Network n;
  n.finish({n.node("t", graph::Transpose{to_nhwc}, {n.input({any, 3, 1, 1})})});
  EXPECT_EQ(apply(turn_transpose_into_reshape, n.graph), 1);
  EXPECT_EQ(count_of<graph::Reshape>(n.graph), 1);
}

TEST(TurnTransposeIntoReshape, LeavesAloneWhatMovesElements) {
  Network n;
  n.finish({n.node("t", graph::Transpose{to_nhwc}, {n.input({any, 3, 2, 1})})});
  EXPECT_EQ(apply(turn_transpose_into_reshape, n.graph), 0);
}

TEST(FoldTransposeIntoGemm, ReordersTheColumns) {
  Network n;
  const ValueId t = n.node("t", graph::Transpose{to_nhwc}, {n.input({any, 3, 4, 2})});
  n.finish({n.gemm("fc", n.flatten("flatten", t), 5)});
  EXPECT_EQ(apply(fold_transpose_into_gemm, n.graph), 1);
  EXPECT_EQ(count_of<graph::Transpose>(n.graph), 0);
}

TEST(FoldTransposeIntoGemm, LeavesAloneATransposedBatch) {
  Network n;
  const ValueId t = n.node("t", graph::Transpose{{1, 0, 2}}, {n.input({2, 2, 3})});
  n.finish({n.gemm("fc", n.node("flat", graph::Reshape{{2, 6}, false}, {t}), 5)});
  EXPECT_EQ(apply(fold_transpose_into_gemm, n.graph), 0);
}

ValueId number(Network& n, const std::string& name, float value) {
  return n.constant(name, Tensor(Shape{}, std::vector<float>{value}));
}

TEST(RecogniseHardFunctions, SeesThemInEveryOrder) {
  for (int form = 0; form < 6; ++form) {
    Network n;
    const ValueId x = n.node("conv_out", graph::Identity{}, {n.input({any, 40})});
    const ValueId sum =
        n.node("plus", graph::Add{}, {form % 2 ? x : number(n, "3", 3), form % 2 ? number(n, "3", 3) : x});
    const ValueId clip = n.node("clip", graph::Clip{0, 6}, {sum});
    ValueId y = clip;
    if (form < 2) {
      y = n.node("sixth", graph::Mul{}, {clip, number(n, "s", 1.0F / 6)});
    } else if (form < 4) {
      y = n.node("gate", graph::Mul{}, {x, n.node("sixth", graph::Div{}, {clip, number(n, "s", 6)})});
    } else {
      y = n.node("sixth", graph::Div{}, {n.node("gate", graph::Mul{}, {clip, x}), number(n, "s", 6)});
    }
    n.finish({y});
    EXPECT_GT(apply(recognise_hard_functions, n.graph), 0) << form;
    EXPECT_EQ(ops_of(n.graph), (std::vector<std::string>{"Identity", form < 2 ? "HardSigmoid" : "HardSwish"})) << form;
  }
}

TEST(RecogniseHardFunctions, LeavesAloneAClipThatIsNotScaledToOne) {
  Network n;
  const ValueId sum = n.node("plus", graph::Add{}, {n.input({any, 40}), number(n, "3", 3)});
  n.finish({n.node("y", graph::Mul{}, {n.node("clip", graph::Clip{0, 6}, {sum}), number(n, "s", 0.2F)})});
  EXPECT_EQ(apply(recognise_hard_functions, n.graph), 0);
}

TEST(UnifyAdds, JoinsATreeAndPartsConstants) {
  Network n;
  const ValueId x = n.input({any, 2, 3});
  const ValueId left = n.add("left", x, n.relu("r", x)), right = n.add("right", n.node("s", graph::Tanh{}, {x}), x);
  const ValueId top = n.add("top", left, right);
  const ValueId c = n.constant("c", n.normal({2, 1})), d = n.constant("d", n.normal({3}));
  n.finish({n.node("sum", graph::Add{}, {c, top, x, d})});
  EXPECT_GT(apply(unify_adds, n.graph), 0);
  EXPECT_EQ(ops_of(n.graph), (std::vector<std::string>{"Relu", "Tanh", "Add", "Add", "Add"}));
  EXPECT_EQ(n.graph.nodes[2].inputs.size(), 5u);
}

TEST(UnifyAdds, LeavesAloneASumWithAnotherReaderOrAConstant) {
  Network n;
  const ValueId x = n.input({any, 2, 3});
  const ValueId inner = n.add("inner", x, n.relu("r", x));
  const ValueId moved = n.add("moved", x, n.constant("c", n.normal({2, 1})));
  n.finish({n.add("outer", inner, moved), n.relu("r2", inner)});
  EXPECT_EQ(apply(unify_adds, n.graph), 0);
}

TEST(UnifyAdds, GivesOneGroupAndOneRequantisation) {
  Network n;
  const ValueId x = n.relu("r", n.conv("a", n.input({any, 2, 6, 6}), 4, 3, 1, 1));
  const ValueId b = n.conv("b", x, 4, 3, 1, 1), c = n.relu("rc", n.conv("c", x, 4, 1));
  n.finish({n.conv("last", n.relu("ry", n.add("outer", n.add("inner", x, b), n.add("inner_2", c, x))), 2, 1)});
  quantise_by(n.graph);
  EXPECT_EQ(count_of<graph::Add>(n.graph), 1);
  for (const char* branch : {"b_q", "c_q"})
    EXPECT_EQ(n.graph[n.graph.find(branch)].grid, n.graph[n.graph.find("a_q")].grid) << branch;
  Graph qd = n.graph;
  IntegeriseOptions stop;
  stop.stop_at_qd = true;
  integerise(qd, stop);
  EXPECT_EQ(integerise(n.graph, {}).nodes.size(), 4u);  // a, b, c, and the sum
  EXPECT_EQ(outputs_of_integers(qd), outputs_of_integers(n.graph));
}

TEST(MergeConcats, JoinsATree) {
  Network n;
  const ValueId x = n.input({any, 2, 3});
  const ValueId inner = n.node("inner", graph::Concat{1}, {n.relu("r", x), x});
  const ValueId other = n.node("other", graph::Concat{-2}, {x, x});
  n.finish({n.node("outer", graph::Concat{1}, {inner, x, other})});
  EXPECT_EQ(apply(merge_concats, n.graph), 2);
  EXPECT_EQ(ops_of(n.graph), (std::vector<std::string>{"Relu", "Concat"}));
}

TEST(MergeConcats, LeavesAloneAnotherAxisAndAnotherReader) {
  Network n;
  const ValueId x = n.input({any, 2, 3});
  const ValueId inner = n.node("inner", graph::Concat{1}, {x, x}), across = n.node("across", graph::Concat{2}, {x, x});
  n.finish({n.node("outer", graph::Concat{1}, {inner, x}), n.relu("r", inner),
            n.node("outer_2", graph::Concat{1}, {across, across})});
  EXPECT_EQ(apply(merge_concats, n.graph), 0);
}

/// A Split along C whose pieces a convolution each reads, joined again.
Network split_convs(bool bias, int64_t last_kernel = 3) {
  Network n;
  const auto pieces = split(n, "split", n.input({any, 6, 5, 5}), 1, {2, 2, 2});
  std::vector<ValueId> results;
  for (int i = 0; i < 3; ++i)
    results.push_back(n.conv("conv" + std::to_string(i), pieces[static_cast<size_t>(i)], 4, i == 2 ? last_kernel : 3, 1,
                             i == 2 ? last_kernel / 2 : 1, 1, bias));
  n.finish({n.node("concat", graph::Concat{1}, results)});
  return n;
}

TEST(JoinSplitConvs, MakesOneConvolutionOfGroups) {
  for (bool bias : {false, true}) {
    Network n = split_convs(bias);
    EXPECT_EQ(apply(join_split_convs, n.graph), 1);
    ASSERT_EQ(ops_of(n.graph), (std::vector<std::string>{"Conv"}));
    EXPECT_EQ(get<graph::Conv>(n.graph.nodes[0].op).group, 3);
  }
}

TEST(JoinSplitConvs, LeavesAloneConvolutionsThatDiffer) {
  Network n = split_convs(true, 1);
  EXPECT_EQ(apply(join_split_convs, n.graph), 0);
}

TEST(FoldAffineIntoNext, TakesANormBeforeAConvolutionWithoutPadding) {
  for (int64_t group : {1, 2}) {
    Network n;
    const ValueId x = n.batch_norm("bn", n.max_pool("pool", n.input({any, 4, 6, 6})));
    n.finish({n.conv("conv", x, 6, 3, 1, 0, group)});
    EXPECT_EQ(apply(fold_affine_into_next, n.graph), 1);
    EXPECT_EQ(ops_of(n.graph), (std::vector<std::string>{"MaxPool", "Conv"}));
  }
}

TEST(FoldAffineIntoNext, TakesAGainBeforePaddingButNoShift) {
  Network n;
  const ValueId x = n.node("gain", graph::Mul{}, {n.input({any, 4, 6, 6}), n.constant("g", n.normal({4, 1, 1}))});
  n.finish({n.conv("conv", x, 2, 3, 1, 1)});
  EXPECT_EQ(apply(fold_affine_into_next, n.graph), 1);
  Network m;
  m.finish({m.conv("conv", m.batch_norm("bn", m.input({any, 4, 6, 6})), 2, 3, 1, 1)});
  EXPECT_EQ(apply(fold_affine_into_next, m.graph), 0);
}

TEST(FoldAffineIntoNext, TakesANormBeforeAGemm) {
  Network n;
  n.finish({n.gemm("fc", n.batch_norm("bn", n.input({any, 5})), 3)});
  EXPECT_EQ(apply(fold_affine_into_next, n.graph), 1);
  EXPECT_EQ(ops_of(n.graph), (std::vector<std::string>{"Gemm"}));
}

TEST(FoldAffineIntoNext, TakesSeveralOneAfterAnotherOrNone) {
  for (int64_t pad : {0, 1}) {
    Network n;
    ValueId x = n.node("centred", graph::Sub{}, {n.input({any, 4, 6, 6}), n.constant("m", n.normal({4, 1, 1}))});
    x = n.node("scaled", graph::Div{}, {x, n.constant("d", n.normal({4, 1, 1}, 0.1, 2))});
    n.finish({n.conv("conv", x, 2, 3, 1, pad)});
    EXPECT_EQ(apply(fold_affine_into_next, n.graph), pad == 0 ? 2 : 0);
  }
}

TEST(FoldAffineIntoNext, LeavesANormOfASumToItsRequantisation) {
  Network n;
  const ValueId x = n.input({any, 4, 6, 6});
  n.finish({n.conv("conv", n.batch_norm("bn", n.add("add", x, n.relu("r", x))), 2, 1)});
  EXPECT_EQ(apply(fold_affine_into_next, n.graph), 0);
}

TEST(UnifyMeans, WritesAPoolOverEverythingAsAMean) {
  Network n;
  n.finish({n.average_pool("pool", n.input({any, 3, 4, 4}), 4, 1)});
  EXPECT_EQ(apply(unify_means, n.graph), 1);
  EXPECT_EQ(ops_of(n.graph), (std::vector<std::string>{"ReduceMean"}));
}

TEST(UnifyMeans, KeepsTheAxesThatAGlobalMeanDrops) {
  Network n;
  n.finish({n.gemm("fc", n.node("mean", graph::ReduceMean{{-1, -2}, false}, {n.input({any, 3, 4, 4})}), 2)});
  EXPECT_GT(apply(unify_means, n.graph), 0);
  EXPECT_EQ(ops_of(n.graph), (std::vector<std::string>{"ReduceMean", "Reshape", "Gemm"}));
}

TEST(UnifyClips, SeesMinAndMaxWithANumber) {
  Network n;
  const ValueId low = n.node("max", graph::Max{}, {number(n, "0", 0), n.input({any, 30})});
  n.finish({n.node("min", graph::Min{}, {low, number(n, "6", 0.5)})});
  EXPECT_GT(apply(unify_clips, n.graph), 0);
  ASSERT_EQ(ops_of(n.graph), (std::vector<std::string>{"Clip"}));
  EXPECT_EQ(get<graph::Clip>(n.graph.nodes[0].op).high, 0.5);
}

// ---- whole exports: one network, residual, depthwise, pooled, classified, as exporters write it

/// As one would write it: conv-bn folded, relu6, global mean, flatten, gemm.
Network plain() {
  Network n;
  ValueId x = n.node("r1", graph::Clip{0, 6}, {n.conv("c1", n.input({any, 3, 8, 8}), 4, 3, 2, 1)});
  const ValueId skip = x;
  x = n.node("r2", graph::Clip{0, 6}, {n.conv("c2", x, 4, 3, 1, 1, 4)});
  x = n.relu("r3", n.add("add", skip, x));
  x = n.node("act", graph::HardSwish{}, {n.conv("c3", x, 6, 1)});
  x = n.node("gap", graph::GlobalAveragePool{}, {x});
  n.finish({n.gemm("fc", n.flatten("flatten", x), 5)});
  return n;
}

/// PyTorch 1.x: batch-norms apart, Identity and Dropout, hard-swish in pieces, AveragePool over everything, a Reshape.
Network pytorch_1() {
  Network n;
  ValueId x = n.batch_norm("bn1", n.conv("c1", n.input({any, 3, 8, 8}), 4, 3, 2, 1, 1, false));
  x = n.node("r1", graph::Clip{0, 6}, {x});
  const ValueId skip = n.node("identity", graph::Identity{}, {x});
  x = n.batch_norm("bn2", n.conv("c2", skip, 4, 3, 1, 1, 4, false));
  x = n.node("r2", graph::Clip{0, 6}, {n.node("identity_2", graph::Identity{}, {x})});
  x = n.relu("r3", n.add("add", skip, x));
  const ValueId c3 = n.conv("c3", x, 6, 1);
  const ValueId clip = n.node("clip", graph::Clip{0, 6}, {n.node("plus", graph::Add{}, {c3, number(n, "3", 3)})});
  x = n.node("div", graph::Div{}, {n.node("mul", graph::Mul{}, {c3, clip}), number(n, "6", 6)});
  x = n.average_pool("gap", x, 4, 4);
  x = n.node("dropout", graph::Dropout{}, {n.node("view", graph::Reshape{{-1, 6}, false}, {x})});
  n.finish({n.gemm("fc", x, 5)});
  return n;
}

/// PyTorch 2.x: ReduceMean over [-1, -2], a hard-sigmoid and a product, the weights of the classifier transposed.
Network pytorch_2() {
  Network n;
  ValueId x = n.node("r1", graph::Clip{0, 6}, {n.conv("c1", n.input({any, 3, 8, 8}), 4, 3, 2, 1)});
  const ValueId skip = x;
  x = n.node("min", graph::Min{}, {n.relu("max", n.conv("c2", x, 4, 3, 1, 1, 4)), number(n, "6", 6)});
  x = n.relu("r3", n.add("add", skip, x));
  const ValueId c3 = n.conv("c3", x, 6, 1);
  x = n.node("mul", graph::Mul{}, {c3, n.node("gate", graph::HardSigmoid{1.0 / 6, 0.5}, {c3})});
  x = n.node("mean", graph::ReduceMean{{-1, -2}, true}, {x});
  x = n.node("view", graph::Reshape{{0, 6}, false}, {x});
  const ValueId w = n.node("w_t", graph::Transpose{{1, 0}}, {n.constant("w", n.normal({5, 6}, 0.3))});
  x = n.node("fc", graph::MatMul{}, {x, w});
  n.finish({n.node("fc_bias", graph::Add{}, {x, n.constant("b", n.normal({5}, 0.2))})});
  return n;
}

/// tf2onnx: islands of NHWC, explicit asymmetric pads, biases as Adds, batch-norm as Mul and Add, the depthwise
/// convolution group by group, Relu6 as Min and Max, a mean over [1, 2] and MatMul with an Add.
Network tensorflow() {
  Network n;
  const auto nchw = [&](const std::string& name, ValueId x) { return n.node(name, graph::Transpose{to_nchw}, {x}); };
  const auto nhwc = [&](const std::string& name, ValueId x) { return n.node(name, graph::Transpose{to_nhwc}, {x}); };
  const auto relu6 = [&](const std::string& name, ValueId x) {
    return n.node(name, graph::Min{}, {n.node(name + "_max", graph::Max{}, {x, number(n, "0", 0)}), number(n, "6", 6)});
  };
  // The network's own input is NCHW here, so that only what lies inside is compared.
  ValueId x = nhwc("in", n.input({any, 3, 8, 8}));
  x = n.node("pad", graph::Pad{{0, 1, 1, 0, 0, 1, 1, 0}, graph::PadMode::Constant, 0}, {x});
  x = nhwc("c1_nhwc", n.conv("c1", nchw("c1_nchw", x), 4, 3, 2, 0, 1, false));
  x = n.node("bn_mul", graph::Mul{}, {x, n.constant("gain", n.normal({4}))});
  x = relu6("r1", n.node("bn_add", graph::Add{}, {x, n.constant("shift", n.normal({4}))}));
  const ValueId skip = x;
  std::vector<ValueId> results;
  const auto pieces = split(n, "split", nchw("c2_nchw", x), 1, {1, 1, 1, 1});
  for (ValueId piece : pieces) results.push_back(n.conv("c2", piece, 1, 3, 1, 1, 1, false));
  x = nhwc("c2_nhwc", n.node("joined", graph::Concat{1}, results));
  x = relu6("r2", n.node("c2_bias", graph::Add{}, {x, n.constant("c2_b", n.normal({1, 1, 1, 4}))}));
  x = n.relu("r3", n.add("add", skip, x));
  x = n.node(
      "c3_bias", graph::Add{},
      {nhwc("c3_nhwc", n.conv("c3", nchw("c3_nchw", x), 6, 1, 1, 0, 1, false)), n.constant("c3_b", n.normal({6}))});
  const ValueId gate = relu6("gate", n.node("plus", graph::Add{}, {x, number(n, "3", 3)}));
  x = n.node("swish", graph::Mul{}, {x, n.node("sixth", graph::Mul{}, {gate, number(n, "s", 1.0F / 6)})});
  x = n.node("mean", graph::ReduceMean{{1, 2}, false}, {x});
  x = n.node("fc", graph::MatMul{}, {x, n.constant("w", n.normal({6, 5}, 0.3))});
  n.finish({n.node("fc_bias", graph::Add{}, {x, n.constant("b", n.normal({5}, 0.2))})});
  return n;
}

/// Keras: ZeroPadding2D by one row and column more at the end, a flattened classifier after NHWC.
Network keras(bool exported) {
  Network n;
  const ValueId input = n.input({any, 3, 8, 8});
  if (!exported) {
    const ValueId w = n.constant("w", n.normal({4, 3, 3, 3}));
    const ValueId x =
        n.node("c1", graph::Conv{{2, 2}, {0, 0, 1, 1}, {1, 1}, 1, 0}, {input, w, n.constant("b", n.normal({4}))});
    n.finish({n.gemm("fc", n.flatten("flatten", n.relu("r1", x)), 5)});
    return n;
  }
  ValueId x = n.node("in", graph::Transpose{to_nhwc}, {input});
  x = n.node("pad", graph::Pad{{0, 0, 0, 0, 0, 1, 1, 0}, graph::PadMode::Constant, 0}, {x});
  x = n.conv("c1", n.node("c1_nchw", graph::Transpose{to_nchw}, {x}), 4, 3, 2, 0);
  x = n.relu("r1", n.node("c1_nhwc", graph::Transpose{to_nhwc}, {x}));
  n.finish({n.gemm("fc", n.node("flatten", graph::Reshape{{-1, 64}, false}, {x}), 5)});
  return n;
}

TEST(Exports, OfPyTorchAndTensorFlowEndInTheSameCanonicalGraph) {
  const std::string expected = canonical(plain().graph);
  EXPECT_EQ(canonical(pytorch_1().graph), expected);
  EXPECT_EQ(canonical(pytorch_2().graph), expected);
  EXPECT_EQ(canonical(tensorflow().graph), expected);
}

TEST(Exports, OfKerasEndInTheSameCanonicalGraph) {
  EXPECT_EQ(canonical(keras(true).graph), canonical(keras(false).graph));
}

TEST(Exports, BecomeIntegerNetworks) {
  for (Network n : {plain(), pytorch_1(), pytorch_2(), tensorflow(), keras(true)}) {
    quantise_by(n.graph);
    EXPECT_GT(integerise(n.graph, {}).exact_nodes(), 0);
  }
}

TEST(Exports, OfOneDimensionalConvolutionsStayTwoDimensional) {
  Network n;
  ValueId x = n.node("up", graph::Unsqueeze{{2}}, {n.input({any, 3, 9})});
  x = n.node("conv", graph::Conv{{1, 2}, {0, 1, 0, 1}, {1, 1}, 1, 0}, {x, n.constant("w", n.normal({4, 3, 1, 3}))});
  x = n.relu("relu", n.node("down", graph::Squeeze{{2}}, {x}));
  n.finish({n.gemm("fc", n.flatten("flatten", x), 2)});
  run(canonicalise(), n.graph);
  EXPECT_EQ(ops_of(n.graph), (std::vector<std::string>{"Unsqueeze", "Conv", "Relu", "Flatten", "Gemm"}));
  quantise_by(n.graph);
  EXPECT_EQ(integerise(n.graph, {}).exact_nodes(), 1);
}

TEST(Exports, OfANormAfterAConcatKeepItForTheRequantisation) {
  Network n;
  const ValueId x = n.input({any, 2, 6, 6});
  const ValueId joined = n.node("joined", graph::Concat{1}, {n.relu("r", x), n.conv("a", x, 2, 1)});
  n.finish({n.conv("last", n.relu("r2", n.batch_norm("bn", joined)), 2, 3, 1, 1)});
  run(canonicalise(), n.graph);
  EXPECT_EQ(count_of<graph::BatchNormalization>(n.graph), 1);
  quantise_by(n.graph);
  const auto report = integerise(n.graph, {});
  EXPECT_EQ(report.exact_nodes(), static_cast<int>(report.nodes.size()));
}

}  // namespace
}  // namespace nibble::passes::testing
