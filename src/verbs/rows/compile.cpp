#include <fmt/format.h>

#include "base/file.hpp"
#include "lower/lower.hpp"
#include "verbs/programs.hpp"
#include "verbs/rows.hpp"
#include "verbs/tables/program_tables.hpp"

namespace nibble::verbs {

Result compile(const Call& call) {
  const std::string machine = call.text("machine", "host");
  const program::Program program = lower::lower(model_of(call, "ID.onnx"), layout_for(machine));
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
  result.text += describe_steps(program, loaded.program()) + "\n" +
                 describe_backends(loaded.program(), runtime_options(call).backends) + describe_sizes(program) +
                 fmt::format("; file {}\n", bytes.size());
  if (writes) result.text += fmt::format("wrote {}\n", call.text("output"));
  return result;
}

}  // namespace nibble::verbs
