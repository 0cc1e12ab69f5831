#include <algorithm>
#include <cmath>

#include "data/landmarks.hpp"
#include "data/sources.hpp"

namespace nibble::data {
namespace {

/// Images with the landmarks of each and, where given, its group.
class LandmarkSet : public Dataset {
 public:
  LandmarkSet(std::vector<std::filesystem::path> files, Tensor points, std::vector<int64_t> groups, LandmarkModel model)
      : files_(std::move(files)),
        points_(points.cast(ElementType::Float32)),
        groups_(std::move(groups)),
        model_(std::make_shared<const LandmarkModel>(std::move(model))) {}
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  int64_t classes() const override { return 0; }
  std::shared_ptr<const LandmarkModel> landmarks() const override { return model_; }
  Sample sample(int64_t index) const override {
    ensure(index >= 0 && index < size(), "a sample's index is in the set");
    const auto at = static_cast<size_t>(index);
    Sample result;
    result.x = read_image(files_[at]);
    result.target.emplace(ElementType::Float32, Shape{points_.shape()[1], 2});
    const auto own = result.target->as<float>();
    std::copy_n(points_.as<float>().begin() + static_cast<std::ptrdiff_t>(at * own.size()), own.size(), own.begin());
    if (!groups_.empty()) result.group = groups_[at];
    return result;
  }

 private:
  std::vector<std::filesystem::path> files_;
  Tensor points_;  ///< Float32 [N, L, 2]
  std::vector<int64_t> groups_;
  std::shared_ptr<const LandmarkModel> model_;
};

void check_points(const Tensor& points, int64_t images, const LandmarkModel& model, const std::string& place) {
  const Shape& shape = points.shape();
  const std::string count = model.is_identity() ? "points" : std::to_string(model.points());
  const bool fits = points.rank() == 3 && shape[0] == images && shape[1] > 0 && shape[2] == 2 &&
                    (model.is_identity() || shape[1] == static_cast<int64_t>(model.points()));
  if (!fits)
    fail("data", place, "landmarks of shape " + to_string(shape),
         "[" + std::to_string(images) + " images, " + count + ", 2]");
  const std::vector<double> values = points.to_reals();
  const size_t each = values.size() / static_cast<size_t>(images);
  for (size_t i = 0; i < static_cast<size_t>(images); ++i) {
    const std::span<const double> own(values.data() + i * each, each);
    const std::string at = place + ": example " + std::to_string(i);
    if (!std::all_of(own.begin(), own.end(), [](double value) { return std::isfinite(value); }))
      fail("data", at, "a coordinate that is not finite", "pixels");
    try {
      normalised_mean_error(own, own);
    } catch (const UserError&) {
      fail("data", at, "points in one line", "points around a face, which span a box");
    }
  }
}

std::vector<int64_t> read_groups(const std::filesystem::path& file, int64_t images) {
  std::error_code missing;
  if (!std::filesystem::exists(file, missing)) return {};
  const Tensor groups = read_npy(file);
  if (groups.rank() != 1 || groups.shape()[0] != images || is_real(groups.type()))
    fail("data", file.string(), std::string(to_string(groups.type())) + " of shape " + to_string(groups.shape()),
         "a whole number an image, " + std::to_string(images) + " of them");
  std::vector<int64_t> numbers = groups.to_integers();
  for (int64_t number : numbers)
    if (number < 0) fail("data", file.string(), "group " + std::to_string(number), "0 or more");
  return numbers;
}

/// "DIR[:BASIS]"; a folder whose name has a colon is one.
std::pair<std::filesystem::path, LandmarkModel> folder_and_model(const std::filesystem::path& path) {
  const std::string text = path.string();
  const size_t colon = text.rfind(':');
  std::error_code error;
  if (colon == std::string::npos || std::filesystem::is_directory(path, error)) return {path, {}};
  return {text.substr(0, colon), read_landmark_model(text.substr(colon + 1))};
}

}  // namespace

/// A folder of images with landmarks.npy, reals [N, L, 2] in pixels, in the order of the images' names, and groups.npy,
/// integers [N], where examples belong together. BASIS is the face model whose parameters the network gives
/// (read_landmark_model); without one it gives the points themselves.
std::unique_ptr<Dataset> open_landmarks(const std::filesystem::path& path, std::string_view) {
  auto [folder, model] = folder_and_model(path);
  std::vector<std::filesystem::path> files = images_in(folder);
  if (files.empty()) fail("data", folder.string(), "no images", "JPEG, PNG or BMP files and their landmarks.npy");
  const auto count = static_cast<int64_t>(files.size());
  Tensor points = read_npy(folder / "landmarks.npy");
  check_points(points, count, model, (folder / "landmarks.npy").string());
  std::vector<int64_t> groups = read_groups(folder / "groups.npy", count);
  return std::make_unique<LandmarkSet>(std::move(files), std::move(points), std::move(groups), std::move(model));
}

}  // namespace nibble::data
