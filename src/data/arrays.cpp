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

/// One array of inputs: images, or features.
struct Column {
  explicit Column(Tensor whole) : image(is_image(whole)), x(std::move(whole)) {
    if (!image || x.rank() != 3) return;
    Shape shape = x.shape();
    shape.push_back(1);
    x = x.reshaped(shape);
  }
  Tensor of(int64_t index) const { return image ? slice(x, index) : slice(x, index).cast(ElementType::Float32); }

  bool image;
  Tensor x;
};

class ArraySet : public Dataset {
 public:
  ArraySet(std::vector<Column> columns, std::vector<int64_t> labels, std::optional<Tensor> targets)
      : columns_(std::move(columns)), labels_(std::move(labels)), targets_(std::move(targets)) {}
  int64_t size() const override { return columns_.front().x.shape()[0]; }
  int64_t classes() const override {
    return labels_.empty() ? 0 : *std::max_element(labels_.begin(), labels_.end()) + 1;
  }
  size_t inputs() const override { return columns_.size(); }
  Sample sample(int64_t index) const override {
    ensure(index >= 0 && index < size(), "a sample's index is in the set");
    Sample result;
    result.x = columns_.front().of(index);
    for (size_t i = 1; i < columns_.size(); ++i) result.others.push_back(columns_[i].of(index));
    if (!labels_.empty()) result.label = labels_[static_cast<size_t>(index)];
    if (targets_) result.target = slice(*targets_, index);
    return result;
  }

 private:
  std::vector<Column> columns_;
  std::vector<int64_t> labels_;
  std::optional<Tensor> targets_;
};

/// The arrays of a network's inputs, one an input; every one of as many examples. Throws UserError naming what is not.
std::vector<Column> columns_of(const Arrays& arrays, const std::vector<size_t>& which, const std::string& place) {
  std::vector<Column> columns;
  for (size_t index : which) {
    const auto& [name, x] = arrays[index];
    if (x.rank() == 0 || x.size() == 0)
      fail("data", place, name + " of shape " + to_string(x.shape()), "at least one example");
    const int64_t count = columns.empty() ? x.shape()[0] : columns.front().x.shape()[0];
    if (x.shape()[0] != count)
      fail("data", place, name + " of shape " + to_string(x.shape()),
           std::to_string(count) + " examples, as " + arrays[which.front()].first + " has");
    columns.emplace_back(x);
  }
  return columns;
}

/// y, where it is no input.
const Tensor* targets_of(const Arrays& arrays, const std::vector<size_t>& inputs) {
  for (size_t i = 0; i < arrays.size(); ++i)
    if (arrays[i].first == "y" && std::find(inputs.begin(), inputs.end(), i) == inputs.end()) return &arrays[i].second;
  return nullptr;
}

}  // namespace

/// x [N, ...] (or an array an input), optional y. Inputs of UInt8 [N, H, W] or [N, H, W, 1 or 3] are images, gray or
/// RGB; all else is Float32 features. y of integers [N] is labels; every other y is a Float32 target [...].
std::unique_ptr<Dataset> open_npz(const std::filesystem::path& file, std::string_view,
                                  const std::vector<std::string>& inputs) {
  return dataset_of(read_npz(file), file.string(), inputs);
}

std::unique_ptr<Dataset> dataset_of(Arrays arrays, const std::string& place, const std::vector<std::string>& inputs) {
  if (inputs.empty()) fail("data", place, "data for a network without inputs", "a network that reads some");
  const bool labels_alone = arrays.size() == 1 && arrays[0].first == "y" && inputs != std::vector<std::string>{"y"};
  if (arrays.empty() || labels_alone) fail("data", place, "no array '" + inputs.front() + "'", "x [N, ...]");
  const std::vector<size_t> which = arrays_of_inputs(arrays, inputs, "data", place);
  std::vector<Column> columns = columns_of(arrays, which, place);
  const Tensor* y = targets_of(arrays, which);
  if (!y) return std::make_unique<ArraySet>(std::move(columns), std::vector<int64_t>(), std::nullopt);
  const int64_t count = columns.front().x.shape()[0];
  if (y->rank() == 0 || y->shape()[0] != count)
    fail("data", place, "y of shape " + to_string(y->shape()),
         std::to_string(count) + " examples, as " + arrays[which.front()].first + " has");
  if (is_real(y->type()) || y->rank() > 1)
    return std::make_unique<ArraySet>(std::move(columns), std::vector<int64_t>(), y->cast(ElementType::Float32));
  std::vector<int64_t> labels = y->to_integers();
  for (int64_t label : labels)
    if (label < 0 || label >= (1 << 24)) fail("data", place, "label " + std::to_string(label), "0 to 2^24 - 1");
  return std::make_unique<ArraySet>(std::move(columns), std::move(labels), std::nullopt);
}

}  // namespace nibble::data
