#include <fmt/format.h>

#include "lab/latency.hpp"
#include "lower/lower.hpp"
#include "verbs/programs.hpp"
#include "verbs/rows.hpp"
#include "verbs/tables/columns.hpp"
#include "verbs/tables/program_tables.hpp"

namespace nibble::verbs {
namespace {

lab::LoadedProgram program_of(const Call& call) {
  const std::filesystem::path file = call.path("MODEL");
  const lab::RuntimeOptions options = runtime_options(call);
  if (!is_program(file)) return {program::write(lower::lower(model_of(call, "MODEL"))), options};
  refuse_shaping(call);
  // What is wrong with a file is said once, by its reader.
  lab::read_program(file);
  return {file, options};
}

/// One step, and how fast it is.
struct LayerTime {
  nibble_step_info step;
  double seconds;

  double operations() const { return static_cast<double>(step.operations) / seconds; }
  double bandwidth() const { return static_cast<double>(step.bytes) / seconds; }
};

std::vector<LayerTime> layers_of(const lab::LoadedProgram& program, const lab::Latency& latency) {
  std::vector<LayerTime> layers;
  for (size_t i = 0; i < latency.layers.size(); ++i) {
    nibble_step_info info;
    nibble_step(program.program(), i, &info);
    // A clock that has not moved: its own resolution.
    layers.push_back({info, std::max(latency.layers[i], 1e-9)});
  }
  return layers;
}

Json layer_json(const LayerTime& layer, const std::optional<lab::Peak>& peak) {
  Json json = {{"name", layer.step.name},
               {"op", layer.step.op},
               {"kernel", layer.step.kernel},
               {"set", layer.step.set},
               {"ms", 1e3 * layer.seconds},
               {"macs", layer.step.operations},
               {"bytes", layer.step.bytes},
               {"macs_per_second", layer.operations()},
               {"bytes_per_second", layer.bandwidth()}};
  if (peak && peak->operations > 0) json["share_of_peak"] = layer.operations() / peak->operations;
  if (peak && peak->bandwidth > 0) json["share_of_bandwidth"] = layer.bandwidth() / peak->bandwidth;
  return json;
}

std::string share(double of, double whole) {
  return whole > 0 && of > 0 ? fmt::format("{:.1f}", 100 * of / whole) : "";
}

std::string describe(const std::vector<LayerTime>& layers, const lab::Peak& peak) {
  double total = 0;
  for (const LayerTime& layer : layers) total += layer.seconds;
  Columns columns({{"step"},
                   {"op"},
                   {"set"},
                   {"kernel"},
                   {"us", Side::Right},
                   {"% of all", Side::Right},
                   {"GMAC/s", Side::Right},
                   {"% of peak", Side::Right},
                   {"GB/s", Side::Right},
                   {"% of memory", Side::Right}});
  for (const LayerTime& layer : layers)
    columns.add({layer.step.name, layer.step.op, layer.step.set, layer.step.kernel,
                 fmt::format("{:.2f}", 1e6 * layer.seconds), share(layer.seconds, total),
                 layer.step.operations == 0 ? "" : fmt::format("{:.2f}", 1e-9 * layer.operations()),
                 share(layer.operations(), peak.operations), fmt::format("{:.2f}", 1e-9 * layer.bandwidth()),
                 share(layer.bandwidth(), peak.bandwidth)});
  return columns.text();
}

std::string describe(const lab::Peak& peak, const std::string& kernels) {
  std::string text = fmt::format("peak here, measured: {:.1f} GB/s from memory", 1e-9 * peak.bandwidth);
  if (peak.operations > 0)
    text += fmt::format(", {:.1f} GMAC/s with the instructions of {}", 1e-9 * peak.operations, kernels);
  return text + "\n";
}

}  // namespace

Result bench(const Call& call) {
  const lab::LoadedProgram program = program_of(call);
  const bool asked = call.has("layers");
  const int64_t runs = call.integer("runs", 0, 1, 1000000000);
  const lab::Latency latency =
      lab::measure(program, {.runs = runs, .seed = call.seed().value_or(0), .layers = asked || call.json()});
  const std::vector<LayerTime> layers = layers_of(program, latency);
  std::optional<lab::Peak> peak;
  if (asked) peak = lab::peak_of(program.kernels(), program.threads());

  Result result;
  result.json = {{"median_ms", 1e3 * latency.run.median},
                 {"p5_ms", 1e3 * latency.run.low},
                 {"p95_ms", 1e3 * latency.run.high},
                 {"transfer_ms", 1e3 * latency.transfer.median},
                 {"runs", latency.runs},
                 {"threads", program.threads()},
                 {"kernels", program.kernels()},
                 {"layers", Json::array()}};
  for (const LayerTime& layer : layers) result.json["layers"].push_back(layer_json(layer, peak));
  if (peak) result.json["peak"] = {{"macs_per_second", peak->operations}, {"bytes_per_second", peak->bandwidth}};
  if (asked) result.text = describe(layers, *peak) + "\n" + describe(*peak, program.kernels());
  result.text += describe_backends(program.program(), runtime_options(call).backends);
  result.text += fmt::format("median {:.4f} ms, 5 % {:.4f}, 95 % {:.4f}; {} runs, {} {}, kernels {}\n",
                             1e3 * latency.run.median, 1e3 * latency.run.low, 1e3 * latency.run.high, latency.runs,
                             program.threads(), program.threads() == 1 ? "thread" : "threads", program.kernels());
  result.text += fmt::format("beside it: inputs set and outputs read in {:.4f} ms\n", 1e3 * latency.transfer.median);
  return result;
}

}  // namespace nibble::verbs
