#include "codegen/code.hpp"

#include <fmt/format.h>

#include <bit>
#include <set>

#include "base/json.hpp"
#include "codegen/literals.hpp"
#include "codegen/memory.hpp"
#include "kernels/fields.h"
#include "kernels/kernels.h"

namespace nibble::codegen {

using program::Place;
using program::Port;
using program::Step;

namespace {

/// A buffer or constant as C says it.
std::string operand(const Code& code, const Place& place) {
  if (place.where == Place::Where::Nowhere) return "0";
  if (place.where == Place::Where::Constants) return constant(code, place.offset);
  return fmt::format("bytes + {}", place.offset);
}

std::string field(const Code& code, const nibble_field& field, const std::vector<int64_t>& numbers, size_t at) {
  const auto one = [&](int64_t number) {
    if (field.type == NIBBLE_FIELD_POINTER) return number < 0 ? std::string("0") : constant(code, number);
    if (field.type == NIBBLE_FIELD_F32 || field.type == NIBBLE_FIELD_F64)
      return real(std::bit_cast<double>(number), field.type == NIBBLE_FIELD_F32);
    return integer(number, field.type == NIBBLE_FIELD_I64);
  };
  if (field.count == 1) return one(numbers[at]);
  std::string text = "{";
  for (int i = 0; i < field.count; ++i) text += (i == 0 ? "" : ", ") + one(numbers[at + static_cast<size_t>(i)]);
  return text + "}";
}

std::string parameters(const Code& code, size_t index, const std::set<std::string>& left_out) {
  const Step& step = code.program.steps[index];
  const nibble_kind_fields& of = *nibble_fields_of(step.kind);
  std::string text = fmt::format("static const {} {}_step_{} = {{", of.structure, code.prefix, index);
  const bool is_convolution = step.kind == NIBBLE_KIND_CONV || step.kind == NIBBLE_KIND_CONV_TRANSPOSE;
  std::string within;
  size_t at = 0;
  for (int i = 0; i < of.count; ++i) {
    const nibble_field& f = of.fields[i];
    if (is_convolution && within.empty() && left_out.contains(f.name) && *f.within == 0) {
      at += static_cast<size_t>(f.count);
      continue;
    }
    if (within != f.within) text += within.empty() ? fmt::format("\n    .{} = {{", f.within) : "\n    },";
    within = f.within;
    text += fmt::format("\n    {}.{} = {},", within.empty() ? "" : "    ", f.name, field(code, f, step.numbers, at));
    at += static_cast<size_t>(f.count);
  }
  return text + (within.empty() ? "" : "\n    },") + "\n};\n";
}

std::string call(const Code& code, size_t index) {
  const Step& step = code.program.steps[index];
  std::string text = fmt::format("  /* {}: {}", comment(step.name), step.op);
  if (!step.values.empty()) text += " -> " + extents_of(step.values.back().extents);
  if (!step.requantisation.empty()) text += ", " + step.requantisation;
  text += " */\n";
  text += "  {\n    const nibble_call call = {{";
  for (size_t i = 0; i < 4; ++i)
    text += (i == 0 ? "" : ", ") + (i < step.in.size() ? operand(code, step.in[i]) : std::string("0"));
  const std::vector<int64_t> block = parameters_of(step);
  text += fmt::format("}}, {}, bytes + {}, 0, {}}};\n", operand(code, step.out), scratch_at(code.program),
                      nibble_items(step.kind, block.data()));
  text += fmt::format("    fault |= {}(&{}_step_{}, &call);\n", code.kernels[index]->function, code.prefix, index);
  return text + fmt::format("    {}_HOOK({}, {}, call.out);\n  }}\n", code.upper, index, json_string(step.name));
}

/// Statements that copy a port between the arena and a user's struct.
std::string copy(const Code& code, const Port& port, const std::string& id, bool in) {
  const program::Value& value = port.value;
  const int64_t count = element_count(value.extents);
  const std::string at = operand(code, value.place);
  if (is_dense(value)) {
    return in ? fmt::format("  memcpy({}, {}->data, sizeof {}->data);\n", at, id, id)
              : fmt::format("  memcpy({}->data, {}, sizeof {}->data);\n", id, at, id);
  }
  // Element by element, in the order of `laid`.
  std::string text = fmt::format("  for (int32_t i = 0; i < {}; ++i) {{\n    int32_t rest = i, at = 0;\n", count);
  const std::vector<size_t> order = memory_order(value);
  for (size_t k = order.size(); k-- > 0;)
    text += fmt::format("    at += rest % {} * {};\n    rest /= {};\n", value.extents[order[k]],
                        value.strides[order[k]], value.extents[order[k]]);
  text += "    (void)rest;\n";
  const std::string element = fmt::format("((const {}*)(const void*)({}))[at]", c_type(value.type), at);
  if (in) return text + fmt::format("    (({}*)(void*)({}))[at] = {}->data[i];\n  }}\n", c_type(value.type), at, id);
  return text + fmt::format("    {}->data[i] = {};\n  }}\n", id, element);
}

}  // namespace

std::string network_file(const Code& code, const std::set<std::string>& left_out) {
  std::string text = head(code);
  text += fmt::format(
      "#include \"{0}.h\"\n\n#include <string.h>\n\n#include \"kernels/kernels.h\"\n#include \"{0}_weights.h\"\n\n",
      code.prefix);
  text += fmt::format(R"(#ifdef NIBBLE_LAYERS /* test/main.c looks at every layer */
void {0}_layer(int step, const void* out);
#define {1}_HOOK(step, name, out) {0}_layer(step, out)
#endif
#ifndef {1}_HOOK
#define {1}_HOOK(step, name, out) ((void)0)
#endif

)",
                      code.prefix, code.upper);
  std::set<std::string_view> functions;
  for (const Kernel* kernel : code.kernels) functions.insert(kernel->function);
  for (std::string_view function : functions)
    text += fmt::format("int {}(const void*, const nibble_call*);\n", function);
  text += "\n";
  for (size_t i = 0; i < code.program.steps.size(); ++i) text += parameters(code, i, left_out) + "\n";
  text += fmt::format(
      "int {0}_init(const {0}_arena* arena) {{\n  return (uintptr_t)(const void*)arena % 8 == 0 ? 0 : -1;\n}}\n\n",
      code.prefix);
  text += signature(code) + " {\n  uint8_t* const bytes = arena->bytes;\n  int fault = 0;\n#ifndef NDEBUG\n  if (" +
          code.prefix + "_init(arena) != 0) return -1;\n#endif\n";
  for (size_t i = 0; i < code.inputs.size(); ++i) text += copy(code, code.program.inputs[i], code.inputs[i], true);
  for (size_t i = 0; i < code.program.steps.size(); ++i) text += call(code, i);
  for (size_t i = 0; i < code.outputs.size(); ++i) text += copy(code, code.program.outputs[i], code.outputs[i], false);
  return text + "  return fault;\n}\n";
}

}  // namespace nibble::codegen
