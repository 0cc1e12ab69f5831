#include <zlib.h>

#include "data/dataset.hpp"
#include "data/npz.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::Folder;

namespace {

std::vector<int64_t> pixels_of(const Dataset& set, int64_t index) {
  return set.sample(index).x.to_integers();
}

}  // namespace

TEST(Mnist, IsReadUnderBothNamesAndFromGzip) {
  const Folder folder;
  folder.write("train-images.idx3-ubyte", nibble::testing::idx_images(2));
  folder.write("train-labels-idx1-ubyte", nibble::testing::idx_labels({3, 9}));
  const std::string labels = nibble::testing::idx_labels({7});
  const gzFile packed = gzopen((folder.path / "t10k-labels-idx1-ubyte.gz").c_str(), "wb");
  gzwrite(packed, labels.data(), static_cast<unsigned>(labels.size()));
  gzclose(packed);
  folder.write("t10k-images-idx3-ubyte", nibble::testing::idx_images(1));
  const auto train = open_dataset("mnist:" + folder.path.string() + ":train");
  EXPECT_EQ(train->size(), 2);
  EXPECT_EQ(train->classes(), 10);
  EXPECT_EQ(train->sample(1).label, 9);
  EXPECT_EQ(train->sample(1).x.shape(), (Shape{2, 3, 1}));
  EXPECT_EQ(pixels_of(*train, 1), (std::vector<int64_t>{6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(open_dataset("mnist:" + folder.path.string() + ":test")->sample(0).label, 7);
}

TEST(Cifar10, JoinsItsTrainingFilesInOrderAndInterleavesPlanes) {
  const Folder folder;
  const auto record = [](char label) {
    return std::string(1, label) + std::string(1024, 1) + std::string(1024, 2) + std::string(1024, 3);
  };
  folder.write("data_batch_2.bin", record(5));
  folder.write("data_batch_1.bin", record(4) + record(9));
  const auto set = open_dataset("cifar10:" + folder.path.string() + ":train");
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->sample(2).label, 5);
  EXPECT_EQ(set->sample(0).x.shape(), (Shape{32, 32, 3}));
  EXPECT_EQ(set->sample(0).x.as<uint8_t>()[3 * 1023 + 2], 3);
}

TEST(Npz, GivesImagesLabelsFeaturesAndTargets) {
  const Folder folder;
  const auto file = folder.path / "set.npz";
  write_npz(file, {{"x", Tensor({2, 1, 2}, std::vector<uint8_t>{1, 2, 3, 4})},
                   {"y", Tensor({2}, std::vector<int32_t>{0, 6})}});
  auto set = open_dataset("npz:" + file.string());
  EXPECT_EQ(set->classes(), 7);
  EXPECT_EQ(set->sample(1).x, Tensor({1, 2, 1}, std::vector<uint8_t>{3, 4}));
  write_npz(file, {{"x", Tensor({2, 1}, std::vector<double>{1, 2})}, {"y", Tensor({2, 1}, std::vector<double>{3, 4})}});
  set = open_dataset("npz:" + file.string());
  EXPECT_EQ(set->classes(), 0);
  EXPECT_EQ(set->sample(1).x, Tensor({1}, std::vector<float>{2}));
  EXPECT_EQ(*set->sample(1).target, Tensor({1}, std::vector<float>{4}));
}

TEST(Subset, ListsItsExamples) {
  const Folder folder;
  folder.write("t10k-images-idx3-ubyte", nibble::testing::idx_images(3));
  folder.write("t10k-labels-idx1-ubyte", nibble::testing::idx_labels({1, 2, 3}));
  const std::shared_ptr<const Dataset> set = open_dataset("mnist:" + folder.path.string() + ":test");
  const auto part = subset(set, {2, 0});
  EXPECT_EQ(part->size(), 2);
  EXPECT_EQ(part->sample(0).label, 3);
  EXPECT_EQ(in_order(3), (std::vector<int64_t>{0, 1, 2}));
}
