#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "app/generate_c.hpp"
#include "app/pack.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "codegen/generate.hpp"
#include "data/npz.hpp"
#include "kernels/kernels.h"
#include "lab/loaded_program.hpp"
#include "onnx/onnx.hpp"
#include "verbs/arena_options.hpp"
#include "verbs/layout.hpp"
#include "verbs/rows.hpp"
#include "verbs/rows/code_folder.hpp"
#include "verbs/sources.hpp"
#include "verbs/tables/columns.hpp"

namespace nibble::verbs {
namespace {

namespace fs = std::filesystem;

/// Inputs drawn over all that the network takes; of wide integers over bytes, whose sums are in no danger.
std::vector<Tensor> drawn_inputs(const program::Program& program, Random& random) {
  std::vector<Tensor> inputs;
  for (const program::Port& port : program.inputs) {
    Tensor tensor(port.value.type == NIBBLE_F64 ? ElementType::Float64 : ElementType::Int64, port.value.extents);
    const bool wide = port.low < -65536 || port.high > 65536;
    const int64_t low = wide ? std::max<int64_t>(port.low, -128) : port.low;
    const auto range = static_cast<uint64_t>((wide ? std::min<int64_t>(port.high, 127) : port.high) - low + 1);
    for (size_t i = 0; i < tensor.size(); ++i) {
      if (port.value.type == NIBBLE_F64)
        tensor.as<double>()[i] = random.normal();
      else
        tensor.as<int64_t>()[i] = low + static_cast<int64_t>(random.below(range));
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

/// Inferences whose results the definition gives: of data where the call names some, else drawn.
struct Goldens {
  std::vector<std::vector<Tensor>> inputs;  ///< of each, as the network has them
  std::vector<codegen::Golden> laid;
};
Goldens goldens_of(const Call& call, const graph::Graph& graph, const program::Program& program) {
  std::vector<std::vector<Tensor>> examples;
  const int64_t count = call.integer("samples", 2, 0, 1000);
  if (call.has("golden")) {
    Progress progress(call.quiet());
    lab::Feed feed = feed_of(call, graph, progress, "goldens", "golden");
    feed.limit = count * feed.whole;
    feed.batch_size = feed.whole;
    feed.each([&](const data::Batch& batch) { examples.push_back(batch.inputs()); });
  } else {
    Random random(call.seed().value_or(1));
    for (int64_t i = 0; i < count; ++i) examples.push_back(drawn_inputs(program, random));
  }
  Goldens goldens;
  for (const std::vector<Tensor>& given : examples) {
    codegen::Golden golden;
    std::vector<Tensor> inputs = graph::prepare_inputs(graph, given);
    const std::vector<Tensor> outputs = graph::evaluate(graph, given);
    for (size_t i = 0; i < inputs.size(); ++i)
      golden.inputs.push_back(bytes_of(inputs[i], dense(program.inputs[i].value)));
    for (size_t i = 0; i < outputs.size(); ++i)
      golden.outputs.push_back(bytes_of(outputs[i], dense(program.outputs[i].value)));
    goldens.laid.push_back(std::move(golden));
    goldens.inputs.push_back(std::move(inputs));
  }
  return goldens;
}

/// The goldens' inputs, each input's one behind the other.
data::Arrays arrays_of(const graph::Graph& graph, const program::Program& program, const Goldens& goldens) {
  data::Arrays arrays;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const program::Value& value = program.inputs[i].value;
    Shape shape = value.extents;
    shape.insert(shape.begin(), static_cast<int64_t>(goldens.inputs.size()));
    Tensor all(lab::element_of(value.type), shape);
    for (size_t k = 0; k < goldens.inputs.size(); ++k) {
      const Tensor one = goldens.inputs[k][i].cast(all.type());
      std::memcpy(all.bytes().data() + k * one.bytes().size(), one.bytes().data(), one.bytes().size());
    }
    arrays.emplace_back(graph[graph.inputs[i]].name, std::move(all));
  }
  return arrays;
}

/// "SECTION=BYTES"
void read_memory(const Call& call, codegen::Options& options) {
  const std::string& text = call.text("memory");
  const size_t equals = text.rfind('=');
  int64_t bytes = 0;
  const char* const end = text.data() + text.size();
  const char* const begin = text.data() + std::min(equals == text.npos ? text.size() : equals + 1, text.size());
  const auto [rest, error] = std::from_chars(begin, end, bytes);
  const std::string section = text.substr(0, std::min(equals, text.size()));
  const bool named = !section.empty() && std::all_of(section.begin(), section.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_';
  });
  if (equals == text.npos || error != std::errc() || rest != end || bytes < 1 || !named)
    fail("verbs", call.place("memory"), "'" + text + "'",
         "SECTION=BYTES, a section of the linker's and a whole number");
  options.hot_section = section;
  options.hot_bytes = bytes;
}

codegen::Options options_of(const Call& call) {
  codegen::Options options;
  options.prefix = call.text("prefix", "model");
  if (call.has("specialise")) options.optimise = call.text("specialise") == "size" ? "-Os" : "-O3";
  if (call.has("memory")) read_memory(call, options);
  options.external_room = call.integer("external", 0, 1, int64_t{1} << 30);
  return options;
}

/// What is done around the network, as APP.json says, or that of a bundle.
app::ApplicationCode application_beside(const Call& call, const program::Program& program, const std::string& prefix) {
  const fs::path file = call.path("app");
  app::Parts parts;
  if (file.extension() == ".nibapp") {
    parts = app::read_bundle(file);
  } else {
    const Json description = read_json(file, "app");
    parts = app::read_parts(description, file.parent_path(), file.string());
    parts.insert_or_assign("app.json", description.dump());
  }
  codegen::PortNames names = codegen::port_names(program);
  return app::generate_c(parts, {program, prefix, std::move(names.inputs), std::move(names.outputs)}, file.string());
}

}  // namespace

Result generate(const Call& call) {
  const graph::Graph graph = model_of(call, "ID.onnx");
  const machine::Machine machine = machine::machine_named(call.text("machine", "host"));
  codegen::Options options = options_of(call);
  const Deployment deployment = deploy(graph, machine, options, arena_options(call, options));
  require_fit(deployment);
  const program::Program& program = deployment.program;
  const codegen::Footprint& bytes = deployment.bytes;
  const Goldens goldens = goldens_of(call, graph, program);
  options.goldens = goldens.laid;
  if (call.has("app")) {
    app::ApplicationCode beside = application_beside(call, program, options.prefix);
    options.beside = std::move(beside.files);
    options.about_beside = std::move(beside.about);
  }
  const auto files = codegen::generate(program, machine, options);
  const fs::path folder = call.path("output");
  write_code(folder, files, "test/layers.json", "nibble generate");
  // What the code means, for `validate`.
  onnx::write_native(graph, folder / "test" / "network.onnx");
  data::write_npz(folder / "test" / "goldens.npz", arrays_of(graph, program, goldens));
  Result result;
  result.json = {{"output", folder.string()}, {"machine", machine.name},  {"constants", bytes.constants},
                 {"arena", bytes.arena},      {"scratch", bytes.scratch}, {"goldens", options.goldens.size()},
                 {"files", Json::array()},    {"kernels", Json::array()}};
  const Json savings = savings_json(graph, deployment, options);
  result.json.update(savings);
  for (const auto& [name, text] : files) result.json["files"].push_back(name);
  for (const char* name : {"test/goldens.npz", "test/network.onnx"}) result.json["files"].push_back(name);
  for (const codegen::Choice& choice : deployment.kernels) result.json["kernels"].push_back(choice.function);
  result.text = fmt::format(
      "constants {} bytes, arena {} bytes ({} of them scratch), {} steps, {} goldens\nwrote {} files below {}\n",
      bytes.constants, bytes.arena, bytes.scratch, program.steps.size(), options.goldens.size(), files.size() + 2,
      folder.string());
  result.text = savings_text(savings) + result.text;
  return result;
}

Result machines(const Call&) {
  Result result;
  result.json = Json::array();
  Columns columns({{"machine"}, {"kernels"}, {"code and constants"}, {"activations"}, {"what it is"}});
  for (const machine::Machine& machine : machine::machines()) {
    std::string sets;
    for (const std::string& set : machine.kernels) sets += (sets.empty() ? "" : " ") + set;
    const auto bytes = [&](std::string_view what) {
      const int64_t there = machine.bytes_for(what);
      return there < 0 ? std::string("-") : fmt::format("{} KB", there / 1024);
    };
    columns.add({machine.name, sets, bytes("constants"), bytes("activations"), machine.description});
    result.json.push_back({{"name", machine.name},
                           {"description", machine.description},
                           {"kernels", machine.kernels},
                           {"constants", machine.bytes_for("constants")},
                           {"activations", machine.bytes_for("activations")}});
  }
  result.text = columns.text();
  return result;
}

}  // namespace nibble::verbs
