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
    R"(/* @FROM_WHAT@ to an answer by integers alone, around @PREFIX@.h: written by Nibble. */
#ifndef @PREFIX@_APP_H
#define @PREFIX@_APP_H
@OWN_HEADER@
#ifdef __cplusplus
extern "C" {
#endif

@DECLARATION@
/* Bytes of scratch @SCRATCH_IS@. */
size_t @PREFIX@_app_scratch(@SCRATCH_PARAMETERS@);

/* @PARAMETERS_ARE@ `scratch` is aligned to 8. Returns what @PREFIX@_run
 * returns, 0 where all is well. */
int @PREFIX@_app_run(@RUN_PARAMETERS@, void* scratch, @PREFIX@_arena* arena,
                   @PREFIX@_answer* answer);
@NAMES@
#ifdef __cplusplus
}
#endif
#endif
)";

constexpr std::string_view source = R"(/* Written by Nibble. */
@APP_HEADER@

/* The functions are this file's own. */
#define NIBBLE_INTEGERS_ALONE
@OWN_FUNCTIONS@
@TABLES@
typedef struct @PREFIX@_room {
  @PREFIX@_@INPUT@ input;
  struct {
@OUTPUTS@  } out;
@ROOM@@SEATS@} @PREFIX@_room;

static size_t room_bytes(void) { return (sizeof(@PREFIX@_room) + 7) / 8 * 8; }

@CLASSES@
size_t @PREFIX@_app_scratch(@SCRATCH_PARAMETERS@) {
@SCRATCH_SIZE@}

int @PREFIX@_app_run(@RUN_PARAMETERS@, void* scratch, @PREFIX@_arena* arena,
                   @PREFIX@_answer* answer) {
  @PREFIX@_room* room = scratch;
  int fault;
@FILL@  fault = @PREFIX@_run(&room->input, @ARGUMENTS@arena);
  if (fault != 0) return fault;
@BODY@  return 0;
}
)";

}  // namespace

ApplicationCode generate_c(const Parts& parts, const NetworkCode& network, const std::string& place) {
  const Description app = describe(parts, place);
  if (app.kind == Kind::Numbers) fail("app", place + ": input", "numbers", "a picture or a sound");
  if (network.program.inputs.size() != 1)
    fail("app", place + ": network", std::to_string(network.program.inputs.size()) + " inputs", "one");
  const Levels levels(network.program.inputs[0], place + ": network");
  const IntakeCode intake = (app.kind == Kind::Image ? picture_intake : sound_intake)(app, network, levels, place);
  // By a path from `room`, so that no name of the network's meets one of the code's.
  NetworkCode within = network;
  std::string outputs, arguments, own;
  for (std::string& name : within.outputs) {
    outputs += fmt::format("    {0}_{1} {1};\n", network.prefix, name);
    name = "room->out." + name;
    arguments += "&" + name + ", ";
  }
  const AnswerCode answer = answer_code(app, parts, within, place);
  std::vector<std::string> functions = intake.functions, files = intake.files;
  functions.insert(functions.end(), {"nibble_largest_levels", "nibble_softmax_levels", "nibble_times", "nibble_integer",
                                     "nibble_half_to", "nibble_place_in_picture"});
  functions.insert(functions.end(), answer.functions.begin(), answer.functions.end());
  files.insert(files.end(), {"fixed.h", "fixed.c"});
  files.insert(files.end(), answer.files.begin(), answer.files.end());
  for (const std::string& name : functions) own += fmt::format("#define {1} {0}_{1}\n", network.prefix, name);
  for (const std::string& name : files)
    if (name.ends_with(".c")) own += "#include \"processing/" + name + "\"\n";
  const std::string classes = names_of_classes(app, network.prefix);
  const std::map<std::string, std::string> words = {
      {"@DECLARATION@", intake.declaration + answer.declaration},
      {"@NAMES@", classes.empty() ? "" : "const char* " + network.prefix + "_class_name(int32_t index);\n"},
      {"@OWN_HEADER@", "#include \"" + network.prefix + ".h\"\n#include \"" + intake.include + "\""},
      {"@APP_HEADER@", "#include \"" + network.prefix + "_app.h\""},
      {"@FROM_WHAT@", "From " + intake.what},
      {"@SCRATCH_IS@", intake.scratch_is},
      {"@SCRATCH_PARAMETERS@", intake.scratch_parameters},
      {"@SCRATCH_SIZE@", intake.scratch},
      {"@PARAMETERS_ARE@", intake.parameters_are},
      {"@RUN_PARAMETERS@", intake.parameters},
      {"@OWN_FUNCTIONS@", own},
      {"@TABLES@", intake.tables + answer.tables},
      {"@INPUT@", network.inputs[0]},
      {"@OUTPUTS@", outputs},
      {"@ROOM@", intake.room},
      {"@SEATS@", answer.room},
      {"@ARGUMENTS@", arguments},
      {"@CLASSES@", classes},
      {"@FILL@", intake.code},
      {"@BODY@", answer.code},
      {"@PREFIX@", network.prefix}};
  ApplicationCode result;
  result.files[network.prefix + "_app.h"] = filled(header, words);
  result.files[network.prefix + "_app.c"] = filled(source, words);
  for (const std::string& name : files) result.files["processing/" + name] = processing_source("processing/" + name);
  result.about = fmt::format(
      "`{0}_app.h` goes from {1} to an answer ({2}) by integers alone, nothing allocated: `{0}_app_run`.{3}{4}\n",
      network.prefix, intake.what, app.task, answer.about.empty() ? "" : " ", answer.about);
  return result;
}

}  // namespace nibble::app
