#include "data/dataset.hpp"
#include "data/npz.hpp"
#include "unit/data/archives.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::Folder;
using nibble::testing::png;

TEST(ReadImage, GivesAPngsBytes) {
  const Folder folder;
  EXPECT_EQ(read_image(folder.write("gray.png", png(3, 2, 0, "abcdef"))),
            Tensor({2, 3, 1}, std::vector<uint8_t>{'a', 'b', 'c', 'd', 'e', 'f'}));
  EXPECT_EQ(read_image(folder.write("rgb.png", png(1, 2, 2, "rgbRGB"))),
            Tensor({2, 1, 3}, std::vector<uint8_t>{'r', 'g', 'b', 'R', 'G', 'B'}));
}

TEST(ReadImage, DropsAlpha) {
  const Folder folder;
  EXPECT_EQ(read_image(folder.write("gray.png", png(2, 1, 4, "gaGA"))),
            Tensor({1, 2, 1}, std::vector<uint8_t>{'g', 'G'}));
  EXPECT_EQ(read_image(folder.write("rgb.png", png(1, 1, 6, "rgba"))),
            Tensor({1, 1, 3}, std::vector<uint8_t>{'r', 'g', 'b'}));
}

TEST(ReadImage, DecodesAPhotograph) {
  const std::filesystem::path file =
      std::filesystem::path(NIBBLE_SOURCE) / "../shared/data/imagenet/validation/ILSVRC2012_val_00038085.jpg";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no " << file;
  const Tensor image = read_image(file);
  EXPECT_EQ(image.shape(), (Shape{224, 224, 3}));
  const auto pixels = image.as<uint8_t>();
  EXPECT_GT(*std::max_element(pixels.begin(), pixels.end()), *std::min_element(pixels.begin(), pixels.end()) + 100);
}

TEST(Images, LabelsFoldersInSortedOrder) {
  const Folder folder;
  folder.write("dog/2.PNG", png(1, 1, 0, "d"));
  folder.write("cat/1.png", png(1, 1, 0, "c"));
  folder.write("cat/0.png", png(1, 1, 0, "C"));
  folder.write("cat/notes.txt", "no image");
  folder.write("readme.png", "not in a class");
  const auto set = open_dataset("images:" + folder.path.string());
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->classes(), 2);
  const std::string pixels = "Ccd";
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(set->sample(i).x.as<uint8_t>()[0], static_cast<uint8_t>(pixels[static_cast<size_t>(i)]));
    EXPECT_EQ(set->sample(i).label, i / 2);
  }
}

TEST(Images, HaveNoLabelsWhereNoFolderIsAClass) {
  const Folder folder;
  folder.write("1.png", png(1, 1, 0, "b"));
  folder.write("0.jpg.png", png(1, 1, 0, "a"));
  folder.write("landmarks.npy", "no image");
  folder.write("._0.jpg.png", "no image");
  folder.write("notes/readme.txt", "no image");
  const auto set = open_dataset("images:" + folder.path.string());
  ASSERT_EQ(set->size(), 2);
  EXPECT_EQ(set->classes(), 0);
  for (int64_t i = 0; i < 2; ++i) {
    EXPECT_EQ(set->sample(i).label, -1);
    EXPECT_EQ(set->sample(i).x.as<uint8_t>()[0], 'a' + i);
  }
}

TEST(Images, FollowsItsListOfLabels) {
  const Folder folder;
  folder.write("a,b.png", png(1, 1, 0, "a"));
  folder.write("in/c.png", png(1, 1, 0, "c"));
  for (const char* list : {"file,label\r\nin/c.png,4\r\n\r\na,b.png,0", "in/c.png,4\na,b.png,0\n",
                           "image,label,person\nin/c.png,4,tom\na,b.png,0,ann\n",
                           "file,label,\"person\"\n\"in/c.png\",\"4\",\"a \"\"b\"\"\"\n\"a,b.png\",0,ann\n"}) {
    folder.write("labels.csv", list);
    const auto set = open_dataset("images:" + folder.path.string());
    ASSERT_EQ(set->size(), 2);
    EXPECT_EQ(set->classes(), 5);
    EXPECT_EQ(set->sample(0).label, 4);
    EXPECT_EQ(set->sample(0).x.as<uint8_t>()[0], 'c');
    EXPECT_EQ(set->sample(1).x.as<uint8_t>()[0], 'a');
  }
}

TEST(Preprocess, MixesRgbToGrayAndRepeatsGrayForRgb) {
  const Preprocess gray{{}, {}, "gray", 1.0, {}, {}}, colour{{}, {}, "RGB", 1.0, {}, {}};
  EXPECT_EQ(apply(gray, Tensor({1, 1, 3}, std::vector<uint8_t>{10, 20, 30})),
            Tensor({1, 1, 1}, std::vector<float>{static_cast<float>(0.299 * 10 + 0.587 * 20 + 0.114 * 30)}));
  EXPECT_EQ(apply(colour, Tensor({1, 2, 1}, std::vector<uint8_t>{5, 6})),
            Tensor({3, 1, 2}, std::vector<float>{5, 6, 5, 6, 5, 6}));
}

TEST(Preprocess, SkipsPixelsWhereItReducesWithoutAntialiasing) {
  const Preprocess steps{{{1, 1}}, {}, "gray", 1.0, {}, {}};
  EXPECT_EQ(apply(steps, Tensor({1, 6, 1}, std::vector<uint8_t>{255, 255, 10, 20, 255, 255})),
            Tensor({1, 1, 1}, std::vector<float>{15}));
}

TEST(Preprocess, CropsTheCentreAfterResizing) {
  const Preprocess steps{{{2, 5}}, {{1, 2}}, "gray", 1.0, {}, {}};
  EXPECT_EQ(apply(steps, Tensor({2, 5, 1}, std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})),
            Tensor({1, 1, 2}, std::vector<float>{1, 2}));
}

TEST(Preprocess, PassesFeaturesUnchanged) {
  const Tensor features({3}, std::vector<float>{1, -2, 1e9F});
  EXPECT_EQ(apply({}, features), features);
}

TEST(Augmentation, FlipsEveryRowOfSomeImages) {
  const Augmentation change = augmentation_from_json(Json::parse(R"([{"flip": "horizontal"}])"), "a");
  const Tensor before({2, 1, 2}, std::vector<float>{1, 2, 3, 4}), after({2, 1, 2}, std::vector<float>{2, 1, 4, 3});
  int flipped = 0;
  for (uint64_t seed = 0; seed < 64; ++seed) {
    Tensor x = before;
    Random random(seed);
    change(x, random);
    EXPECT_TRUE(x == before || x == after);
    flipped += x == after;
  }
  EXPECT_GT(flipped, 16);
  EXPECT_LT(flipped, 48);
}

TEST(Augmentation, ShiftsByEveryOffsetAndLetsZerosIn) {
  const Augmentation change = augmentation_from_json(Json::parse(R"([{"crop": {"padding": 1}}])"), "a");
  const Tensor before({1, 2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  std::vector<Tensor> shifted;
  for (int64_t down = -1; down <= 1; ++down)
    for (int64_t right = -1; right <= 1; ++right) {
      std::vector<float> values;
      for (int64_t y = down; y < 2 + down; ++y)
        for (int64_t x = right; x < 3 + right; ++x)
          values.push_back(y < 0 || y > 1 || x < 0 || x > 2 ? 0 : static_cast<float>(1 + 3 * y + x));
      shifted.emplace_back(Shape{1, 2, 3}, values);
    }
  std::vector<int> seen(shifted.size(), 0);
  for (uint64_t seed = 0; seed < 450; ++seed) {
    Tensor x = before;
    Random random(seed);
    change(x, random);
    const auto found = std::find(shifted.begin(), shifted.end(), x);
    ASSERT_NE(found, shifted.end());
    ++seen[static_cast<size_t>(found - shifted.begin())];
  }
  for (const int count : seen) EXPECT_GT(count, 25);
}

TEST(Augmentation, MayShiftAnImageOutOfSight) {
  const Augmentation change = augmentation_from_json(Json::parse(R"([{"crop": {"padding": 1024}}])"), "a");
  Tensor x({1, 1, 1}, std::vector<float>{7});
  Random random(1);
  change(x, random);
  EXPECT_EQ(x, Tensor({1, 1, 1}, std::vector<float>{0}));
}

TEST(Augmentation, OfNoStepsIsNone) {
  EXPECT_FALSE(augmentation_from_json(Json::array(), "a"));
}
