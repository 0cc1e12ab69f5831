#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "base/file.hpp"
#include "equal/onnx/conformance_exceptions.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/file/tensor_file.hpp"
#include "onnx/onnx.hpp"

// ONNX's own node tests, from Debian's libonnx-testdata: each is a model of one or a few nodes with inputs and outputs.
namespace nibble {
namespace {

namespace fs = std::filesystem;

/// The fewest cases that may run: as many as ran when this was written.
constexpr int least_cases = 483;

std::vector<std::string> files(const fs::path& folder, const std::string& kind) {
  std::vector<std::string> all;
  for (int i = 0; fs::exists(folder / (kind + "_" + std::to_string(i) + ".pb")); ++i)
    all.push_back(read_file(folder / (kind + "_" + std::to_string(i) + ".pb"), "test"));
  return all;
}

std::string varint(size_t number) {
  std::string bytes;
  for (; number >= 128; number >>= 7) bytes += static_cast<char>(number | 128);
  return bytes + static_cast<char>(number);
}

/// A length-delimited field of protobuf's wire format.
std::string field(int number, const std::string& bytes) {
  return varint(static_cast<size_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}

/// The model with tensors as initializers of its graph: messages that follow each other merge.
std::string with_initializers(std::string model, const std::vector<std::string>& tensors, size_t first) {
  constexpr int model_graph = 7, graph_initializer = 5;
  for (size_t i = first; i < tensors.size(); ++i) model += field(model_graph, field(graph_initializer, tensors[i]));
  return model;
}

/// ONNX's own runner allows 1e-7 + 1e-3 |b|; the relative part is ten times tighter here.
void expect_near(const Tensor& found, const Tensor& expected) {
  ASSERT_EQ(found.shape(), expected.shape());
  if (!is_real(expected.type())) {
    ASSERT_EQ(found.to_integers(), expected.to_integers());
    return;
  }
  const std::vector<double> a = found.to_reals(), b = expected.to_reals();
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    ASSERT_NEAR(a[i], b[i], 1e-7 + 1e-4 * std::abs(b[i])) << "element " << i;
  }
}

void run_bound(const graph::Graph& graph, const fs::path& data) {
  std::vector<Tensor> inputs;
  for (const std::string& bytes : files(data, "input")) inputs.push_back(onnx::tensor_from_bytes(bytes, data.string()));
  inputs.resize(graph.inputs.size());
  const std::vector<Tensor> outputs = graph::evaluate(graph, inputs);
  const std::vector<std::string> expected = files(data, "output");
  ASSERT_LE(outputs.size(), expected.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    expect_near(outputs[i], onnx::tensor_from_bytes(expected[i], data.string()));
}

/// Runs a case; where the model takes from outside what we need to know while reading (an axis, a clip's bounds), the
/// data become its initializers: all but the first, or all. Returns why it cannot be read, or "".
std::string run_case(const fs::path& folder) {
  const fs::path data = folder / "test_data_set_0";
  const std::string model = read_file(folder / "model.onnx", "test");
  std::string refusal;
  for (size_t free_inputs : {size_t{100}, size_t{1}, size_t{0}}) {
    graph::Graph graph;
    try {
      graph = onnx::read_bytes(with_initializers(model, files(data, "input"), free_inputs), folder.filename().string());
    } catch (const UserError& error) {
      if (refusal.empty()) refusal = error.what();
      continue;
    }
    run_bound(graph, data);
    return "";
  }
  return refusal;
}

/// An op that we do not have: the case does not concern us.
bool concerns_another_op(const std::string& refusal) {
  return refusal.find("): an op that is not supported") != refusal.npos ||
         refusal.find("): an op of domain") != refusal.npos;
}

TEST(Conformance, EveryNodeTestOfOnnxThatConcernsOurOpsHolds) {
  const fs::path root = "/usr/lib/python3/dist-packages/onnx/backend/test/data";
  if (!fs::exists(root)) GTEST_SKIP() << "libonnx-testdata is not installed (apt install libonnx-testdata)";
  int ran = 0, excepted = 0, others = 0;
  for (const char* suite : {"node", "simple", "pytorch-converted", "pytorch-operator"}) {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(root / suite))
      if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
    std::sort(folders.begin(), folders.end());
    for (const fs::path& folder : folders) {
      SCOPED_TRACE(folder.string());
      if (!exception_for(folder.filename().string()).empty()) {
        ++excepted;
        continue;
      }
      try {
        const std::string refusal = run_case(folder);
        const bool other = concerns_another_op(refusal);
        EXPECT_TRUE(other || refusal.empty()) << "neither read nor listed: " << refusal;
        ran += refusal.empty();
        others += other;
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }
  std::cout << "ONNX node tests: " << ran << " ran, " << excepted << " are listed with the reason why not, " << others
            << " are of ops that we do not have\n";
  EXPECT_GE(ran, least_cases);
}

}  // namespace
}  // namespace nibble
