#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "data/npz.hpp"
#include "onnx/onnx.hpp"
#include "passes/integerise/integerise.hpp"
#include "passes/quantise/quantise.hpp"

/// Rows of ../shared/field: their values, and the whole way to integers on their calibration data.
namespace nibble::tests {
namespace {

namespace fs = std::filesystem;

fs::path field() {
  return fs::path(NIBBLE_SOURCE) / ".." / "shared" / "field";
}

/// The networks of rows; those that no integers are promised of are left out of the way there.
std::vector<fs::path> networks_of(const std::vector<std::string>& rows) {
  std::vector<fs::path> files;
  for (const std::string& row : rows)
    for (const auto& entry : fs::directory_iterator(field() / row))
      if (entry.path().extension() == ".onnx") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

fs::path beside(const fs::path& model, const std::string& what) {
  return model.parent_path() / (model.stem().string() + what);
}

std::vector<Tensor> inputs_of(const graph::Graph& graph, const data::Arrays& arrays) {
  std::vector<Tensor> inputs;
  for (graph::ValueId id : graph.inputs)
    for (const auto& [name, tensor] : arrays)
      if (name == graph[id].name || arrays.size() == 1) inputs.push_back(tensor);
  return inputs;
}

void expect_values(const fs::path& model) {
  const graph::Graph graph = onnx::read(model);
  const auto outputs = graph::evaluate(graph, inputs_of(graph, data::read_npz(beside(model, ".inputs.npz"))));
  for (const auto& [name, tensor] : data::read_npz(beside(model, ".expected.npz")))
    for (size_t o = 0; o < outputs.size(); ++o) {
      if (graph[graph.outputs[o]].name != name) continue;
      const auto found = outputs[o].to_reals(), expected = tensor.to_reals();
      ASSERT_EQ(outputs[o].shape(), tensor.shape()) << model;
      for (size_t i = 0; i < found.size(); ++i)
        ASSERT_NEAR(found[i], expected[i], 1e-5 * (1 + std::abs(expected[i]))) << model << " " << name << " " << i;
    }
}

std::map<std::string, std::vector<int64_t>> integers_of(const graph::Graph& graph, const std::vector<Tensor>& inputs) {
  std::map<std::string, std::vector<int64_t>> seen;
  graph::evaluate(graph, inputs, [&](graph::ValueId id, const Tensor& tensor) {
    if (!is_real(tensor.type())) seen[graph[id].name] = tensor.to_integers();
  });
  return seen;
}

void expect_integers(const fs::path& model) {
  const fs::path own = beside(model, ".calib.npz");
  const data::Arrays arrays = data::read_npz(fs::exists(own) ? own : model.parent_path() / "calib.npz");
  graph::Graph fake = onnx::read(model);
  const std::vector<Tensor> inputs = inputs_of(fake, arrays);
  if (fake.stage == graph::Stage::FP)
    passes::quantise(fake, {}, graph::reference_engine, [&](const auto& use) { use(inputs); });
  graph::Graph deployable = fake, integer = fake;
  passes::IntegeriseOptions stop;
  stop.stop_at_qd = true;
  passes::integerise(deployable, stop);
  const passes::IntegeriseReport report = passes::integerise(integer, {});
  EXPECT_EQ(report.exact_nodes(), static_cast<int>(report.nodes.size())) << model;
  const auto qd = integers_of(deployable, inputs), id = integers_of(integer, inputs);
  size_t compared = 0;
  for (const auto& [name, q] : qd) {
    if (!id.contains(name)) continue;
    EXPECT_EQ(q, id.at(name)) << model << " " << name;
    ++compared;
  }
  EXPECT_GE(compared, 2U) << model;
}

}  // namespace

TEST(Field, NetworksThatSayOurOpsInOtherWordsHaveTheirValuesAndTheirIntegers) {
  if (!fs::exists(field())) GTEST_SKIP() << field() << " is not there";
  const auto files = networks_of({"moves", "matmul3d", "prelu", "pointwise", "movement", "norms", "leftmatmul",
                                  "layernorm", "fused", "scale0", "convtranspose", "deadchannel", "standard"});
  EXPECT_GE(files.size(), 30U);
  for (const fs::path& model : files) {
    SCOPED_TRACE(model.string());
    if (fs::exists(beside(model, ".expected.npz"))) expect_values(model);
    // Scales along the input channels of a ConvTranspose: no sum of its products has one.
    if (model.stem() != "inputaxis") expect_integers(model);
  }
}

}  // namespace nibble::tests
