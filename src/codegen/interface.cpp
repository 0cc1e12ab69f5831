#include "codegen/code.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "codegen/literals.hpp"

namespace nibble::codegen {

using program::Port;

namespace {

std::string port_types(const Code& code, const Port& port, const std::string& id, const std::string& what) {
  const std::string upper = capitals(id);
  const int64_t count = element_count(port.value.extents);
  const bool last = laid(port.value) != port.value.extents;
  std::string text =
      fmt::format("/* {} '{}': {} as the network has it{}. Integers from {} to {}", what, comment(port.value.name),
                  extents_of(port.value.extents),
                  last ? ", here channels last: " + extents_of(laid(port.value)) : std::string(), port.low, port.high);
  if (port.scale.empty())
    text += ". */\n";
  else if (port.scale.size() == 1)
    text += fmt::format("; real = {} * (q - {}). */\n", real(port.scale[0]), port.zero_point);
  else
    text += fmt::format("; a scale for each index along axis {}. */\n", port.axis);
  text += fmt::format("#define {}_{}_COUNT {}\n", code.upper, upper, count);
  if (port.scale.size() == 1)
    text += fmt::format("#define {0}_{1}_SCALE {2}\n#define {0}_{1}_ZERO_POINT {3}\n", code.upper, upper,
                        real(port.scale[0]), port.zero_point);
  return text + fmt::format("typedef struct {}_{} {{\n  {} data[{}];\n}} {}_{};\n\n", code.prefix, id,
                            c_type(port.value.type), std::max<int64_t>(count, 1), code.prefix, id);
}

/// The names of the classes, where the network carries them.
std::string classes(const Code& code) {
  const auto found = code.program.metadata.find("classes");
  if (found == code.program.metadata.end()) return {};
  const Json json = Json::parse(found->second, nullptr, false);
  if (!json.is_array() || json.empty()) return {};
  std::string text =
      fmt::format("#define {}_CLASSES {}\n#define {}_CLASS_NAMES {{", code.upper, json.size(), code.upper);
  for (size_t i = 0; i < json.size(); ++i)
    text += (i == 0 ? "" : ", ") + c_string(json[i].is_string() ? json[i].get<std::string>() : json[i].dump());
  return text + "}\n\n";
}

}  // namespace

std::string signature(const Code& code) {
  std::string text = "int " + code.prefix + "_run(";
  for (const std::string& id : code.inputs) text += fmt::format("const {}_{}* {}, ", code.prefix, id, id);
  for (const std::string& id : code.outputs) text += fmt::format("{}_{}* {}, ", code.prefix, id, id);
  return text + code.prefix + "_arena* arena)";
}

std::string header_file(const Code& code) {
  const Footprint& bytes = code.bytes;
  std::string text = head(code);
  text += fmt::format(
      "#ifndef {0}_H\n#define {0}_H\n#include <stdint.h>\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n", code.upper);
  text += fmt::format(
      "/* Memory for one run at a time: {} bytes, of which {} are scratch. Several may run at once, each with its "
      "own. */\n"
      "#define {}_ARENA_BYTES {}\n"
      "typedef union {}_arena {{\n  uint8_t bytes[{}_ARENA_BYTES];\n  int64_t aligned;\n  double also;\n}} "
      "{}_arena;\n\n",
      bytes.arena, bytes.scratch, code.upper, bytes.arena, code.prefix, code.upper, code.prefix);
  text += fmt::format(
      "/* What a run takes of the stack at most, as gcc builds it with -O2, -O3 or -Os. */\n#define {}_STACK_BYTES "
      "2048\n\n",
      code.upper);
  for (size_t i = 0; i < code.inputs.size(); ++i)
    text += port_types(code, code.program.inputs[i], code.inputs[i], "Input");
  for (size_t i = 0; i < code.outputs.size(); ++i)
    text += port_types(code, code.program.outputs[i], code.outputs[i], "Output");
  text += classes(code);
  text += fmt::format(
      "/* 0, or -1 where the arena is not aligned to 8 bytes. Nothing else has to be set up. */\n"
      "int {0}_init(const {0}_arena* arena);\n\n"
      "/* One inference. Inputs are read and outputs written as they lie, outside the arena. Returns 0, or a number "
      "that is\n"
      " * not 0 where an integer divides by 0 or lies beyond a table. */\n{1};\n\n",
      code.prefix, signature(code));
  if (!code.external.steps.empty())
    text += fmt::format(
        "/* Yours: puts {2} bytes at most of weights, of those {1} of {0}_external.bin from `offset` on, to `to`. 0, "
        "or what "
        "the run returns. */\nint {0}_fetch(void* to, uint32_t offset, uint32_t bytes);\n#define {3}_EXTERNAL_BYTES "
        "{1}\n\n",
        code.prefix, bytes.external, code.external.room, code.upper);
  text += fmt::format(
      "/* Called after each step where {0}_HOOK(step, name, out) is defined when {1}.c is compiled. */\n#define "
      "{0}_STEPS {2}\n\n",
      code.upper, code.prefix, code.program.steps.size());
  return text + "#ifdef __cplusplus\n}\n#endif\n#endif\n";
}

}  // namespace nibble::codegen
