#include <cmath>

#include "data/dataset.hpp"
#include "data/landmarks.hpp"
#include "unit/data/landmark_files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::basis_of_two_points;
using nibble::testing::Folder;
using nibble::testing::message_of;
using nibble::testing::put_faces;

namespace {

/// What is said of the basis where one of its arrays is another.
std::string with(const std::string& name, const Tensor& array) {
  Arrays arrays = basis_of_two_points();
  for (auto& [own, value] : arrays)
    if (own == name) value = array;
  return message_of([&] { landmark_model_of(arrays, "basis"); });
}

std::string opening(const Folder& folder, const std::string& rest = {}) {
  return message_of([&] { open_dataset("landmarks:" + folder.path.string() + rest); }, folder.path);
}

}  // namespace

TEST(LandmarkModelErrors, NameTheArray) {
  EXPECT_EQ(message_of([] { landmark_model_of({}, "basis"); }),
            "data: basis: no array 'mean' (expected mean, std, u, w_shape and w_expression of a face model)");
  EXPECT_EQ(with("std", Tensor({13}, std::vector<double>(13))), "data: basis: std of shape [13] (expected [14])");
  EXPECT_EQ(with("u", Tensor({5}, std::vector<double>(5))),
            "data: basis: u of 5 numbers (expected x, y and z of each point)");
  EXPECT_EQ(with("w_shape", Tensor({5, 1}, std::vector<double>(5))),
            "data: basis: w_shape of shape [5, 1] (expected [6, any])");
  EXPECT_EQ(with("w_shape", Tensor({6, 2}, std::vector<double>(12))),
            "data: basis: mean of 14 numbers (expected 12 and the columns of w_shape (2) and w_expression (1))");
  EXPECT_EQ(with("mean", Tensor({14}, std::vector<double>(14, NAN))),
            "data: basis: mean with a value that is not finite (expected finite numbers)");
  Arrays arrays = basis_of_two_points();
  arrays.emplace_back("height", Tensor({1}, std::vector<double>{0}));
  EXPECT_EQ(message_of([&] { landmark_model_of(arrays, "basis"); }),
            "data: basis: height of shape [1] (expected one number of pixels, 1 to 65536)");
}

TEST(LandmarkSetErrors, NameTheFile) {
  const Folder folder;
  EXPECT_EQ(opening(folder), "data: DIR: no images (expected JPEG, PNG or BMP files and their landmarks.npy)");
  put_faces(folder, 2);
  EXPECT_EQ(opening(folder, ":nowhere.npz"), "data: nowhere.npz: cannot be opened: No such file or directory");
  EXPECT_EQ(opening(folder, "/../nowhere"),
            "data: DIR/../nowhere: cannot be listed: No such file or directory (expected a folder)");
  folder.write("2.png", "never read");
  EXPECT_EQ(opening(folder), "data: DIR/landmarks.npy: landmarks of shape [2, 2, 2] (expected [3 images, points, 2])");
  put_faces(folder, 3);
  write_npz(folder.path / "basis.npz", basis_of_two_points());
  write_npy(folder.path / "landmarks.npy", Tensor({3, 3, 2}, std::vector<float>(18)));
  EXPECT_EQ(opening(folder, ":" + (folder.path / "basis.npz").string()),
            "data: DIR/landmarks.npy: landmarks of shape [3, 3, 2] (expected [3 images, 2, 2])");
  EXPECT_EQ(opening(folder),
            "data: DIR/landmarks.npy: example 0: points in one line (expected points around a face, "
            "which span a box)");
  write_npy(folder.path / "landmarks.npy", Tensor({3, 1, 2}, std::vector<double>{1, 2, 3, 4, 5, NAN}));
  EXPECT_EQ(opening(folder),
            "data: DIR/landmarks.npy: example 0: points in one line (expected points around a face, "
            "which span a box)");
  put_faces(folder, 3);
  write_npy(folder.path / "groups.npy", Tensor({2}, std::vector<int32_t>{0, 1}));
  EXPECT_EQ(opening(folder), "data: DIR/groups.npy: int32 of shape [2] (expected a whole number an image, 3 of them)");
  write_npy(folder.path / "groups.npy", Tensor({3}, std::vector<int32_t>{0, 1, -1}));
  EXPECT_EQ(opening(folder), "data: DIR/groups.npy: group -1 (expected 0 or more)");
}
