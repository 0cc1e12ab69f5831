#include "verbs/goldens/golden_writer.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "data/formats/text_golden.hpp"
#include "data/npz.hpp"
#include "graph/op_traits.hpp"
#include "onnx/onnx.hpp"
#include "verbs/sources.hpp"

namespace nibble::verbs {
namespace {

namespace fs = std::filesystem;

constexpr int64_t most_samples = 1 << 20;

bool holds_integers(const graph::Graph& graph) {
  return !is_real(graph[graph.inputs.front()].type);
}

struct Goldens {
  data::Arrays inputs, activations, outputs;
};

Goldens run(const graph::Graph& graph, const std::vector<Tensor>& given) {
  std::vector<std::optional<Tensor>> seen(graph.values.size());
  const std::vector<Tensor> outputs = graph::evaluate(graph, given, [&](graph::ValueId id, const Tensor& tensor) {
    seen[static_cast<size_t>(id)] = tensor.cast(graph[id].type);
  });
  Goldens goldens;
  const auto take = [&](data::Arrays& to, graph::ValueId id, const Tensor& tensor) {
    to.emplace_back(graph[id].name, tensor.cast(graph[id].type));
    seen[static_cast<size_t>(id)].reset();
  };
  for (size_t i = 0; i < outputs.size(); ++i) take(goldens.outputs, graph.outputs[i], outputs[i]);
  const std::vector<Tensor> inputs = graph::prepare_inputs(graph, given);
  for (size_t i = 0; i < inputs.size(); ++i) take(goldens.inputs, graph.inputs[i], inputs[i]);
  for (const graph::Node& node : graph.nodes)
    for (graph::ValueId id : node.outputs)
      if (seen[static_cast<size_t>(id)]) take(goldens.activations, id, Tensor(*seen[static_cast<size_t>(id)]));
  return goldens;
}

/// No layer of its own in DORY: the Pad goes into the layer behind it.
bool has_no_layer(const graph::Op& op) {
  return reorders(op) || holds_alternative<graph::Pad>(op);
}

/// Belongs to the layer that writes what it reads.
bool completes(const graph::Op& op) {
  return holds_alternative<graph::Requantise>(op) || holds_alternative<graph::FloorDivide>(op) ||
         holds_alternative<graph::Clip>(op) || holds_alternative<graph::Relu>(op);
}

/// A graph as DORY's layers: a linear op, a pool or an add, each with the requantisation behind it.
class Layers {
 public:
  explicit Layers(const graph::Graph& graph) : graph_(graph), uses_(graph), finished_(graph.values.size()) {}

  /// The values that they write, in order.
  std::vector<graph::ValueId> outputs() {
    std::vector<graph::ValueId> layers;
    for (const graph::Node& node : graph_.nodes) {
      const graph::ValueId id = node.outputs.front();
      const bool finishes =
          has_no_layer(node.op) ? reads_finished(node) : !is_branch_of_add(node) && !is_incomplete(node);
      finished_[static_cast<size_t>(id)] = finishes;
      if (finishes && !has_no_layer(node.op)) layers.push_back(id);
    }
    return layers;
  }

 private:
  const graph::Node* reader_of(const graph::Node& node) const {
    const int reader = uses_.only_reader(node.outputs.front());
    return reader < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(reader)];
  }
  bool reads_finished(const graph::Node& node) const { return finished_[static_cast<size_t>(node.inputs.front())]; }
  bool feeds_add(const graph::Node& node) const {
    const graph::Node* reader = reader_of(node);
    return reader != nullptr && holds_alternative<graph::Add>(reader->op);
  }
  bool is_branch_of_add(const graph::Node& node) const {
    return completes(node.op) && reads_finished(node) && feeds_add(node);
  }
  bool pools(const graph::Node& node) const {
    if (holds_alternative<graph::MaxPool>(node.op)) return true;
    const int writer = uses_.writer[static_cast<size_t>(node.inputs.front())];
    return completes(node.op) && writer >= 0 &&
           holds_alternative<graph::SumPool>(graph_.nodes[static_cast<size_t>(writer)].op);
  }
  /// What is behind it belongs to the same layer; a pool's integers are whole without it.
  bool is_incomplete(const graph::Node& node) const {
    const graph::Node* next = reader_of(node);
    if (next == nullptr || !completes(next->op)) return false;
    return pools(node) ? !feeds_add(*next) : !completes(node.op);
  }

  const graph::Graph& graph_;
  graph::Uses uses_;
  std::vector<bool> finished_;
};

void write_text(const fs::path& file, const std::string& name, const Tensor& tensor) {
  write_file(file, data::text_golden_bytes(name, tensor), "data");
}

/// "<stem>.txt", or "<stem>_<i>.txt" where there are several.
void write_texts(const fs::path& folder, const std::string& stem, const data::Arrays& arrays) {
  for (size_t i = 0; i < arrays.size(); ++i)
    write_text(folder / (stem + (arrays.size() == 1 ? "" : "_" + std::to_string(i)) + ".txt"), stem, arrays[i].second);
}

std::string write_all_text(const fs::path& folder, const graph::Graph& graph, const Goldens& goldens) {
  std::map<std::string, const Tensor*> tensors;
  for (const data::Arrays* arrays : {&goldens.activations, &goldens.outputs})
    for (const auto& [name, tensor] : *arrays) tensors.emplace(name, &tensor);
  const std::vector<graph::ValueId> layers = Layers(graph).outputs();
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string& name = graph[layers[i]].name;
    write_text(folder / ("out_layer" + std::to_string(i) + ".txt"), name, *tensors.at(name));
  }
  write_texts(folder, "input", goldens.inputs);
  write_texts(folder, "output", goldens.outputs);
  return fmt::format("input.txt, {} of out_layer<i>.txt, output.txt", layers.size());
}

std::string write_all_npz(const fs::path& folder, const Goldens& goldens) {
  data::write_npz(folder / "inputs.npz", goldens.inputs);
  data::write_npz(folder / "activations.npz", goldens.activations);
  data::write_npz(folder / "outputs.npz", goldens.outputs);
  return fmt::format("inputs.npz, activations.npz ({}), outputs.npz", goldens.activations.size());
}

void ensure_same_integers(const data::Arrays& outputs, const std::vector<Tensor>& expected) {
  ensure(outputs.size() == expected.size(), "an export has the outputs of its source");
  for (size_t i = 0; i < outputs.size(); ++i)
    ensure(outputs[i].second.to_integers() == expected[i].to_integers(), "an export computes its source's integers");
}

}  // namespace

std::vector<Tensor> golden_examples(const Call& call, const graph::Graph& source, GoldenForm form) {
  Progress progress(call.quiet());
  lab::Feed feed = feed_of(call, source, progress, "goldens", "golden");
  const graph::Value& input = source[source.inputs.front()];
  const bool fixed = !input.shape.empty() && input.shape.front() != any;
  const int64_t samples = call.integer("samples", fixed ? input.shape.front() : 1, 1, most_samples);
  if (fixed && samples != input.shape.front())
    fail("verbs", call.place("samples"), std::to_string(samples),
         std::to_string(input.shape.front()) + ", the batch of input '" + input.name + "'");
  if (form == GoldenForm::Text && samples != 1)
    fail("verbs", call.place("samples"), std::to_string(samples), "1: the dialect's text files hold one example");
  if (feed.set->size() < samples)
    fail("verbs", call.text("golden"), std::to_string(feed.set->size()) + " examples",
         "at least " + std::to_string(samples));
  feed.limit = feed.batch_size = samples;
  std::vector<Tensor> examples;
  feed.each([&](const data::Batch& batch) { examples = batch.inputs(); });
  return examples;
}

std::string write_goldens(const graph::Graph& source, const std::vector<Tensor>& examples, const fs::path& file,
                          const std::string& dialect, GoldenForm form) {
  const graph::Graph written = onnx::read(file, {.dialect = dialect});
  std::vector<Tensor> given = examples;
  const int64_t samples = examples.front().shape().front();
  const bool integers = holds_integers(source) && holds_integers(written);
  if (integers) given = graph::prepare_inputs(source, given);
  const Goldens goldens = run(written, given);
  if (integers) ensure_same_integers(goldens.outputs, graph::evaluate(source, given));
  const fs::path folder = file.parent_path();
  const std::string files =
      form == GoldenForm::Text ? write_all_text(folder, written, goldens) : write_all_npz(folder, goldens);
  return fmt::format("goldens of {} {} beside it: {}\n", samples, samples == 1 ? "example" : "examples", files);
}

}  // namespace nibble::verbs
