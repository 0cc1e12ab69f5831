#include "graph/evaluate/evaluate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace nibble;
using namespace nibble::graph;

namespace {

constexpr int64_t largest = std::numeric_limits<int64_t>::max();
constexpr int64_t least = std::numeric_limits<int64_t>::min();

template <class Error>
std::string message_of(const auto& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

void run(Op op, const std::vector<Tensor>& inputs) {
  const Node node{"n", std::move(op), {}, {}};
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  evaluate(node, pointers);
}

std::string complaint(Op op, const std::vector<Tensor>& inputs) {
  return message_of<UserError>([&] { run(op, inputs); });
}

std::string broken_claim(Op op, const std::vector<Tensor>& inputs) {
  return message_of<InternalError>([&] { run(op, inputs); });
}

Tensor integers(Shape shape, const std::vector<int64_t>& values) {
  return Tensor(std::move(shape), values);
}

/// A network of inputs only.
Graph taking(std::vector<std::pair<ElementType, Shape>> inputs) {
  Graph graph;
  graph.name = "g";
  for (const auto& [type, shape] : inputs) graph.inputs.push_back(graph.add_value("x", type, shape));
  return graph;
}

std::string complaint(const Graph& graph, const std::vector<Tensor>& inputs) {
  return message_of<UserError>([&] { prepare_inputs(graph, inputs); });
}

}  // namespace

TEST(PrepareInputs, NamesAnInputOfAnotherShape) {
  const Graph graph = taking({{ElementType::Float32, {any, 1, 28, 28}}});
  EXPECT_EQ(complaint(graph, {Tensor(ElementType::Float32, {1, 3, 32, 32})}),
            "graph: input 'x': shape [1, 3, 32, 32] (expected [N, 1, 28, 28])");
  EXPECT_EQ(complaint(graph, {Tensor(ElementType::Float32, {28, 28})}),
            "graph: input 'x': shape [28, 28] (expected [N, 1, 28, 28])");
}

TEST(PrepareInputs, CountsTheInputs) {
  EXPECT_EQ(complaint(taking({{ElementType::Float32, {any}}}), {}), "graph: network 'g': 0 inputs (expected 1)");
}

TEST(PrepareInputs, NamesAnInputOfAnotherBatch) {
  const Graph graph = taking({{ElementType::Float32, {any, 2}}, {ElementType::Float32, {any, 2}}});
  EXPECT_EQ(complaint(graph, {Tensor(ElementType::Float32, {3, 2}), Tensor(ElementType::Float32, {1, 2})}),
            "graph: input 'x_1': a batch of 1 (expected 3, that of input 'x')");
}

TEST(PrepareInputs, NamesWhatNoGridHolds) {
  Graph graph = taking({{ElementType::UInt8, {2}}});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NO_THROW(prepare_inputs(graph, {Tensor({2}, std::vector<float>{7, 1})}));
  EXPECT_EQ(complaint(graph, {Tensor({2}, std::vector<float>{7, 1.5f})}),
            "graph: input 'x': a real number for integers without a grid, at index 1 (expected integers)");
  graph[0].grid = Grid{{0.5}, -1, 0, 0, 15};
  EXPECT_EQ(complaint(graph, {Tensor({2}, std::vector<float>{0, nan})}),
            "graph: input 'x': NaN at index 1 (expected finite numbers)");
  EXPECT_EQ(complaint(graph, {integers({2}, {15, 16})}), "graph: input 'x': integer 16 (expected 0 to 15)");
  EXPECT_EQ(complaint(graph, {integers({2}, {-1, 0})}), "graph: input 'x': integer -1 (expected 0 to 15)");
}

TEST(PrepareInputs, NamesIntegersBeyondProvenBounds) {
  Graph graph = taking({{ElementType::Int8, {any, 2}}});
  graph[0].bounds = {{0, 3}, {-5, -4}};
  EXPECT_EQ(complaint(graph, {integers({2, 2}, {0, -4, 3, -5})}), "nothing");
  EXPECT_EQ(complaint(graph, {integers({2, 2}, {0, -4, 3, -6})}), "graph: input 'x': integer -6 (expected -5 to -4)");
}

TEST(EvaluateErrors, NameTheNodeAndTheNumber) {
  EXPECT_EQ(complaint(Table{2}, {integers({2}, {5, 6}), integers({4}, {0, 0, 0, 0})}),
            "graph: node 'n' (Table): input 6 (expected 2 to 5)");
  EXPECT_EQ(complaint(Table{2}, {integers({1}, {least}), integers({4}, {0, 0, 0, 0})}),
            "graph: node 'n' (Table): input -9223372036854775808 (expected 2 to 5)");
  EXPECT_EQ(complaint(Gather{0}, {integers({3}, {0, 0, 0}), integers({1}, {-4})}),
            "graph: node 'n' (Gather): index -4 (expected -3 to 2)");
  EXPECT_EQ(complaint(Div{}, {integers({1}, {1}), integers({1}, {0})}),
            "graph: node 'n' (Div): a division by 0 (expected a divisor that is not)");
  EXPECT_EQ(complaint(Quantise{}, {Tensor({2}, std::vector<double>{0, std::nan("")})}),
            "graph: node 'n' (Quantise): NaN at index 1 (expected finite numbers)");
}

TEST(EvaluateErrors, ASumBeyond64BitsIsOurs) {
  const Tensor large = integers({1, 1, 2}, {largest, 1}), one = integers({1}, {1});
  const std::string claim = "an accumulator fits into 64 bits";
  for (const Op& op :
       {Op(SumPool{{2}, {}, {}, {}, false, 0}), Op(ReduceSum{}), Op(SumPool{{1}, {}, {}, {}, false, -1})})
    EXPECT_EQ(broken_claim(op, {large}).find(claim) != std::string::npos, true) << name_of(op);
  const auto breaks = [&](Op op, const std::vector<Tensor>& inputs) {
    const std::string message = broken_claim(std::move(op), inputs);
    EXPECT_NE(message.find(claim), std::string::npos) << message;
  };
  breaks(Conv{}, {large, integers({1, 1, 2}, {1, 1})});
  breaks(Conv{}, {large, integers({1, 1, 1}, {2})});
  breaks(Conv{}, {large, integers({1, 1, 1}, {1}), one});
  breaks(Gemm{}, {integers({1, 2}, {largest, 1}), integers({2, 1}, {1, 1})});
  breaks(MatMul{1, 0}, {integers({1}, {least}), one});
  breaks(Add{}, {large, one});
  breaks(Sub{}, {integers({1}, {least}), one});
  breaks(Mul{}, {large, integers({1}, {2})});
  breaks(Div{}, {integers({1}, {least}), integers({1}, {-1})});
  breaks(Neg{}, {integers({1}, {least})});
  breaks(Abs{}, {integers({1}, {least})});
}

TEST(EvaluateErrors, AMissingInputIsOurs) {
  const Node node{"n", Relu{}, {}, {}};
  EXPECT_NE(message_of<InternalError>([&] { evaluate(node, {nullptr}); }).find("a node's required inputs are there"),
            std::string::npos);
}

TEST(EvaluateErrors, MatricesThatDoNotFitAreOurs) {
  const std::string claim = "the matrices of a product fit";
  EXPECT_NE(broken_claim(Gemm{}, {integers({1, 2}, {1, 1}), integers({1, 1}, {1})}).find(claim), std::string::npos);
  EXPECT_NE(broken_claim(MatMul{}, {integers({2}, {1, 1}), integers({1, 1}, {1})}).find(claim), std::string::npos);
  EXPECT_NE(broken_claim(Conv{}, {integers({1, 1, 1}, {1}), integers({1, 2, 1}, {1, 1})})
                .find("a convolution's weights read the channels that there are"),
            std::string::npos);
}

TEST(EvaluateErrors, ABatchThatTheNodesDoNotAllowIsNamed) {
  Graph graph = taking({{ElementType::Float32, {2, any}}});
  const ValueId weights = graph.add_constant("w", Tensor({3, 1}, std::vector<float>{1, 2, 3}));
  graph.outputs = {graph.add_node("m", MatMul{}, {graph.inputs[0], weights})};
  tidy(graph);
  const auto with = [&](int64_t batch) {
    return message_of<UserError>([&] { evaluate(graph, {Tensor(ElementType::Float32, Shape{2, batch})}); });
  };
  EXPECT_EQ(with(3), "nothing");
  EXPECT_EQ(with(1), "graph: node 'm' (MatMul): [2, 1] times [3, 1] (expected equal inner extents)");
}

TEST(EvaluateErrors, ASumBeyond64BitsIsItsNodesAndTheUsersError) {
  Graph graph = taking({{ElementType::Int64, {1}}});
  graph.outputs = {graph.add_node("a", Add{}, {graph.inputs[0], graph.inputs[0]})};
  tidy(graph);
  EXPECT_EQ(message_of<UserError>([&] { evaluate(graph, {integers({1}, {largest})}); }),
            "graph: node 'a' (Add): a sum or product beyond 64 bits (expected integers whose results fit)");
}

TEST(EvaluateErrors, ATransposedConvolutionOfNothingTakesNoTimeWhateverItsExtents) {
  ConvTranspose op;
  op.pads = {(1 << 20) - 1, (1 << 12) - 1, 0, 0};
  const Node node{"n", op, {}, {}};
  const Tensor x(ElementType::Float64, Shape{1, 0, 1 << 20, 1 << 12}), w(ElementType::Float64, Shape{0, 1, 1, 1});
  EXPECT_EQ(evaluate(node, {&x, &w}).front(), Tensor({1, 1, 1, 1}, std::vector<double>{0}));
}
