#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "codegen/code.hpp"
#include "codegen/literals.hpp"
#include "kernels/packed/packed.h"

namespace nibble::codegen {
namespace {

using program::Value;

/// A value that stands in the arena (not in an input outside) once its step is done. Strides may be negative: its first element is not always the
/// lowest.
struct Shown {
  size_t step = 0;
  int64_t from = 0;   ///< of its lowest byte, behind what the step writes to
  int64_t bytes = 0;  ///< to behind its highest
  int64_t first = 0;  ///< elements from the lowest to the first
  const Value* value = nullptr;
};

Shown shown(const program::Step& step, size_t index, const Value& value) {
  int64_t low = 0, high = 0;
  for (size_t axis = 0; axis < value.extents.size(); ++axis) {
    const int64_t last = (value.extents[axis] - 1) * value.strides[axis];
    low += std::min<int64_t>(last, 0);
    high += std::max<int64_t>(last, 0);
  }
  const bool any = element_count(value.extents) > 0;
  const int64_t from = any ? nibble_bytes_to(value.type, low) : 0;
  const int64_t last = nibble_is_packed(value.type) ? 4 : nibble_size_of(value.type);
  return {index, value.place.offset - step.out.offset + from, any ? nibble_bytes_to(value.type, high) + last - from : 0,
          any ? -low : 0, &value};
}

std::vector<Shown> shown(const Code& code) {
  std::vector<Shown> list;
  for (size_t i = 0; i < code.program.steps.size(); ++i) {
    const program::Step& step = code.program.steps[i];
    for (const Value& value : step.values)
      if (in_arena(value.place) && in_arena(step.out) && !outside_at(code, value.place).input)
        list.push_back(shown(step, i, value));
  }
  return list;
}

Json json_of(const Value& value) {
  return {
      {"name", value.name}, {"type", element_type(value.type)}, {"extents", value.extents}, {"strides", value.strides}};
}

/// What looks at layers in the test program.
std::string layer_functions(const Code& code) {
  std::string rows;
  for (const Shown& each : shown(code)) rows += fmt::format("    {{{}, {}, {}}},\n", each.step, each.from, each.bytes);
  if (rows.empty()) rows = "    {-1, 0, 0},\n";
  return fmt::format(R"(#ifdef NIBBLE_LAYERS
uint64_t nibble_ticks(void); /* of what the board counts */
void {0}_layer(int step, const void* out);

/* What steps complete: so many bytes, from there behind what the step writes to. */
static const struct {{
  int step;
  int32_t from, bytes;
}} values[] = {{
{1}}};
static uint64_t since;
static int shows;

void {0}_layer(int step, const void* out) {{
  const uint64_t took = nibble_ticks() - since;
  if (!shows) return;
  say("layer ");
  say_number((uint64_t)step);
  say(" ");
  say_number(took);
  say("\n");
  for (unsigned i = 0; i < sizeof values / sizeof values[0]; ++i) {{
    const uint8_t* const bytes = (const uint8_t*)out + values[i].from;
    if (values[i].step != step) continue;
    say("value ");
    say_number(i);
    say(" ");
    for (int32_t k = 0; k < values[i].bytes; ++k) {{
      putchar("0123456789abcdef"[bytes[k] >> 4]);
      putchar("0123456789abcdef"[bytes[k] & 15]);
    }}
    say("\n");
  }}
  since = nibble_ticks();
}}
#endif

)",
                     code.prefix, rows);
}

}  // namespace

std::string golden_file(const Code& code) {
  std::string text = head(code) + fmt::format("#include \"../{}.h\"\n\n#define {}_GOLDENS {}\n", code.prefix,
                                              code.upper, code.options.goldens.size());
  const auto put = [&](const std::string& id, size_t port, bool in) {
    const program::Value& value = (in ? code.program.inputs : code.program.outputs)[port].value;
    text += fmt::format("static const {0}_{1} {0}_golden_{1}[] = {{\n", code.prefix, id);
    for (const Golden& golden : code.options.goldens) {
      const std::vector<uint8_t>& bytes = (in ? golden.inputs : golden.outputs)[port];
      text += "    {{\n" + array_of({0, static_cast<int64_t>(bytes.size()), c_type(value.type)}, bytes) + "    }},\n";
    }
    text += "};\n";
  };
  if (code.options.goldens.empty()) return text;
  for (size_t i = 0; i < code.inputs.size(); ++i) put(code.inputs[i], i, true);
  for (size_t i = 0; i < code.outputs.size(); ++i) put(code.outputs[i], i, false);
  return text;
}

std::string external_file(const Code& code) {
  const auto size = static_cast<int64_t>(code.external.image.size());
  return head(code) + fmt::format(R"(/* What is outside, here a constant: as {0}_external.bin. */
#include <string.h>

static const uint8_t external[] = {{
{1}}};

int {0}_fetch(void* to, uint32_t offset, uint32_t bytes) {{
  if (offset > sizeof external || bytes > sizeof external - offset) return 1;
  memcpy(to, external + offset, bytes);
  return 0;
}}
)",
                                  code.prefix, array_of({0, size, "uint8_t"}, code.external.image));
}

std::string test_program(const Code& code) {
  std::string arguments, outputs, checks, streamed, inputs, reads, writes;
  for (const std::string& id : code.inputs) {
    arguments += fmt::format("&{}_golden_{}[i], ", code.prefix, id);
    inputs += fmt::format("static {0}_{1} given_{1};\n", code.prefix, id);
    streamed += fmt::format("&given_{}, ", id);
    reads += fmt::format("{1}fread(&given_{0}, sizeof given_{0}, 1, stdin) == 1", id, reads.empty() ? "" : " && ");
  }
  for (const std::string& id : code.outputs) {
    arguments += fmt::format("&found_{}, ", id);
    streamed += fmt::format("&found_{}, ", id);
    writes += fmt::format("    fwrite(&found_{0}, sizeof found_{0}, 1, stdout);\n", id);
    outputs += fmt::format("static {0}_{1} found_{1};\n", code.prefix, id);
    checks +=
        fmt::format("    wrong |= memcmp(&found_{0}, &{1}_golden_{0}[i], sizeof found_{0}) != 0;\n", id, code.prefix);
  }
  return head(code) +
         fmt::format(
             R"(/* Runs the goldens and says whether every byte is the same, by putchar alone; with NIBBLE_LAYERS defined for every
 * file, as `nibble validate` builds it, also what each layer wrote and took. */
#include <stdio.h>
#include <string.h>

#include {9}
{11}
static {0}_arena arena;
{1}
#ifndef NIBBLE_STREAM
static void say(const char* text) {{
  while (*text != 0) putchar(*text++);
}}

static void say_number(uint64_t number) {{
  if (number >= 10) say_number(number / 10);
  putchar((int)('0' + number % 10));
}}
#endif

{4}#ifdef NIBBLE_STREAM /* inputs from stdin, outputs to stdout, as the structs hold them */
{5}
int main(void) {{
  if ({0}_init(&arena) != 0) return 1;
  while ({6}) {{
    if ({0}_run({7}&arena) != 0) return 1;
{8}  }}
  return 0;
}}
#else
int main(void) {{
  unsigned differing = 0;
  if ({0}_init(&arena) != 0) {{
    say("arena: not aligned\n");
    return 1;
  }}
#if {10}_GOLDENS > 0
  for (unsigned i = 0; i < {10}_GOLDENS; ++i) {{
    int wrong = 0;
#ifdef NIBBLE_LAYERS
    shows = 0;
    since = nibble_ticks();
    wrong |= {0}_run({2}&arena) != 0;
    {{
      const uint64_t took = nibble_ticks() - since;
      say("run ");
      say_number(took);
      say("\n");
    }}
    shows = 1;
    since = nibble_ticks();
#endif
    wrong |= {0}_run({2}&arena) != 0;
{3}    if (wrong) ++differing;
  }}
#endif
  say_number({10}_GOLDENS - differing);
  say(" of ");
  say_number({10}_GOLDENS);
  say(" goldens equal\n");
  return differing == 0 ? 0 : 1;
}}
#endif
)",
             code.prefix, outputs, arguments, checks, layer_functions(code), inputs, reads.empty() ? "0" : reads,
             streamed, writes, "\"golden.h\"", code.upper,
             code.external.steps.empty() ? "" : fmt::format("#include {}\n", "\"external.h\""));
}

std::string layers_file(const Code& code) {
  Json steps = Json::array(), values = Json::array(), inputs = Json::array(), outputs = Json::array();
  for (size_t i = 0; i < code.program.steps.size(); ++i) {
    const program::Step& step = code.program.steps[i];
    steps.push_back(
        {{"name", step.name}, {"op", step.op}, {"kernel", code.kernels[i]->function}, {"macs", step.operations}});
  }
  for (const Shown& each : shown(code)) {
    values.push_back(json_of(*each.value));
    values.back()["step"] = each.step;
    values.back()["bytes"] = each.bytes;
    values.back()["first"] = each.first;
    values.back()["held"] = each.value->held;
  }
  for (const program::Port& port : code.program.inputs) inputs.push_back(json_of(port.value));
  for (const program::Port& port : code.program.outputs) outputs.push_back(json_of(port.value));
  return Json{{"prefix", code.prefix}, {"machine", code.machine.name},
              {"steps", steps},        {"values", values},
              {"inputs", inputs},      {"outputs", outputs}}
             .dump() +
         "\n";
}

}  // namespace nibble::codegen
