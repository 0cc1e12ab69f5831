#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>

#include "equal/onnx/random_integer_networks.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/dialects.hpp"
#include "passes/integerise/integerise.hpp"
#include "scratch.hpp"

namespace nibble::tests {
namespace {

/// What became of the networks that were given to a dialect.
struct Tally {
  int accepted = 0, refused = 0;
  int fake = 0;  ///< of the accepted: read back as a fake-quantised network that is not made integer
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

/// The same real inputs for a network read back: a Clip right behind an input may have become the input's own levels.
std::vector<Tensor> for_grids_of(const graph::Graph& again, const graph::Graph& graph, std::vector<Tensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto &to = again[again.inputs.at(i)].grid, &from = graph[graph.inputs[i]].grid;
    if (!to || !from || *to == *from) continue;
    for (int64_t& q : inputs[i].as<int64_t>()) q = to->quantise(from->real(q, 0), 0, Rounding::HalfEven);
  }
  return inputs;
}

/// Makes the fake-quantised network integer, or leaves it where sums that nothing requantises leave it on no grid: what
/// the file says is then compared as it is.
bool becomes_integer(graph::Graph& graph) {
  graph::Graph integer = graph;
  try {
    passes::integerise(integer, {});
  } catch (const UserError& error) {
    const std::string message = error.what();
    bool known = false;
    for (const char* reason : {"is not on one grid", "is not on a grid"})
      known = known || message.find(reason) != message.npos;
    EXPECT_TRUE(known) << message;
    return false;
  }
  graph = std::move(integer);
  return true;
}

std::vector<Tensor> reals_of(const graph::Graph& graph, const std::vector<Tensor>& integers) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < integers.size(); ++i) {
    std::vector<double> reals;
    for (int64_t q : integers[i].to_integers()) reals.push_back(graph[graph.inputs[i]].grid->real(q, 0));
    inputs.push_back(Tensor(integers[i].shape(), reals).cast(ElementType::Float32));
  }
  return inputs;
}

/// The outputs of a fake-quantised network that have grids are those levels of them.
void expect_same_levels(const graph::Graph& fake, const std::vector<Tensor>& inputs,
                        const std::vector<Tensor>& expected) {
  const std::vector<Tensor> outputs = graph::evaluate(fake, inputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto& grid = fake[fake.outputs[i]].grid;
    if (!grid) continue;
    const std::vector<double> reals = outputs[i].to_reals();
    size_t inner = 1;
    for (size_t axis = 2; axis < outputs[i].rank(); ++axis) inner *= static_cast<size_t>(outputs[i].shape()[axis]);
    std::vector<int64_t> levels;
    for (size_t k = 0; k < reals.size(); ++k) {
      const size_t channel = grid->per_channel() ? k / inner % grid->scale.size() : 0;
      levels.push_back(grid->quantise(reals[k], channel, Rounding::HalfEven));
    }
    EXPECT_EQ(levels, expected[i].to_integers());
  }
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
  graph::Graph again = onnx::read(file, {.dialect = std::string(dialect.name)});
  const Shape& shape = again[again.inputs.front()].shape;
  const auto inputs = random_integers(graph, seed, !shape.empty() && shape.front() == any ? 2 : 1);
  const std::vector<Tensor> expected = graph::evaluate(graph, inputs);
  // The standard's forms may say what integers stand for; the integers come out of it again.
  if (again.stage != graph::Stage::ID && !becomes_integer(again)) {
    ++tally.fake;
    return expect_same_levels(again, reals_of(graph, inputs), expected);
  }
  EXPECT_EQ(integers_of(graph::evaluate(again, for_grids_of(again, graph, inputs))), integers_of(expected));
}

void print(const onnx::Dialect& dialect, const char* style, const Tally& tally) {
  std::cout << dialect.name << ", " << style << ": " << tally.accepted << " of " << tally.accepted + tally.refused
            << " written" << (tally.fake > 0 ? ", " + std::to_string(tally.fake) + " of them fake-quantised" : "")
            << "\n";
  std::multimap<int, std::string, std::greater<>> reasons;
  for (const auto& [reason, count] : tally.reasons) reasons.emplace(count, reason);
  int shown = 0;
  for (const auto& [count, reason] : reasons)
    if (++shown <= 20) std::cout << "  " << count << "  " << reason << "\n";
}

std::vector<const onnx::Dialect*> of_integers() {
  std::vector<const onnx::Dialect*> found;
  for (const onnx::Dialect& dialect : onnx::dialects())
    if (dialect.holds(graph::Stage::ID)) found.push_back(&dialect);
  return found;
}

class RandomIntegerNetworksAs : public testing::TestWithParam<const onnx::Dialect*> {};

TEST_P(RandomIntegerNetworksAs, ComputeTheSameIntegersReadBackOrAreRefusedByName) {
  const onnx::Dialect& dialect = *GetParam();
  // Each dialect holds the networks that are made for it.
  const bool standard = dialect.name == "qdq" || dialect.name == "qoperator" || dialect.name == "qonnx";
  for (const Batch& batch : batches) {
    Tally tally;
    for (uint64_t seed = 0; seed < batch.count; ++seed)
      expect_round_trip(dialect, random_integer_network(seed, batch.style), seed, tally);
    print(dialect, batch.name, tally);
    if (batch.style == (standard ? Style::Standard : Style::Deployable)) {
      EXPECT_GE(tally.accepted * 2, tally.refused);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dialect, RandomIntegerNetworksAs, testing::ValuesIn(of_integers()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace nibble::tests
