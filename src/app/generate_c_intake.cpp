#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "app/generate.hpp"
#include "app/generate_c_parts.hpp"
#include "base/error.hpp"

namespace nibble::app {
namespace {

/// The least value of each level above the lowest, of one channel: what lies below none is the lowest.
std::vector<int32_t> steps_of(const nibble_sound_features& features, const Levels& levels, size_t channel) {
  const auto level = [&](int64_t value) {
    return levels.level(static_cast<double>(nibble_sound_real(&features, static_cast<int32_t>(value))), channel);
  };
  const int64_t least = std::numeric_limits<int32_t>::min(), most = std::numeric_limits<int32_t>::max();
  std::vector<int32_t> steps;
  for (int64_t wanted = level(least) + 1; wanted <= level(most); ++wanted) {
    int64_t below = least, at = most;
    while (at - below > 1) {
      const int64_t middle = below + (at - below) / 2;
      (level(middle) < wanted ? below : at) = middle;
    }
    steps.push_back(static_cast<int32_t>(at));
  }
  return steps;
}

/// Of an input with a scale for each channel, what features are multiplied by before the level of the channel of the
/// largest scale is taken: powers of two, by their exponent. Empty where there is one scale.
std::vector<int32_t> factors_of(const std::vector<double>& scales, const std::string& place) {
  std::vector<int32_t> factors;
  if (scales.size() < 2) return factors;
  const double largest = *std::max_element(scales.begin(), scales.end());
  for (const double scale : scales) {
    const int32_t factor = static_cast<int32_t>(std::lround(std::log2(largest / scale)));
    if (factor > 24 || std::ldexp(scale, factor) != largest)
      fail("app", place, "scales of " + std::to_string(largest) + " and " + std::to_string(scale),
           "powers of two apart");
    factors.push_back(factor);
  }
  return factors;
}

std::string plan_code(const nibble_sound_plan& p) {
  return fmt::format(
      "static const nibble_sound_plan heard_plan = {{{}, {}, {}, {}, {}, (nibble_sound_padding){}, {}, {}, {}, {}, "
      "{},\n"
      "    {}u, {}, {}, {}, {}, heard_window, heard_turns, heard_weights, heard_spans, heard_cosines}};\n",
      p.window_length, p.hop, p.transform, p.before, p.first, static_cast<int>(p.padding), p.power, p.bands,
      p.coefficients, p.by_largest, p.floor_added, p.floor, p.floor_exponent, p.top, p.of_logarithm, p.weight_scale);
}

/// Everything that does not depend on the sound.
std::string sound_tables(const nibble_sound_features& f) {
  std::vector<double> tables(nibble_sound_table_bytes(&f) / sizeof(double) + 1);
  nibble_sound_tables(&f, tables.data());
  nibble_sound_plan p;
  nibble_sound_plan_of(&f, tables.data(), &p);
  size_t weights = 0;
  for (int32_t b = 0; b < f.bands; ++b) weights += static_cast<size_t>(p.spans[2 * b + 1]);
  return c_array("uint16_t", "heard_window", p.window, static_cast<size_t>(f.window_length)) +
         c_array("int32_t", "heard_turns", p.turns, static_cast<size_t>(f.transform)) +
         c_array("uint16_t", "heard_weights", p.weights, weights) +
         c_array("int32_t", "heard_spans", p.spans, 2 * static_cast<size_t>(f.bands)) +
         c_array("int32_t", "heard_cosines", p.cosines,
                 static_cast<size_t>(f.coefficients) * static_cast<size_t>(f.bands)) +
         plan_code(p);
}

}  // namespace

bool lies_row_by_row(const program::Port& port) {
  const std::vector<int64_t> strides = strides_of(port.value.extents);
  for (size_t i = 0; i < strides.size(); ++i)
    if (port.value.extents[i] > 1 && port.value.strides[i] != strides[i]) return false;
  return true;
}

namespace {

/// Whether the channels of a pixel lie together.
bool lies_pixel_by_pixel(const program::Port& port) {
  const Shape& extents = port.value.extents;
  return extents.size() == 4 && extents[1] > 1 &&
         port.value.strides == std::vector<int64_t>({port.value.strides[0], 1, extents[1] * extents[3], extents[1]});
}

}  // namespace

IntakeCode picture_intake(const Description& app, const NetworkCode& network, const Levels& levels,
                          const std::string& place) {
  const ImagePreparation image = image_preparation(app, network.program.metadata, levels, place);
  const program::Port& port = network.program.inputs[0];
  const bool by_pixel = lies_pixel_by_pixel(port);
  if (!by_pixel && !lies_row_by_row(port))
    fail("app", place + ": network", "an input that lies neither plane by plane nor pixel by pixel", "one that does");
  const int64_t count = image.height() * image.placing().width;
  IntakeCode code;
  code.what = "a picture";
  code.include = "processing/image.h";
  code.files = {"image.h", "image.c"};
  code.functions = {"nibble_place", "nibble_resize", "nibble_resize_scratch", "nibble_pixels_to_levels"};
  code.parameters = "const nibble_picture* picture, const nibble_rectangle* part";
  code.parameters_are = "`part` of a picture is looked at, all of it where that is null.";
  code.scratch_parameters = "int32_t height, int32_t width, int32_t channels";
  code.scratch_is = "for pictures of that size, or for parts of that size";
  code.scratch =
      "  const nibble_rectangle part = {0, 0, width, height};\n"
      "  const nibble_placement at = nibble_place(&placing, part);\n"
      "  return room_bytes() + nibble_resize_scratch(&placing, &at, channels);\n";
  code.tables = image_tables(image, "levels_of");
  code.room = fmt::format("  uint8_t pixels[3 * {}];\n", count);
  code.code =
      R"(  const nibble_rectangle whole = {0, 0, picture->width, picture->height};
  const nibble_placement placed = nibble_place(&placing, part ? *part : whole);
  nibble_resize(&placing, &placed, picture, (uint8_t*)scratch + room_bytes(), room->pixels);
)" + (by_pixel ? fmt::format(R"(  for (int32_t i = 0; i < {0}; ++i)
    nibble_pixels_to_levels(room->pixels + i * picture->channels, 1, picture->channels, {1}, order, levels_of, {2},
                            room->input.data + {1} * i);
)",
                             count, image.planes(), levels.width())
               : fmt::format("  nibble_pixels_to_levels(room->pixels, {}, picture->channels, {}, order, levels_of, "
                             "{}, room->input.data);\n",
                             count, image.planes(), levels.width()));
  return code;
}

IntakeCode sound_intake(const Description& app, const NetworkCode& network, const Levels& levels,
                        const std::string& place) {
  const nibble_sound_features& f = app.sound.features;
  const program::Port& port = network.program.inputs[0];
  const std::string features = place + ": input: sound: features";
  if (f.arithmetic != NIBBLE_BY_INTEGERS) fail("app", features, "arithmetic reals", "\"arithmetic\": \"integers\"");
  if (!(f.gain > 0)) fail("app", features + ": gain", std::to_string(f.gain), "above 0");
  if (levels.width() != 1 || !lies_row_by_row(port))
    fail("app", place + ": network", "an input of " + std::to_string(8 * levels.width()) + " bits",
         "8 bits or fewer, row by row");
  const std::vector<int32_t> factors = factors_of(port.scale, place + ": network");
  if (!factors.empty() && f.offset != 0)
    fail("app", features + ": offset", std::to_string(f.offset), "0, where the network's input has several scales");
  const auto first = static_cast<size_t>(std::min_element(factors.begin(), factors.end()) - factors.begin());
  const std::vector<int32_t> steps = steps_of(f, levels, first);
  const int64_t frames = nibble_sound_frames(&f, app.sound.samples), values = nibble_sound_values(&f);
  nibble_sound_plan plan{};
  plan.transform = f.transform, plan.bands = f.bands, plan.top = f.top > 0;
  IntakeCode code;
  code.what = "a sound";
  code.include = "processing/fixed_sound.h";
  code.files = {"fixed_sound.h", "fixed_sound.c"};
  code.functions = {"nibble_sound_index", "nibble_fixed_sound", "nibble_fixed_sound_scratch"};
  code.parameters = "const int16_t* samples";
  code.declaration = fmt::format(
      R"(/* Samples of a window, and how many are a second. Of another rate they say something else to the network:
 * {0}_GIVEN_RATE, where it is defined, is the rate of those that are given, and must be this one. */
#define {0}_SAMPLES {1}
#define {0}_RATE {2}
#if defined({0}_GIVEN_RATE) && {0}_GIVEN_RATE != {0}_RATE
#error "{0}: samples of another rate than {2} a second"
#endif

)",
      network.prefix, app.sound.samples, f.rate);
  code.parameters_are = fmt::format("`samples` are {}, {} a second.", app.sound.samples, f.rate);
  code.scratch_parameters = "void";
  code.scratch_is = "for one window of sound";
  code.scratch = fmt::format("  return room_bytes() + {};\n", nibble_fixed_sound_scratch(&plan, frames));
  code.tables = sound_tables(f) + "/* The least feature of each level but the lowest. */\n" +
                c_array("int32_t", "heard_steps", steps.data(), steps.size()) +
                fmt::format(R"(static int32_t heard_level(int64_t value) {{
  int32_t below = 0, above = {};
  while (below < above) {{
    const int32_t middle = (below + above) / 2;
    if (heard_steps[middle] <= value)
      below = middle + 1;
    else
      above = middle;
  }}
  return below + ({});
}}
)",
                            steps.size(), levels.level(static_cast<double>(nibble_sound_real(&f, INT32_MIN)), first));
  std::string factor;
  if (!factors.empty()) {
    std::vector<int32_t> by_element;
    for (size_t i = 0; i < levels.elements(); ++i) by_element.push_back(factors[levels.channel(i)]);
    code.tables += "/* A feature's factor, 2 to the power of this. */\n" +
                   c_array("uint8_t", "heard_factors", by_element.data(), by_element.size());
    factor = " * ((int64_t)1 << heard_factors[i])";
  }
  code.room = fmt::format("  int32_t features[{}];\n", frames * values);
  code.code = fmt::format(
      R"(  nibble_fixed_sound(&heard_plan, samples, {}, {}, (uint8_t*)scratch + room_bytes(), room->features);
  for (int32_t i = 0; i < {}; ++i) ((uint8_t*)room->input.data)[i] = (uint8_t)heard_level(room->features[i]{});
)",
      app.sound.samples, frames, frames * values, factor);
  return code;
}

}  // namespace nibble::app
