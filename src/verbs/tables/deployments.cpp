#include "verbs/tables/deployments.hpp"

#include <fmt/format.h>

#include <numeric>

#include "verbs/tables/columns.hpp"
#include "verbs/tables/program_tables.hpp"

namespace nibble::verbs {
namespace {

double total_of(const Deployment& d) {
  return std::accumulate(d.cycles.begin(), d.cycles.end(), 0.0);
}

std::string extents_of(const program::Step& step) {
  return step.values.empty() ? "" : to_string(step.values.back().extents);
}

std::string milliseconds(const Deployment& d, double cycles) {
  return d.machine.clock_hz > 0 ? fmt::format("{:.3f}", cycles / d.machine.clock_hz * 1e3) : "";
}

std::string of_there(int64_t there) {
  return there < 0 ? "" : fmt::format(" of {}", there);
}

}  // namespace

std::string describe(const Deployment& d) {
  Columns columns({{"step", Side::Right},
                   {"name"},
                   {"op"},
                   {"result"},
                   {"kernel"},
                   {"MACs", Side::Right},
                   {"cycles", Side::Right},
                   {"ms", Side::Right}});
  for (size_t i = 0; i < d.program.steps.size(); ++i) {
    const program::Step& step = d.program.steps[i];
    columns.add({std::to_string(i), step.name, step.op, extents_of(step), d.kernels[i].function,
                 step.operations == 0 ? "" : std::to_string(step.operations), fmt::format("{:.0f}", d.cycles[i]),
                 milliseconds(d, d.cycles[i])});
  }
  std::string text =
      columns.text() + fmt::format("\n{}: about {:.0f} cycles an inference", d.machine.name, total_of(d));
  if (d.machine.clock_hz > 0)
    text += fmt::format(", {} ms at {:.0f} MHz", milliseconds(d, total_of(d)), d.machine.clock_hz / 1e6);
  text += fmt::format("\nflash {}{} bytes: {} of constants, about {} of code\n", d.flash,
                      of_there(d.machine.bytes_for("constants")), d.bytes.constants, d.code);
  text += fmt::format("RAM {}{} bytes: {} of activations, {} of scratch\n", d.bytes.arena,
                      of_there(d.machine.largest_for("activations")), d.bytes.arena - d.bytes.scratch, d.bytes.scratch);
  for (const Excess& excess : d.excess)
    text += fmt::format("{} does not fit: {}, {} bytes more than there are; {}\n", excess.memory, excess.needs,
                        excess.needed - excess.there, excess.advice);
  return text;
}

Json deployment_json(const Deployment& d) {
  Json layers = Json::array(), excess = Json::array();
  for (size_t i = 0; i < d.program.steps.size(); ++i) {
    const program::Step& step = d.program.steps[i];
    Json layer = {{"name", step.name},       {"op", step.op},
                  {"set", d.kernels[i].set}, {"kernel", d.kernels[i].function},
                  {"macs", step.operations}, {"cycles", d.cycles[i]}};
    if (d.machine.clock_hz > 0) layer["seconds"] = d.cycles[i] / d.machine.clock_hz;
    layers.push_back(std::move(layer));
  }
  for (const Excess& each : d.excess)
    excess.push_back({{"memory", each.memory},
                      {"needed", each.needed},
                      {"there", each.there},
                      {"over", each.needed - each.there},
                      {"advice", each.advice}});
  Json json = {
      {"machine", d.machine.name},
      {"fits", d.excess.empty()},
      {"flash",
       {{"constants", d.bytes.constants},
        {"code", d.code},
        {"needed", d.flash},
        {"there", d.machine.bytes_for("constants")}}},
      {"ram",
       {{"arena", d.bytes.arena}, {"scratch", d.bytes.scratch}, {"there", d.machine.largest_for("activations")}}},
      {"layers", layers},
      {"cycles", total_of(d)},
      {"memory", memory_json(d.program)},
      {"excess", excess}};
  if (d.machine.clock_hz > 0) json["seconds"] = total_of(d) / d.machine.clock_hz;
  return json;
}

}  // namespace nibble::verbs
