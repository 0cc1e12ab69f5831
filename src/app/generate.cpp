#include "app/generate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "app/sources.hpp"
#include "app/tasks/task.hpp"
#include "base/embedded.hpp"
#include "base/error.hpp"
#include "base/foreign_text.hpp"

const std::vector<nibble::Embedded>& nibble_processing_files();

namespace nibble::app {
namespace {

std::string network_file(const std::string& bytes, const std::string& prefix) {
  std::string text = fmt::format("#include <stddef.h>\n\n_Alignas(64) const unsigned char {}_network[] = {{", prefix);
  for (size_t i = 0; i < bytes.size(); ++i)
    text += fmt::format("{}{},", i % 32 == 0 ? "\n" : "", static_cast<unsigned char>(bytes[i]));
  return text + fmt::format("\n}};\nconst size_t {}_network_bytes = {};\n", prefix, bytes.size());
}

std::string table_of(const std::vector<int32_t>& table) {
  std::string text;
  for (size_t i = 0; i < table.size(); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : i % 16 == 0 ? ",\n    " : ", ", table[i]);
  return text;
}

/// Of a picture: what the network's integers stand for, as the bits of a float for each pixel.
std::vector<int32_t> reals_of(const ImagePreparation& image, const Levels& levels) {
  std::vector<int32_t> bits(image.table().size());
  for (size_t i = 0; i < bits.size(); ++i) {
    const size_t element = i / 256 * levels.elements() / static_cast<size_t>(image.planes());
    const auto real = static_cast<float>(levels.real(image.table()[i], levels.channel(element)));
    std::memcpy(&bits[i], &real, sizeof real);
  }
  return bits;
}

std::string prepare_picture(const Source& source) {
  std::string text = image_tables(*source.image, "levels");
  if (task_named(source.description.task, "app").reads_input)
    text += "const int32_t reals_of_pixels[] = {\n    " + table_of(reals_of(*source.image, source.levels)) + "};\n";
  return text;
}

std::string run_picture(const Source& source) {
  const ImagePreparation& image = *source.image;
  const int64_t count = image.height() * image.placing().width;
  std::string text = fmt::format(
      R"(  const nibble_rectangle whole = {{0, 0, picture.width, picture.height}};
  const nibble_placement at = nibble_place(&placing, part != nullptr ? *part : whole);
  std::vector<uint64_t> scratch(nibble_resize_scratch(&placing, &at, picture.channels) / 8 + 1);
  std::vector<uint8_t> pixels({0} * static_cast<size_t>(picture.channels)), integers({1});
  nibble_resize(&placing, &at, &picture, scratch.data(), pixels.data());
  nibble_pixels_to_levels(pixels.data(), {0}, picture.channels, {2}, order, levels, {3}, integers.data());
)",
      count, count * image.planes() * source.levels.width(), image.planes(), source.levels.width());
  text += "  std::vector<Window> windows(1);\n";
  if (task_named(source.description.task, "app").reads_input)
    text += fmt::format(R"(  windows[0].input.resize({0} * {1});
  nibble_pixels_to_levels(pixels.data(), {0}, picture.channels, {1}, order, reals_of_pixels, 4, windows[0].input.data());
)",
                        count, image.planes());
  return text +
         "  if (!impl_->run([&](nibble_context* context) { return nibble_set(context, 0, integers.data()); }, "
         "windows[0])) "
         "return false;\n";
}

std::string prepare_sound(const data::SoundInput& sound, int64_t hop) {
  const nibble_sound_features& f = sound.features;
  return fmt::format(
      "const nibble_sound_features features = {{{}, {}, {}, {}, {}, static_cast<nibble_sound_window>({}), {},\n"
      "    static_cast<nibble_sound_frame>({}), static_cast<nibble_sound_padding>({}), {}, {}, {}, {},\n"
      "    static_cast<nibble_mel_scale>({}), static_cast<nibble_mel_triangles>({}), {},\n"
      "    static_cast<nibble_sound_logarithm>({}), {}, {}, {}, {}, static_cast<nibble_sound_dct>({}), {}, {},\n"
      "    static_cast<nibble_sound_arithmetic>({})}};\n"
      "constexpr int64_t window_samples = {}, hop = {}, feature_values = {};\n",
      f.rate, f.by_largest, f.window_length, f.hop, f.transform, static_cast<int>(f.window), f.symmetric,
      static_cast<int>(f.frame), static_cast<int>(f.padding), f.power, f.bands, literal(f.low), literal(f.high),
      static_cast<int>(f.mel), static_cast<int>(f.triangles), f.area, static_cast<int>(f.logarithm), literal(f.floor),
      f.floor_added, literal(f.top), f.coefficients, static_cast<int>(f.dct), literal(f.gain), literal(f.offset),
      static_cast<int>(f.arithmetic), sound.samples, hop, element_count(sound.shape()));
}

std::string run_sound() {
  return R"(  std::vector<Window> windows;
  std::vector<double> tables(nibble_sound_table_bytes(&features) / 8 + 1);
  std::vector<double> scratch(nibble_sound_scratch(&features, window_samples) / 8 + 1);
  std::vector<float> heard(window_samples);
  const auto count = static_cast<int64_t>(input.size());
  nibble_sound_tables(&features, tables.data());
  for (int64_t first = 0; first == 0 || first + window_samples <= count; first += hop) {
    Window w;
    for (int64_t i = 0; i < window_samples; ++i) heard[i] = first + i < count ? input[first + i] : 0;
    w.begin = static_cast<double>(first) / features.rate;
    w.end = static_cast<double>(first + window_samples) / features.rate;
    w.input.resize(feature_values);
    const nibble_sound sound = {heard.data(), nullptr, window_samples};
    nibble_sound_compute(&features, tables.data(), &sound, scratch.data(), w.input.data());
    if (!impl_->run([&](nibble_context* context) { return nibble_set_reals(context, 0, w.input.data()); }, w)) return false;
    windows.push_back(w);
  }
)";
}

std::string run_numbers() {
  return R"~(  if (input.size() != impl_->inputs()) {
    impl_->error = std::to_string(input.size()) + " numbers (expected " + std::to_string(impl_->inputs()) + ")";
    return false;
  }
  std::vector<Window> windows(1);
  windows[0].input = input;
  if (!impl_->run([&](nibble_context* context) { return nibble_set_reals(context, 0, input.data()); }, windows[0])) return false;
)~";
}

}  // namespace

std::string filled(std::string_view text, const std::map<std::string, std::string>& words) {
  std::string result(text);
  for (const auto& [word, value] : words)
    for (size_t at = 0; (at = result.find(word, at)) != result.npos; at += value.size())
      result.replace(at, word.size(), value);
  return result;
}

std::string processing_source(std::string_view name) {
  for (const Embedded& file : ::nibble_processing_files())
    if (file.name == name) return std::string(file.text);
  throw InternalError("the sources of processing travel with the generator");
}

std::string image_tables(const ImagePreparation& image, const std::string& levels) {
  const nibble_image_input& place = image.placing();
  static constexpr const char* fits[] = {"NIBBLE_STRETCH", "NIBBLE_LETTERBOX", "NIBBLE_COVER"};
  return fmt::format(
      "static const nibble_image_input placing = {{{}, {}, {}, {}, {}, {{{}, {}, {}}}}};\n"
      "static const uint8_t order[3] = {{{}, {}, {}}};\n"
      "static const int32_t {}[] = {{\n    {}}};\n",
      place.height, place.width, fits[place.fit], place.filter == NIBBLE_AREA ? "NIBBLE_AREA" : "NIBBLE_BILINEAR",
      place.percent, place.pad[0], place.pad[1], place.pad[2], image.order()[0], image.order()[1], image.order()[2],
      levels, table_of(image.table()));
}

std::map<std::string, std::string> generate(const Source& source, const std::string& prefix) {
  const auto fine = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  if (prefix.empty() || std::isdigit(static_cast<unsigned char>(prefix[0])) != 0 ||
      !std::all_of(prefix.begin(), prefix.end(), fine))
    fail("app", "prefix", "'" + prefix + "'", "letters, digits and underscores, no digit first");
  // Of its namespace and its files, beside main.cpp.
  if (is_c_word(prefix) || prefix == "main" || prefix == "std")
    fail("app", "prefix", "'" + prefix + "'", "a name that C++ and the other files do not have");
  const bool picture = source.image != nullptr;
  const bool sound = source.description.kind == Kind::Sound;
  const TaskCode code = source.task.code();
  const std::map<std::string, std::string> words = {
      {"@PREFIX@", prefix},
      {"@OWN@", "#include \"" + prefix + ".hpp\""},
      {"@TASK@", source.description.task},
      {"@INCLUDES@", code.includes + (sound ? "#include \"processing/sound.h\"\n" : "")},
      {"@DECLARATION@", code.declaration},
      {"@INPUT@",
       picture ? "const nibble_picture& picture, const nibble_rectangle* part" : "const std::vector<float>& input"},
      {"@INPUT_IS@",
       picture ? "`part` of a picture is looked at, all of it where that is null."
       : sound ? "Samples in [-1, 1], " + std::to_string(source.description.sound.features.rate) + " a second."
               : "The network's input, row by row in its order of axes."},
      {"@RATE@",
       sound ? fmt::format("  /// Of the sounds that it hears. Samples of another rate say something else to it.\n"
                           "  static constexpr int samples_a_second = {};\n\n",
                           source.description.sound.features.rate)
             : ""},
      {"@CONSTANTS@", (picture ? prepare_picture(source)
                       : sound ? prepare_sound(source.description.sound, source.description.hop)
                               : "") +
                          code.constants},
      {"@NAMES@", code.constants.find("class_names") == std::string::npos ? "" : std::string(names_source)},
      {"@RUN@", (picture ? run_picture(source)
                 : sound ? run_sound()
                         : run_numbers()) +
                    "  [[maybe_unused]] const std::vector<std::vector<float>>& reals = windows[0].reals;\n" +
                    code.body},
      {"@JSON@", code.json}};
  std::map<std::string, std::string> files;
  files[prefix + ".hpp"] = filled(header_source, words);
  files[prefix + ".cpp"] = filled(code_source, words);
  files["main.cpp"] = filled(picture ? picture_main_source : numbers_main_source, words);
  files["CMakeLists.txt"] = filled(build_source, words);
  files["network.c"] = network_file(source.program, prefix);
  for (const Embedded& file : ::nibble_processing_files()) files[std::string(file.name)] = file.text;
  return files;
}

}  // namespace nibble::app
