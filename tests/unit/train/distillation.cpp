#include <ATen/ATen.h>

#include "train/loop/loss.hpp"
#include "unit/train/small.hpp"

namespace nibble {
namespace {

using test::Folder;
using test::small_network;
using test::small_run;
using test::trained;

std::shared_ptr<const graph::Graph> teacher(int64_t outputs = 4) {
  graph::Graph graph = small_network(outputs);
  for (graph::Value& value : graph.values)
    if (value.name == "fc.weight")
      for (float& weight : value.constant->as<float>()) weight *= -3;
  return std::make_shared<const graph::Graph>(std::move(graph));
}

/// The quarters with every label another.
class Mislabelled : public test::Quarters {
 public:
  using Quarters::Quarters;
  data::Sample sample(int64_t index) const override {
    data::Sample sample = Quarters::sample(index);
    sample.label = (sample.label + 1) % 4;
    return sample;
  }
};

TEST(Distillation, HasTheGradientOfHintonsEquation2TimesTheTemperatureSquared) {
  const at::Tensor output = at::randn({5, 7}, at::kDouble).requires_grad_(), target = at::randn({5, 7}, at::kDouble);
  for (const double temperature : {0.5, 1.0, 4.0}) {
    output.mutable_grad().reset();
    const at::Tensor distance = train::distance_of({}, output, target, temperature);
    distance.backward();
    const auto shares = [&](const at::Tensor& logits) { return at::softmax(logits / temperature, 1); };
    EXPECT_TRUE(at::allclose(output.grad(), temperature / 5 * (shares(output.detach()) - shares(target))));
    const at::Tensor sum = (shares(target) * (shares(target).log() - shares(output.detach()).log())).sum();
    EXPECT_NEAR(distance.item<double>(), temperature * temperature * sum.item<double>() / 5, 1e-12);
  }
  EXPECT_NEAR(train::distance_of({}, target, target, 2).item<double>(), 0, 1e-12);
}

TEST(Distillation, OfTargetsIsTheMeanSquare) {
  train::Recipe recipe;
  recipe.loss = "mean_square";
  const at::Tensor output = at::ones({2, 3, 4}), target = at::full({2, 3, 4}, 3.0F);
  EXPECT_EQ(train::distance_of(recipe, output, target, 9).item<double>(), 4);
}

TEST(Distillation, WithAllTheWeightLearnsFromTheTeacherWhateverTheLabels) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  const std::string alone = trained(run);
  run.distillation = {teacher(), 1, 2};
  const std::string taught = trained(run);
  run.train_set = std::make_shared<Mislabelled>(200);
  EXPECT_EQ(trained(run), taught);
  EXPECT_NE(taught, alone);
  run.train_set = std::make_shared<test::Quarters>(200);
  run.distillation.weight = 0;
  EXPECT_EQ(trained(run), alone) << "and with none from the labels";
}

TEST(Distillation, KilledAndResumedEndsInTheSameBits) {
  const Folder whole, parts;
  train::TrainRun run = small_run(whole.path);
  run.distillation = {teacher(), 0.5, 4};
  const std::string expected = trained(run);
  struct Killed {};
  run.folder = parts.path, run.checkpoint_seconds = 0;
  run.on_step = [](int64_t done, int64_t) {
    if (done == 17) throw Killed();
  };
  EXPECT_THROW(trained(run), Killed);
  run.on_step = {}, run.resume = true;
  EXPECT_EQ(trained(run), expected);
}

TEST(Distillation, FromATeacherOfOtherOutputsIsRefused) {
  const Folder folder;
  train::TrainRun run = small_run(folder.path);
  run.distillation = {teacher(5), 0.5, 4};
  try {
    trained(run);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "train: distillation: a teacher of [16, 5] outputs (expected [16, 4])");
  }
}

}  // namespace
}  // namespace nibble
