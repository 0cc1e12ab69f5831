#include "app/generate_c.hpp"

#include <fmt/format.h>

#include "app/generate.hpp"
#include "app/generate_c_parts.hpp"
#include "app/tasks/task.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

std::string names_of_classes(const Description& app, const std::string& prefix) {
  if (app.classes.empty()) return "";
  return fmt::format(
      "const char* {0}_class_name(int32_t index) {{\n  static const char* const names[] = {{{1}}};\n"
      "  return index >= 0 && index < {2} ? names[index] : \"\";\n}}\n\n",
      prefix, literals(app.classes), app.classes.size());
}

constexpr std::string_view header =
    R"(/* FROM_WHAT to an answer by integers alone, around PREFIX.h: written by Nibble. */
#ifndef PREFIX_APP_H
#define PREFIX_APP_H
OWN_HEADER
#ifdef __cplusplus
extern "C" {
#endif

DECLARATION
/* Bytes of scratch SCRATCH_IS. */
size_t PREFIX_app_scratch(SCRATCH_PARAMETERS);

/* PARAMETERS_ARE `scratch` is aligned to 8. Returns what PREFIX_run
 * returns, 0 where all is well. */
int PREFIX_app_run(RUN_PARAMETERS, void* scratch, PREFIX_arena* arena,
                   PREFIX_answer* answer);
NAMES
#ifdef __cplusplus
}
#endif
#endif
)";

constexpr std::string_view source = R"(/* Written by Nibble. */
APP_HEADER

/* The functions are this file's own. */
#define NIBBLE_INTEGERS_ALONE
OWN_FUNCTIONS
TABLES
typedef struct PREFIX_room {
  PREFIX_INPUT input;
OUTPUTSROOM} PREFIX_room;

static size_t room_bytes(void) { return (sizeof(PREFIX_room) + 7) / 8 * 8; }

CLASSES
size_t PREFIX_app_scratch(SCRATCH_PARAMETERS) {
SCRATCH_SIZE}

int PREFIX_app_run(RUN_PARAMETERS, void* scratch, PREFIX_arena* arena,
                   PREFIX_answer* answer) {
  PREFIX_room* room = scratch;
POINTERS  int fault;
FILL  fault = PREFIX_run(&room->input, ARGUMENTSarena);
  if (fault != 0) return fault;
BODY  return 0;
}
)";

}  // namespace

std::map<std::string, std::string> generate_c(const Parts& parts, const NetworkCode& network,
                                              const std::string& place) {
  const Description app = describe(parts, place);
  if (app.kind == Kind::Numbers) fail("app", place + ": input", "numbers", "a picture or a sound");
  if (network.program.inputs.size() != 1)
    fail("app", place + ": network", std::to_string(network.program.inputs.size()) + " inputs", "one");
  const Levels levels(network.program.inputs[0], place + ": network");
  const IntakeCode intake = (app.kind == Kind::Image ? picture_intake : sound_intake)(app, network, levels, place);
  const AnswerCode answer = answer_code(app, network, place);
  std::string outputs, pointers, arguments, own;
  for (const std::string& name : network.outputs) {
    outputs += fmt::format("  {0}_{1} {1};\n", network.prefix, name);
    pointers += fmt::format("  {0}_{1}* const {1} = &room->{1};\n", network.prefix, name);
    arguments += name + ", ";
  }
  std::vector<std::string> functions = intake.functions, files = intake.files;
  functions.insert(functions.end(), {"nibble_largest_levels", "nibble_softmax_levels"});
  files.insert(files.end(), {"fixed.h", "fixed.c"});
  for (const std::string& name : functions) own += fmt::format("#define {1} {0}_{1}\n", network.prefix, name);
  for (const std::string& name : files)
    if (name.ends_with(".c")) own += "#include \"processing/" + name + "\"\n";
  const std::string classes = names_of_classes(app, network.prefix);
  const std::map<std::string, std::string> words = {
      {"DECLARATION", answer.declaration},
      {"NAMES", classes.empty() ? "" : "const char* " + network.prefix + "_class_name(int32_t index);\n"},
      {"OWN_HEADER", "#include \"" + network.prefix + ".h\"\n#include \"" + intake.include + "\""},
      {"APP_HEADER", "#include \"" + network.prefix + "_app.h\""},
      {"FROM_WHAT", "From " + intake.what},
      {"SCRATCH_IS", intake.scratch_is},
      {"SCRATCH_PARAMETERS", intake.scratch_parameters},
      {"SCRATCH_SIZE", intake.scratch},
      {"PARAMETERS_ARE", intake.parameters_are},
      {"RUN_PARAMETERS", intake.parameters},
      {"OWN_FUNCTIONS", own},
      {"TABLES", intake.tables + answer.tables},
      {"INPUT", network.inputs[0]},
      {"OUTPUTS", outputs},
      {"ROOM", intake.room},
      {"POINTERS", pointers},
      {"ARGUMENTS", arguments},
      {"CLASSES", classes},
      {"FILL", intake.code},
      {"BODY", answer.code},
      {"PREFIX", network.prefix}};
  std::map<std::string, std::string> result;
  result[network.prefix + "_app.h"] = filled(header, words);
  result[network.prefix + "_app.c"] = filled(source, words);
  for (const std::string& name : files) result["processing/" + name] = processing_source("processing/" + name);
  return result;
}

}  // namespace nibble::app
