#include <fmt/format.h>

#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/tuning.hpp"
#include "lower/lower.hpp"
#include "machine/machine.hpp"
#include "verbs/arena_options.hpp"
#include "verbs/programs.hpp"
#include "verbs/rows.hpp"
#include "verbs/tables/program_tables.hpp"
#include "verbs/tables/tuning_tables.hpp"

namespace nibble::verbs {
namespace {

/// Throws UserError where this CPU lacks the kernels that a program for that machine is laid out for.
void require_here(const Call& call, const std::string& machine) {
  if (machine == "host") return;
  const std::string set = machine::machine_named(machine).kernels.front();
  for (size_t i = 0; const char* name = nibble_kernel_set_name(i); ++i)
    if (set == name) return;
  fail("verbs", call.place("backend"), fmt::format("auto for {}, whose kernels '{}' this CPU lacks", machine, set),
       "'nibble tune' there: what is fastest is measured");
}

/// Keeps who is fastest at each step, here, of the kernels and of every back end that there is.
lab::Tuning tune_for(const Call& call, const std::string& machine, program::Program& program) {
  require_here(call, machine);
  lab::Tuning tuning =
      lab::tune(program, {.threads = call.threads(), .seed = call.seed().value_or(0), .backends = {"auto"}});
  program.choices = tuning.choices;
  return tuning;
}

}  // namespace

Result compile(const Call& call) {
  const std::string machine = call.text("machine", "host");
  const graph::Graph graph = model_of(call, "ID.onnx");
  lower::Options layout = layout_for(machine);
  layout.pack_activations = arena_options(call).pack;
  if (const int64_t ram = machine::machine_named(machine).largest_for("activations"); ram >= 0) layout.room = ram;
  program::Program program = lower::lower(graph, layout);
  std::optional<lab::Tuning> tuning;
  if (call.texts("backend") == std::vector<std::string>{"auto"}) tuning = tune_for(call, machine, program);
  const std::vector<uint8_t> bytes = program::write(program);
  const lab::LoadedProgram loaded(bytes, runtime_options(call));
  const bool writes = call.has("output");
  if (writes)
    write_file(call.path("output"), std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
               "verbs");
  Result result;
  result.json = sizes_json(program);
  result.json["steps"] = steps_json(program, loaded.program());
  result.json["file_bytes"] = bytes.size();
  result.json["machine"] = machine;
  result.json["kernels"] = loaded.kernels();
  if (writes) result.json["model"] = call.text("output");
  if (machine != "host") result.text = fmt::format("for {}; kernels are those of this CPU\n", machine);
  const Json packed = packed_json(graph, program, layout);
  result.json["packed"] = packed;
  result.text += savings_text({{"packed", packed}}) + describe_steps(program, loaded.program()) + "\n" +
                 describe_backends(loaded.program(), runtime_options(call).backends) + describe_sizes(program) +
                 fmt::format("; file {}\n", bytes.size());
  if (tuning) result.text += describe_tuned(*tuning), result.json["tuning"] = tuned_json(*tuning);
  if (writes) result.text += fmt::format("wrote {}\n", call.text("output"));
  return result;
}

}  // namespace nibble::verbs
