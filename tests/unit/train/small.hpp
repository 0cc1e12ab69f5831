#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/random.hpp"
#include "graph/graph.hpp"
#include "train/train.hpp"

/// A problem that a small network learns in a second: which quarter of an 8x8 image is bright.
namespace nibble::test {

class Quarters : public data::Dataset {
 public:
  explicit Quarters(int64_t size, int64_t classes = 4, double spoiled = 0)
      : size_(size), classes_(classes), spoiled_(spoiled) {}
  int64_t size() const override { return size_; }
  int64_t classes() const override { return classes_; }
  data::Sample sample(int64_t index) const override {
    Random random = Random(99).fork(static_cast<uint64_t>(index));
    const int64_t label = static_cast<int64_t>(random.below(static_cast<uint64_t>(classes_)));
    Tensor x(ElementType::Float32, {1, 8, 8});
    for (int64_t i = 0; i < 64; ++i) {
      const bool inside = (i / 32) * 2 + (i % 8) / 4 == label;
      x.as<float>()[static_cast<size_t>(i)] = static_cast<float>(random.normal() + (inside ? 1.0 : 0.0));
    }
    if (spoiled_ != 0) x.as<float>()[0] = static_cast<float>(spoiled_);
    data::Sample sample{x, label, {}};
    return sample;
  }

 private:
  int64_t size_, classes_;
  double spoiled_;
};

inline graph::Graph small_network(int64_t outputs = 4, bool dropout = false) {
  Random random(4);
  const auto drawn = [&](Shape shape, double deviation) {
    Tensor tensor(ElementType::Float32, std::move(shape));
    for (float& x : tensor.as<float>()) x = static_cast<float>(deviation * random.normal());
    return tensor;
  };
  const auto filled = [](int64_t count, float value) {
    return Tensor({count}, std::vector<float>(static_cast<size_t>(count), value));
  };
  graph::Graph graph;
  graph.name = "small";
  graph::ValueId x = graph.add_value("input", ElementType::Float32, {any, 1, 8, 8});
  graph.inputs = {x};
  graph::Conv conv;
  conv.strides = {1, 1}, conv.dilations = {1, 1}, conv.pads = {1, 1, 1, 1};
  x = graph.add_node("conv", conv, {x, graph.add_constant("conv.weight", drawn({6, 1, 3, 3}, 0.4))});
  x = graph.add_node("bn", graph::BatchNormalization{},
                     {x, graph.add_constant("bn.weight", filled(6, 1)), graph.add_constant("bn.bias", filled(6, 0)),
                      graph.add_constant("bn.mean", filled(6, 0)), graph.add_constant("bn.variance", filled(6, 1))});
  x = graph.add_node("relu", graph::Relu{}, {x});
  graph::MaxPool pool;
  pool.kernel = pool.strides = {2, 2}, pool.pads = {0, 0, 0, 0}, pool.dilations = {1, 1};
  x = graph.add_node("pool", pool, {x});
  x = graph.add_node("flatten", graph::Flatten{}, {x});
  if (dropout) x = graph.add_node("dropout", graph::Dropout{0.25}, {x});
  graph::Gemm gemm;
  gemm.transpose_b = true;
  x = graph.add_node("fc", gemm,
                     {x, graph.add_constant("fc.weight", drawn({outputs, 96}, 0.1)),
                      graph.add_constant("fc.bias", filled(outputs, 0))});
  graph.outputs = {x};
  graph::tidy(graph);
  return graph;
}

/// A folder of its own that goes with the test.
struct Folder {
  std::filesystem::path path;
  Folder() {
    static int number = 0;
    path = std::filesystem::temp_directory_path() /
           ("nibble-train-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

inline train::TrainRun small_run(const std::filesystem::path& folder) {
  train::TrainRun run;
  run.recipe.epochs = 3, run.recipe.batch_size = 16, run.recipe.learning_rate = 0.01;
  run.recipe.augmentation = Json::parse(R"([{"crop": {"padding": 1}}])");
  run.train_set = std::make_shared<Quarters>(200);
  run.test_set = std::make_shared<Quarters>(50);
  run.folder = folder;
  return run;
}

/// Every constant's bytes, in order.
inline std::string bits(const graph::Graph& graph) {
  std::string all;
  for (const graph::Value& value : graph.values)
    if (value.constant)
      all.append(reinterpret_cast<const char*>(value.constant->bytes().data()), value.constant->bytes().size());
  return all;
}

/// The bits of the network after a run.
inline std::string trained(const train::TrainRun& run, bool dropout = true) {
  graph::Graph graph = small_network(4, dropout);
  train::train(graph, run);
  return bits(graph);
}

}  // namespace nibble::test
