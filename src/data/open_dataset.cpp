#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "data/sources.hpp"

namespace nibble::data {

/// Opens PATH; the split is one of the row's, or empty where it has none.
using OpenSet = std::unique_ptr<Dataset>(const std::filesystem::path& path, std::string_view split);
OpenSet open_mnist, open_cifar10, open_images, open_sounds, open_landmarks;
std::unique_ptr<Dataset> open_npz(const std::filesystem::path& path, std::string_view split,
                                  const std::vector<std::string>& inputs);

namespace {

/// A form of data: NAME:PATH, and :SPLIT where it has splits.
struct SetRow {
  std::string_view name;
  std::string_view path;  ///< what stands for it in help
  std::span<const std::string_view> splits;
  OpenSet* open;  ///< nullptr: by the names of inputs, open_npz
};

constexpr std::string_view train_or_test[] = {"train", "test"};

constexpr SetRow sets[] = {
    {"mnist", "DIR", train_or_test, open_mnist},
    {"cifar10", "DIR", train_or_test, open_cifar10},
    {"images", "DIR", {}, open_images},
    {"sounds", "DIR", {}, open_sounds},
    {"landmarks", "DIR[:BASIS]", {}, open_landmarks},
    {"npz", "FILE", {}, nullptr},
};

/// "a, b or c".
std::string either(const std::vector<std::string>& words) {
  std::string text = words.front();
  for (size_t i = 1; i < words.size(); ++i) text += (i + 1 < words.size() ? ", " : " or ") + words[i];
  return text;
}

std::string form_of(const SetRow& set) {
  return std::string(set.name) + ":" + std::string(set.path);
}

/// "mnist:DIR:train or mnist:DIR:test".
std::string forms_by_split(const SetRow& set) {
  std::vector<std::string> forms;
  for (std::string_view split : set.splits) forms.push_back(form_of(set) + ":" + std::string(split));
  return either(forms);
}

const SetRow& set_named(std::string_view name, const std::string& place) {
  std::vector<std::string> names;
  for (const SetRow& set : sets) {
    if (set.name == name) return set;
    names.emplace_back(set.name);
  }
  fail("data", place, "no set '" + std::string(name) + "'" + did_you_mean(name, names), either(names));
}

class Subset : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> set, std::vector<int64_t> indices)
      : set_(std::move(set)), indices_(std::move(indices)) {}
  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  int64_t classes() const override { return set_->classes(); }
  size_t inputs() const override { return set_->inputs(); }
  std::shared_ptr<const LandmarkModel> landmarks() const override { return set_->landmarks(); }
  Sample sample(int64_t index) const override {
    ensure(index >= 0 && index < size(), "a sample's index is in the set");
    return set_->sample(indices_[static_cast<size_t>(index)]);
  }

 private:
  std::shared_ptr<const Dataset> set_;
  std::vector<int64_t> indices_;
};

}  // namespace

std::unique_ptr<Dataset> open_dataset(std::string_view description, const std::vector<std::string>& inputs) {
  const std::string place = "'" + std::string(description) + "'";
  const size_t colon = description.find(':');
  if (colon == description.npos || colon + 1 == description.size()) fail("data", place, "no path", "SET:PATH[:SPLIT]");
  const SetRow& set = set_named(description.substr(0, colon), place);
  const std::string_view path = description.substr(colon + 1);
  if (!set.open) return open_npz(path, {}, inputs);
  if (set.splits.empty()) return set.open(path, {});
  const size_t last = path.rfind(':');
  const std::string_view split = last == path.npos ? "" : path.substr(last + 1);
  if (std::find(set.splits.begin(), set.splits.end(), split) == set.splits.end())
    fail("data", place, split.empty() ? "no split" : "split '" + std::string(split) + "'", forms_by_split(set));
  return set.open(path.substr(0, last), split);
}

std::string dataset_forms() {
  std::vector<std::string> forms;
  for (const SetRow& set : sets)
    forms.push_back(set.splits.empty() ? form_of(set) : fmt::format("{}:{}", form_of(set), fmt::join(set.splits, "|")));
  return fmt::format("{}", fmt::join(forms, ", "));
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
