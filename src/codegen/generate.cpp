#include "codegen/generate.hpp"

#include "base/error.hpp"
#include "codegen/code.hpp"
#include "codegen/literals.hpp"
#include "codegen/specialise.hpp"

namespace nibble::codegen {

std::vector<Choice> kernels_for(const program::Program& program, const machine::Machine& machine) {
  std::vector<Choice> choices;
  for (const program::Step& step : program.steps) {
    const Kernel& kernel = kernel_of(step, machine);
    choices.push_back({std::string(kernel.set), std::string(kernel.function)});
  }
  return choices;
}

std::function<nibble_order(int, const void*)> orders_of(const machine::Machine& machine) {
  return [sets = machine.kernels](int kind, const void* parameters) {
    const Kernel* kernel = kernel_for(sets, kind, parameters);
    if (kernel != nullptr && kernel->order) return kernel->order(kind, parameters);
    return nibble_order{0, 0, nibble_scratch(kind, parameters), 0};
  };
}

std::map<std::string, std::string> generate(const program::Program& program, const machine::Machine& machine,
                                            const Options& options) {
  if (identifier(options.prefix, "model") != options.prefix)
    fail("codegen", "--prefix", "'" + options.prefix + "'", "letters, digits and underscores, a letter first");
  // Its header's name, and names that begin with it.
  static const std::set<std::string_view> headers{
      "alloca",  "assert", "complex", "ctype", "errno",  "fenv",   "float",   "inttypes", "iso646",
      "limits",  "locale", "malloc",  "math",  "memory", "setjmp", "signal",  "stdalign", "stdarg",
      "stdbool", "stddef", "stdint",  "stdio", "stdlib", "string", "strings", "tgmath",   "threads",
      "time",    "uchar",  "unistd",  "wchar", "wctype", "nibble"};
  if (headers.contains(options.prefix))
    fail("codegen", "--prefix", "'" + options.prefix + "', whose " + options.prefix + ".h is another's",
         "another name");
  const Code code(program, machine, options);
  const std::string& p = options.prefix;
  KernelFiles kernels = kernel_files(code);
  std::map<std::string, std::string>& files = kernels.files;
  std::set<std::string> left_out;
  for (const Same& same : kernels.left_out) left_out.insert(same.name);
  files[p + ".h"] = header_file(code);
  files[p + ".c"] = network_file(code, left_out);
  files[p + "_weights.h"] = weights_header(code);
  files[p + "_weights.c"] = weights_file(code);
  files["test/golden.h"] = golden_file(code);
  if (!code.external.steps.empty()) {
    files["test/external.h"] = external_file(code);
    files[p + "_external.bin"] = std::string(code.external.image.begin(), code.external.image.end());
  }
  files["test/main.c"] = test_program(code);
  files["test/layers.json"] = layers_file(code);
  files["Makefile"] = makefile(code);
  files["CMakeLists.txt"] = cmake_lists(code);
  files["README.md"] = readme(code);
  files.insert(options.beside.begin(), options.beside.end());
  return std::move(kernels.files);
}

}  // namespace nibble::codegen
