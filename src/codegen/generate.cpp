#include "codegen/generate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <regex>
#include <set>

#include "base/embedded.hpp"
#include "base/error.hpp"
#include "codegen/kernel_table.hpp"
#include "codegen/literals.hpp"
#include "codegen/memory.hpp"
#include "kernels/fields.h"

/// src/kernels/**
const std::vector<nibble::Embedded>& nibble_kernel_sources();

namespace nibble::codegen {
namespace {

using program::Place;
using program::Port;
using program::Program;
using program::Step;

/// The struct of a step's parameters; pointers are null but where a constant stands.
std::vector<int64_t> parameters_of(const Step& step) {
  std::vector<int64_t> block((nibble_fields_of(step.kind)->size + 7) / 8);
  const nibble_pointers places{nullptr,
                               [](void*, int64_t number) -> const void* {
                                 return number < 0 ? nullptr : reinterpret_cast<const void*>(uintptr_t{64});
                               },
                               nullptr};
  nibble_decode(step.kind, step.numbers.data(), &places, block.data());
  return block;
}

const Kernel& kernel_of(const Step& step, const machine::Machine& machine) {
  const std::vector<int64_t> parameters = parameters_of(step);
  const Kernel* kernel = kernel_for(machine.kernels, step.kind, parameters.data());
  if (kernel == nullptr)
    fail("codegen", "step '" + step.name + "'", "no kernel for it among the sets of machine '" + machine.name + "'",
         "a machine whose kernels end with 'reference'");
  return *kernel;
}

std::string extents_of(const Shape& extents) {
  std::string text;
  for (int64_t extent : extents) text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text.empty() ? "1" : text;
}

/// What a generated file begins with.
std::string head(const Program& program, const machine::Machine& machine) {
  return fmt::format("/* {}, for {}: written by Nibble. */\n", program.name.empty() ? "A network" : program.name,
                     machine.name);
}

class Writer {
 public:
  Writer(const Program& program, const machine::Machine& machine, const Options& options)
      : program_(program), machine_(machine), options_(options), p_(options.prefix) {
    for (char& c : upper_ = p_) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    for (const Port& port : program.inputs) inputs_.push_back(unique(port.value.name, "input"));
    for (const Port& port : program.outputs) outputs_.push_back(unique(port.value.name, "output"));
    for (const Step& step : program.steps) kernels_.push_back(&kernel_of(step, machine));
  }

  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> result;
    result[p_ + ".h"] = header();
    result[p_ + ".c"] = source();
    result[p_ + "_weights.h"] = weights_header();
    result[p_ + "_weights.c"] = weights();
    add_kernels(result);
    result["test/golden.h"] = goldens();
    result["test/main.c"] = test_program();
    result["Makefile"] = makefile();
    result["CMakeLists.txt"] = cmake_lists();
    result["README.md"] = readme();
    return result;
  }

 private:
  // ---- names ----

  std::string unique(const std::string& name, const std::string& otherwise) {
    std::string id = identifier(name, otherwise);
    for (int i = 2; !names_.insert(id).second; ++i) id = identifier(name, otherwise) + "_" + std::to_string(i);
    return id;
  }
  std::string piece_name(const program::Piece& piece) const { return fmt::format("{}_c{}", p_, piece.offset / 64); }

  const program::Piece& piece_at(int64_t offset) const {
    const auto found = std::find_if(program_.pieces.begin(), program_.pieces.end(), [&](const program::Piece& piece) {
      return offset >= piece.offset && (offset < piece.offset + piece.bytes || offset == piece.offset);
    });
    ensure(found != program_.pieces.end(), "a step's constant is one of the program's pieces");
    return *found;
  }
  std::string constant(int64_t offset) const {
    const program::Piece& piece = piece_at(offset);
    if (offset == piece.offset) return piece_name(piece);
    return fmt::format("(const uint8_t*){} + {}", piece_name(piece), offset - piece.offset);
  }
  std::string operand(const Place& place) const {
    if (place.where == Place::Where::Nowhere) return "0";
    if (place.where == Place::Where::Constants) return constant(place.offset);
    return fmt::format("bytes + {}", place.offset);
  }

  // ---- model.h ----

  static std::string c_type(int32_t type) {
    constexpr const char* names[] = {"int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "int64_t", "double"};
    return names[type - 1];
  }

  /// Extents in memory's order, outermost first: what a user fills in.
  static Shape laid(const program::Value& value) {
    std::vector<size_t> order(value.extents.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return value.strides[a] > value.strides[b]; });
    Shape shape;
    for (size_t axis : order) shape.push_back(value.extents[axis]);
    return shape;
  }

  std::string port_types(const Port& port, const std::string& id, const std::string& what) const {
    std::string upper = id;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const int64_t count = element_count(port.value.extents);
    const bool last = laid(port.value) != port.value.extents;
    std::string text = fmt::format("/* {} '{}': {} as the network has it{}. Integers from {} to {}", what,
                                   comment(port.value.name), extents_of(port.value.extents),
                                   last ? ", here channels last: " + extents_of(laid(port.value)) : std::string(),
                                   port.low, port.high);
    if (port.scale.empty())
      text += ". */\n";
    else if (port.scale.size() == 1)
      text += fmt::format("; real = {} * (q - {}). */\n", real(port.scale[0]), port.zero_point);
    else
      text += fmt::format("; a scale for each index along axis {}. */\n", port.axis);
    text += fmt::format("#define {}_{}_COUNT {}\n", upper_, upper, count);
    if (port.scale.size() == 1)
      text += fmt::format("#define {0}_{1}_SCALE {2}\n#define {0}_{1}_ZERO_POINT {3}\n", upper_, upper,
                          real(port.scale[0]), port.zero_point);
    return text + fmt::format("typedef struct {}_{} {{\n  {} data[{}];\n}} {}_{};\n\n", p_, id, c_type(port.value.type),
                              std::max<int64_t>(count, 1), p_, id);
  }

  std::string signature() const {
    std::string text = "int " + p_ + "_run(";
    for (const std::string& id : inputs_) text += fmt::format("const {}_{}* {}, ", p_, id, id);
    for (const std::string& id : outputs_) text += fmt::format("{}_{}* {}, ", p_, id, id);
    return text + p_ + "_arena* arena)";
  }

  std::string header() const {
    const Footprint bytes = footprint(program_);
    std::string text = head(program_, machine_);
    text += fmt::format(
        "#ifndef {0}_H\n#define {0}_H\n#include <stdint.h>\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n", upper_);
    text += fmt::format(
        "/* Memory for one run at a time: {} bytes, of which {} are scratch. Several may run at once, each with its "
        "own. */\n"
        "#define {}_ARENA_BYTES {}\n"
        "typedef union {}_arena {{\n  uint8_t bytes[{}_ARENA_BYTES];\n  int64_t aligned;\n  double also;\n}} "
        "{}_arena;\n\n",
        bytes.arena, bytes.scratch, upper_, bytes.arena, p_, upper_, p_);
    for (size_t i = 0; i < inputs_.size(); ++i) text += port_types(program_.inputs[i], inputs_[i], "Input");
    for (size_t i = 0; i < outputs_.size(); ++i) text += port_types(program_.outputs[i], outputs_[i], "Output");
    text += classes();
    text += fmt::format(
        "/* 0, or -1 where the arena is not aligned to 8 bytes. Nothing else has to be set up. */\n"
        "int {0}_init(const {0}_arena* arena);\n\n"
        "/* One inference. Inputs are read and outputs written as they lie, outside the arena. Returns 0, or a number "
        "that is\n"
        " * not 0 where an integer divides by 0 or lies beyond a table. */\n{1};\n\n",
        p_, signature());
    text += fmt::format(
        "/* Called after each step where {0}_HOOK(step, name, out) is defined when {1}.c is compiled. */\n#define "
        "{0}_STEPS {2}\n\n",
        upper_, p_, program_.steps.size());
    return text + "#ifdef __cplusplus\n}\n#endif\n#endif\n";
  }

  /// The names of the classes, where the network carries them.
  std::string classes() const {
    const auto found = program_.metadata.find("classes");
    if (found == program_.metadata.end()) return {};
    const Json json = Json::parse(found->second, nullptr, false);
    if (!json.is_array() || json.empty()) return {};
    std::string text = fmt::format("#define {}_CLASSES {}\n#define {}_CLASS_NAMES {{", upper_, json.size(), upper_);
    for (size_t i = 0; i < json.size(); ++i)
      text += (i == 0 ? "" : ", ") + json_string(json[i].is_string() ? json[i].get<std::string>() : json[i].dump());
    return text + "}\n\n";
  }

  // ---- model.c ----

  std::string field(const nibble_field& field, const std::vector<int64_t>& numbers, size_t at) const {
    const auto one = [&](int64_t number) {
      if (field.type == NIBBLE_FIELD_POINTER) return number < 0 ? std::string("0") : constant(number);
      if (field.type == NIBBLE_FIELD_F32 || field.type == NIBBLE_FIELD_F64)
        return real(std::bit_cast<double>(number), field.type == NIBBLE_FIELD_F32);
      return integer(number, field.type == NIBBLE_FIELD_I64);
    };
    if (field.count == 1) return one(numbers[at]);
    std::string text = "{";
    for (int i = 0; i < field.count; ++i) text += (i == 0 ? "" : ", ") + one(numbers[at + static_cast<size_t>(i)]);
    return text + "}";
  }

  std::string parameters(size_t index) const {
    const Step& step = program_.steps[index];
    const nibble_kind_fields& of = *nibble_fields_of(step.kind);
    std::string text = fmt::format("static const {} {}_step_{} = {{", of.structure, p_, index), inner;
    std::string within;
    size_t at = 0;
    for (int i = 0; i < of.count; ++i) {
      const nibble_field& f = of.fields[i];
      if (within != f.within) text += within.empty() ? fmt::format("\n    .{} = {{", f.within) : "\n    },";
      within = f.within;
      text += fmt::format("\n    {}.{} = {},", within.empty() ? "" : "    ", f.name, field(f, step.numbers, at));
      at += static_cast<size_t>(f.count);
    }
    return text + (within.empty() ? "" : "\n    },") + "\n};\n";
  }

  std::string call(size_t index) const {
    const Step& step = program_.steps[index];
    std::string text = fmt::format("  /* {}: {}", comment(step.name), step.op);
    if (!step.values.empty()) text += " -> " + extents_of(step.values.back().extents);
    if (!step.requantisation.empty()) text += ", " + step.requantisation;
    text += " */\n";
    text += "  {\n    const nibble_call call = {{";
    for (size_t i = 0; i < 4; ++i)
      text += (i == 0 ? "" : ", ") + (i < step.in.size() ? operand(step.in[i]) : std::string("0"));
    const std::vector<int64_t> block = parameters_of(step);
    text += fmt::format("}}, {}, bytes + {}, 0, {}}};\n", operand(step.out), scratch_of(program_, step),
                        nibble_items(step.kind, block.data()));
    text += fmt::format("    fault |= {}(&{}_step_{}, &call);\n", kernels_[index]->function, p_, index);
    return text + fmt::format("    {}_HOOK({}, {}, call.out);\n  }}\n", upper_, index, json_string(step.name));
  }

  /// Statements that copy a port between the arena and a user's struct.
  std::string copy(const Port& port, const std::string& id, bool in) const {
    const program::Value& value = port.value;
    const int64_t count = element_count(value.extents);
    const std::string at = operand(value.place);
    const Shape shape = laid(value);
    if (is_dense(value)) {
      return in ? fmt::format("  memcpy({}, {}->data, sizeof {}->data);\n", at, id, id)
                : fmt::format("  memcpy({}->data, {}, sizeof {}->data);\n", id, at, id);
    }
    // Element by element, in the order of `laid`.
    std::string text = fmt::format("  for (int32_t i = 0; i < {}; ++i) {{\n    int32_t rest = i, at = 0;\n", count);
    std::vector<size_t> order(value.extents.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return value.strides[a] > value.strides[b]; });
    for (size_t k = order.size(); k-- > 0;)
      text += fmt::format("    at += rest % {} * {};\n    rest /= {};\n", value.extents[order[k]],
                          value.strides[order[k]], value.extents[order[k]]);
    text += "    (void)rest;\n";
    const std::string element = fmt::format("((const {}*)(const void*)({}))[at]", c_type(value.type), at);
    if (in) return text + fmt::format("    (({}*)(void*)({}))[at] = {}->data[i];\n  }}\n", c_type(value.type), at, id);
    return text + fmt::format("    {}->data[i] = {};\n  }}\n", id, element);
  }

  std::string source() const {
    std::string text = head(program_, machine_);
    text += fmt::format(
        "#include \"{0}.h\"\n\n#include <string.h>\n\n#include \"kernels/kernels.h\"\n#include \"{0}_weights.h\"\n\n",
        p_);
    text += fmt::format("#ifndef {0}_HOOK\n#define {0}_HOOK(step, name, out) ((void)0)\n#endif\n\n", upper_);
    std::set<std::string_view> functions;
    for (const Kernel* kernel : kernels_) functions.insert(kernel->function);
    for (std::string_view function : functions)
      text += fmt::format("int {}(const void*, const nibble_call*);\n", function);
    text += "\n";
    for (size_t i = 0; i < program_.steps.size(); ++i) text += parameters(i) + "\n";
    text += fmt::format("int {0}_init(const {0}_arena* arena) {{\n  return (uintptr_t)arena % 8 == 0 ? 0 : -1;\n}}\n\n",
                        p_);
    text += signature() + " {\n  uint8_t* const bytes = arena->bytes;\n  int fault = 0;\n";
    for (size_t i = 0; i < inputs_.size(); ++i) text += copy(program_.inputs[i], inputs_[i], true);
    for (size_t i = 0; i < program_.steps.size(); ++i) text += call(i);
    for (size_t i = 0; i < outputs_.size(); ++i) text += copy(program_.outputs[i], outputs_[i], false);
    return text + "  return fault;\n}\n";
  }

  // ---- weights ----

  /// Those that a step or an output reads.
  std::vector<const program::Piece*> pieces() const {
    std::set<int64_t> used;
    const auto use = [&](const Place& place) {
      if (place.where == Place::Where::Constants) used.insert(piece_at(place.offset).offset);
    };
    for (const Step& step : program_.steps) {
      for (const Place& place : step.in) use(place);
      const nibble_kind_fields& of = *nibble_fields_of(step.kind);
      size_t at = 0;
      for (int i = 0; i < of.count; at += static_cast<size_t>(of.fields[i++].count))
        if (of.fields[i].type == NIBBLE_FIELD_POINTER && step.numbers[at] >= 0)
          used.insert(piece_at(step.numbers[at]).offset);
    }
    for (const Port& port : program_.outputs) use(port.value.place);
    std::vector<const program::Piece*> result;
    for (const program::Piece& piece : program_.pieces)
      if (used.contains(piece.offset)) result.push_back(&piece);
    return result;
  }

  std::string weights_header() const {
    std::string text = head(program_, machine_) +
                       fmt::format("#ifndef {0}_WEIGHTS_H\n#define {0}_WEIGHTS_H\n#include <stdint.h>\n\n", upper_);
    for (const program::Piece* piece : pieces())
      text += fmt::format("extern const {} {}[{}];\n", piece->type, piece_name(*piece), elements_of(*piece));
    return text + "\n#endif\n";
  }

  std::string weights() const {
    std::string text = head(program_, machine_) + fmt::format("#include \"{}_weights.h\"\n\n", p_);
    for (const program::Piece* piece : pieces())
      text += fmt::format("const {} {}[{}] = {{\n{}}};\n\n", piece->type, piece_name(*piece), elements_of(*piece),
                          array_of(*piece, program_.constants));
    return text;
  }

  // ---- kernels ----

  std::vector<std::string> kernel_files() const {
    std::set<std::string> needed;
    for (const Kernel* kernel : kernels_)
      for (std::string_view file : kernel->files) needed.emplace(file);
    return {needed.begin(), needed.end()};
  }

  /// The sources, and the headers that they include, below kernels/.
  void add_kernels(std::map<std::string, std::string>& files) const {
    std::vector<std::string> waiting = kernel_files();
    waiting.emplace_back("kernels/kernels.h");
    const std::regex include("#include \"(kernels/[^\"]+)\"");
    while (!waiting.empty()) {
      const std::string name = waiting.back();
      waiting.pop_back();
      if (files.contains(name)) continue;
      const auto& all = nibble_kernel_sources();
      const auto found = std::find_if(all.begin(), all.end(), [&](const Embedded& file) { return file.name == name; });
      ensure(found != all.end(), "the kernels' sources travel with the generator: " + name);
      std::string text(found->text);
      for (std::sregex_iterator it(text.begin(), text.end(), include), end; it != end; ++it)
        waiting.push_back((*it)[1]);
      files[name] = std::move(text);
    }
    // Two networks in one firmware: every function of the kernels gets the prefix.
    files["kernels/kernels.h"] = renamed(files["kernels/kernels.h"], functions_of(files), p_);
  }

  /// The functions with names that the linker sees.
  static std::set<std::string> functions_of(const std::map<std::string, std::string>& files) {
    std::set<std::string> names;
    const std::regex definition("^(?:int|int64_t|uint64_t|void|nibble_wide|const [a-z_]+\\*) (nibble_[a-z0-9_]+)\\(",
                                std::regex::multiline);
    for (const auto& [name, text] : files)
      if (name.starts_with("kernels/") && name.ends_with(".c"))
        for (std::sregex_iterator it(text.begin(), text.end(), definition), end; it != end; ++it)
          names.insert((*it)[1]);
    return names;
  }

  static std::string renamed(const std::string& header, const std::set<std::string>& functions,
                             const std::string& prefix) {
    std::string defines;
    for (const std::string& function : functions) defines += fmt::format("#define {0} {1}_{0}\n", function, prefix);
    const size_t at = header.find("#include <stdint.h>\n");
    ensure(at != std::string::npos, "the kernels' header includes stdint.h");
    return header.substr(0, at) + defines + header.substr(at);
  }

  // ---- test ----

  std::string goldens() const {
    std::string text = head(program_, machine_) +
                       fmt::format("#include \"../{}.h\"\n\n#define GOLDENS {}\n", p_, options_.goldens.size());
    const auto put = [&](const std::string& id, size_t port, bool in) {
      const program::Value& value = (in ? program_.inputs : program_.outputs)[port].value;
      text += fmt::format("static const {0}_{1} golden_{1}[] = {{\n", p_, id);
      for (const Golden& golden : options_.goldens) {
        const std::vector<uint8_t>& bytes = (in ? golden.inputs : golden.outputs)[port];
        text += "    {{\n" + array_of({0, static_cast<int64_t>(bytes.size()), c_type(value.type)}, bytes) + "    }},\n";
      }
      text += "};\n";
    };
    if (options_.goldens.empty()) return text;
    for (size_t i = 0; i < inputs_.size(); ++i) put(inputs_[i], i, true);
    for (size_t i = 0; i < outputs_.size(); ++i) put(outputs_[i], i, false);
    return text;
  }

  std::string test_program() const {
    std::string arguments, outputs, checks;
    for (const std::string& id : inputs_) arguments += fmt::format("&golden_{}[i], ", id);
    for (const std::string& id : outputs_) {
      arguments += fmt::format("&{}, ", id);
      outputs += fmt::format("static {}_{} {};\n", p_, id, id);
      checks += fmt::format("    wrong |= memcmp(&{0}, &golden_{0}[i], sizeof {0}) != 0;\n", id);
    }
    return head(program_, machine_) +
           fmt::format(R"(/* Runs the goldens and says whether every byte is the same, by putchar alone. */
#include <stdio.h>
#include <string.h>

#include {4}

static {0}_arena arena;
{1}
static void say(const char* text) {{
  while (*text != 0) putchar(*text++);
}}

static void say_number(unsigned number) {{
  if (number >= 10) say_number(number / 10);
  putchar((int)('0' + number % 10));
}}

int main(void) {{
  unsigned differing = 0;
  if ({0}_init(&arena) != 0) {{
    say("arena: not aligned\n");
    return 1;
  }}
#if GOLDENS > 0
  for (unsigned i = 0; i < GOLDENS; ++i) {{
    int wrong = {0}_run({2}&arena) != 0;
{3}    if (wrong) ++differing;
  }}
#endif
  say_number(GOLDENS - differing);
  say(" of ");
  say_number(GOLDENS);
  say(" goldens equal\n");
  return differing == 0 ? 0 : 1;
}}
)",
                       p_, outputs, arguments, checks, "\"golden.h\"");
  }

  // ---- build files and README ----

  std::string sources() const {
    std::string text = fmt::format("{0}.c {0}_weights.c", p_);
    for (const std::string& file : kernel_files()) text += " " + file;
    return text;
  }

  std::string makefile() const {
    return fmt::format(R"(# Builds lib{0}.a, and with `make test` the program that runs the goldens.
CC ?= {1}
AR ?= ar
CFLAGS ?= -O2 {2}
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
                       p_, machine_.compiler.empty() ? "cc" : machine_.compiler, machine_.flags, sources());
  }

  std::string cmake_lists() const {
    std::string list = sources();
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
                       p_, list);
  }

  std::string readme() const {
    const Footprint bytes = footprint(program_);
    std::string text = fmt::format(
        "# {}\n\nC99 for {} ({}), written by Nibble. `{}.h` says how to call it; `make test` compares it with {} "
        "inference{} "
        "whose result is known.\n\n| memory | bytes |\n| --- | --- |\n| constants | {} |\n| arena | {} |\n| of that "
        "scratch | {} |\n\n",
        program_.name.empty() ? p_ : program_.name, machine_.name, machine_.description, p_, options_.goldens.size(),
        options_.goldens.size() == 1 ? "" : "s", bytes.constants, bytes.arena, bytes.scratch);
    text +=
        "| step | computes | result | multiply-accumulates | kernel | requantisation |\n| --- | --- | --- | --- | --- "
        "| --- |\n";
    for (size_t i = 0; i < program_.steps.size(); ++i) {
      const Step& step = program_.steps[i];
      text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", step.name, step.op,
                          step.values.empty() ? "" : extents_of(step.values.back().extents), step.operations,
                          kernels_[i]->function, step.requantisation);
    }
    return text;
  }

  const Program& program_;
  const machine::Machine& machine_;
  const Options& options_;
  const std::string p_;
  std::string upper_;
  std::set<std::string> names_{"arena", "bytes", "fault", "step", "init", "run", "i", "at", "rest"};
  std::vector<std::string> inputs_, outputs_;
  std::vector<const Kernel*> kernels_;
};

}  // namespace

std::vector<Choice> kernels_for(const Program& program, const machine::Machine& machine) {
  std::vector<Choice> choices;
  for (const Step& step : program.steps) {
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

std::map<std::string, std::string> generate(const Program& program, const machine::Machine& machine,
                                            const Options& options) {
  if (identifier(options.prefix, "model") != options.prefix)
    fail("codegen", "--prefix", "'" + options.prefix + "'", "letters, digits and underscores, a letter first");
  return Writer(program, machine, options).files();
}

}  // namespace nibble::codegen
