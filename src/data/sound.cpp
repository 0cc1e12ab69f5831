#include "data/sound.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.hpp"

namespace nibble::data {
namespace {

constexpr int32_t longest_transform = 32768;
constexpr int64_t most_samples = 1 << 26, most_values = 1 << 24;

/// Every field of the features, but the rate, by its name in JSON with what it may be.
template <class Visitor, class Features>
void each_field(const Visitor& visit, Features& f) {
  visit.flag("by_largest", f.by_largest);
  visit.whole("window_length", f.window_length, 1, longest_transform);
  visit.whole("hop", f.hop, 1, 1 << 24);
  visit.whole("transform", f.transform, 4, longest_transform);
  visit.choice("window", f.window, {"rectangular", "hann", "hamming"});
  visit.flag("symmetric", f.symmetric);
  visit.choice("frame", f.frame, {"window", "transform"});
  visit.choice("padding", f.padding, {"none", "zeros", "mirrored"});
  visit.whole("power", f.power, 1, 2);
  visit.whole("bands", f.bands, 1, 1024);
  visit.real("low", f.low, 0, 500000);
  visit.real("high", f.high, 1, 500000);
  visit.choice("mel", f.mel, {"htk", "slaney"});
  visit.choice("triangles", f.triangles, {"hertz", "mel"});
  visit.flag("area", f.area);
  visit.choice("logarithm", f.logarithm, {"none", "natural", "decibel"});
  visit.real("floor", f.floor, 0, 1e30);
  visit.flag("floor_added", f.floor_added);
  visit.real("top", f.top, 0, 1e30);
  visit.whole("coefficients", f.coefficients, 0, 1024);
  visit.choice("dct", f.dct, {"orthonormal", "tensorflow"});
  visit.real("gain", f.gain, -1e30, 1e30);
  visit.real("offset", f.offset, -1e30, 1e30);
  visit.choice("arithmetic", f.arithmetic, {"reals", "integers"});
}

using Names = std::initializer_list<std::string_view>;

/// Takes what the document says.
struct Reader {
  const Section& section;

  void whole(const char* key, int32_t& field, int64_t least, int64_t most) const {
    int64_t number = field;
    section.whole(key, number, least, most);
    field = static_cast<int32_t>(number);
  }
  void real(const char* key, double& field, double least, double most) const { section.real(key, field, least, most); }
  void flag(const char* key, int32_t& field) const {
    bool on = field != 0;
    section.flag(key, on);
    field = on ? 1 : 0;
  }
  template <class Enum>
  void choice(const char* key, Enum& field, Names names) const {
    std::string name(names.begin()[field]);
    section.name(key, name, names);
    field = static_cast<Enum>(std::find(names.begin(), names.end(), name) - names.begin());
  }
};

struct Writer {
  Json& json;

  void whole(const char* key, int32_t field, int64_t, int64_t) const { json[key] = field; }
  void real(const char* key, double field, double, double) const { json[key] = field; }
  void flag(const char* key, int32_t field) const { json[key] = field != 0; }
  template <class Enum>
  void choice(const char* key, Enum field, Names names) const {
    json[key] = names.begin()[field];
  }
};

/// The message about a field that fits its own range and not the others.
[[noreturn]] void refuse(const nibble_sound_features& f, const std::string& field, const Section& section) {
  Json whole;
  each_field(Writer{whole}, f);
  std::string expected = "a number above 0, of which there is a logarithm";  // the floor
  if (field == "transform") expected = "a power of two";
  if (field == "window_length") expected = "at most the transform's " + std::to_string(f.transform);
  if (field == "coefficients") expected = "at most the " + std::to_string(f.bands) + " bands";
  if (field == "arithmetic") expected = "reals, unless there is a logarithm whose floor is 1e-30 to 1e9";
  if (field == "low" || field == "high") expected = "low + 1 <= high <= half the rate of " + std::to_string(f.rate);
  fail("data", section.at(field), whole[field].dump(), expected);
}

nibble_sound_features features_from_json(const Json& json, int32_t rate, const std::string& place) {
  const Section section(
      json, "data", place,
      {"by_largest", "window_length", "hop", "transform",    "window", "symmetric", "frame",  "padding",
       "power",      "bands",         "low", "high",         "mel",    "triangles", "area",   "logarithm",
       "floor",      "floor_added",   "top", "coefficients", "dct",    "gain",      "offset", "arithmetic"});
  for (const char* key : {"window_length", "hop", "bands"}) section.part(key);
  nibble_sound_features f{};
  f.rate = rate;
  f.window = NIBBLE_HANN;
  f.power = 1;
  f.high = rate / 2.0;
  f.triangles = NIBBLE_TRIANGLES_IN_MEL;
  f.logarithm = NIBBLE_NATURAL;
  f.floor = 1e-6;
  f.floor_added = 1;
  f.dct = NIBBLE_DCT_TENSORFLOW;
  f.gain = 1;
  each_field(Reader{section}, f);
  if (!section.has("transform"))
    f.transform = std::max(4, static_cast<int32_t>(std::bit_ceil(static_cast<uint32_t>(f.window_length))));
  if (const char* fault = nibble_sound_fault(&f)) refuse(f, fault, section);
  return f;
}

}  // namespace

Shape SoundInput::shape() const {
  const int64_t frames = nibble_sound_frames(&features, samples), values = nibble_sound_values(&features);
  return flat ? Shape{frames * values} : Shape{1, frames, values};
}

SoundInput sound_input_from_json(const Json& json, const std::string& place) {
  const Section section(json, "data", place, {"rate", "seconds", "flat", "features"});
  int64_t rate = 1;
  double seconds = 0;
  for (const char* key : {"rate", "seconds"}) section.part(key);
  section.whole("rate", rate, 1, 1000000);
  section.real("seconds", seconds, Section::above_zero, static_cast<double>(most_samples) / static_cast<double>(rate),
               "a number above 0, at most 2^26 samples");
  SoundInput input;
  section.flag("flat", input.flat);
  input.features = features_from_json(section.part("features"), static_cast<int32_t>(rate), section.at("features"));
  input.samples = std::llround(seconds * static_cast<double>(rate));
  const int64_t frames = nibble_sound_frames(&input.features, input.samples);
  if (frames == 0)
    fail("data", section.at("seconds"), std::to_string(input.samples) + " samples, no whole frame",
         "more, or a shorter window");
  if (frames * nibble_sound_values(&input.features) > most_values)
    fail("data", section.at("seconds"), std::to_string(frames) + " frames", "at most 2^24 features");
  return input;
}

Json to_json(const SoundInput& input) {
  Json features;
  each_field(Writer{features}, input.features);
  const int32_t rate = input.features.rate;
  return {{"rate", rate},
          {"seconds", static_cast<double>(input.samples) / rate},
          {"flat", input.flat},
          {"features", features}};
}

SoundFeatures::SoundFeatures(const SoundInput& input)
    : input_(input), tables_(nibble_sound_table_bytes(&input.features) / sizeof(double)) {
  nibble_sound_tables(&input_.features, tables_.data());
}

Tensor SoundFeatures::operator()(std::span<const float> samples, int64_t rate, const std::string& place) const {
  const nibble_sound_features& f = input_.features;
  if (rate != f.rate)
    fail("data", place, std::to_string(rate) + " samples a second", std::to_string(f.rate) + ", as the features have");
  const auto count = static_cast<size_t>(input_.samples);
  std::vector<float> heard(samples.begin(), samples.begin() + static_cast<ptrdiff_t>(std::min(count, samples.size())));
  heard.resize(count);
  std::vector<double> scratch(nibble_sound_scratch(&f, input_.samples) / sizeof(double));
  Tensor out(ElementType::Float32, input_.shape());
  const nibble_sound sound{heard.data(), nullptr, input_.samples};
  nibble_sound_compute(&f, tables_.data(), &sound, scratch.data(), out.as<float>().data());
  return out;
}

}  // namespace nibble::data
