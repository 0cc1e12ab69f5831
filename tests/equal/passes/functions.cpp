#include <gtest/gtest.h>

#include <cmath>

#include "equal/passes/walk.hpp"

/// Networks of functions, attention, embeddings, transposed and resized images: float, fake, deployable and integer.
/// QD = ID in every integer, and ID near float.
namespace nibble::passes::testing {
namespace {

using graph::Ints;

ValueId mlp(Network& n, const std::string& name, ValueId x, int64_t wide, const graph::Op& function) {
  const int64_t width = n.graph[x].shape.back();
  const ValueId hidden = n.node(name + "_f", function, {n.project(name + "_up", x, wide)});
  return n.project(name + "_down", hidden, width);
}

Graph vision_transformer() {
  Network n(3);
  const ValueId patches = n.conv("patch", n.input({any, 3, 16, 16}), 16, 4, 4);
  ValueId x = n.transpose("tokens_t", n.reshape("tokens", patches, {0, 16, 16}), {0, 2, 1});
  x = n.add("position", x, n.constant("positions", n.normal({1, 16, 16}, 0.5)));
  for (const std::string block : {"a", "b"}) {
    x = n.add(block + "_add1", x, n.attention(block + "_attention", n.layer_norm(block + "_ln1", x), 2));
    x = n.add(block + "_add2", x, mlp(n, block + "_mlp", n.layer_norm(block + "_ln2", x), 32, graph::Gelu{}));
  }
  const ValueId pooled = n.node("pooled", graph::ReduceMean{{1}, false}, {n.layer_norm("ln", x)});
  return n.finish({n.gemm("head", pooled, 10)});
}

Tensor causal_mask(int64_t tokens, float masked) {
  Tensor mask(ElementType::Float32, {tokens, tokens});
  for (int64_t i = 0; i < tokens; ++i)
    for (int64_t j = i + 1; j < tokens; ++j) mask.as<float>()[static_cast<size_t>(i * tokens + j)] = masked;
  return mask;
}

Graph language_model(float masked) {
  Network n(4);
  n.graph.inputs.push_back(n.graph.add_value("ids", ElementType::Int64, {any, 8}));
  ValueId x = n.node("embed", graph::Gather{0}, {n.constant("table", n.normal({10, 16})), n.graph.inputs[0]});
  x = n.add("position", x, n.constant("positions", n.normal({8, 16}, 0.5)));
  const ValueId mask = n.constant("mask", causal_mask(8, masked));
  x = n.add("add1", x, n.attention("attention", n.rms_norm("rms1", x), 2, mask));
  x = n.add("add2", x, mlp(n, "mlp", n.rms_norm("rms2", x), 32, graph::Swish{1}));
  return n.finish({n.project("logits", n.rms_norm("rms", x), 12)});
}

Graph mobilenet_v3_block() {
  Network n(5);
  ValueId x = n.node("stem_f", graph::HardSwish{}, {n.conv("stem", n.input({any, 3, 12, 12}), 8, 3, 2, 1)});
  ValueId wide = n.node("expand_f", graph::HardSwish{}, {n.conv("expand", x, 24, 1)});
  wide = n.node("deep_f", graph::HardSwish{}, {n.conv("deep", wide, 24, 5, 1, 2, 24)});
  const ValueId pooled = n.node("squeeze", graph::GlobalAveragePool{}, {wide});
  const ValueId reduced = n.relu("reduce_f", n.conv("reduce", pooled, 8, 1));
  const ValueId gate = n.node("gate", graph::HardSigmoid{1.0 / 6, 0.5}, {n.conv("widen", reduced, 24, 1)});
  x = n.add("residual", x, n.conv("project", n.node("excite", graph::Mul{}, {wide, gate}), 8, 1));
  return n.finish({n.conv("head", x, 10, 1)});
}

Graph audio_network() {
  Network n(6);
  ValueId x = n.input({any, 4, 40});
  for (int64_t layer = 0; layer < 3; ++layer) {
    const std::string name = "conv" + std::to_string(layer);
    const int64_t c = n.channels(x), dilation = int64_t{1} << layer;
    const ValueId w = n.constant(name + "_w", n.normal({8, c, 3}, 0.3)),
                  b = n.constant(name + "_b", n.normal({8}, 0.2));
    x = n.node(name, graph::Conv{{1}, {2 * dilation, 0}, {dilation}, 1, 0}, {x, w, b});
    x = n.node(name + "_f", layer == 1 ? graph::Op(graph::Elu{}) : graph::Op(graph::LeakyRelu{0.1}), {x});
  }
  x = n.node("pool", graph::MaxPool{{4}, {4}, {0, 0}, {1}, false}, {x});
  x = n.node("average", graph::AveragePool{{2}, {2}, {0, 0}, {1}, false, false}, {x});
  return n.finish({n.gemm("head", n.flatten("flat", x), 5)});
}

Graph u_net(const graph::Resize& resize) {
  Network n(7);
  const ValueId top = n.relu("down1_f", n.conv("down1", n.input({any, 3, 12, 16}), 6, 3, 1, 1));
  const ValueId middle = n.relu("down2_f", n.conv("down2", n.max_pool("pool1", top), 8, 3, 1, 1));
  const ValueId bottom = n.relu("down3_f", n.conv("down3", n.max_pool("pool2", middle), 8, 3, 1, 1));
  const ValueId up = n.conv_transpose("up1", bottom, 8, 2, 2);
  const ValueId joined = n.node("join1", graph::Concat{1}, {up, middle});
  const ValueId mixed = n.relu("mix1_f", n.conv("mix1", joined, 6, 3, 1, 1));
  const ValueId resized = n.node("up2", resize, {mixed});
  const ValueId whole = n.node("join2", graph::Concat{1}, {resized, top});
  return n.finish({n.conv("out", whole, 2, 1)});
}

}  // namespace

TEST(Functions, AVisionTransformerBecomesInteger) {
  EXPECT_GT(walk(vision_transformer()), 25);
}

TEST(Functions, ALanguageModelWithACausalMaskBecomesInteger) {
  EXPECT_GT(walk(language_model(-1e4F)), 25);
  EXPECT_GT(walk(language_model(std::numeric_limits<float>::lowest())), 25);
}

TEST(Functions, AMobileNetV3BlockBecomesInteger) {
  EXPECT_GT(walk(mobilenet_v3_block()), 25);
}

TEST(Functions, ADilatedCausalNetworkOfOneDimensionBecomesInteger) {
  EXPECT_GT(walk(audio_network()), 25);
}

TEST(Functions, AUNetBecomesInteger) {
  using graph::ResizeCoordinates;
  using graph::ResizeMode;
  graph::Resize resize;
  resize.scales = {1, 1, 2, 2};
  EXPECT_GT(walk(u_net(resize)), 25);
  for (const auto coordinates : {ResizeCoordinates::HalfPixel, ResizeCoordinates::PytorchHalfPixel,
                                 ResizeCoordinates::AlignCorners, ResizeCoordinates::Asymmetric}) {
    resize.mode = ResizeMode::Linear, resize.coordinates = coordinates;
    EXPECT_GT(walk(u_net(resize)), 25) << static_cast<int>(coordinates);
  }
}

TEST(Functions, AGroupedTransposedConvolutionHasItsChannelsScales) {
  Network n(8);
  const ValueId x = n.conv_transpose("up", n.input({any, 4, 5}), 6, 4, 2, 1, 2);
  Graph& graph = n.finish({n.conv("out", n.relu("f", x), 3, 3)});
  EXPECT_GT(walk(graph), 25);
}

}  // namespace nibble::passes::testing
