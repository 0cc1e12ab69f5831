#include <fmt/format.h>

#include "app/generate_c_parts.hpp"
#include "app/tasks/fixed_face.hpp"
#include "app/tasks/fixed_output.hpp"
#include "app/tasks/landmarks.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

std::string integers_text(const program::Port& port, const std::string& place) {
  const nibble_integers lie = integers_of(port, place);
  return fmt::format("static const nibble_integers lie = {{{}, {}}};\n", lie.bytes, lie.zero_point);
}

std::string face_tables(const FixedFace& face) {
  std::string text = "static const nibble_fixed_parameter parameters[] = {\n";
  for (const nibble_fixed_parameter& p : face.parameters)
    text += fmt::format("    {{{{{}, {}}}, {}}},\n", p.by.mantissa, p.by.shift, p.mean);
  return text + "};\n" + c_array("int32_t", "average", face.average.data(), face.average.size()) +
         c_array("int32_t", "basis", face.basis.data(), face.basis.size()) +
         fmt::format("static const nibble_fixed_face face = {{parameters, average, basis, {}, {}, {}, {}}};\n",
                     face.points, face.shapes, face.shift, face.height);
}

/// From `landmark`, x and y of each in 1/65536 pixel of the input, to the answer.
std::string to_picture(int64_t points) {
  return fmt::format(
      "  for (int32_t i = 0; i < {}; ++i) {{\n    answer->point[i][0] = {};\n    answer->point[i][1] = {};\n  }}\n",
      points, picture_place("landmark[2 * i]", 'x', false), picture_place("landmark[2 * i + 1]", 'y', false));
}

void with_model(AnswerCode& answer, const FixedFace& face, const std::string& name) {
  answer.files = {"fixed_landmarks.h", "fixed_landmarks.c"};
  answer.functions = {"nibble_fixed_landmarks"};
  answer.tables += face_tables(face);
  answer.room =
      fmt::format("  int64_t parameters[{}];\n  int32_t landmarks[2 * {}];\n", face.parameters.size(), face.points);
  answer.code = fmt::format(
      "  int32_t* const landmark = room->landmarks;\n"
      "  nibble_fixed_landmarks(&face, lie, {}.data, room->parameters, landmark);\n",
      name);
  answer.about = fmt::format(
      "Points are those of the application in reals within 1/16 of the picture's pixels where that is no larger than "
      "the "
      "network's input: rounding them, and {:.1g} pixel of the input whatever the network gives. The face model takes "
      "{} "
      "bytes of constants, 4 each number of its basis; how the head is turned is not said.",
      face.error,
      4 * (face.basis.size() + face.average.size()) + sizeof(nibble_fixed_parameter) * face.parameters.size());
}

void without_model(AnswerCode& answer, const program::Port& port, int64_t points, const std::string& name,
                   const std::string& place) {
  const nibble_factor pixels = factor_of(scale_of(port, place) * 0x1p16, reach_of(port), "a scale", place);
  answer.room = fmt::format("  int64_t landmarks[2 * {}];\n", points);
  answer.code = fmt::format(
      R"(  int64_t* const landmark = room->landmarks;
  for (int32_t i = 0; i < 2 * {}; ++i) {{
    const int64_t at = nibble_times(nibble_integer(lie, {}.data, i), pixels), most = (int64_t)1 << 30;
    landmark[i] = at < -most ? -most : at > most ? most : at;
  }}
)",
      points, name);
  answer.tables += fmt::format("static const nibble_factor pixels = {{{}, {}}};\n", pixels.mantissa, pixels.shift);
  answer.about = "Points are those of the application in reals, rounded to 1/16 of the picture's pixels.";
}

}  // namespace

AnswerCode landmarks_answer(const Description& app, const Parts& parts, const NetworkCode& network,
                            const std::string& place) {
  const LandmarkOutput given = landmark_output_of(app, parts, network.program.outputs, place);
  const program::Port& port = network.program.outputs[given.output];
  const std::string& name = network.outputs[given.output];
  const std::string output = place + ": output";
  if (!lies_row_by_row(port))
    fail("app", output, "'" + port.value.name + "' that does not lie row by row", "one that does");
  const bool identity = given.model.is_identity();
  const int64_t points = identity ? element_count(port.value.extents) / 2 : static_cast<int64_t>(given.model.points());
  AnswerCode answer;
  answer.declaration = fmt::format(
      "/* x and y of each point, in 1/16 of the picture's pixels. */\ntypedef struct {0}_answer {{\n"
      "  int32_t point[{1}][2];\n}} {0}_answer;\n",
      network.prefix, points);
  answer.tables = integers_text(port, output);
  if (identity)
    without_model(answer, port, points, name, output);
  else
    with_model(answer, fixed_face(given.model, port, output), name);
  answer.code += to_picture(points);
  return answer;
}

}  // namespace nibble::app
