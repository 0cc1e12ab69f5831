#include "codegen/code.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nibble::codegen {
namespace {

std::string sources(const Code& code) {
  std::string text = fmt::format("{0}.c {0}_weights.c", code.prefix);
  for (const auto& [file, content] : code.options.beside)
    if (file.ends_with(".c") && file.find('/') == file.npos) text += " " + file;
  for (const std::string& file : kernel_sources(code)) text += " " + file;
  return text;
}

}  // namespace

std::string makefile(const Code& code) {
  return fmt::format(R"(# Builds lib{0}.a, and with `make test` the program that runs the goldens.
ifeq ($(origin CC),default)
CC = {1}
endif
CFLAGS ?= {4} {2}
FLAGS = $(CFLAGS) -std=c99 -Wall -Wextra -ffunction-sections -fdata-sections -ffp-contract=off -I.
SOURCES = {3}
OBJECTS = $(SOURCES:.c=.o)

lib{0}.a: $(OBJECTS)
	$(AR) rcs $@ $(OBJECTS)

%.o: %.c
	$(CC) $(FLAGS) -c $< -o $@

test: test/goldens
	./test/goldens

test/goldens: test/main.c test/golden.h lib{0}.a
	$(CC) $(FLAGS) test/main.c lib{0}.a -lm -Wl,--gc-sections -o $@

clean:
	rm -f $(OBJECTS) lib{0}.a test/goldens

.PHONY: test clean
)",
                     code.prefix, code.machine.compiler.empty() ? "cc" : code.machine.compiler, code.machine.flags,
                     sources(code), code.options.optimise);
}

std::string cmake_lists(const Code& code) {
  std::string list = sources(code);
  std::replace(list.begin(), list.end(), ' ', '\n');
  return fmt::format(R"(cmake_minimum_required(VERSION 3.13)
project({0} C)
add_library({0} STATIC
{1})
set_target_properties({0} PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF)
target_include_directories({0} PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
target_compile_options({0} PRIVATE -ffunction-sections -fdata-sections -ffp-contract=off)
add_executable({0}_goldens EXCLUDE_FROM_ALL test/main.c)
target_link_libraries({0}_goldens {0} m)
)",
                     code.prefix, list);
}

std::string readme(const Code& code) {
  const Footprint& bytes = code.bytes;
  std::string text = fmt::format(
      "# {}\n\nC99 for {} ({}), written by Nibble. `{}.h` says how to call it; `make test` compares it with {} "
      "inference{} "
      "whose result is known.\n\n| memory | bytes |\n| --- | --- |\n| constants | {} |\n| arena | {} |\n| of that "
      "scratch | {} |\n\n",
      code.program.name.empty() ? code.prefix : code.program.name, code.machine.name, code.machine.description,
      code.prefix, code.options.goldens.size(), code.options.goldens.size() == 1 ? "" : "s", bytes.constants,
      bytes.arena, bytes.scratch);
  if (!code.options.about_beside.empty()) text += code.options.about_beside + "\n";
  text +=
      "| step | computes | result | multiply-accumulates | kernel | requantisation |\n| --- | --- | --- | --- | --- "
      "| --- |\n";
  for (size_t i = 0; i < code.program.steps.size(); ++i) {
    const program::Step& step = code.program.steps[i];
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", step.name, step.op,
                        step.values.empty() ? "" : extents_of(step.values.back().extents), step.operations,
                        code.kernels[i]->function, step.requantisation);
  }
  return text;
}

}  // namespace nibble::codegen
