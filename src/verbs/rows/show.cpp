#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "verbs/arena_options.hpp"
#include "verbs/programs.hpp"
#include "verbs/rows.hpp"
#include "verbs/tables/arena_drawing.hpp"
#include "verbs/tables/columns.hpp"
#include "verbs/tables/deployments.hpp"
#include "verbs/tables/layers.hpp"
#include "verbs/tables/memory.hpp"
#include "verbs/tables/program_tables.hpp"

namespace nibble::verbs {
namespace {

std::string shapes_of(const std::vector<Shape>& shapes) {
  std::string text;
  for (const Shape& shape : shapes) text += (text.empty() ? "" : " ") + to_string(shape);
  return text;
}

std::string scale_of(const Grid& grid) {
  return grid.per_channel() ? fmt::format("{} scales", grid.scale.size()) : fmt::format("{:.6g}", grid.scale.front());
}

std::vector<std::string> cells_of(const Layer& layer, bool quantised) {
  const auto number = [](int64_t count) { return count == 0 ? std::string() : std::to_string(count); };
  std::vector<std::string> cells{layer.name,
                                 layer.op,
                                 shapes_of(layer.inputs),
                                 shapes_of(layer.outputs),
                                 number(layer.counts.parameters),
                                 number(layer.counts.multiply_accumulates),
                                 number(layer.bytes())};
  if (!quantised) return cells;
  const std::optional<Grid>& grid = layer.grid;
  cells.push_back(layer.weight_bits ? std::to_string(*layer.weight_bits) : "");
  cells.push_back(grid ? std::to_string(grid->bits()) : "");
  cells.push_back(grid ? scale_of(*grid) : "");
  cells.push_back(grid ? std::to_string(grid->zero_point) : "");
  cells.push_back(layer.accumulator ? fmt::format("{} .. {}", layer.accumulator->low, layer.accumulator->high) : "");
  return cells;
}

Json shapes_json(const std::vector<Shape>& shapes) {
  Json list = Json::array();
  for (const Shape& shape : shapes) {
    Json extents = Json::array();
    for (int64_t extent : shape) extents.push_back(extent == any ? Json("N") : Json(extent));
    list.push_back(extents);
  }
  return list;
}

Json json_of(const Layer& layer) {
  Json json = {{"name", layer.name},
               {"op", layer.op},
               {"inputs", shapes_json(layer.inputs)},
               {"outputs", shapes_json(layer.outputs)},
               {"parameters", layer.counts.parameters},
               {"macs", layer.counts.multiply_accumulates},
               {"bytes", layer.bytes()}};
  if (layer.weight_bits) json["weight_bits"] = *layer.weight_bits;
  if (layer.grid) {
    json["bits"] = layer.grid->bits();
    json["scale"] = layer.grid->per_channel() ? Json(layer.grid->scale) : Json(layer.grid->scale.front());
    json["zero_point"] = layer.grid->zero_point;
  }
  if (layer.accumulator) json["accumulator"] = {layer.accumulator->low, layer.accumulator->high};
  return json;
}

struct Totals {
  int64_t parameters = 0, macs = 0, bytes = 0;
};

Columns columns_for(bool quantised) {
  std::vector<Column> columns{{"name"},
                              {"op"},
                              {"input"},
                              {"output"},
                              {"parameters", Side::Right},
                              {"MACs", Side::Right},
                              {"bytes", Side::Right}};
  if (quantised)
    for (const char* title : {"weight bits", "bits", "scale", "zero point", "bound"})
      columns.push_back({title, Side::Right});
  return Columns(std::move(columns));
}

/// The nodes of an integer network that compute in reals: the tail behind its last integers.
std::vector<std::string> tail_of(const graph::Graph& graph) {
  std::vector<std::string> tail;
  if (graph.stage != graph::Stage::ID) return tail;
  for (const graph::Node& node : graph.nodes)
    if (is_real(graph[node.outputs.front()].type) && !holds_alternative<graph::Dequantise>(node.op))
      tail.push_back(node.name);
  return tail;
}

std::string describe_metadata(const program::Program& program) {
  std::string text;
  for (const auto& [key, value] : program.metadata)
    text += fmt::format("{}: {}\n", key, value.size() <= 100 ? value : value.substr(0, 97) + "...");
  return text;
}

Result show_program(const Call& call) {
  refuse_shaping(call);
  if (call.has("machine") || call.has("svg"))
    fail("verbs", call.text("MODEL"), "a program, lowered already", "the ONNX file that it was compiled from");
  const std::filesystem::path file = call.path("MODEL");
  const program::Program program = lab::read_program(file);
  const lab::LoadedProgram loaded(file, {});
  int64_t macs = 0;
  for (const program::Step& step : program.steps) macs += step.operations;
  Json json = sizes_json(program);
  json["stage"] = "ID";
  json["name"] = program.name;
  json["version"] = program::version;
  json["inputs"] = ports_json(program.inputs);
  json["outputs"] = ports_json(program.outputs);
  json["layers"] = steps_json(program, loaded.program());
  json["memory"] = memory_json(program);
  json["metadata"] = program.metadata;
  json["totals"] = {{"layers", program.steps.size()}, {"macs", macs}, {"bytes", program.constants.size()}};
  const std::string memory = describe_memory(program);
  if (call.has("memory")) return {json, memory + "\n" + describe_sizes(program) + "\n"};
  const std::string metadata = describe_metadata(program);
  return {json, fmt::format("program '{}', version {}\n\n", program.name, program::version) + describe_ports(program) +
                    "\n" + describe_steps(program, loaded.program()) + "\n" + memory + "\n" + metadata +
                    (metadata.empty() ? "" : "\n") +
                    fmt::format("{} steps, {} MACs an example\n", program.steps.size(), macs) +
                    describe_sizes(program) + "\n"};
}

/// `--machine`: what the network takes there, before code is written.
Result show_on_machine(const Call& call, const graph::Graph& graph) {
  const Deployment d = deploy(graph, machine::machine_named(call.text("machine")), {}, arena_options(call));
  std::error_code unknown;
  if (call.has("svg") && std::filesystem::equivalent(call.path("svg"), call.path("MODEL"), unknown))
    fail("verbs", call.place("svg"), "'" + call.text("svg") + "', the model", "another file");
  if (call.has("svg")) write_file(call.path("svg"), arena_svg(d.program), "verbs");
  Result result;
  const Json savings = savings_json(graph, d, {});
  result.json = deployment_json(d);
  result.json.update(savings);
  result.text = describe(d) + savings_text(savings) + "\n" + draw_arena(d.program);
  return result;
}

Result show_memory(const graph::Graph& graph) {
  const passes::MemoryTable table = passes::memory_of(graph);
  return {{{"stage", graph::to_string(graph.stage)}, {"memory", passes::to_json(table)}}, describe(table)};
}

}  // namespace

Result show(const Call& call) {
  if (is_program(call.path("MODEL"))) return show_program(call);
  const graph::Graph graph = model_of(call, "MODEL");
  if (call.has("machine")) return show_on_machine(call, graph);
  for (const char* option : {"svg", "strips", "pack"})
    if (call.has(option))
      fail("verbs", call.place(option), "without --machine", "a machine that the arena is planned for");
  if (call.has("memory")) return show_memory(graph);
  const bool quantised = graph.stage != graph::Stage::FP;
  Columns columns = columns_for(quantised);
  Json list = Json::array();
  Totals totals;
  const std::vector<Layer> layers = layers_of(graph);
  for (const Layer& layer : layers) {
    columns.add(cells_of(layer, quantised));
    list.push_back(json_of(layer));
    totals.parameters += layer.counts.parameters;
    totals.macs += layer.counts.multiply_accumulates;
    totals.bytes += layer.bytes();
  }
  const std::vector<std::string> tail = tail_of(graph);
  Json json = {
      {"stage", graph::to_string(graph.stage)},
      {"layers", list},
      {"totals",
       {{"layers", layers.size()}, {"parameters", totals.parameters}, {"macs", totals.macs}, {"bytes", totals.bytes}}}};
  if (!tail.empty()) json["reals"] = tail;
  const std::string in_reals =
      tail.empty() ? "" : fmt::format("in reals behind the last integers: {}\n", fmt::join(tail, ", "));
  return {json, columns.text() +
                    fmt::format("\nstage {}: {} layers, {} parameters in {} bytes, {} MACs an example\n",
                                to_string(graph.stage), layers.size(), totals.parameters, totals.bytes, totals.macs) +
                    in_reals};
}

}  // namespace nibble::verbs
