#include "processing/sound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "unit/processing/sound_cases.h"
#include "unit/processing/sound_values.hpp"

namespace {

std::vector<int16_t> made_up(int32_t count) {
  std::vector<int16_t> samples(static_cast<size_t>(count));
  fill_sound(samples.data(), count);
  return samples;
}

/// Doubles behind those asked for must stay as they are.
class Guarded {
 public:
  explicit Guarded(size_t bytes) : doubles_(bytes / 8 + (bytes % 8 != 0) + 2, guard) {}
  void* data() { return doubles_.data(); }
  bool whole() const {
    return std::all_of(doubles_.end() - 2, doubles_.end(), [](double d) { return d == guard; });
  }

 private:
  static constexpr double guard = 12345.678;
  std::vector<double> doubles_;
};

std::vector<float> features_of(const nibble_sound_features& f, const nibble_sound& sound) {
  EXPECT_EQ(nibble_sound_fault(&f), nullptr);
  Guarded tables(nibble_sound_table_bytes(&f)), scratch(nibble_sound_scratch(&f, sound.count));
  std::vector<float> out(static_cast<size_t>(nibble_sound_frames(&f, sound.count) * nibble_sound_values(&f)));
  nibble_sound_tables(&f, tables.data());
  nibble_sound_compute(&f, tables.data(), &sound, scratch.data(), out.data());
  EXPECT_TRUE(tables.whole() && scratch.whole());
  return out;
}

nibble_sound sound_of(const std::vector<int16_t>& samples) {
  return {nullptr, samples.data(), static_cast<int64_t>(samples.size())};
}

std::vector<float> features_of(const nibble_sound_features& f, const std::vector<int16_t>& samples) {
  return features_of(f, sound_of(samples));
}

void expect_values(const nibble_sound_features& f, const nibble_sound& sound, const std::vector<double>& expected) {
  const std::vector<float> found = features_of(f, sound);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], expected[i], 1e-6 * std::abs(expected[i]) + 1e-12) << "value " << i;
}

/// The largest distance between features by integers and by reals.
double distance_of(nibble_sound_features f, const std::vector<int16_t>& samples) {
  f.arithmetic = NIBBLE_BY_REALS;
  const std::vector<float> reals = features_of(f, samples);
  f.arithmetic = NIBBLE_BY_INTEGERS;
  const std::vector<float> integers = features_of(f, samples);
  double most = 0;
  for (size_t i = 0; i < reals.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(reals[i]) - static_cast<double>(integers[i])));
  return most;
}

TEST(SoundFeatures, ByIntegersAreThoseOfRealsWithinThousandthsHoweverLoudTheSound) {
  for (const nibble_sound_features* f : {&kws_features, &ad_features, &mfcc_features, &htk_features, &log_mel_features})
    for (const int16_t quieter : {1, 30, 1000, 32767}) {
      std::vector<int16_t> samples = made_up(5000);
      for (int16_t& sample : samples) sample = static_cast<int16_t>(sample / quieter);
      EXPECT_LT(distance_of(*f, samples), f->logarithm == NIBBLE_DECIBEL ? 2e-3 : 2e-4) << f->bands << " " << quieter;
    }
  // The largest that samples can be, and silence.
  for (const int16_t sample : {INT16_MIN, INT16_MAX, 0})
    EXPECT_LT(distance_of(mfcc_features, std::vector<int16_t>(5000, sample)), 2e-3) << sample;
}

TEST(SoundFeatures, ByIntegersTakeALogarithmWhoseFloorTheyCanHold) {
  nibble_sound_features f = power_features;
  f.arithmetic = NIBBLE_BY_INTEGERS;
  EXPECT_STREQ(nibble_sound_fault(&f), "arithmetic");
  f.logarithm = NIBBLE_NATURAL;
  for (const double floor : {1e-31, 1e10}) {
    f.floor = floor;
    EXPECT_STREQ(nibble_sound_fault(&f), "arithmetic") << floor;
  }
  f.floor = 1e-30;
  EXPECT_EQ(nibble_sound_fault(&f), nullptr);
}

TEST(SoundFeatures, AreThoseOfTensorFlowsFormulas) {
  expect_values(kws_features, sound_of(made_up(16000)), mlperf_tiny_kws);
  expect_values(log_mel_features, sound_of(made_up(700)), tensorflow_log_mel);
  expect_values(power_features, sound_of(made_up(130)), powers);
}

TEST(SoundFeatures, AreThoseOfLibrosasFormulas) {
  expect_values(ad_features, sound_of(made_up(3072)), mlperf_tiny_ad);
  expect_values(htk_features, sound_of(made_up(500)), librosa_htk);
}

TEST(SoundFeatures, OfASoundThatFadesStandNoDeeperBelowItsLargestThanTheySay) {
  const std::vector<int16_t> samples = made_up(900);
  std::vector<float> fading;
  for (size_t i = 0; i < samples.size(); ++i)
    fading.push_back(static_cast<float>(samples[i]) / 32768 / (i < 500 ? 1 : 8192));
  expect_values(mfcc_features, {fading.data(), nullptr, 900}, librosa_mfcc);
}

TEST(SoundFeatures, OfIntegersAreThoseOfTheirReals) {
  const std::vector<int16_t> samples = made_up(2000);
  std::vector<float> reals;
  for (int16_t sample : samples) reals.push_back(static_cast<float>(sample) / 32768);
  for (const nibble_sound_features& f : {kws_features, mfcc_features, ad_features})
    EXPECT_EQ(features_of(f, samples), features_of(f, {reals.data(), nullptr, 2000}));
}

TEST(SoundFeatures, OfASoundShorterThanAFrameAreNone) {
  EXPECT_EQ(nibble_sound_frames(&kws_features, 479), 0);
  EXPECT_EQ(nibble_sound_frames(&kws_features, 480), 1);
  EXPECT_EQ(nibble_sound_frames(&kws_features, 16000), 49);
  EXPECT_EQ(nibble_sound_frames(&ad_features, 3072), 5);
  EXPECT_EQ(nibble_sound_frames(&mfcc_features, 0), 0);
  EXPECT_TRUE(features_of(kws_features, made_up(479)).empty());
}

/// Of rows of `values`, row `at`.
std::vector<float> row(const std::vector<float>& all, int32_t values, int64_t at) {
  return {all.begin() + at * values, all.begin() + (at + 1) * values};
}

TEST(SoundFeatures, MirrorASoundShorterThanThePaddingAsOftenAsItTakes) {
  nibble_sound_features f = mfcc_features;
  f.top = 0;
  const std::vector<int16_t> samples = made_up(10);
  std::vector<int16_t> mirrored;
  for (int i = -128; i < 128; ++i) mirrored.push_back(samples[static_cast<size_t>(std::abs((i % 18 + 27) % 18 - 9))]);
  nibble_sound_features plain = f;
  plain.padding = NIBBLE_NO_PADDING;
  // 18 samples there and back: sample 0 is where (i + 27) % 18 is 9.
  EXPECT_EQ(row(features_of(f, samples), 8, 0), features_of(plain, mirrored));
  EXPECT_EQ(features_of(f, std::vector<int16_t>{77}), features_of(plain, std::vector<int16_t>(256, 77)));
}

TEST(SoundFeatures, OfSilenceAreTheFloors) {
  nibble_sound_features f = kws_features;
  f.coefficients = 0;
  const std::vector<float> found = features_of(f, std::vector<int16_t>(480, 0));
  EXPECT_EQ(found, std::vector<float>(40, static_cast<float>(std::log(1e-6))));
}

TEST(SoundFeatures, NameTheFieldThatCannotBe) {
  const auto fault = [](auto change) {
    nibble_sound_features f = kws_features;
    change(f);
    const char* name = nibble_sound_fault(&f);
    return std::string(name ? name : "none");
  };
  EXPECT_EQ(fault([](auto&) {}), "none");
  EXPECT_EQ(fault([](auto& f) { f.rate = 0; }), "rate");
  EXPECT_EQ(fault([](auto& f) { f.transform = 500; }), "transform");
  EXPECT_EQ(fault([](auto& f) { f.transform = 2; }), "transform");
  EXPECT_EQ(fault([](auto& f) { f.window_length = 513; }), "window_length");
  EXPECT_EQ(fault([](auto& f) { f.hop = 0; }), "hop");
  EXPECT_EQ(fault([](auto& f) { f.power = 3; }), "power");
  EXPECT_EQ(fault([](auto& f) { f.bands = 0; }), "bands");
  EXPECT_EQ(fault([](auto& f) { f.low = NAN; }), "low");
  EXPECT_EQ(fault([](auto& f) { f.high = 8001; }), "high");
  EXPECT_EQ(fault([](auto& f) { f.high = f.low; }), "high");
  EXPECT_EQ(fault([](auto& f) { f.floor = 0; }), "floor");
  EXPECT_EQ(fault([](auto& f) { f.top = -1; }), "top");
  EXPECT_EQ(fault([](auto& f) { f.coefficients = 41; }), "coefficients");
  EXPECT_EQ(fault([](auto& f) { f.gain = INFINITY; }), "gain");
  EXPECT_EQ(fault([](auto& f) { f.offset = NAN; }), "offset");
}

TEST(SoundFeatures, StayInsideTheirMemoryAtTheEndsOfWhatTheyTake) {
  for (int32_t transform : {4, 8, 4096})
    for (int32_t bands : {1, 1024}) {
      nibble_sound_features f = ad_features;
      f.transform = transform;
      f.window_length = transform == 8 ? 1 : transform;
      f.symmetric = 1;
      f.bands = f.coefficients = bands;
      f.hop = 1000;
      f.top = 20;
      for (float value : features_of(f, made_up(5000))) ASSERT_TRUE(std::isfinite(value));
    }
}

}  // namespace
