#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <set>

#include "equal/onnx/random_integer_networks.hpp"
#include "graph/evaluate.hpp"
#include "onnx/dialects.hpp"
#include "scratch.hpp"

namespace nibble::tests {
namespace {

struct Batch {
  Style style;
  const char* name;
  uint64_t count;
};

/// A thousand networks.
constexpr Batch batches[] = {
    {Style::Any, "any", 500}, {Style::Deployable, "deployable", 350}, {Style::Attention, "attention", 150}};

TEST(RandomIntegerNetworks, StayWithinTheRangesTheyStateAndHaveEveryIntegerOp) {
  std::set<std::string_view> ops;
  for (const Batch& batch : batches)
    for (uint64_t seed = 0; seed < batch.count; ++seed) {
      const graph::Graph graph = random_integer_network(seed, batch.style);
      for (const graph::Node& node : graph.nodes) ops.insert(graph::name_of(node.op));
      graph::evaluate(graph, random_integers(graph, seed), [&](graph::ValueId id, const Tensor& tensor) {
        for (int64_t x : tensor.to_integers())
          ASSERT_TRUE(graph[id].bounds.front().contains(x)) << graph.name << ": " << graph[id].name << " holds " << x;
        EXPECT_NO_THROW(tensor.cast(graph[id].type));
      });
    }
  const std::set<std::string_view> all{"Add",
                                       "ArgMax",
                                       "Clip",
                                       "Concat",
                                       "Conv",
                                       "ConvTranspose",
                                       "Div",
                                       "Flatten",
                                       "FloorDivide",
                                       "Gather",
                                       "Gemm",
                                       "IGelu",
                                       "IHardSwish",
                                       "ILayerNorm",
                                       "INoNorm",
                                       "IRmsNorm",
                                       "ISoftmax",
                                       "IntegerDiv",
                                       "IntegerNormalization",
                                       "InterpolatedTable",
                                       "ItaMax",
                                       "ItaPartialMax",
                                       "MatMul",
                                       "Max",
                                       "MaxPool",
                                       "Min",
                                       "Mul",
                                       "Pad",
                                       "ReduceMax",
                                       "ReduceSum",
                                       "Relu",
                                       "Requantise",
                                       "Reshape",
                                       "Resize",
                                       "RoundedDivision",
                                       "Slice",
                                       "Split",
                                       "Squeeze",
                                       "Sub",
                                       "SumPool",
                                       "Table",
                                       "TableSoftmax",
                                       "Threshold",
                                       "Transpose",
                                       "TrueIntegerDiv",
                                       "Unsqueeze",
                                       "Where"};
  EXPECT_EQ(ops, all);
}

// ---- dialects

/// What became of the networks that were given to a dialect.
struct Tally {
  int accepted = 0, refused = 0;
  std::map<std::string, int> reasons;
};

/// Why each node or input that a refusal names was refused, numbers taken out: "(Resize): a resampling, which ...".
std::vector<std::string> reasons_of(const graph::Graph& graph, const std::string& message) {
  std::vector<std::string> reasons;
  std::vector<std::string> names;
  for (const graph::Node& node : graph.nodes) names.push_back("'" + node.name + "'");
  for (graph::ValueId id : graph.inputs) names.push_back("input '" + graph[id].name + "'");
  for (const std::string& name : names) {
    const size_t at = message.find(name);
    if (at == message.npos) continue;
    const size_t begin = at + name.size();
    std::string reason;
    size_t end = message.size();
    for (const char* mark : {"; '", ", '", " (expected"}) end = std::min(end, message.find(mark, begin));
    for (char c : message.substr(begin, end - begin)) {
      const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
      if (!digit || !reason.ends_with('#')) reason += digit ? '#' : c;
    }
    reasons.push_back(reason.substr(0, 140));
  }
  return reasons;
}

/// A refusal names a node or an input of the network, and says more of it than its op.
void expect_a_named_reason(const graph::Graph& graph, const std::string& message, Tally& tally) {
  const std::vector<std::string> reasons = reasons_of(graph, message);
  EXPECT_FALSE(reasons.empty()) << message << " names no node";
  for (const std::string& reason : reasons) {
    EXPECT_GT(reason.size(), 20U) << message;
    ++tally.reasons[reason];
  }
}

std::vector<std::vector<int64_t>> integers_of(const std::vector<Tensor>& tensors) {
  std::vector<std::vector<int64_t>> result;
  for (const Tensor& tensor : tensors) result.push_back(tensor.to_integers());
  return result;
}

/// graph -> dialect -> graph computes the same integers, or the dialect refuses with a reason.
void expect_round_trip(const onnx::Dialect& dialect, const graph::Graph& graph, uint64_t seed, Tally& tally) {
  SCOPED_TRACE(std::string(dialect.name) + ", " + graph.name);
  const auto file = nibble::tests::scratch("round_trip.onnx");
  try {
    dialect.write(graph, file);
  } catch (const UserError& error) {
    ++tally.refused;
    expect_a_named_reason(graph, error.what(), tally);
    return;
  }
  ++tally.accepted;
  const graph::Graph again = onnx::read(file, {.dialect = std::string(dialect.name)});
  EXPECT_EQ(again.stage, graph::Stage::ID);
  const Shape& shape = again[again.inputs.front()].shape;
  const auto inputs = random_integers(graph, seed, !shape.empty() && shape.front() == any ? 2 : 1);
  EXPECT_EQ(integers_of(graph::evaluate(again, inputs)), integers_of(graph::evaluate(graph, inputs)));
}

void print(const onnx::Dialect& dialect, const char* style, const Tally& tally) {
  std::cout << dialect.name << ", " << style << ": " << tally.accepted << " of " << tally.accepted + tally.refused
            << " written\n";
  std::multimap<int, std::string, std::greater<>> reasons;
  for (const auto& [reason, count] : tally.reasons) reasons.emplace(count, reason);
  int shown = 0;
  for (const auto& [count, reason] : reasons)
    if (++shown <= 20) std::cout << "  " << count << "  " << reason << "\n";
}

TEST(RandomIntegerNetworks, ComputeTheSameIntegersThroughEveryDialectOrAreRefusedByName) {
  for (const onnx::Dialect& dialect : onnx::dialects()) {
    if (!dialect.holds(graph::Stage::ID) || dialect.name == "qdq" || dialect.name == "qoperator") continue;
    for (const Batch& batch : batches) {
      Tally tally;
      for (uint64_t seed = 0; seed < batch.count; ++seed)
        expect_round_trip(dialect, random_integer_network(seed, batch.style), seed, tally);
      print(dialect, batch.name, tally);
      if (batch.style == Style::Deployable) {
        EXPECT_GE(tally.accepted * 5, tally.refused) << dialect.name;
      }
    }
  }
}

}  // namespace
}  // namespace nibble::tests
