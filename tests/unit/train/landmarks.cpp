#include "train/loop/landmarks.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "train/loop/loss.hpp"
#include "unit/train/small.hpp"

using namespace nibble;

namespace {

/// Five points, two shapes and an expression, drawn; outputs are whitened.
data::LandmarkModel drawn_model() {
  Random random(5);
  const auto drawn = [&](size_t count) {
    std::vector<double> values(count);
    for (double& value : values) value = random.normal();
    return values;
  };
  data::LandmarkModel model{drawn(15), drawn(15), drawn(15), drawn(45), 48};
  return model;
}

at::Tensor drawn_outputs(int64_t examples) {
  at::manual_seed(1);
  return at::randn({examples, 15});
}

}  // namespace

TEST(Landmarks, AreThoseOfTheFormula) {
  const data::LandmarkModel model = drawn_model();
  const at::Tensor outputs = drawn_outputs(3), points = train::Landmarks(model).points(outputs.view({3, 15, 1, 1}));
  ASSERT_EQ(points.sizes(), (at::IntArrayRef{3, 5, 2}));
  for (int64_t i = 0; i < 3; ++i) {
    const at::Tensor own = outputs[i].to(at::kDouble).contiguous();
    const std::vector<double> expected =
        data::landmarks_of(model, {own.data_ptr<double>(), static_cast<size_t>(own.numel())});
    for (int64_t k = 0; k < 10; ++k)
      EXPECT_NEAR(points[i].flatten()[k].item<double>(), expected[static_cast<size_t>(k)], 1e-4);
  }
}

TEST(LandmarkLoss, IsTheMeanOfTheNormalisedErrors) {
  const data::LandmarkModel model = drawn_model();
  const at::Tensor points = train::Landmarks(model).points(drawn_outputs(2)), truth = points + at::randn({2, 5, 2});
  double sum = 0;
  const auto row = [](const at::Tensor& of, int64_t i) {
    const at::Tensor own = of[i].to(at::kDouble).contiguous();
    return std::vector<double>(own.data_ptr<double>(), own.data_ptr<double>() + own.numel());
  };
  for (int64_t i = 0; i < 2; ++i) sum += data::normalised_mean_error(row(points, i), row(truth, i));
  EXPECT_NEAR(train::landmark_loss(points, truth).item<double>(), sum / 2, 1e-5);
  EXPECT_LT(train::landmark_loss(points, points).item<double>(), 1e-2);
}

TEST(LandmarkLoss, HasTheGradientOfItsDifferences) {
  const train::Landmarks landmarks(drawn_model());
  const at::Tensor truth = landmarks.points(drawn_outputs(2)) + at::randn({2, 5, 2});
  at::Tensor outputs = drawn_outputs(2).requires_grad_(true);
  train::landmark_loss(landmarks.points(outputs), truth).backward();
  for (int64_t k = 0; k < 15; ++k) {
    const double step = 1e-2;
    at::Tensor up = outputs.detach().clone(), down = outputs.detach().clone();
    up[1][k] += step, down[1][k] -= step;
    const auto loss = [&](const at::Tensor& x) {
      return train::landmark_loss(landmarks.points(x), truth).item<double>();
    };
    EXPECT_NEAR(outputs.grad()[1][k].item<double>(), (loss(up) - loss(down)) / (2 * step), 2e-3) << k;
  }
}

TEST(Distillation, OfLandmarksAddsThePointsLossAndTheMeanSquareOfTheOutputs) {
  const train::Landmarks landmarks(drawn_model());
  train::Recipe recipe;
  recipe.loss = "landmarks";
  const at::Tensor output = drawn_outputs(2), teacher = output + 0.1 * at::randn({2, 15});
  const double points = train::landmark_loss(landmarks.points(output), landmarks.points(teacher)).item<double>();
  EXPECT_NEAR(train::distance_of(recipe, output, teacher, 4, &landmarks).item<double>(),
              points + at::mse_loss(output, teacher).item<double>(), 1e-6);
  const train::Landmarks themselves((data::LandmarkModel()));
  const at::Tensor o = at::randn({2, 8}), t = at::randn({2, 8});
  EXPECT_EQ(train::distance_of(recipe, o, t, 4, &themselves).item<double>(),
            train::landmark_loss(themselves.points(o), themselves.points(t)).item<double>());
}

TEST(Train, LearnsLandmarksThatANetworkGivesByAFaceModelOrItself) {
  /// The brightest quarter's centre and its opposite corner: a box that spans an area.
  class Corners : public test::Quarters {
   public:
    explicit Corners(std::shared_ptr<const data::LandmarkModel> model) : Quarters(256), model_(std::move(model)) {}
    std::shared_ptr<const data::LandmarkModel> landmarks() const override { return model_; }
    data::Sample sample(int64_t index) const override {
      data::Sample sample = Quarters::sample(index);
      const auto x = static_cast<float>(sample.label % 2), y = static_cast<float>(sample.label / 2);
      sample.target = Tensor({2, 2}, std::vector<float>{x, y, x + 2, y + 2});
      sample.label = -1;
      return sample;
    }

   private:
    std::shared_ptr<const data::LandmarkModel> model_;
  };
  data::LandmarkModel face;
  face.mean.resize(12), face.deviation.assign(12, 1), face.average = {0, 0, 0, 1, 1, 0}, face.height = 4;
  for (const auto& [model, outputs] : {std::pair{data::LandmarkModel(), 4}, std::pair{face, 12}}) {
    const test::Folder folder;
    graph::Graph graph = test::small_network(outputs);
    train::TrainRun run = test::small_run(folder.path);
    run.recipe.loss = "landmarks", run.recipe.epochs = 12, run.recipe.learning_rate = 0.02;
    run.recipe.augmentation = Json::array();
    run.train_set = run.test_set = std::make_shared<Corners>(std::make_shared<data::LandmarkModel>(model));
    std::vector<double> losses;
    run.on_epoch = [&](const train::EpochReport& epoch) { losses.push_back(epoch.test_loss); };
    train::train(graph, run);
    EXPECT_LT(losses.back(), 0.5 * losses.front()) << outputs;
    EXPECT_LT(losses.back(), 0.15) << outputs;
  }
}
