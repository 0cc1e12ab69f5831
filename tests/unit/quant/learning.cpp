#include "quant/learning/learning.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "quant/learning/annealing.hpp"
#include "quant/sawb.hpp"

namespace nibble::quant {
namespace {

using Floats = std::vector<float>;

std::string message(const auto& f) {
  try {
    f();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Learned, NumbersAndScalesComeBackForEveryAlgorithmThatLearns) {
  for (const Learning& learning : {Learning(Pact{}), {Tqt{}}, {Lsq{}}})
    for (double most : {0.5, 1.0, 7.0, 15.0, 127.0}) {
      const float learned = learned_from_scale(learning, 0.0371, most);
      EXPECT_NEAR(static_cast<double>(scale_of_learned(learning, static_cast<double>(learned), most)), 0.0371, 1e-7);
    }
}

TEST(Learned, BoundOfPactFallsOnTheHighestLevelUnderEveryRounding) {
  const Pact pact;
  for (Rounding rounding : {Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven})
    for (int i = 1; i < 300; ++i) {
      const float bound = 0.01f * static_cast<float>(i);
      Steps steps{
          .scale = scale_of_learned(pact, static_cast<double>(bound), 15), .high = 15, .rounding = rounding, .end = 15};
      Floats y(1), dx(1);
      fake_quantise(Floats{bound}, steps, y);
      EXPECT_EQ(y[0], 15 * steps.scale);
      EXPECT_EQ(fake_quantise_backward(Floats{1}, std::span<const float>(Floats{bound}), steps, dx).above, 1);
    }
}

TEST(Learned, ThresholdOfTqtGivesPowersOfTwoWhereAsked) {
  const Tqt tqt{{}, true};
  EXPECT_EQ(scale_of_learned(tqt, -0.3, 7), 0.125f);
  EXPECT_EQ(scale_of_learned(tqt, 0.0, 7), 0.125f);
  EXPECT_EQ(scale_of_learned(tqt, 0.1, 7), 0.25f);
  EXPECT_EQ(scale_of_learned(tqt, 0.1, 15), 0.125f);
  EXPECT_EQ(scale_of_learned(tqt, 3.0, 127), 0.0625f);
}

TEST(Learned, BoundsOfBothSidesKeepZeroALevel) {
  for (const auto& [low, high] : {std::pair{-0.37, 1.9}, {-1.0, 1.0}, {0.0, 2.0}, {-2.0, 0.0}, {0.0, 0.0}}) {
    const Steps steps = steps_between(low, high, 16, Rounding::HalfUp);
    EXPECT_LE(steps.low, 0);
    EXPECT_GE(steps.high, 0);
    EXPECT_EQ(steps.high - steps.low, 15);
    EXPECT_NEAR(steps.least() * static_cast<double>(steps.scale), low, static_cast<double>(steps.scale) / 2 + 1e-6);
    EXPECT_NEAR(steps.most() * static_cast<double>(steps.scale), high, static_cast<double>(steps.scale) / 2 + 1e-6);
  }
}

TEST(Anneal, GradientsAreFiniteDifferencesOfTheExpectation) {
  constexpr size_t count = 500;
  Random random(8);
  Floats x(count), g(count, 1.0f), dx(count), up(count), down(count), y_up(count), y_down(count);
  for (float& value : x) value = static_cast<float>(3 * random.normal());
  const Steps steps{.scale = 0.7f, .low = -4, .high = 3, .end = 3};
  for (Noise noise : {Noise::Uniform, Noise::Triangular, Noise::Normal, Noise::Logistic})
    for (double deviation : {0.1, 0.5, 1.7}) {
      const Annealed annealed{noise, Draw::Expectation, 0.05, deviation};
      anneal_backward(g, x, steps, annealed, dx);
      constexpr float h = 1e-3f;
      for (size_t i = 0; i < count; ++i) up[i] = x[i] + h, down[i] = x[i] - h;
      anneal(up, steps, annealed, 0, 0, y_up);
      anneal(down, steps, annealed, 0, 0, y_down);
      int off = 0;  // a corner of the density lies between the two points
      for (size_t i = 0; i < count; ++i)
        off += std::abs(static_cast<double>((y_up[i] - y_down[i]) / (up[i] - down[i]) - dx[i])) >
               0.01 + 0.01 * std::abs(static_cast<double>(dx[i]));
      EXPECT_LE(off, noise == Noise::Uniform      ? 25
                     : noise == Noise::Triangular ? 12
                                                  : 0)
          << to_string(noise) << deviation;
    }
}

TEST(Anneal, RandomDrawsAverageToTheExpectationAndDependOnTheirIndexAlone) {
  constexpr size_t count = 40000;
  const Steps steps{.scale = 0.5f, .low = -2, .high = 1, .end = 1};
  Annealed noise{Noise::Logistic, Draw::Random, 0, 0.4};
  const Floats x(count, 0.33f);
  Floats y(count), part(100), expected(1);
  anneal(x, steps, noise, 7, 0, y);
  anneal(Floats(100, 0.33f), steps, noise, 7, 1234, part);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), y.begin() + 1234));
  double sum = 0;
  for (float value : y) sum += static_cast<double>(value);
  noise.draw = Draw::Expectation;
  anneal(Floats{0.33f}, steps, noise, 0, 0, expected);
  EXPECT_NEAR(sum / count, static_cast<double>(expected[0]), 0.01);
}

TEST(Anneal, LooksAtEveryThresholdThatMatters) {
  const Steps wide{.scale = 1, .low = 0, .high = 255, .end = 255};
  for (Noise noise : {Noise::Uniform, Noise::Triangular, Noise::Normal, Noise::Logistic})
    for (float x : {-5.0f, 0.2f, 0.5f, 17.49f, 128.0f, 254.6f, 300.0f}) {
      Floats y(1);
      anneal(Floats{x}, wide, {noise, Draw::Expectation, 0, 0.45}, 0, 0, y);
      EXPECT_NEAR(y[0], std::clamp(x, 0.0f, 255.0f), 0.75) << to_string(noise) << x;
    }
}

TEST(SetOnLevels, TakesTheLargestFirstAndNeverTakesBack) {
  Floats w{0.9f, -0.05f, 0.31f, -0.62f};
  std::vector<uint8_t> set(4);
  const Floats levels{-1, -0.5f, 0, 0.5f, 1};
  set_on_levels(w, set, 0.5, Partition::Magnitude, levels, Random(1));
  EXPECT_EQ(w, (Floats{1, -0.05f, 0.31f, -0.5f}));
  set_on_levels(w, set, 0.25, Partition::Magnitude, levels, Random(1));
  EXPECT_EQ(std::count(set.begin(), set.end(), 1), 2);
  set_on_levels(w, set, 1, Partition::Random, levels, Random(1));
  EXPECT_EQ(w, (Floats{1, 0, 0.5f, -0.5f}));
}

TEST(SetOnLevels, ChoosesRandomPartsByTheirStreamAlone) {
  const auto chosen = [](uint64_t seed) {
    Floats w(64, 0.4f);
    std::vector<uint8_t> set(64);
    set_on_levels(w, set, 0.5, Partition::Random, Floats{0, 1}, Random(seed));
    EXPECT_EQ(std::count(set.begin(), set.end(), 1), 32);
    return set;
  };
  EXPECT_EQ(chosen(1), chosen(1));
  EXPECT_NE(chosen(1), chosen(2));
}

TEST(Annealing, GoesLayerAfterLayerOrJointly) {
  AnnealingSchedule schedule{.start = 0, .end = 4};
  EXPECT_EQ(annealing_factor(schedule, 1, 0, 4), 0.75);
  EXPECT_EQ(annealing_factor(schedule, 1, 3, 4), 0.75);
  schedule.layer_after_layer = true;
  EXPECT_EQ(annealing_factor(schedule, 1, 0, 4), 0);
  EXPECT_EQ(annealing_factor(schedule, 1.5, 1, 4), 0.5);
  EXPECT_EQ(annealing_factor(schedule, 1.5, 3, 4), 1);
  schedule.decay = Decay::Static;
  EXPECT_EQ(annealing_factor(schedule, 1.5, 1, 4), 1);
  EXPECT_EQ(annealing_factor(schedule, 2, 1, 4), 0);
}

TEST(Milestones, HoldUntilTheNext) {
  const std::vector<Milestone> milestones{{1, 0.5}, {2, 0.75}, {4, 1}};
  EXPECT_EQ(fraction_at(milestones, 0.9), 0);
  EXPECT_EQ(fraction_at(milestones, 1), 0.5);
  EXPECT_EQ(fraction_at(milestones, 3.9), 0.75);
  EXPECT_EQ(fraction_at(milestones, 9), 1);
}

TEST(Sawb, IsARangeRuleForWeights) {
  Random random(2);
  Floats w(4000);
  for (float& value : w) value = static_cast<float>(random.normal());
  const Grid grid = grid_of_weights(Tensor({4000}, w), -1, {16, Symmetry::Symmetric}, range_rule_named("sawb"), "w");
  EXPECT_NEAR(grid.scale[0] * 8, 12.06485 - 11.86833 * std::sqrt(2 / M_PI), 0.3);
  EXPECT_EQ(message([&] { grid_of_weights(Tensor({4000}, w), -1, {100}, range_rule_named("sawb"), "weights 'w'"); }),
            "quant: weights 'w': sawb for 100 levels (expected 2, or 2^B or 2^B - 1 levels with B from 2 to 8; or the "
            "range rule mse, for any number)");
  EXPECT_EQ(message([&] {
              grid_of_weights(Tensor({4000}, w), -1, {16, Symmetry::Unsigned}, range_rule_named("sawb"), "weights 'w'");
            }),
            "quant: weights 'w': sawb for a quantiser that is not symmetric (expected another range rule)");
}

TEST(LearningMessages, NameWhatThereIs) {
  EXPECT_EQ(message([] { learning_named("dorefa"); }),
            "quant: algorithm: 'dorefa' (expected ste, pact, tqt, lsq, ana or inq)");
  EXPECT_EQ(message([] { noise_named("pink"); }),
            "quant: noise: 'pink' (expected uniform, triangular, normal or logistic)");
  EXPECT_EQ(message([] { draw_named("x"); }), "quant: forward: 'x' (expected expectation, mode or random)");
  EXPECT_EQ(message([] { partition_named("x"); }), "quant: partition: 'x' (expected magnitude or random)");
  for (const char* name : {"ste", "pact", "tqt", "lsq", "ana", "inq"}) EXPECT_EQ(to_string(learning_named(name)), name);
  for (const char* name : {"expectation", "mode", "random"}) EXPECT_EQ(to_string(draw_named(name)), name);
  for (const char* name : {"magnitude", "random"}) EXPECT_EQ(to_string(partition_named(name)), name);
}

}  // namespace
}  // namespace nibble::quant
