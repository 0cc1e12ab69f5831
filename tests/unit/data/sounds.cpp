#include "unit/data/sounds.hpp"

#include <bit>

#include "data/dataset.hpp"
#include "data/formats/wav.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using namespace nibble::testing;

namespace {

using Samples = std::vector<float>;

Samples samples(const std::string& bytes) {
  return parse_wav(bytes, "a.wav").samples;
}

std::string single(float value) {
  return little_endian(std::bit_cast<uint32_t>(value), 4);
}
std::string twice(double value) {
  return little_endian(std::bit_cast<uint64_t>(value), 8);
}

const Json features = {{"window_length", 4}, {"hop", 2}, {"bands", 1}};

Preprocess preprocess(bool flat, double seconds = 0.001) {
  return preprocess_from_json(
      {{"sound", {{"rate", 8000}, {"seconds", seconds}, {"flat", flat}, {"features", features}}}}, "p.json");
}

std::string tone(size_t count, uint64_t rate = 8000) {
  std::string data;
  for (size_t i = 0; i < count; ++i) data += little_endian(i % 3 * 5000, 2);
  return wav(wav_format(1, 1, rate, 16), data);
}

}  // namespace

TEST(ParseWav, DividesIntegersByTheirLargestPower) {
  EXPECT_EQ(samples(wav(wav_format(1, 1, 8000, 8), {'\x00', '\x80', '\xff'})), (Samples{-1, 0, 127 / 128.0F}));
  EXPECT_EQ(samples(wav(wav_format(1, 1, 8000, 16), little_endian(0x80007fff, 4))), (Samples{32767 / 32768.0F, -1}));
  EXPECT_EQ(samples(wav(wav_format(1, 1, 8000, 24), little_endian(0x800000400000, 6))), (Samples{0.5, -1}));
  EXPECT_EQ(samples(wav(wav_format(1, 1, 8000, 32), little_endian(0xc000000000000001, 8))),
            (Samples{1 / 2147483648.0F, -0.5}));
}

TEST(ParseWav, TakesFloatsAsTheyAre) {
  EXPECT_EQ(samples(wav(wav_format(3, 1, 8000, 32), single(0.3F) + single(-7))), (Samples{0.3F, -7}));
  EXPECT_EQ(samples(wav(wav_format(3, 1, 8000, 64), twice(0.1))), Samples{0.1F});
}

TEST(ParseWav, TakesTheMeanOfChannels) {
  EXPECT_EQ(samples(wav(wav_format(1, 2, 8000, 16), little_endian(0x4000'c000'2000'4000, 8))), (Samples{0.375, 0}));
  EXPECT_EQ(samples(wav(wav_format(3, 3, 8000, 32), single(1) + single(2) + single(6))), Samples{3});
}

TEST(ParseWav, ReadsTheExtensibleForm) {
  const auto extended = [](uint64_t number) {
    std::string format = wav_format(1, 1, 44100, 16);
    format.replace(0, 2, "\xfe\xff");
    return format + little_endian(22, 2) + little_endian(16, 2) + little_endian(4, 4) + little_endian(number, 2) +
           std::string("\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 14);
  };
  const Sound sound = parse_wav(wav(extended(1), little_endian(0x4000, 2)), "a.wav");
  EXPECT_EQ(sound.samples, Samples{0.5});
  EXPECT_EQ(sound.rate, 44100);
  EXPECT_EQ(message_of([&] { samples(wav(extended(6), "ab")); }),
            "data: a.wav: format 6 (expected 1 (PCM) or 3 (IEEE float))");
}

TEST(ParseWav, PassesOverOtherChunksInAnyOrder) {
  const std::string format = chunk("fmt ", wav_format(1, 1, 8000, 8)), data = chunk("data", "\xc0");
  for (const std::string& chunks :
       {chunk("LIST", "odd") + format + data, format + chunk("fact", "even") + data + chunk("LIST", "x"),
        data + chunk("JUNK", "") + format, data + format + "LI", format + data + "LIST" + little_endian(99, 4) + "cut",
        format + "data" + little_endian(1, 4) + "\xc0"})
    EXPECT_EQ(samples(riff(chunks)), Samples{0.5});
}

TEST(WavBytes, AreReadBack) {
  const Sound sound{{0, 0.5, -1, 1.5, -0.25}, 16000};
  const Sound back = parse_wav(wav_bytes(sound), "a.wav");
  EXPECT_EQ(back.rate, 16000);
  EXPECT_EQ(back.samples, (Samples{0, 0.5, -1, 32767 / 32768.0F, -0.25}));
}

TEST(Sounds, LabelFoldersInSortedOrder) {
  const Folder folder;
  folder.write("yes/b.wav", tone(8));
  folder.write("no/a.WAV", tone(9));
  folder.write("no/a.png", "no sound");
  const auto set = open_dataset("sounds:" + folder.path.string());
  ASSERT_EQ(set->size(), 2);
  EXPECT_EQ(set->classes(), 2);
  const Sample sample = set->sample(0);
  EXPECT_EQ(sample.label, 0);
  EXPECT_EQ(sample.rate, 8000);
  EXPECT_EQ(sample.x.shape(), Shape{9});
  EXPECT_EQ(sample.x.as<float>()[1], 5000 / 32768.0F);
}

TEST(Sounds, BecomeTheFeaturesOfTheirFirstSeconds) {
  const SoundInput input = *preprocess(false).sound;
  EXPECT_EQ(input.samples, 8);
  EXPECT_EQ(input.features.transform, 4);
  const Samples sound{0, 0.1F, 0.2F, 0, 0.1F, 0.2F, 0, 0.1F};
  const Tensor x({8}, sound);
  const Tensor found = apply(preprocess(false), x, 8000);
  EXPECT_EQ(found.shape(), (Shape{1, 3, 1}));
  EXPECT_EQ(apply(preprocess(true), x, 8000), found.reshaped({3}));
  Samples longer = sound, cut(sound.begin(), sound.begin() + 5), filled = cut;
  longer.push_back(1);
  filled.resize(8);
  EXPECT_EQ(apply(preprocess(false), Tensor({9}, longer), 8000), found);
  EXPECT_EQ(apply(preprocess(false), Tensor({5}, cut), 8000), apply(preprocess(false), Tensor({8}, filled), 8000));
}

TEST(Sounds, AreThoseThatTheFunctionInCGives) {
  const SoundInput input = *preprocess(false).sound;
  const Samples sound{0, 0.1F, 0.2F, 0, 0.1F, 0.2F, 0, 0.1F};
  const nibble_sound in{sound.data(), nullptr, 8};
  std::vector<double> tables(nibble_sound_table_bytes(&input.features) / 8),
      scratch(nibble_sound_scratch(&input.features, 8) / 8);
  Samples out(3);
  nibble_sound_tables(&input.features, tables.data());
  nibble_sound_compute(&input.features, tables.data(), &in, scratch.data(), out.data());
  EXPECT_EQ(apply(preprocess(false), Tensor({8}, sound), 8000), Tensor({1, 3, 1}, out));
}

TEST(Sounds, FeaturesOfAnArrayPassUnchanged) {
  const Tensor x({1, 3, 1}, Samples{1, 2, 3});
  EXPECT_EQ(apply(preprocess(false), x), x);
}

TEST(Sounds, LoadInBatches) {
  const Folder folder;
  folder.write("a.wav", tone(8));
  folder.write("b.wav", tone(20));
  Loader loader(open_dataset("sounds:" + folder.path.string()), preprocess(false), {0, 1}, 2);
  const auto batch = loader.next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->x.shape(), (Shape{2, 1, 3, 1}));
  EXPECT_TRUE(batch->labels.empty());
  EXPECT_FALSE(batch->target);
}

TEST(Loader, TakesTheInputForTheTargetWhereThePreprocessingSaysSo) {
  const Folder folder;
  folder.write("a/a.wav", tone(8));
  Preprocess same = preprocess(false);
  same.target_is_input = true;
  Loader loader(open_dataset("sounds:" + folder.path.string()), same, {0}, 1);
  const auto batch = loader.next();
  ASSERT_TRUE(batch && batch->target);
  EXPECT_EQ(*batch->target, batch->x);
  EXPECT_TRUE(batch->labels.empty());
}

TEST(Preprocess, OfSoundsIsReadFromWhatItWrites) {
  for (const bool flat : {false, true})
    for (const bool target : {false, true}) {
      Preprocess first = preprocess(flat, 0.0131);
      first.target_is_input = target;
      first.sound->features.padding = NIBBLE_PAD_MIRRORED;
      first.sound->features.by_largest = 1;
      const Json json = to_json(first);
      EXPECT_EQ(to_json(preprocess_from_json(json, "p")), json);
      EXPECT_EQ(json["sound"]["features"]["padding"], "mirrored");
      EXPECT_EQ(json["sound"]["features"]["by_largest"], true);
      EXPECT_EQ(json.value("target", ""), target ? "input" : "");
    }
}
