#include <gtest/gtest.h>

#include "verbs/goldens/golden_match.hpp"

namespace nibble::verbs {
namespace {

Tensor row(const std::vector<int64_t>& values) {
  return Tensor({1, static_cast<int64_t>(values.size())}, values);
}

Recorded array(std::string name, Tensor tensor) {
  return {"file.npz", std::move(name), false, std::move(tensor)};
}

/// sum = a + b, doubled = sum * two, both of int32 [1, 2].
graph::Graph network() {
  graph::Graph graph;
  graph.stage = graph::Stage::ID;
  for (const char* name : {"a", "b"}) graph.inputs.push_back(graph.add_value(name, ElementType::Int32, {1, 2}));
  const graph::ValueId sum = graph.add_node("sum", graph::Add{}, graph.inputs);
  graph.outputs = {
      graph.add_node("doubled", graph::Mul{}, {sum, graph.add_constant("two", row({2, 2}).cast(ElementType::Int32))})};
  graph::tidy(graph);
  return graph;
}

/// What is found of each tensor: "name=value" or "name=value/differing", "name=" where it is not in the network.
std::string findings(const GoldenFolder& golden) {
  const graph::Graph graph = network();
  const auto engine = graph::reference_engine(graph);
  std::string text;
  for (const Finding& finding : compare_goldens(golden, graph, *engine)) {
    text += (text.empty() ? "" : " ") + finding.recorded->name + "=" + finding.value;
    if (finding.difference) text += "/" + std::to_string(finding.difference->count);
  }
  return text;
}

GoldenFolder golden_of(std::vector<Recorded> inputs) {
  return {"folder/network.onnx", std::move(inputs), {}, {array("doubled", row({22, 44}))}};
}

std::string refused(const GoldenFolder& golden) {
  try {
    findings(golden);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(Goldens, InputsAreTakenByNameThenInOrderThenByNumber) {
  EXPECT_EQ(findings(golden_of({array("b", row({1, 2})), array("a", row({10, 20}))})), "doubled=doubled");
  EXPECT_EQ(findings(golden_of({array("first", row({10, 20})), array("second", row({1, 2}))})), "doubled=doubled");
  EXPECT_EQ(findings(golden_of({array("b", row({1, 2})), array("rest", row({10, 20}))})), "doubled=doubled");
  // As text, in_10 would stand before in_8.
  EXPECT_EQ(
      findings(golden_of({array("in_10", row({2, 2})), array("in_8", row({10, 20})), array("in_9", row({1, 2}))})),
      "in_10=two doubled=doubled");
}

TEST(Goldens, IntegersAreTakenWhateverTheArraysTypeAndExtentsOfOne) {
  const Tensor reals = row({10, 20}).cast(ElementType::Float32).reshaped({2});
  EXPECT_EQ(findings(golden_of({array("a", reals), array("b", row({1, 2}))})), "doubled=doubled");
}

TEST(Goldens, ArraysBeyondTheInputsAreComparedWithTheNetworksConstants) {
  const auto with = [](Tensor extra) {
    return golden_of({array("x0", row({10, 20})), array("x1", row({1, 2})), array("x2", std::move(extra))});
  };
  EXPECT_EQ(findings(with(row({2, 2}))), "x2=two doubled=doubled");
  EXPECT_EQ(findings(with(row({2, 3}))), "x2=two/1 doubled=doubled");
  EXPECT_EQ(findings(with(row({2, 2, 2}))), "x2= doubled=doubled");
}

TEST(Goldens, ActivationsOfANameThatTheNetworkLacksAreLookedForByTheirIntegers) {
  GoldenFolder golden = golden_of({array("a", row({10, 20})), array("b", row({1, 2}))});
  golden.activations = {array("module", row({11, 22})), array("sum", row({11, 22}))};
  EXPECT_EQ(findings(golden), "module=sum sum=sum doubled=doubled");
  golden.activations = {array("module", row({11, 44})), array("lost", row({1, 2, 3}))};
  EXPECT_EQ(findings(golden), "module=sum/1 lost= doubled=doubled");
}

TEST(Goldens, ATensorOfTheNetworksNameIsComparedWithThatOneAlone) {
  GoldenFolder golden = golden_of({array("a", row({10, 20})), array("b", row({1, 2}))});
  golden.activations = {array("sum", row({22, 44}))};
  EXPECT_EQ(findings(golden), "sum=sum/2 doubled=doubled");
}

TEST(Goldens, AnOutputTooManyIsNotInTheNetwork) {
  GoldenFolder golden = golden_of({array("a", row({10, 20})), array("b", row({1, 2}))});
  golden.outputs = {array("y", row({22, 44})), array("z", row({22, 44}))};
  EXPECT_EQ(findings(golden), "y=doubled z=");
  golden.outputs = {array("y", row({22, 44, 0}))};
  EXPECT_EQ(findings(golden), "y=doubled/3");
}

TEST(GoldenErrors, NameTheArray) {
  EXPECT_EQ(refused(golden_of({array("a", row({1, 2}))})), "verbs: folder: 1 inputs (expected 2, one for input 'b')");
  EXPECT_EQ(refused(golden_of({array("a", row({1, 2, 3})), array("b", row({1, 2}))})),
            "verbs: folder/file.npz: 'a': shape [1, 3] (expected [1, 2], that of input 'a')");
  const Tensor halves({1, 2}, std::vector<float>{1, 0.5F});
  EXPECT_EQ(refused(golden_of({array("a", halves), array("b", row({1, 2}))})),
            "verbs: folder/file.npz: 'a': 0.500000 at element 1 (expected integers, which this network's input holds)");
}

}  // namespace
}  // namespace nibble::verbs
