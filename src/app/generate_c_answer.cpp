#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/generate_c_parts.hpp"
#include "app/tasks/task.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

/// Levels of an output as they lie, the k-th of its elements in the network's order of axes.
std::string level_at(const program::Port& port, const std::string& name) {
  return fmt::format("(int32_t){}.data[{}]", name, port.value.extents.empty() ? "0" : "at");
}

/// Fills `share`, probabilities in 1/32768, of `levels`; both as many as the output has numbers.
std::string shares_code(const Description& app, const program::Port& port, const std::string& name,
                        const std::string& place) {
  const int64_t count = element_count(port.value.extents);
  std::string scores = "logits";
  Section(app.output, "app", place + ": output").name("scores", scores, {"logits", "probabilities"});
  if (port.scale.size() != 1) fail("app", place, "an output without one scale", "one for all classes");
  if (port.value.extents.size() > 2 && static_cast<size_t>(count) != static_cast<size_t>(port.value.extents[1]))
    fail("app", place, "an output " + to_string(port.value.extents), "a number a class");
  const double slope = std::ldexp(port.scale[0] * 1.4426950408889634, 32);
  if (scores == "logits" && !(slope < 0x1p40))
    fail("app", place, "a scale of " + std::to_string(port.scale[0]), "below 177");
  return fmt::format(
             "  int32_t levels[{0}];\n  uint16_t share[{0}];\n"
             "  for (int32_t at = 0; at < {0}; ++at) levels[at] = {1};\n",
             count, level_at(port, name)) +
         (scores == "logits"
              ? fmt::format("  nibble_softmax_levels(levels, {}, {}, share);\n", count, std::llround(slope))
              : fmt::format(
                    "  for (int32_t at = 0; at < {}; ++at) share[at] = (uint16_t)((({} * (int64_t)(levels[at] - "
                    "({}))) + (1 << 30)) >> 31);\n",
                    count, std::llround(std::ldexp(port.scale[0], 46)), port.zero_point));
}

AnswerCode classification(const Description& app, const program::Port& port, const std::string& prefix,
                          const std::string& name, const std::string& place) {
  const int64_t count = element_count(port.value.extents);
  int64_t top = 5;
  Section(app.output, "app", place + ": output").whole("top", top, 1, 1000);
  top = std::min(top, count);
  AnswerCode answer;
  answer.declaration = fmt::format(
      "/* The likeliest first, each with its probability in 1/32768. */\ntypedef struct {1}_answer {{\n"
      "  int32_t count;\n  int32_t index[{0}];\n  uint16_t share[{0}];\n}} {1}_answer;\n",
      top, prefix);
  answer.code = shares_code(app, port, name, place) +
                fmt::format(
                    "  answer->count = nibble_largest_levels(levels, {}, {}, answer->index);\n"
                    "  for (int32_t k = 0; k < answer->count; ++k) answer->share[k] = share[answer->index[k]];\n",
                    count, top);
  return answer;
}

/// As tasks/keywords.cpp says it of one window, with shares in 1/32768.
AnswerCode keywords(const Description& app, const program::Port& port, const std::string& prefix,
                    const std::string& name, const std::string& place) {
  const int64_t count = element_count(port.value.extents);
  int64_t smooth = 1;
  double threshold = 0.5;
  const Section section(app.output, "app", place + ": output");
  section.whole("smooth", smooth, 1, 1000);
  section.real("threshold", threshold, 0, 1);
  std::string background;
  const Json none = section.has("background") ? section.part("background") : Json::array();
  for (const std::string& word : app.classes)
    background += std::find(none.begin(), none.end(), Json(word)) == none.end() ? "0, " : "1, ";
  AnswerCode answer;
  answer.tables = fmt::format("static const uint8_t background[] = {{{}}};\n", background);
  answer.declaration = fmt::format(
      R"(/* Of the last window, and what the next one goes on from: all of it is 0 before the first. */
typedef struct {0}_answer {{
  int32_t index;  /* the likeliest class */
  uint16_t share; /* its probability in 1/32768, the mean of the last {1} windows */
  uint8_t heard;  /* 1: a word that the window before did not have */
  int32_t word;   /* the word of this window, counted from 1; 0: none */
  int32_t kept, next;
  uint16_t shares[{1}][{2}];
}} {0}_answer;
)",
      prefix, smooth, count);
  answer.code = shares_code(app, port, name, place) +
                fmt::format(R"(  for (int32_t k = 0; k < {0}; ++k) answer->shares[answer->next][k] = share[k];
  answer->next = (answer->next + 1) % {1};
  if (answer->kept < {1}) ++answer->kept;
  for (int32_t k = 0; k < {0}; ++k) {{
    levels[k] = answer->kept / 2;
    for (int32_t i = 0; i < answer->kept; ++i) levels[k] += answer->shares[i][k];
    levels[k] /= answer->kept;
  }}
  nibble_largest_levels(levels, {0}, 1, &answer->index);
  answer->share = (uint16_t)levels[answer->index];
  const int32_t word = !background[answer->index] && answer->share >= {2} ? answer->index + 1 : 0;
  answer->heard = word != 0 && word != answer->word;
  answer->word = word;
)",
                            count, smooth, static_cast<int64_t>(std::ceil(threshold * 32768)));
  return answer;
}

/// Distances in 1/65536 of the logarithm: what each of the output's levels stands for, in a table.
AnswerCode anomaly(const Description& app, const program::Port& port, const std::string& prefix,
                   const std::string& name, const std::string& place) {
  const nibble_sound_features& f = app.sound.features;
  const int64_t count = element_count(port.value.extents);
  const int64_t values = nibble_sound_frames(&f, app.sound.samples) * nibble_sound_values(&f);
  double threshold = 0;
  Section(app.output, "app", place + ": output").real("threshold", threshold, 0, Section::largest);
  if (port.scale.size() != 1 || count != values || !lies_row_by_row(port))
    fail("app", place, "an output " + to_string(port.value.extents), std::to_string(values) + " numbers of one scale");
  const double unit = f.gain * f.gain / (0x1p32 * static_cast<double>(values));
  const double scale = port.scale[0] / f.gain * 0x1p16;
  const double shift = (static_cast<double>(port.zero_point) * port.scale[0] + f.offset) / f.gain * 0x1p16;
  const double most = std::max(std::abs(static_cast<double>(port.low)), std::abs(static_cast<double>(port.high)));
  if (!(most * scale + std::abs(shift) < 0x1p29) || !(threshold / unit < 0x1p62))
    fail("app", place, "an output up to " + std::to_string(most * port.scale[0]), "features' size");
  AnswerCode answer;
  answer.declaration = fmt::format(
      R"(/* How unlike the input what the network made of it is. */
typedef struct {0}_answer {{
  uint64_t error;    /* sum of squares; times {0}_ERROR their mean, as the threshold is one */
  uint8_t anomalous; /* 1: above the threshold */
}} {0}_answer;
#define {0}_ERROR {1}
)",
      prefix, literal(unit));
  answer.code = fmt::format(R"(  answer->error = 0;
  for (int32_t at = 0; at < {0}; ++at) {{
    const int64_t real = ({1} * (int64_t){2}.data[at] - {3}) >> 15;
    const int64_t distance = room->features[at] - real;
    answer->error += (uint64_t)(distance * distance);
  }}
  answer->anomalous = answer->error > {4}u;
)",
                            count, std::llround(scale * 0x1p15), name, std::llround(shift * 0x1p15) - (1 << 14),
                            std::llround(threshold / unit));
  return answer;
}

AnswerCode segmentation(const program::Port& port, const std::string& prefix, const std::string& name,
                        const std::string& place) {
  Shape extents = port.value.extents;
  std::vector<int64_t> strides = port.value.strides;
  while (extents.size() > 2 && extents[0] == 1) {
    extents.erase(extents.begin());
    strides.erase(strides.begin());
  }
  if (extents.size() != 3 || extents[0] > 256 || port.scale.size() > 1)
    fail("app", place, "an output " + to_string(port.value.extents), "[classes, height, width], of one scale");
  AnswerCode answer;
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
        if ({6}.data[at + k * {5}] > {6}.data[at + best * {5}]) best = k;
      answer->map[row * {1} + column] = (uint8_t)best;
    }}
)",
      extents[1], extents[2], extents[0], strides[1], strides[2], strides[0], name);
  return answer;
}

}  // namespace

std::string picture_place(std::string_view value, char axis, bool length) {
  const bool x = axis == 'x';
  return fmt::format("nibble_place_in_picture({}, {}, placed.to.{}, {}, placed.from.{})", value,
                     length ? "0"
                     : x    ? "placed.to.left"
                            : "placed.to.top",
                     x ? "width" : "height",
                     length ? "0"
                     : x    ? "placed.from.left"
                            : "placed.from.top",
                     x ? "width" : "height");
}

AnswerCode answer_code(const Description& app, const Parts& parts, const NetworkCode& network,
                       const std::string& place) {
  if ((app.task == "detection" || app.task == "landmarks") && app.kind != Kind::Image)
    fail("app", place + ": input", "no picture", "a picture, for " + app.task);
  if (app.task == "detection") return detection_answer(app, parts, network, place);
  if (app.task == "landmarks") return landmarks_answer(app, parts, network, place);
  const size_t output = output_named(network.program.outputs, app.output.value("output", Json()), place + ": output");
  const program::Port& port = network.program.outputs[output];
  const std::string& name = network.outputs[output];
  if (app.task == "classification") return classification(app, port, network.prefix, name, place);
  if (app.task == "segmentation") return segmentation(port, network.prefix, name, place);
  if (app.task == "keywords") return keywords(app, port, network.prefix, name, place);
  if (app.task == "anomaly" && app.kind == Kind::Sound) return anomaly(app, port, network.prefix, name, place);
  fail("app", place + ": task", app.task + ", by integers alone",
       "classification, detection, segmentation, landmarks, keywords, or anomaly of a sound");
}

}  // namespace nibble::app
