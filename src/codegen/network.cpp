#include "codegen/code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>

#include "codegen/literals.hpp"
#include "codegen/memory.hpp"
#include "kernels/element.h"
#include "kernels/fields.h"
#include "kernels/kernels.h"
#include "program/parameters.hpp"

namespace nibble::codegen {

using program::Place;
using program::Port;
using program::Step;

namespace {

/// A buffer or constant as C says it.
std::string operand(const Code& code, const Place& place) {
  if (in_constants(place)) return constant(code, place.offset);
  const Outside found = outside_at(code, place);
  if (!found.name.empty())
    return fmt::format("({}uint8_t*)({}void*){}->data + {}", found.input ? "const " : "", found.input ? "const " : "",
                       found.name, found.offset);
  return in_arena(place) ? fmt::format("bytes + {}", place.offset) : "0";
}

/// A constant at `fetched` is not there.
std::string field(const Code& code, const nibble_field& field, const std::vector<int64_t>& numbers, size_t at,
                  int64_t fetched) {
  const auto one = [&](int64_t number) {
    if (field.type == NIBBLE_FIELD_POINTER)
      return number < 0 || number == fetched ? std::string("0") : constant(code, number);
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
  const auto tiles = code.external.steps.find(index);
  const int64_t fetched = tiles == code.external.steps.end() ? -1 : tiles->second.piece;
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
    text += fmt::format("\n    {}.{} = {},", within.empty() ? "" : "    ", f.name,
                        field(code, f, step.numbers, at, fetched));
    at += static_cast<size_t>(f.count);
  }
  return text + (within.empty() ? "" : "\n    },") + "\n};\n";
}

/// `{{in..}, out, scratch, 0, items}`; the residual and the result `from` channels on.
std::string buffers(const Code& code, size_t index, const std::string& from, const std::string& items) {
  const Step& step = code.program.steps[index];
  const std::vector<int64_t> block = program::parameters_of(step.kind, step.numbers);
  std::string text = "{{", out = operand(code, step.out);
  for (size_t i = 0; i < 4; ++i) {
    std::string in = i < step.in.size() ? operand(code, step.in[i]) : "0";
    if (!from.empty() && i == 1 && in != "0")
      in += fmt::format(" + {} * {}", from, nibble_size_of(reinterpret_cast<const nibble_conv*>(block.data())->r_type));
    text += (i == 0 ? "" : ", ") + in;
  }
  if (!from.empty())
    out += fmt::format(" + {} * {}", from, nibble_size_of(reinterpret_cast<const nibble_conv*>(block.data())->y_type));
  return text + fmt::format("}}, {}, bytes + {}, 0, {}}}", out, scratch_of(code.program, step), items);
}

/// A convolution whose weights are fetched, a tile of output channels after the other.
std::string tiled_call(const Code& code, size_t index, const Tiles& tiles) {
  const Step& step = code.program.steps[index];
  const std::vector<int64_t> block = program::parameters_of(step.kind, step.numbers);
  const auto* p = reinterpret_cast<const nibble_conv*>(block.data());
  const int64_t rows = tiles.bytes / tiles.row, room = code.bytes.room_at;
  const std::string name = fmt::format("{}_step_{}", code.prefix, index), from = "from";
  std::string items =
      p->split && rows > 1 ? "(count + 15) / 16" : std::to_string(nibble_items(NIBBLE_KIND_CONV, block.data()));
  std::string text = fmt::format(
      "    nibble_conv part = {};\n    for (int32_t from = 0; from < {}; from += {}) {{\n"
      "      const int32_t count = {} - from < {} ? {} - from : {};\n      const nibble_call call = {};\n",
      name, rows, tiles.channels, rows, tiles.channels, rows, tiles.channels,
      buffers(code, index, rows == 1 ? "" : from, items));
  text += fmt::format("      fault |= {}_fetch(bytes + {}, (uint32_t)({} + from * {}), (uint32_t)(count * {}));\n",
                      code.prefix, room, tiles.offset, tiles.row, tiles.row);
  text += fmt::format("      part.weights = bytes + {};\n", room);
  if (rows > 1) {
    text += "      part.out_channels = count;\n";
    text += fmt::format("      part.bias = (const int32_t*){}.bias + from;\n", name);
    if (p->stage.channels > 1) {
      const bool narrow = p->stage.form == NIBBLE_STAGE_PRODUCT32;
      const bool thresholds = p->stage.form == NIBBLE_STAGE_THRESHOLDS;
      const auto move = [&](const char* field, const void* there, const char* type, int64_t each) {
        if (there != nullptr)
          text +=
              fmt::format("      part.stage.{0} = (const {1}*){2}.stage.{0} + from * {3};\n", field, type, name, each);
      };
      move("a", p->stage.a, narrow ? "int32_t" : "int64_t", thresholds ? p->stage.steps : 1);
      move("b", p->stage.b, "int64_t", 1);
      move("d", p->stage.d, p->stage.form == NIBBLE_STAGE_DIVIDE ? "int64_t" : "uint8_t", 1);
    }
  }
  text += fmt::format("      fault |= {}(&part, &call);\n    }}\n", code.kernels[index]->function);
  return text + fmt::format("    {}_HOOK({}, {}, {});\n  }}\n", code.upper, index,
                            c_string(code.program.steps[index].name), operand(code, code.program.steps[index].out));
}

std::string call(const Code& code, size_t index) {
  const Step& step = code.program.steps[index];
  std::string text = fmt::format("  /* {}: {}", comment(step.name), step.op);
  if (!step.values.empty()) text += " -> " + extents_of(step.values.back().extents);
  if (!step.requantisation.empty()) text += ", " + step.requantisation;
  text += " */\n  {\n";
  if (const auto tiles = code.external.steps.find(index); tiles != code.external.steps.end())
    return text + tiled_call(code, index, tiles->second);
  const std::vector<int64_t> block = program::parameters_of(step.kind, step.numbers);
  text += fmt::format("    const nibble_call call = {};\n",
                      buffers(code, index, "", std::to_string(nibble_items(step.kind, block.data()))));
  const std::string_view kernel = code.kernels[index]->function;
  if (step.rows > 0)
    text += fmt::format("    fault |= {}(&{}_step_{}, &call, {}, {}, {});\n", packed_kernel(step), code.prefix, index,
                        kernel, step.rows, step.tiles);
  else
    text += fmt::format("    fault |= {}(&{}_step_{}, &call);\n", kernel, code.prefix, index);
  return text + fmt::format("    {}_HOOK({}, {}, call.out);\n  }}\n", code.upper, index, c_string(step.name));
}

/// Statements that copy a port between the arena and a user's struct, where it is not read and written there.
std::string copy(const Code& code, const Port& port, const std::string& id, bool in) {
  const program::Value& value = port.value;
  const int64_t count = element_count(value.extents);
  const Outside found = outside_at(code, value.place);
  if (count == 0 || (found.name == id && found.input == in)) return fmt::format("  (void){};\n", id);
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
  std::set<std::string_view> around;
  for (const Step& step : code.program.steps)
    if (step.rows > 0) around.insert(packed_kernel(step));
  for (std::string_view function : around)
    text += fmt::format("int {}(const void*, const nibble_call*, nibble_kernel, int32_t, int64_t);\n", function);
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
