#include "train/loop/optimiser.hpp"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(Optimiser, MovesAScaleByAHundredthOfItselfAtMost) {
  for (const char* name : {"sgd", "adam"}) {
    const at::Tensor scale = at::tensor({0.002f, 0.002f, 0.002f}), bound = at::tensor({0.002f});
    std::vector<train::Learned> learned{{-1, "q.scale", scale, true, false, "scale"},
                                        {-1, "q.bound", bound, true, false, "bound"}};
    train::Recipe recipe;
    recipe.optimiser = name, recipe.momentum = 0.9;
    train::Optimiser optimiser(recipe, learned);
    scale.mutable_grad() = at::tensor({5.0f, -5.0f, 0.0f});
    bound.mutable_grad() = at::tensor({-5.0f});
    for (int step = 0; step < 10; ++step) optimiser.step(0.1);
    EXPECT_NEAR(scale[0].item<float>(), 0.002 / std::pow(1.01, 10), 1e-8) << name;
    EXPECT_NEAR(scale[1].item<float>(), 0.002 * std::pow(1.01, 10), 1e-8) << name;
    EXPECT_EQ(scale[2].item<float>(), 0.002f) << name;
    EXPECT_GT(bound.item<float>(), 0.9) << name;
  }
}

TEST(Optimiser, MovesAScaleAsTheGradientSaysWithinThat) {
  const at::Tensor scale = at::tensor({0.5f});
  std::vector<train::Learned> learned{{-1, "q.scale", scale, true, false, "scale"}};
  train::Recipe recipe;
  recipe.optimiser = "sgd", recipe.momentum = 0.9;
  train::Optimiser optimiser(recipe, learned, {{"scale", {2, 0}}});
  scale.mutable_grad() = at::tensor({0.01f});
  optimiser.step(0.1);
  EXPECT_FLOAT_EQ(scale.item<float>(), 0.498f);
  optimiser.step(0.1);
  EXPECT_FLOAT_EQ(scale.item<float>(), 0.4942f);
}

TEST(Optimiser, OfAdamStartsLateAsItStartsEarly) {
  const at::Tensor early = at::tensor({1.0f}), late = at::tensor({1.0f});
  std::vector<train::Learned> learned{{-1, "early", early, true, false, ""}, {-1, "late", late, true, false, ""}};
  train::Recipe recipe;
  recipe.optimiser = "adam";
  train::Optimiser optimiser(recipe, learned);
  early.mutable_grad() = at::tensor({0.3f});
  for (int step = 0; step < 10; ++step) optimiser.step(1e-3);
  early.mutable_grad().reset();
  const float reached = early.item<float>();
  late.mutable_grad() = at::tensor({0.3f});
  for (int step = 0; step < 10; ++step) optimiser.step(1e-3);
  EXPECT_EQ(late.item<float>(), reached);
  EXPECT_EQ(early.item<float>(), reached);
}

}  // namespace
}  // namespace nibble
