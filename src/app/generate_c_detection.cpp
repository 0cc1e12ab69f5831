#include <fmt/format.h>

#include <algorithm>

#include "app/generate.hpp"
#include "app/generate_c_parts.hpp"
#include "app/tasks/fixed_detector.hpp"

namespace nibble::app {
namespace {

std::string factor_text(const nibble_factor& f) {
  return fmt::format("{{{}, {}}}", f.mantissa, f.shift);
}

std::string integers_text(const nibble_integers& i) {
  return fmt::format("{{{}, {}}}", i.bytes, i.zero_point);
}

std::string scores_text(const nibble_fixed_scores& s) {
  static constexpr const char* forms[] = {"NIBBLE_SCORES", "NIBBLE_LOGISTIC", "NIBBLE_NORMALISED"};
  return fmt::format("{{{}, {}, {}, {}}}", forms[s.form], factor_text(s.by), s.threshold, s.least);
}

std::string ssd_tables(const FixedDetector& fixed) {
  const nibble_fixed_ssd& h = fixed.ssd[0];
  return c_array("int32_t", "anchors", fixed.tables[0].data(), fixed.tables[0].size()) +
         fmt::format(
             "static const nibble_fixed_ssd head = {{{}, {}, {}, {}, {}, {}, anchors, {}, {}, {}, {},\n"
             "    {}, {}, {}}};\n",
             integers_text(h.offsets), integers_text(h.classes), h.offset_row, h.offset_step, h.class_row, h.class_step,
             h.count, h.class_count, h.background, h.y_first, factor_text(h.centre), factor_text(h.size),
             scores_text(h.scores));
}

std::string yolo_tables(const FixedDetector& fixed) {
  static constexpr const char* forms[] = {"NIBBLE_YOLO_V3", "NIBBLE_YOLO_V5", "NIBBLE_YOLO_X", "NIBBLE_YOLO_V8"};
  std::string text, list;
  for (size_t i = 0; i < fixed.yolo.size(); ++i) {
    const nibble_fixed_yolo& h = fixed.yolo[i];
    const std::vector<int32_t>& sizes = fixed.tables[i];
    const std::string name = sizes.empty() ? "0" : fmt::format("sizes{}", i);
    if (!sizes.empty()) text += c_array("int32_t", name, sizes.data(), sizes.size());
    list += fmt::format("    {{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {},\n     {}, {}, {}}},\n", forms[h.form],
                        integers_text(h.lie), h.plane, h.row, h.column, h.rows, h.columns, h.anchors, h.classes, h.bins,
                        name, h.stride, factor_text(h.places), factor_text(h.octaves), scores_text(h.scores));
  }
  return text + "static const nibble_fixed_yolo heads[] = {\n" + list + "};\n";
}

std::string calls(const Detector& detector, const std::vector<std::string>& outputs) {
  if (detector.ssd)
    return fmt::format("  nibble_fixed_decode_ssd(&head, {}.data, {}.data, &objects);\n",
                       outputs[detector.ssd->offsets], outputs[detector.ssd->scores]);
  std::string text;
  for (size_t i = 0; i < detector.yolo.size(); ++i)
    text += fmt::format("  nibble_fixed_decode_yolo(&heads[{}], {}.data, &objects);\n", i,
                        outputs[detector.yolo[i].output]);
  return text;
}

constexpr std::string_view declaration =
    R"(/* How many boxes are compared with each other: of more the best are. 24 bytes of scratch each. */
#ifndef @P@_CANDIDATES
#define @P@_CANDIDATES @CANDIDATES@
#endif

typedef struct @P@_object {
  int32_t index;                    /* of its class */
  int32_t left, top, width, height; /* in 1/16 of the picture's pixels */
  uint16_t score;                   /* in 1/32768 */
} @P@_object;

/* The best first. */
typedef struct @P@_answer {
  int32_t count;
  int32_t left_out; /* boxes above the threshold that were not compared, the worst */
  @P@_object object[@MOST@];
} @P@_answer;
)";

}  // namespace

AnswerCode detection_answer(const Description& app, const Parts& parts, const NetworkCode& network,
                            const std::string& place) {
  const Detector detector = detector_of(app, parts, network.program.outputs, place);
  const FixedDetector fixed = fixed_detector(detector, network.program.outputs, place + ": output");
  const int64_t candidates = std::min(fixed.places, Detector::most_candidates);
  const int64_t most = std::min(detector.most, candidates);
  AnswerCode answer;
  answer.declaration =
      filled(declaration,
             {{"@P@", network.prefix}, {"@CANDIDATES@", std::to_string(candidates)}, {"@MOST@", std::to_string(most)}});
  answer.files = {"heads.h", "fixed_detect.h", "fixed_detect.c"};
  answer.functions = {"nibble_fixed_decode_ssd", "nibble_fixed_decode_yolo", "nibble_fixed_suppress"};
  answer.tables = detector.ssd ? ssd_tables(fixed) : yolo_tables(fixed);
  answer.room = fmt::format("  nibble_fixed_object candidates[{}_CANDIDATES];\n", network.prefix);
  answer.code =
      fmt::format("  nibble_fixed_objects objects = {{room->candidates, 0, {}_CANDIDATES, 0}};\n", network.prefix) +
      calls(detector, network.outputs) +
      fmt::format("  nibble_fixed_suppress(&objects, {}, {}, {});\n", fixed.overlap, detector.across ? 1 : 0, most) +
      fmt::format(R"(  answer->count = objects.count;
  answer->left_out = objects.left_out;
  for (int32_t i = 0; i < objects.count; ++i) {{
    const nibble_fixed_object* const found = &room->candidates[i];
    {0}_object* const object = &answer->object[i];
    object->index = found->class_index;
    object->left = {1};
    object->top = {2};
    object->width = {3};
    object->height = {4};
    object->score = (uint16_t)((found->score + (1 << 14)) >> 15);
  }}
)",
                  network.prefix, picture_place("found->left", 'x', false), picture_place("found->top", 'y', false),
                  picture_place("(int64_t)found->right - found->left", 'x', true),
                  picture_place("(int64_t)found->bottom - found->top", 'y', true));
  answer.about = fmt::format(
      "Boxes are those of the application in reals, within 1/16 of the picture's pixels, their order too but for ties "
      "(scores within 2^-22). {} candidates take {} bytes of scratch (`{}_CANDIDATES`), tables {} bytes.",
      candidates, 24 * candidates, network.prefix,
      detector.ssd ? 4 * fixed.tables[0].size() + sizeof(nibble_fixed_ssd)
                   : fixed.yolo.size() * sizeof(nibble_fixed_yolo));
  return answer;
}

}  // namespace nibble::app
