#include <algorithm>
#include <cstring>

#include "data/sources.hpp"

namespace nibble::data {
namespace {

class StoredSet : public Dataset {
 public:
  StoredSet(StoredImages images, int64_t classes) : images_(std::move(images)), classes_(classes) {}
  int64_t size() const override { return static_cast<int64_t>(images_.labels.size()); }
  int64_t classes() const override { return classes_; }
  Sample sample(int64_t index) const override {
    ensure(index >= 0 && index < size(), "a sample's index is in the set");
    Sample result{Tensor(ElementType::UInt8, {images_.height, images_.width, images_.channels}),
                  images_.labels[static_cast<size_t>(index)],
                  {},
                  {}};
    const auto bytes = result.x.bytes();
    std::memcpy(bytes.data(), images_.pixels.data() + static_cast<size_t>(index) * bytes.size(), bytes.size());
    return result;
  }

 private:
  StoredImages images_;
  int64_t classes_;
};

}  // namespace

std::unique_ptr<Dataset> dataset_of(StoredImages images, int64_t least_classes) {
  ensure(!images.labels.empty(), "a data set holds examples");
  const auto pixels = static_cast<size_t>(images.height * images.width * images.channels);
  ensure(images.pixels.size() == images.labels.size() * pixels, "every image has a label");
  const int64_t largest = *std::max_element(images.labels.begin(), images.labels.end());
  return std::make_unique<StoredSet>(std::move(images), std::max(least_classes, largest + 1));
}

}  // namespace nibble::data
