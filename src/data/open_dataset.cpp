#include <numeric>

#include "data/sources.hpp"

namespace nibble::data {
namespace {

class Subset : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> set, std::vector<int64_t> indices)
      : set_(std::move(set)), indices_(std::move(indices)) {}
  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  int64_t classes() const override { return set_->classes(); }
  Sample sample(int64_t index) const override {
    ensure(index >= 0 && index < size(), "a sample's index is in the set");
    return set_->sample(indices_[static_cast<size_t>(index)]);
  }

 private:
  std::shared_ptr<const Dataset> set_;
  std::vector<int64_t> indices_;
};

}  // namespace

std::unique_ptr<Dataset> open_dataset(std::string_view description) {
  const std::string place(description);
  const size_t colon = place.find(':');
  if (colon == std::string::npos || colon + 1 == place.size())
    fail("data", "'" + place + "'", "no path", "SET:PATH[:SPLIT]");
  const std::string set = place.substr(0, colon);
  std::string path = place.substr(colon + 1);
  if (set == "images") return open_images(path);
  if (set == "npz") return open_npz(path);
  if (set != "mnist" && set != "cifar10") {
    const std::vector<std::string> known{"mnist", "cifar10", "images", "npz"};
    fail("data", "'" + place + "'", "no set '" + set + "'" + did_you_mean(set, known), "mnist, cifar10, images or npz");
  }
  const size_t last = path.rfind(':');
  const std::string split = last == std::string::npos ? "" : path.substr(last + 1);
  if (split != "train" && split != "test")
    fail("data", "'" + place + "'", split.empty() ? "no split" : "split '" + split + "'",
         set + ":DIR:train or " + set + ":DIR:test");
  path.resize(last);
  return set == "mnist" ? open_mnist(path, split) : open_cifar10(path, split);
}

std::unique_ptr<Dataset> subset(std::shared_ptr<const Dataset> set, std::vector<int64_t> indices) {
  if (indices.empty()) fail("data", "subset", "no examples", "at least one");
  for (int64_t index : indices)
    if (index < 0 || index >= set->size())
      fail("data", "subset", "index " + std::to_string(index), "0 to " + std::to_string(set->size() - 1));
  return std::make_unique<Subset>(std::move(set), std::move(indices));
}

std::vector<int64_t> in_order(int64_t count) {
  ensure(count >= 0, "a count is not negative");
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

}  // namespace nibble::data
