/// What the benchmark of speed measures: networks of lab's topologies with drawn weights, and the layers of an integer
/// network as a list that the peers' programs read.
///
///     benchmark_networks draw '{"topology": "resnet8"}' FLOAT.onnx     batch 1; prints {"input", "shape", "output"}
///     benchmark_networks qdq FQ.onnx QDQ.onnx                          as ONNX Runtime's own quantiser places pairs
///     benchmark_networks layers ID.onnx LAYERS.json                    prints {"multiply_accumulates"}
#include <cstdio>
#include <fstream>
#include <map>

#include "base/error.hpp"
#include "base/json.hpp"
#include "graph/verify.hpp"
#include "lab/topology.hpp"
#include "onnx/onnx.hpp"
#include "passes/canonicalise/passes.hpp"

namespace nibble {
namespace {

constexpr uint64_t seed = 1;

Json draw(const std::string& description, const std::string& file) {
  graph::Graph network = lab::build(lab::topology_from_json(Json::parse(description), "topology"), seed);
  graph::Value& input = network[network.inputs.front()];
  input.shape.front() = 1;
  passes::fold_batch_norm(network);  // ONNX Runtime itself folds those of convolutions alone
  graph::tidy(network);
  onnx::write_native(network, file);
  return {{"input", network[network.inputs.front()].name},
          {"shape", network[network.inputs.front()].shape},
          {"output", network[network.outputs.front()].name}};
}

/// The mean over the image by the name that ONNX Runtime has integers for.
void name_means(graph::Graph& graph) {
  for (graph::Node& node : graph.nodes) {
    const auto* mean = get_if<graph::ReduceMean>(&node.op);
    if (mean != nullptr && mean->keep_dims && mean->axes == graph::Ints{2, 3}) node.op = graph::GlobalAveragePool{};
  }
}

/// Flatten(Quantise(x)) to Quantise(Flatten(Quantise(x))): ONNX Runtime makes a layer of integers where pairs stand on
/// both sides of it, and its own quantiser puts them there.
void quantise_behind_flatten(graph::Graph& graph) {
  const graph::Uses uses(graph);
  for (size_t i = 0, count = graph.nodes.size(); i < count; ++i) {
    if (!holds_alternative<graph::Flatten>(graph.nodes[i].op)) continue;
    const int writer = uses.writer[static_cast<size_t>(graph.nodes[i].inputs.front())];
    if (writer < 0 || !holds_alternative<graph::Quantise>(graph.nodes[static_cast<size_t>(writer)].op)) continue;
    const graph::Node quantiser = graph.nodes[static_cast<size_t>(writer)];
    const graph::ValueId flat = graph.add_node(quantiser.name + "_flat", graph.nodes[i].op, quantiser.outputs);
    graph.nodes[i].op = quantiser.op;
    graph.nodes[i].inputs = {flat};
  }
}

Json write_qdq(const std::string& network, const std::string& file) {
  graph::Graph graph = onnx::read(network);
  name_means(graph);
  quantise_behind_flatten(graph);
  graph::tidy(graph);
  onnx::write_qdq(graph, file, onnx::Containers::Byte);
  return Json::object();
}

/// Integers are the same tensor before and behind what a layer's program does with its own sums: requantisation, views.
bool keeps_tensor(const graph::Op& op) {
  return holds_alternative<graph::Requantise>(op) || holds_alternative<graph::Dequantise>(op) ||
         holds_alternative<graph::Flatten>(op) || holds_alternative<graph::Reshape>(op);
}

/// Walks an integer network; tensors are numbered as they are written, the input is 0.
class LayerList {
 public:
  explicit LayerList(const graph::Graph& graph) : graph_(graph) {
    tensor_[graph.inputs.front()] = 0;
    for (const graph::Node& node : graph.nodes) add(node);
  }
  Json json() const { return {{"tensors", tensors_}, {"layers", layers_}}; }
  int64_t multiply_accumulates() const { return multiply_accumulates_; }

 private:
  void add(const graph::Node& node) {
    if (keeps_tensor(node.op)) {
      tensor_[node.outputs.front()] = tensor_.at(node.inputs.front());
      return;
    }
    Json layer = {{"name", node.name}, {"in", extents(node.inputs.front())}, {"out", extents(node.outputs.front())}};
    Json inputs = Json::array();
    for (graph::ValueId id : node.inputs)
      if (id != graph::absent && graph_.constant(id) == nullptr) inputs.push_back(tensor_.at(id));
    layer["inputs"] = inputs;
    layer["output"] = tensor_[node.outputs.front()] = tensors_++;
    say_kind(layer, node);
    layers_.push_back(layer);
  }

  /// Channels, height, width; a row has 1 by 1 pixel.
  Json extents(graph::ValueId id) const {
    Shape shape = graph_[id].shape;
    shape.erase(shape.begin());
    shape.resize(3, 1);
    return shape;
  }

  void say_kind(Json& layer, const graph::Node& node) {
    if (const auto* conv = get_if<graph::Conv>(&node.op)) {
      const Shape& weights = graph_[node.inputs[1]].shape;
      say_window(layer, "conv", {weights[2], weights[3]}, conv->strides, conv->pads);
      layer["group"] = conv->group;
      count(weights, layer["out"][1].get<int64_t>() * layer["out"][2].get<int64_t>());
    } else if (const auto* pool = get_if<graph::MaxPool>(&node.op)) {
      say_window(layer, "max_pool", pool->kernel, pool->strides, pool->pads);
    } else if (holds_alternative<graph::Gemm>(node.op)) {
      layer["op"] = "fully_connected";
      count(graph_[node.inputs[1]].shape, 1);
    } else if (holds_alternative<graph::Add>(node.op)) {
      layer["op"] = "add";
    } else if (holds_alternative<graph::ReduceSum>(node.op) && layer["out"][1] == 1 && layer["out"][2] == 1) {
      layer["op"] = "mean";
    } else {
      fail("benchmark", node.name, std::string(name_of(node.op)), "what the peers' programs have");
    }
  }

  static void say_window(Json& layer, const char* op, const graph::Ints& kernel, const graph::Ints& strides,
                         const graph::Ints& pads) {
    layer["op"] = op;
    layer["kernel"] = kernel;
    layer["strides"] = strides;
    layer["pads"] = pads;
  }

  void count(const Shape& weights, int64_t pixels) {
    int64_t product = pixels;
    for (int64_t extent : weights) product *= extent;
    multiply_accumulates_ += product;
  }

  const graph::Graph& graph_;
  std::map<graph::ValueId, int> tensor_;
  int tensors_ = 1;
  int64_t multiply_accumulates_ = 0;
  Json layers_ = Json::array();
};

Json list_layers(const std::string& network, const std::string& file) {
  const graph::Graph graph = onnx::read(network);
  const LayerList list(graph);
  std::ofstream(file) << list.json().dump(1) << '\n';
  return {{"multiply_accumulates", list.multiply_accumulates()}};
}

}  // namespace
}  // namespace nibble

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  const std::map<std::string, nibble::Json (*)(const std::string&, const std::string&)> actions{
      {"draw", nibble::draw}, {"qdq", nibble::write_qdq}, {"layers", nibble::list_layers}};
  if (words.size() != 3 || !actions.contains(words[0])) {
    std::fputs("benchmark_networks draw TOPOLOGY FLOAT.onnx | qdq FQ.onnx QDQ.onnx | layers ID.onnx LAYERS.json\n",
               stderr);
    return 2;
  }
  try {
    std::puts(actions.at(words[0])(words[1], words[2]).dump().c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "benchmark_networks: %s\n", error.what());
    return 2;
  }
}
