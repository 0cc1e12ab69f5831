#include "unit/data/sounds.hpp"

#include <cmath>

#include "data/dataset.hpp"
#include "data/formats/wav.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using namespace nibble::testing;

namespace {

std::string reading(const std::string& bytes) {
  return message_of([&] { parse_wav(bytes, "a.wav"); });
}

/// Of 'fmt ' with 16 bytes of sound.
std::string format_error(const std::string& format) {
  return reading(wav(format, std::string(16, 'x')));
}

const Json none = Json::object();

std::string sound_error(const Json& changes, const Json& features = none) {
  Json sound = {{"rate", 16000},
                {"seconds", 1},
                {"features", {{"window_length", 480}, {"hop", 320}, {"bands", 40}, {"coefficients", 10}}}};
  sound.update(changes);
  if (sound["features"].is_object()) sound["features"].update(features);
  return message_of([&] { preprocess_from_json({{"sound", sound}}, "p"); });
}

}  // namespace

TEST(WavErrors, NameTheFileAndWhatIsWrong) {
  const std::string fine = wav_format(1, 1, 8000, 16);
  for (const std::string& bytes :
       {std::string(), std::string("RIFF\4\0\0\0WAV", 11), "RIFX" + wav(fine, "ab").substr(4)})
    EXPECT_EQ(reading(bytes), "data: a.wav: no 'RIFF' and 'WAVE' at its start (expected a WAV file)");
  EXPECT_EQ(reading(riff(chunk("data", "ab"))), "data: a.wav: no 'fmt ' (expected it, before or behind 'data')");
  EXPECT_EQ(reading(riff(chunk("fmt ", fine))), "data: a.wav: no 'data' (expected it, before or behind 'fmt ')");
  EXPECT_EQ(reading(riff(chunk("fmt ", fine) + chunk("data", "ab") + chunk("data", "ab"))),
            "data: a.wav: a second 'data' (expected one)");
  EXPECT_EQ(reading(wav(fine, "")), "data: a.wav: no samples (expected at least one)");
  EXPECT_EQ(reading(wav(fine, "abc")), "data: a.wav: 'data' of 3 bytes (expected a multiple of 2)");
  EXPECT_EQ(format_error(fine.substr(0, 15)), "data: a.wav: 'fmt ' of 15 bytes (expected at least 16)");
  EXPECT_EQ(format_error(wav_format(85, 1, 8000, 16)), "data: a.wav: format 85 (expected 1 (PCM) or 3 (IEEE float))");
  EXPECT_EQ(format_error(wav_format(0xfffe, 1, 8000, 16)),
            "data: a.wav: 16 bytes of an extensible format (expected 40)");
  EXPECT_EQ(format_error(wav_format(0xfffe, 1, 8000, 16) + std::string(24, 'x')),
            "data: a.wav: an extensible format of its own (expected PCM or IEEE float)");
  EXPECT_EQ(format_error(wav_format(1, 1, 8000, 64)), "data: a.wav: 64 bits a sample (expected 8, 16, 24 or 32)");
  EXPECT_EQ(format_error(wav_format(3, 1, 8000, 16)), "data: a.wav: 16 bits a sample (expected 32 or 64)");
  EXPECT_EQ(format_error(wav_format(1, 0, 8000, 16)), "data: a.wav: 0 channels (expected 1 to 256)");
  EXPECT_EQ(format_error(wav_format(1, 1, 0, 16)), "data: a.wav: 0 samples a second (expected 1 to 1000000)");
  std::string blocks = fine;
  blocks[12] = 4;
  EXPECT_EQ(format_error(blocks), "data: a.wav: blocks of 4 bytes (expected 2, of all channels' samples)");
  EXPECT_EQ(reading(wav(wav_format(3, 1, 8000, 32), std::string("\0\0\0\0\0\0\xc0\x7f", 8))),
            "data: a.wav: sample 1 is nan (expected a finite number)");
  EXPECT_EQ(reading(wav(wav_format(3, 1, 8000, 64), std::string("\0\0\0\0\0\0\0\x7f", 8))),
            "data: a.wav: sample 0 is inf (expected a finite number)");
}

TEST(WavErrors, NameEveryPlaceWhereAFileIsCut) {
  const std::string whole = wav(wav_format(1, 1, 8000, 16), std::string(20, 'x'));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(reading(whole.substr(0, size)).starts_with("data: a.wav: ")) << size;
  EXPECT_EQ(reading(whole.substr(0, 60)), "data: a.wav: 'data' of 20 bytes (expected 16 at most, where the file ends)");
}

TEST(SoundsErrors, NameTheFolderOrTheFile) {
  const Folder folder;
  const auto opening = [&] { return message_of([&] { open_dataset("sounds:" + folder.path.string()); }, folder.path); };
  EXPECT_EQ(opening(), "data: DIR: no sounds (expected WAV files, one folder of them a class, or labels.csv)");
  folder.write("b.wav", wav(wav_format(1, 1, 16000, 8), "b"));
  folder.write("labels.csv", "a.wav,0\n");
  EXPECT_EQ(opening(), "data: DIR/labels.csv:1: no file 'a.wav' (expected a sound)");
  folder.write("labels.csv", "b.wav,0\na.wav,0\n");
  folder.write("a.wav", wav(wav_format(1, 1, 8000, 8), "a"));
  const auto set = open_dataset("sounds:" + folder.path.string());
  EXPECT_EQ(message_of([&] { set->sample(1); }, folder.path),
            "data: DIR/a.wav: 8000 samples a second (expected 16000, as the set's first sound)");
  folder.write("b.wav", "no sound");
  EXPECT_EQ(opening(), "data: DIR/b.wav: no 'RIFF' and 'WAVE' at its start (expected a WAV file)");
}

TEST(SoundsErrors, NameASoundWithoutItsFeatures) {
  const Tensor sound({2}, std::vector<float>{0, 1}), image({1, 1, 1}, std::vector<uint8_t>{0});
  const Preprocess features = preprocess_from_json(
      {{"sound", {{"rate", 8000}, {"seconds", 1}, {"features", {{"window_length", 4}, {"hop", 2}, {"bands", 1}}}}}},
      "p");
  EXPECT_EQ(message_of([&] { apply({}, sound, 8000); }),
            "data: sound: no features in the preprocessing (expected its key 'sound')");
  EXPECT_EQ(message_of([&] { apply(features, sound, 16000); }),
            "data: sound: 16000 samples a second (expected 8000, as the features have)");
  EXPECT_EQ(message_of([&] { apply(features, image); }),
            "data: preprocess: sound: an image (expected a sound, or its features)");
}

TEST(PreprocessErrors, NameTheKeyOfSound) {
  EXPECT_EQ(sound_error(none), "");
  EXPECT_EQ(message_of([] {
              preprocess_from_json({{"sound", Json::object()}, {"mean", {0}}}, "p");
            }),
            "data: p: mean: it is of images, beside 'sound' (expected one of them)");
  EXPECT_EQ(message_of([] {
              preprocess_from_json({{"target", "label"}}, "p");
            }),
            "data: p: target: 'label' (expected input)");
  EXPECT_EQ(sound_error({{"rate", 0}}), "data: p: sound: rate: 0 (expected a whole number from 1 to 1000000)");
  EXPECT_EQ(sound_error({{"seconds", 0}}),
            "data: p: sound: seconds: 0 (expected a number above 0, at most 2^26 samples)");
  EXPECT_EQ(sound_error({{"seconds", 0.01}}),
            "data: p: sound: seconds: 160 samples, no whole frame (expected more, or a shorter window)");
  EXPECT_EQ(sound_error({{"features", 1}}), "data: p: sound: features: number (expected a JSON object)");
  EXPECT_EQ(sound_error({{"features", Json::object()}}),
            "data: p: sound: features: no key 'window_length' (expected it to be there)");
  EXPECT_EQ(sound_error({{"seconds", 4000}}, {{"hop", 1}}),
            "data: p: sound: seconds: 63999521 frames (expected at most 2^24 features)");
}

TEST(PreprocessErrors, NameTheKeyOfFeaturesThatDoNotFitEachOther) {
  const std::string at = "data: p: sound: features: ";
  EXPECT_EQ(sound_error(none, {{"transform", 500}}), at + "transform: 500 (expected a power of two)");
  EXPECT_EQ(sound_error(none, {{"transform", 256}}), at + "window_length: 480 (expected at most the transform's 256)");
  EXPECT_EQ(sound_error(none, {{"high", 8001}}),
            at + "high: 8001.0 (expected low + 1 <= high <= half the rate of 16000)");
  EXPECT_EQ(sound_error(none, {{"low", 7999.5}}),
            at + "high: 8000.0 (expected low + 1 <= high <= half the rate of 16000)");
  EXPECT_EQ(sound_error(none, {{"floor", 0}}),
            at + "floor: 0.0 (expected a number above 0, of which there is a logarithm)");
  EXPECT_EQ(sound_error(none, {{"floor", 0}, {"logarithm", "none"}}), "");
  EXPECT_EQ(sound_error(none, {{"coefficients", 41}}), at + "coefficients: 41 (expected at most the 40 bands)");
  EXPECT_EQ(sound_error(none, {{"window", "hanning"}}),
            at + "window: 'hanning' (did you mean 'hamming'?) (expected rectangular, hann or hamming)");
  EXPECT_EQ(sound_error(none, {{"area", 1}}), at + "area: 1 (expected true or false)");
  EXPECT_TRUE(sound_error(none, {{"mels", 40}}).starts_with(at + "no key 'mels' (did you mean"));
}
