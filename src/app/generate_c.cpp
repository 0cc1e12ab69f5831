#include "app/generate_c.hpp"

#include <fmt/format.h>

#include <cmath>

#include "app/generate.hpp"
#include "app/tasks/task.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

/// What the answer of a task is made of.
struct Answer {
  std::string declaration, functions, code;
};

std::string names_of_classes(const Description& app, const std::string& prefix) {
  if (app.classes.empty()) return "";
  return fmt::format(
      "const char* {0}_class_name(int32_t index) {{\n  static const char* const names[] = {{{1}}};\n"
      "  return index >= 0 && index < {2} ? names[index] : \"\";\n}}\n\n",
      prefix, literals(app.classes), app.classes.size());
}

/// Levels of an output as they lie, the k-th of its elements in the network's order of axes.
std::string level_at(const program::Port& port, const std::string& name) {
  return fmt::format("(int32_t){}->data[{}]", name, port.value.extents.empty() ? "0" : "at");
}

Answer classification(const Description& app, const program::Port& port, const std::string& prefix,
                      const std::string& name, const std::string& place) {
  const int64_t count = element_count(port.value.extents);
  int64_t top = 5;
  std::string scores = "logits";
  const Section section(app.output, "app", place + ": output");
  section.whole("top", top, 1, 1000);
  section.name("scores", scores, {"logits", "probabilities"});
  if (port.scale.size() != 1) fail("app", place, "an output without one scale", "one for all classes");
  if (port.value.extents.size() > 2 && static_cast<size_t>(count) != static_cast<size_t>(port.value.extents[1]))
    fail("app", place, "an output " + to_string(port.value.extents), "a number a class");
  top = std::min(top, count);
  const double slope = std::ldexp(port.scale[0] * 1.4426950408889634, 32);
  if (scores == "logits" && !(slope < 0x1p40))
    fail("app", place, "a scale of " + std::to_string(port.scale[0]), "below 177");
  Answer answer;
  answer.declaration = fmt::format(
      "/* The likeliest first{1}. */\ntypedef struct {2}_answer {{\n  int32_t count;\n  int32_t index[{0}];\n"
      "  uint16_t share[{0}];\n}} {2}_answer;\n",
      top,
      scores == "logits" ? ", each with its share of the softmax in 1/32768" : ", with their probability in 1/32768",
      prefix);
  answer.code = fmt::format(
      "  int32_t levels[{0}];\n  uint16_t share[{0}];\n"
      "  for (int32_t at = 0; at < {0}; ++at) levels[at] = {1};\n",
      count, level_at(port, name));
  answer.code += scores == "logits"
                     ? fmt::format("  nibble_softmax_levels(levels, {}, {}, share);\n", count, std::llround(slope))
                     : fmt::format(
                           "  for (int32_t at = 0; at < {}; ++at) share[at] = (uint16_t)((({} * (int64_t)(levels[at] - "
                           "({}))) + (1 << 30)) >> 31);\n",
                           count, std::llround(std::ldexp(port.scale[0], 46)), port.zero_point);
  answer.code += fmt::format(
      "  answer->count = nibble_largest_levels(levels, {}, {}, answer->index);\n"
      "  for (int32_t k = 0; k < answer->count; ++k) answer->share[k] = share[answer->index[k]];\n",
      count, top);
  return answer;
}

Answer segmentation(const program::Port& port, const std::string& prefix, const std::string& name,
                    const std::string& place) {
  Shape extents = port.value.extents;
  std::vector<int64_t> strides = port.value.strides;
  while (extents.size() > 2 && extents[0] == 1) {
    extents.erase(extents.begin());
    strides.erase(strides.begin());
  }
  if (extents.size() != 3 || extents[0] > 256 || port.scale.size() > 1)
    fail("app", place, "an output " + to_string(port.value.extents), "[classes, height, width], of one scale");
  Answer answer;
  answer.declaration = fmt::format(
      "/* A class for each place of {} rows of {}. */\ntypedef struct {}_answer {{\n  uint8_t map[{}];\n}} "
      "{}_answer;\n",
      extents[1], extents[2], prefix, extents[1] * extents[2], prefix);
  answer.code = fmt::format(
      R"(  for (int32_t row = 0; row < {0}; ++row)
    for (int32_t column = 0; column < {1}; ++column) {{
      const int32_t at = row * {3} + column * {4};
      int32_t best = 0;
      for (int32_t k = 1; k < {2}; ++k)
        if ({6}->data[at + k * {5}] > {6}->data[at + best * {5}]) best = k;
      answer->map[row * {1} + column] = (uint8_t)best;
    }}
)",
      extents[1], extents[2], extents[0], strides[1], strides[2], strides[0], name);
  return answer;
}

Answer answer_of(const Description& app, const NetworkCode& network, const std::string& place) {
  const size_t output = output_named(network.program.outputs, app.output.value("output", Json()), place + ": output");
  const program::Port& port = network.program.outputs[output];
  const std::string& name = network.outputs[output];
  if (app.task == "classification") return classification(app, port, network.prefix, name, place);
  if (app.task == "segmentation") return segmentation(port, network.prefix, name, place);
  fail("app", place + ": task", app.task + ", by integers alone", "classification or segmentation");
}

constexpr std::string_view header =
    R"(/* From a picture to an answer by integers alone, around PREFIX.h: written by Nibble. */
#ifndef PREFIX_APP_H
#define PREFIX_APP_H
OWN_HEADER
#include "processing/image.h"
#ifdef __cplusplus
extern "C" {
#endif

DECLARATION
/* Bytes of scratch for pictures of that size, or for parts of that size. */
size_t PREFIX_app_scratch(int32_t height, int32_t width, int32_t channels);

/* `part` of a picture is looked at, all of it where that is null. `scratch` is aligned to 8. Returns what PREFIX_run
 * returns, 0 where all is well. */
int PREFIX_app_run(const nibble_picture* picture, const nibble_rectangle* part, void* scratch, PREFIX_arena* arena,
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
#define nibble_place PREFIX_nibble_place
#define nibble_resize PREFIX_nibble_resize
#define nibble_resize_scratch PREFIX_nibble_resize_scratch
#define nibble_pixels_to_levels PREFIX_nibble_pixels_to_levels
#define nibble_largest_levels PREFIX_nibble_largest_levels
#define nibble_softmax_levels PREFIX_nibble_softmax_levels
#include "processing/fixed.c"
#include "processing/image.c"

TABLES
typedef struct PREFIX_room {
  PREFIX_INPUT input;
OUTPUTS  uint8_t pixels[3 * COUNT];
} PREFIX_room;

static size_t room_bytes(void) { return (sizeof(PREFIX_room) + 7) / 8 * 8; }

CLASSES
size_t PREFIX_app_scratch(int32_t height, int32_t width, int32_t channels) {
  const nibble_rectangle part = {0, 0, width, height};
  const nibble_placement at = nibble_place(&placing, part);
  return room_bytes() + nibble_resize_scratch(&placing, &at, channels);
}

int PREFIX_app_run(const nibble_picture* picture, const nibble_rectangle* part, void* scratch, PREFIX_arena* arena,
                   PREFIX_answer* answer) {
  PREFIX_room* room = scratch;
  const nibble_rectangle whole = {0, 0, picture->width, picture->height};
  const nibble_placement placed = nibble_place(&placing, part ? *part : whole);
POINTERS  int fault;
  nibble_resize(&placing, &placed, picture, (uint8_t*)scratch + room_bytes(), room->pixels);
  nibble_pixels_to_levels(room->pixels, COUNT, picture->channels, PLANES, order, levels_of, BYTES, room->input.data);
  fault = PREFIX_run(&room->input, ARGUMENTSarena);
  if (fault != 0) return fault;
BODY  return 0;
}
)";

}  // namespace

std::map<std::string, std::string> generate_c(const Parts& parts, const NetworkCode& network,
                                              const std::string& place) {
  const Description app = describe(parts, place);
  if (app.kind != Kind::Image) fail("app", place + ": input", "no image", "a picture");
  if (network.program.inputs.size() != 1)
    fail("app", place + ": network", std::to_string(network.program.inputs.size()) + " inputs", "one");
  const program::Port& port = network.program.inputs[0];
  const Levels levels(port, place + ": network");
  const ImagePreparation image = image_preparation(app, network.program.metadata, levels, place);
  if (port.value.strides != strides_of(port.value.extents) && image.planes() > 1)
    fail("app", place + ": network", "an input with its channels last", "channels first");
  const Answer answer = answer_of(app, network, place);
  std::string outputs, pointers, arguments;
  for (const std::string& name : network.outputs) {
    outputs += fmt::format("  {0}_{1} {1};\n", network.prefix, name);
    pointers += fmt::format("  {0}_{1}* const {1} = &room->{1};\n", network.prefix, name);
    arguments += name + ", ";
  }
  const std::string classes = names_of_classes(app, network.prefix);
  const std::map<std::string, std::string> words = {
      {"DECLARATION", answer.declaration},
      {"NAMES", classes.empty() ? "" : "const char* " + network.prefix + "_class_name(int32_t index);\n"},
      {"OWN_HEADER", "#include \"" + network.prefix + ".h\""},
      {"APP_HEADER", "#include \"" + network.prefix + "_app.h\""},
      {"TABLES", image_tables(image, "levels_of")},
      {"INPUT", network.inputs[0]},
      {"OUTPUTS", outputs},
      {"POINTERS", pointers},
      {"ARGUMENTS", arguments},
      {"CLASSES", classes},
      {"COUNT", std::to_string(image.height() * image.placing().width)},
      {"PLANES", std::to_string(image.planes())},
      {"BYTES", std::to_string(levels.width())},
      {"BODY", answer.code},
      {"PREFIX", network.prefix}};
  std::map<std::string, std::string> files;
  files[network.prefix + "_app.h"] = filled(header, words);
  files[network.prefix + "_app.c"] = filled(source, words);
  for (const char* name : {"image.c", "image.h", "fixed.c", "fixed.h"})
    files["processing/" + std::string(name)] = processing_source("processing/" + std::string(name));
  return files;
}

}  // namespace nibble::app
