#include <algorithm>

#include "base/error.hpp"
#include "data/folds.hpp"

namespace nibble::data {
namespace {

/// Those of `whole` (rising) that are not in `part` (rising).
std::vector<int64_t> others(const std::vector<int64_t>& whole, const std::vector<int64_t>& part) {
  std::vector<int64_t> rest;
  std::set_difference(whole.begin(), whole.end(), part.begin(), part.end(), std::back_inserter(rest));
  return rest;
}

/// Rising indices of the examples that a fold may use. Throws UserError on any that is none of them, or is there twice.
std::vector<int64_t> indices_of(const Section& section, std::string_view key, const std::vector<int64_t>& of) {
  std::vector<int64_t> indices;
  const Json& list = section.part(key);
  if (!list.is_array() || list.empty()) section.refuse(key, "a list of indices, at least one");
  for (const Json& item : list) {
    const auto index = whole_number(item);
    if (!index || !std::binary_search(of.begin(), of.end(), *index))
      fail("data", section.at(key), "index " + item.dump(),
           "one of " + std::to_string(of.size()) + " examples from " + std::to_string(of.front()) + " to " +
               std::to_string(of.back()) + " that the fold divides");
    indices.push_back(*index);
  }
  std::sort(indices.begin(), indices.end());
  if (const auto twice = std::adjacent_find(indices.begin(), indices.end()); twice != indices.end())
    fail("data", section.at(key), "index " + std::to_string(*twice) + " twice", "each once");
  return indices;
}

Fold fold_from_json(const Json& json, const std::vector<int64_t>& of, int64_t number, const std::string& place) {
  const Section section(json, "data", place, {"repeat", "fold", "train", "test", "inner"});
  Fold fold;
  fold.number = number;
  section.whole("repeat", fold.repeat, 0);
  section.whole("fold", fold.number, 0);
  fold.test = indices_of(section, "test", of);
  fold.train = section.has("train") ? indices_of(section, "train", of) : others(of, fold.test);
  if (fold.train.empty()) fail("data", section.at("test"), "every example", "some left to train on");
  std::vector<int64_t> both;
  std::set_intersection(fold.train.begin(), fold.train.end(), fold.test.begin(), fold.test.end(),
                        std::back_inserter(both));
  if (!both.empty())
    fail("data", section.at("train"), "index " + std::to_string(both.front()) + ", which is in 'test' too",
         "parts that share nothing");
  if (!section.has("inner")) return fold;
  if (!section.part("inner").is_array()) section.refuse("inner", "a list of folds");
  for (const Json& one : section.part("inner")) {
    const auto at = static_cast<int64_t>(fold.inner.size());
    fold.inner.push_back(fold_from_json(one, fold.train, at, section.at("inner") + "[" + std::to_string(at) + "]"));
  }
  return fold;
}

Json fold_json(const Fold& fold, const std::vector<int64_t>& of) {
  Json json = {{"repeat", fold.repeat}, {"fold", fold.number}, {"test", fold.test}};
  if (fold.train != others(of, fold.test)) json["train"] = fold.train;
  for (const Fold& inner : fold.inner) json["inner"].push_back(fold_json(inner, fold.train));
  return json;
}

}  // namespace

Json to_json(const FoldFile& file) {
  Json json = {{"data", file.data}, {"examples", file.examples}, {"rule", file.rule}, {"folds", Json::array()}};
  const std::vector<int64_t> all = in_order(file.examples);
  for (const Fold& fold : file.folds) json["folds"].push_back(fold_json(fold, all));
  return json;
}

FoldFile folds_from_json(const Json& json, const std::string& place) {
  const Section section(json, "data", place, {"data", "examples", "rule", "folds"});
  FoldFile file;
  if (section.has("data")) file.data = section.text("data");
  if (section.has("rule")) file.rule = section.part("rule");
  section.part("examples");
  section.whole("examples", file.examples, 2, int64_t{1} << 40);
  const Json& list = section.part("folds");
  if (!list.is_array() || list.empty()) section.refuse("folds", "a list of folds, at least one");
  const std::vector<int64_t> all = in_order(file.examples);
  for (const Json& one : list) {
    const auto at = static_cast<int64_t>(file.folds.size());
    file.folds.push_back(fold_from_json(one, all, at, section.at("folds") + "[" + std::to_string(at) + "]"));
    const Fold& fold = file.folds.back();
    for (const Fold& before : file.folds)
      if (&before != &fold && before.repeat == fold.repeat && before.number == fold.number)
        fail("data", section.at("folds") + "[" + std::to_string(at) + "]", "a second fold of that number and repeat",
             "numbers of their own");
  }
  return file;
}

}  // namespace nibble::data
