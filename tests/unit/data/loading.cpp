#include "data/dataset.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;

namespace {

class Counting : public Dataset {
 public:
  explicit Counting(int64_t bad = -1) : bad_(bad) {}
  int64_t size() const override { return 25; }
  int64_t classes() const override { return 25; }
  Sample sample(int64_t index) const override {
    if (index == bad_) fail("data", "example", "bad");
    return {Tensor({2, 2, 1}, std::vector<uint8_t>(4, static_cast<uint8_t>(index))), index, {}, {}};
  }

 private:
  int64_t bad_;
};

const Preprocess gray{{}, {}, "gray", 1.0, {}, {}};

std::vector<double> all(int threads) {
  const Augmentation noise = [](Tensor& x, Random& random) { x.as<float>()[0] = static_cast<float>(random.uniform()); };
  Loader loader(std::make_shared<Counting>(), gray, Random(3).permutation(25), 4, threads, noise, Random(9));
  std::vector<double> values;
  while (const auto batch = loader.next())
    for (const double value : batch->x.to_reals()) values.push_back(value);
  return values;
}

}  // namespace

TEST(Loader, GivesTheSameBatchesWhateverTheThreads) {
  EXPECT_EQ(all(1).size(), 100U);
  EXPECT_EQ(all(1), all(4));
}

TEST(Loader, EndsWithASmallerBatch) {
  Loader loader(std::make_shared<Counting>(), gray, in_order(5), 4);
  EXPECT_EQ(loader.next()->x.shape(), (Shape{4, 1, 2, 2}));
  EXPECT_EQ(loader.next()->labels, (std::vector<int64_t>{4}));
  EXPECT_FALSE(loader.next());
  EXPECT_FALSE(loader.next());
}

TEST(Loader, ThrowsTheErrorOfAThreadAtItsBatch) {
  Loader loader(std::make_shared<Counting>(6), gray, in_order(25), 4);
  EXPECT_TRUE(loader.next());
  EXPECT_EQ(nibble::testing::message_of([&] { loader.next(); }), "data: example: bad");
}

TEST(Loader, MayBeLeftBeforeItsEnd) {
  Loader loader(std::make_shared<Counting>(), gray, in_order(25), 1, 3);
  EXPECT_TRUE(loader.next());
}

TEST(Preprocess, TablesGiveWhatTheFormulaGives) {
  const Preprocess steps{{}, {{1, 1}}, "BGR", 1.0 / 255, {0.1, 0.2, 0.3}, {0.5, 0.5, 0.25}};
  const Tensor x = apply(steps, Tensor({1, 3, 3}, std::vector<uint8_t>{0, 0, 0, 10, 20, 30, 0, 0, 0}));
  const auto value = [](double pixel, double mean, double deviation) {
    return static_cast<float>((pixel * (1.0 / 255) - mean) / deviation);
  };
  EXPECT_EQ(x, Tensor({3, 1, 1}, std::vector<float>{value(30, 0.1, 0.5), value(20, 0.2, 0.5), value(10, 0.3, 0.25)}));
}

TEST(Preprocess, ResizesWithHalfPixelCentres) {
  const Preprocess steps{{{1, 4}}, {}, "gray", 1.0, {}, {}};
  EXPECT_EQ(apply(steps, Tensor({1, 2, 1}, std::vector<uint8_t>{0, 100})),
            Tensor({1, 1, 4}, std::vector<float>{0, 25, 75, 100}));
}

TEST(Preprocess, SurvivesItsJson) {
  const Json json = Json::parse(
      R"({"resize": [8, 9], "crop": null, "channels": "BGR", "scale": 0.5, "mean": [1], "std": [2, 3, 4]})");
  EXPECT_EQ(to_json(preprocess_from_json(json, "p")), json);
  Json last = json;
  last["layout"] = "NHWC";
  EXPECT_EQ(to_json(preprocess_from_json(last, "p")), last);
}

TEST(Preprocess, GivesChannelsLastWhereTheLayoutSaysSo) {
  std::vector<uint8_t> pixels(2 * 3 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i);
  for (const bool resized : {false, true}) {
    Preprocess steps{{}, {}, "BGR", 1.0, {1, 2, 3}, {}};
    if (resized) steps.resize = {{4, 5}};
    const Tensor image({2, 3, 3}, pixels), first = apply(steps, image);
    steps.channels_last = true;
    const Tensor last = apply(steps, image);
    const int64_t rows = first.shape()[1], columns = first.shape()[2];
    ASSERT_EQ(last.shape(), (Shape{rows, columns, 3}));
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t i = 0; i < rows * columns; ++i)
        EXPECT_EQ(last.as<float>()[static_cast<size_t>(3 * i + c)],
                  first.as<float>()[static_cast<size_t>(c * rows * columns + i)]);
  }
}
