#include "data/dataset.hpp"
#include "data/npy.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::message_of;

namespace {

std::string preprocess(const char* json) {
  return message_of([&] { preprocess_from_json(Json::parse(json), "p"); });
}
std::string augmentation(const char* json) {
  return message_of([&] { augmentation_from_json(Json::parse(json), "a"); });
}
std::string npy(const std::string& header, const std::string& elements) {
  const std::string bytes =
      std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + elements;
  return message_of([&] { parse_npy(bytes, "f"); });
}

}  // namespace

TEST(PreprocessErrors, NameTheKey) {
  EXPECT_EQ(preprocess(R"({"resise": 1})"),
            "data: p: no key 'resise' (did you mean 'resize'?) (expected resize, crop, channels, scale, mean, std, "
            "layout, sound, target)");
  EXPECT_EQ(preprocess(R"({"resize": [0, 2]})"),
            "data: p: resize: [0,2] (expected [height, width] of 1 to 65536, or null)");
  EXPECT_EQ(preprocess(R"({"channels": "HSV"})"), "data: p: channels: 'HSV' (expected RGB, BGR or gray)");
  EXPECT_EQ(preprocess(R"({"scale": 0})"), "data: p: scale: 0 (expected a positive number)");
  EXPECT_EQ(preprocess(R"({"mean": [1, 2]})"), "data: p: mean: [1,2] (expected 1 or 3 finite numbers)");
  EXPECT_EQ(preprocess(R"({"std": [0]})"), "data: p: std: [0] (expected 1 or 3 positive numbers)");
}

TEST(PreprocessErrors, NameAnImageThatDoesNotFit) {
  Preprocess steps;
  steps.crop = {{3, 1}};
  EXPECT_EQ(message_of([&] {
              apply(steps, Tensor(ElementType::UInt8, {2, 2, 1}));
            }),
            "data: preprocess: crop: [3, 1] (expected at most the image's [2, 2])");
  EXPECT_EQ(message_of([&] {
              apply(steps, Tensor(ElementType::UInt8, {2, 2}));
            }),
            "data: image: shape [2, 2] (expected [H, W, 1 or 3])");
}

TEST(AugmentationErrors, NameTheStep) {
  EXPECT_EQ(augmentation("{}"), "data: a: object (expected a list of steps)");
  EXPECT_EQ(augmentation("[{}]"), "data: a[0]: 0 keys (expected one of crop and flip)");
  EXPECT_EQ(augmentation(R"([{"flip": "up"}])"), "data: a[0]: flip: \"up\" (expected \"horizontal\")");
  EXPECT_EQ(augmentation(R"([{"crop": {"padding": -1}}])"), "data: a[0]: crop: padding: -1 (expected 0 to 1024)");
}

TEST(NpyErrors, NameThePlaceAndNeverAllocateAClaim) {
  EXPECT_EQ(message_of([] { parse_npy("PK", "f"); }),
            "data: f: no npy array (expected a file that starts with \\x93NUMPY)");
  EXPECT_EQ(npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", ""),
            "data: f: element type '<c8' (expected bool, int8 to int64, uint8 to uint64 or float16 to float64)");
  EXPECT_EQ(npy("{'descr': '<f4', 'shape': (1,)}", ""),
            "data: f: the npy header is damaged (expected a dictionary of descr, fortran_order and shape)");
  EXPECT_EQ(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}", ""),
            "data: f: shape [1099511627776] (expected at most 8589934592 elements)");
  EXPECT_EQ(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (8589934592,)}", "abcd"),
            "data: f: 4 bytes of elements (expected 34359738368 for shape [8589934592])");
  EXPECT_EQ(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}", "\2"),
            "data: f: a bool that is neither 0 nor 1 (expected 0 or 1)");
}

namespace {

/// Example i is an image of height 1 and width i + 1.
class Growing : public Dataset {
 public:
  int64_t size() const override { return 3; }
  int64_t classes() const override { return 0; }
  Sample sample(int64_t index) const override { return {Tensor(ElementType::UInt8, {1, index + 1, 1}), -1, {}, {}}; }
};

std::string loading(int64_t batch_size, int threads) {
  return message_of([&] { Loader(std::make_shared<Growing>(), {}, in_order(3), batch_size, threads).next(); });
}

}  // namespace

TEST(LoaderErrors, NameTheNumberOrTheExample) {
  EXPECT_EQ(loading(0, 2), "data: loader: batch size 0 (expected at least 1)");
  EXPECT_EQ(loading(2, 0), "data: loader: 0 threads (expected at least 1)");
  EXPECT_EQ(loading(2, 1),
            "data: batch: an example of shape [3, 1, 2] (expected [3, 1, 1] as the one before; resize or crop makes "
            "images alike)");
  EXPECT_THROW(Loader(std::make_shared<Growing>(), {}, {3}, 1), InternalError);
}

TEST(SubsetErrors, NameTheIndex) {
  const auto taking = [](std::vector<int64_t> indices) {
    return message_of([&] { subset(std::make_shared<Growing>(), indices); });
  };
  EXPECT_EQ(taking({}), "data: subset: no examples (expected at least one)");
  EXPECT_EQ(taking({0, 3}), "data: subset: index 3 (expected 0 to 2)");
  EXPECT_EQ(taking({-1}), "data: subset: index -1 (expected 0 to 2)");
}

TEST(AugmentationErrors, NameAnExampleThatIsNoImage) {
  for (const char* step : {R"([{"flip": "horizontal"}])", R"([{"crop": {"padding": 1}}])"})
    EXPECT_EQ(message_of([&] {
                Tensor features({2}, std::vector<float>{1, 2});
                Random random(1);
                augmentation_from_json(Json::parse(step), "a")(features, random);
              }),
              "data: augmentation: an example of shape [2] (expected an image [C, H, W])");
}

TEST(PreprocessErrors, NameMeansThatFitNoChannels) {
  Preprocess steps;
  steps.mean = {1, 2};
  EXPECT_EQ(message_of([&] {
              apply(steps, Tensor(ElementType::UInt8, {1, 1, 3}));
            }),
            "data: preprocess: 2 values of mean or std (expected one, or one for each of 3 channels)");
}
