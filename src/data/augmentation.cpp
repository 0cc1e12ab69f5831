#include <algorithm>

#include "data/dataset.hpp"

namespace nibble::data {
namespace {

constexpr int64_t largest_padding = 1024;

void check_image(const Tensor& x) {
  if (x.rank() != 3 || x.type() != ElementType::Float32)
    fail("data", "augmentation", "an example of shape " + to_string(x.shape()), "an image [C, H, W]");
}

/// Shifts by a random offset in [-padding, padding] both ways: a crop of the image padded with 0 after preprocessing.
void crop(Tensor& x, Random& random, int64_t padding) {
  check_image(x);
  const auto choices = static_cast<uint64_t>(2 * padding + 1);
  const int64_t down = static_cast<int64_t>(random.below(choices)) - padding;
  const int64_t right = static_cast<int64_t>(random.below(choices)) - padding;
  const int64_t height = x.shape()[1], width = x.shape()[2];
  Tensor result(ElementType::Float32, x.shape());
  const float* in = x.as<float>().data();
  float* out = result.as<float>().data();
  for (int64_t channel = 0; channel < x.shape()[0]; ++channel)
    for (int64_t row = std::max<int64_t>(0, -down); row < std::min(height, height - down); ++row)
      for (int64_t column = std::max<int64_t>(0, -right); column < std::min(width, width - right); ++column)
        out[(channel * height + row) * width + column] = in[(channel * height + row + down) * width + column + right];
  x = std::move(result);
}

void flip(Tensor& x, Random& random) {
  check_image(x);
  if (random.below(2) == 0) return;
  const int64_t width = x.shape()[2];
  const auto values = x.as<float>();
  if (width == 0) return;
  for (auto row = values.begin(); row != values.end(); row += width) std::reverse(row, row + width);
}

Augmentation step_from_json(const Json& step, const std::string& place) {
  check_keys(step, {"crop", "flip"}, "data", place);
  if (step.size() != 1) fail("data", place, std::to_string(step.size()) + " keys", "one of crop and flip");
  if (step.contains("flip")) {
    if (step["flip"] != "horizontal") fail("data", place + ": flip", step["flip"].dump(), "\"horizontal\"");
    return flip;
  }
  check_keys(step["crop"], {"padding"}, "data", place + ": crop");
  const Json padding = step["crop"].value("padding", Json(nullptr));
  if (!padding.is_number_integer() || padding < Json(0) || padding > Json(largest_padding))
    fail("data", place + ": crop: padding", padding.dump(), "0 to 1024");
  return [amount = padding.get<int64_t>()](Tensor& x, Random& random) { crop(x, random, amount); };
}

}  // namespace

Augmentation augmentation_from_json(const Json& json, std::string_view place) {
  if (!json.is_array()) fail("data", place, json.type_name(), "a list of steps");
  std::vector<Augmentation> steps;
  for (size_t i = 0; i < json.size(); ++i)
    steps.push_back(step_from_json(json[i], std::string(place) + "[" + std::to_string(i) + "]"));
  if (steps.empty()) return {};
  return [steps](Tensor& x, Random& random) {
    for (const Augmentation& step : steps) step(x, random);
  };
}

}  // namespace nibble::data
