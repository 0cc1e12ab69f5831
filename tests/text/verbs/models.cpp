#include "text/verbs/models.hpp"

#include <cmath>
#include <limits>

#include "base/file.hpp"
#include "base/random.hpp"
#include "data/formats/zip.hpp"
#include "data/npz.hpp"
#include "graph/graph.hpp"
#include "onnx/onnx.hpp"
#include "unit/onnx/model_builder.hpp"

namespace nibble::tests {
namespace {

/// Numbers on a grid of 1/64: sums of them are exact, so every machine prints the same.
Tensor numbers(Shape shape, Random& random, double least, double most) {
  Tensor tensor(ElementType::Float32, std::move(shape));
  for (float& x : tensor.as<float>())
    x = static_cast<float>(std::floor((least + (most - least) * random.uniform()) * 64) / 64);
  return tensor;
}

graph::Graph tiny(const std::string& name, Tensor weights, Random& random) {
  graph::Graph graph;
  graph.name = name;
  const auto constant = [&](const char* of, Shape shape, double least, double most) {
    return graph.add_constant(of, numbers(std::move(shape), random, least, most));
  };
  const graph::ValueId input = graph.add_value("image", ElementType::Float32, {any, 1, 4, 4});
  graph.inputs = {input};
  graph::ValueId x = graph.add_node("conv", graph::Conv{{1, 1}, {1, 1, 1, 1}, {1, 1}, 1, 0},
                                    {input, graph.add_constant("conv_w", std::move(weights))});
  x = graph.add_node("bn", graph::BatchNormalization{},
                     {x, constant("bn_scale", {2}, 0.5, 1.5), constant("bn_bias", {2}, -0.5, 0.5),
                      constant("bn_mean", {2}, -0.5, 0.5), constant("bn_variance", {2}, 0.5, 1.5)});
  x = graph.add_node("relu", graph::Relu{}, {x});
  x = graph.add_node("pool", graph::MaxPool{{2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}, false}, {x});
  x = graph.add_node("flatten", graph::Flatten{}, {x});
  x = graph.add_node("classifier", graph::Gemm{1, 1, false, true, 0},
                     {x, constant("classifier_w", {3, 8}, -1, 1), constant("classifier_b", {3}, -0.5, 0.5)});
  graph.outputs = {x};
  graph::tidy(graph);
  return graph;
}

/// A class of three for six tokens of twelve.
graph::Graph tokens() {
  Random random(5);
  graph::Graph graph;
  graph.name = "tokens";
  const auto constant = [&](const char* of, Shape shape) {
    return graph.add_constant(of, numbers(std::move(shape), random, -1, 1));
  };
  graph.inputs = {graph.add_value("ids", ElementType::Int64, {any, 6})};
  graph::ValueId x = graph.add_node("embed", graph::Gather{0}, {constant("table", {12, 4}), graph.inputs[0]});
  x = graph.add_node("position", graph::Add{}, {x, constant("positions", {6, 4})});
  x = graph.add_node("flatten", graph::Flatten{}, {x});
  x = graph.add_node("classifier", graph::Gemm{1, 1, false, true, 0},
                     {x, constant("classifier_w", {3, 24}), constant("classifier_b", {3})});
  graph.outputs = {x};
  graph::tidy(graph);
  return graph;
}

void write_tiny(const std::filesystem::path& file, float (*change)(size_t index, float weight)) {
  Random random(7);
  Tensor weights = numbers({2, 1, 3, 3}, random, -1, 1);
  auto values = weights.as<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = change(i, values[i]);
  onnx::write_native(tiny(file.stem().string(), std::move(weights), random), file);
}

void write_data(const std::filesystem::path& folder) {
  Random random(11);
  std::vector<int64_t> labels(24);
  std::vector<uint8_t> pixels(24 * 16);
  for (int64_t& label : labels) label = static_cast<int64_t>(random.below(3));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random.below(256));
  const Tensor y({24}, labels);
  data::write_npz(folder / "examples.npz", {{"x", numbers({24, 1, 4, 4}, random, 0, 1)}, {"y", y}});
  data::write_npz(folder / "pixels.npz", {{"x", Tensor({24, 4, 4, 1}, pixels)}, {"y", y}});
  data::write_npz(folder / "empty.npz", {{"x", Tensor(ElementType::Float32, {0, 1, 4, 4})}});
  data::write_npy(folder / "one.npy", numbers({1, 1, 4, 4}, random, 0, 1));
  data::write_npy(folder / "wide.npy", numbers({1, 1, 5, 5}, random, 0, 1));
}

/// Networks whose inputs leave extents open, as other tools write them: of pictures of any size, also without a name for
/// it, or with the channels last; one whose rows are twice
/// its batch; one that has to know its batch, since it adds to it. And one of which all is fixed.
void write_open(const std::filesystem::path& folder) {
  using foreign::Model;
  const auto write = [&](const char* name, const Model& model) { write_file(folder / name, model.bytes(), "tests"); };
  write("open.onnx", Model()
                         .open_input("picture", {"N", "2", "height", "width"})
                         .node("GlobalAveragePool", {"picture"}, "mean")
                         .output("mean", {-1, 2, 1, 1}));
  write("nameless.onnx", Model()
                             .open_input("picture", {"", "2", "", "width"})
                             .node("GlobalAveragePool", {"picture"}, "mean")
                             .output("mean", {-1, 2, 1, 1}));
  write("last.onnx",
        Model()
            .input("picture", {-1, 4, 4, 1})
            .node("Transpose", {"picture"}, "first", foreign::attribute("perm", std::vector<int64_t>{0, 3, 1, 2}))
            .node("GlobalAveragePool", {"first"}, "mean")
            .output("mean", {-1, 1, 1, 1}));
  write("doubled.onnx", Model()
                            .input("x", {-1, 2})
                            .integers("twice", {2}, foreign::Int64, {2, 1})
                            .integers("half", {2}, foreign::Int64, {1, 2})
                            .node("Shape", {"x"}, "shape")
                            .node("Mul", {"shape", "twice"}, "longer")
                            .node("Div", {"longer", "half"}, "column")
                            .node("Reshape", {"x", "column"}, "y")
                            .output("y", {-1, 1}));
  write("longer.onnx", Model()
                           .input("x", {-1, 2})
                           .integers("one", {2}, foreign::Int64, {1, 0})
                           .node("Shape", {"x"}, "shape")
                           .node("Add", {"shape", "one"}, "longer")
                           .node("Sub", {"longer", "one"}, "again")
                           .node("Reshape", {"x", "again"}, "y")
                           .output("y", {-1, 2}));
  write("fixed.onnx", Model().input("x", {3, 2}).node("Relu", {"x"}, "y").output("y", {3, 2}));
}

/// A network of two inputs, and data of their names; one input under a name of its own, and data under others.
void write_inputs(const std::filesystem::path& folder) {
  using foreign::Model;
  const auto write = [&](const char* name, const Model& model) { write_file(folder / name, model.bytes(), "tests"); };
  write("two.onnx", Model()
                        .input("left", {-1, 3})
                        .input("right", {-1, 2})
                        .reals("a", {3, 2}, {0.5F, -1, 0.25F, 1, -0.5F, 0.75F})
                        .reals("b", {2, 2}, {1, 0.5F, -0.5F, 0.25F})
                        .node("MatMul", {"left", "a"}, "la")
                        .node("MatMul", {"right", "b"}, "rb")
                        .node("Add", {"la", "rb"}, "sum")
                        .node("Relu", {"sum"}, "y")
                        .output("y", {-1, 2}));
  write("named.onnx", Model().input("image", {-1, 2}).node("Relu", {"image"}, "\u8f93").output("\u8f93", {-1, 2}));
  Random random(17);
  const Tensor left = numbers({12, 3}, random, -1, 1), right = numbers({12, 2}, random, -1, 1);
  const Tensor y({12}, std::vector<int64_t>(12, 1));
  data::write_npz(folder / "both.npz", {{"right", right}, {"left", left}, {"y", y}});
  data::write_npz(folder / "placed.npz", {{"arr_0", left}, {"arr_1", right}});
  data::write_npz(folder / "uneven.npz", {{"left", left}, {"right", numbers({11, 2}, random, -1, 1)}});
  data::write_npz(folder / "other.npz", {{"picture", right}, {"y", y}});
  data::write_npz(folder / "several.npz", {{"p", right}, {"q", right}});
}

void write_tokens(const std::filesystem::path& folder) {
  onnx::write_native(tokens(), folder / "tokens.onnx");
  Random random(13);
  Tensor ids(ElementType::Int64, {24, 6}), beyond(ElementType::Int64, {1, 6});
  Tensor labels({24}, std::vector<int64_t>(24));
  for (int64_t& y : labels.as<int64_t>()) y = static_cast<int64_t>(random.below(3));
  for (int64_t& id : ids.as<int64_t>()) id = static_cast<int64_t>(random.below(12));
  beyond.as<int64_t>()[3] = 12;
  data::write_npz(folder / "ids.npz", {{"x", ids}, {"y", labels}});
  data::write_npz(folder / "beyond.npz", {{"x", beyond}, {"y", Tensor({1}, std::vector<int64_t>{0})}});
  data::write_npz(folder / "reals.npz", {{"x", numbers({1, 6}, random, 0, 1)}});
}

/// An application, and its sample beside it.
void write_application(const std::filesystem::path& folder) {
  const std::filesystem::path bundle = std::filesystem::path(NIBBLE_SOURCE) / "examples" / "apps" / "shapes.nibapp";
  const std::string bytes = read_file(bundle, "tests");
  write_file(folder / "shapes.nibapp", bytes, "tests");
  for (const data::ZipEntry& entry : data::zip_entries(bytes, "shapes.nibapp"))
    if (entry.name == "samples/shapes1.png")
      write_file(folder / "shape.png", data::zip_read(bytes, entry, "shapes.nibapp"), "tests");
}

}  // namespace

void write_models(const std::filesystem::path& folder) {
  write_tiny(folder / "tiny.onnx", [](size_t, float weight) { return weight; });
  write_tiny(folder / "zero_channel.onnx", [](size_t i, float weight) { return i < 9 ? weight : 0; });
  write_tiny(folder / "nan.onnx",
             [](size_t i, float weight) { return i == 4 ? std::numeric_limits<float>::quiet_NaN() : weight; });
  write_data(folder);
  write_open(folder);
  write_inputs(folder);
  write_tokens(folder);
  write_application(folder);
}

}  // namespace nibble::tests
