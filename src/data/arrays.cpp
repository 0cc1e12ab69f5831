#include <algorithm>
#include <cstring>

#include "data/npz.hpp"
#include "data/sources.hpp"

namespace nibble::data {
namespace {

/// Example `index` of a tensor [N, ...].
Tensor slice(const Tensor& whole, int64_t index) {
  Tensor part(whole.type(), Shape(whole.shape().begin() + 1, whole.shape().end()));
  const auto bytes = part.bytes();
  std::memcpy(bytes.data(), whole.bytes().data() + static_cast<size_t>(index) * bytes.size(), bytes.size());
  return part;
}

bool is_image(const Tensor& x) {
  if (x.type() != ElementType::UInt8) return false;
  return x.rank() == 3 || (x.rank() == 4 && (x.shape()[3] == 1 || x.shape()[3] == 3));
}

class ArraySet : public Dataset {
 public:
  ArraySet(Tensor x, std::vector<int64_t> labels, std::optional<Tensor> targets)
      : image_(is_image(x)), x_(std::move(x)), labels_(std::move(labels)), targets_(std::move(targets)) {
    if (image_ && x_.rank() == 3) {
      Shape shape = x_.shape();
      shape.push_back(1);
      x_ = x_.reshaped(shape);
    }
  }
  int64_t size() const override { return x_.shape()[0]; }
  int64_t classes() const override {
    return labels_.empty() ? 0 : *std::max_element(labels_.begin(), labels_.end()) + 1;
  }
  Sample sample(int64_t index) const override {
    ensure(index >= 0 && index < size(), "a sample's index is in the set");
    Sample result{slice(x_, index), -1, {}};
    if (!image_) result.x = result.x.cast(ElementType::Float32);
    if (!labels_.empty()) result.label = labels_[static_cast<size_t>(index)];
    if (targets_) result.target = slice(*targets_, index);
    return result;
  }

 private:
  bool image_;
  Tensor x_;
  std::vector<int64_t> labels_;
  std::optional<Tensor> targets_;
};

}  // namespace

/// x [N, ...], optional y. x of UInt8 [N, H, W] or [N, H, W, 1 or 3] is images, gray or RGB; all else is Float32
/// features. y of integers [N] is labels; every other y is a Float32 target [...].
std::unique_ptr<Dataset> open_npz(const std::filesystem::path& file, std::string_view) {
  return dataset_of(read_npz(file), file.string());
}

std::unique_ptr<Dataset> dataset_of(Arrays arrays, const std::string& place) {
  std::optional<Tensor> x, y;
  for (auto& [name, tensor] : arrays) {
    if (name == "x")
      x = std::move(tensor);
    else if (name == "y")
      y = std::move(tensor);
  }
  if (!x) fail("data", place, "no array 'x'", "x [N, ...]");
  if (x->rank() == 0 || x->size() == 0)
    fail("data", place, "x of shape " + to_string(x->shape()), "at least one example");
  if (!y) return std::make_unique<ArraySet>(std::move(*x), std::vector<int64_t>(), std::nullopt);
  if (y->rank() == 0 || y->shape()[0] != x->shape()[0])
    fail("data", place, "y of shape " + to_string(y->shape()), std::to_string(x->shape()[0]) + " examples, as x has");
  if (is_real(y->type()) || y->rank() > 1)
    return std::make_unique<ArraySet>(std::move(*x), std::vector<int64_t>(), y->cast(ElementType::Float32));
  std::vector<int64_t> labels = y->to_integers();
  for (int64_t label : labels)
    if (label < 0 || label >= (1 << 24)) fail("data", place, "label " + std::to_string(label), "0 to 2^24 - 1");
  return std::make_unique<ArraySet>(std::move(*x), std::move(labels), std::nullopt);
}

}  // namespace nibble::data
