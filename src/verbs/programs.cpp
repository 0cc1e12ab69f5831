#include "verbs/programs.hpp"

#include <array>
#include <fstream>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/runtime_engine.hpp"
#include "machine/machine.hpp"

namespace nibble::verbs {
namespace {

NamedEngine program_engine(const Call& call, const Runnable& runnable) {
  if (call.text("engine", "runtime") != "runtime")
    fail("verbs", call.place("engine"), call.text("engine") + ", for a program", "runtime, or the network's ONNX file");
  return {"runtime", lab::program_engine(runnable.graph, lab::LoadedProgram(*runnable.program, runtime_options(call)))};
}

}  // namespace

bool is_program(const std::filesystem::path& file) {
  if (file.extension() == ".nib") return true;
  std::error_code error;
  if (std::filesystem::is_fifo(file, error))
    return std::string_view(read_file(file, "verbs")).substr(0, 8).ends_with("NIBP");
  if (!std::filesystem::is_regular_file(file, error)) return false;
  std::array<char, 8> begin{};
  std::ifstream(file, std::ios::binary).read(begin.data(), begin.size());
  return std::string_view(begin.data() + 4, 4) == "NIBP";
}

void refuse_shaping(const Call& call) {
  for (const char* option : {"batch", "shape", "from"})
    if (call.takes(option) && call.has(option))
      fail("verbs", call.place(option), "for a program, whose shapes are fixed", "the network's ONNX file");
}

Runnable runnable_of(const Call& call, std::string_view argument) {
  const std::filesystem::path file = call.path(argument);
  if (!is_program(file)) return {model_of(call, argument), onnx::read_header(file).reals};
  refuse_shaping(call);
  const program::Program program = lab::read_program(file);
  const lab::LoadedProgram opens(file, {});  // or says why it does not
  return {lab::network_of(program), {}, file};
}

NamedEngine engine_of(const Call& call, const Runnable& runnable) {
  return runnable.program ? program_engine(call, runnable) : engine_of(call, runnable.graph);
}

NamedEngine engine_or_reference(const Call& call, const Runnable& runnable) {
  return runnable.program ? program_engine(call, runnable) : engine_or_reference(call, runnable.graph);
}

lower::Options layout_for(const std::string& machine) {
  lower::Options options;
  if (machine == "host") return options;
  const machine::Machine named = machine::machine_named(machine);
  if (named.instruction_set != "armv8-a")
    fail("verbs", "machine '" + named.name + "'", named.instruction_set,
         "host, or armv8-a, where the runtime runs; C for others is what 'nibble generate' writes");
  options.bytes = lower::Bytes::Signed;
  return options;
}

lab::RuntimeOptions runtime_options(const Call& call) {
  lab::RuntimeOptions options;
  options.threads = call.threads();
  if (call.takes("kernels")) options.kernels = call.text("kernels", "");
  if (call.takes("backend")) options.backends = call.texts("backend");
  return options;
}

}  // namespace nibble::verbs
