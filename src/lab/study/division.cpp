#include "lab/study/division.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "lab/examples.hpp"

namespace nibble::lab {
namespace {

/// What "folds" says, every default written out.
struct Rule {
  std::string kind = "k_fold";
  int64_t count = 5, repeats = 1, inner = 3;
  bool stratified = true;
  std::string groups;
  bool own_groups = false;  ///< the set's
  uint64_t seed = 1;
};

Json to_json(const Rule& rule) {
  return {{"kind", rule.kind},
          {"count", rule.count},
          {"repeats", rule.repeats},
          {"stratified", rule.stratified},
          {"groups", rule.own_groups ? Json(true) : Json(rule.groups)},
          {"seed", rule.seed},
          {"inner", rule.inner}};
}

void refuse_beside(const Section& section, std::initializer_list<const char*> keys, const std::string& why) {
  for (const char* key : keys)
    if (section.has(key)) fail("lab", section.at(key), "it " + why, "it left out");
}

/// The factors that inner folds choose of, and how many folds.
std::vector<std::string> read_choice(const Section& section, Rule& rule) {
  rule.inner = 0;
  if (!section.has("choose")) return {};
  const Section choose = section.section("choose", {"factors", "count"});
  const Json& list = choose.part("factors");
  std::vector<std::string> factors;
  if (!list.is_array() || list.empty()) choose.refuse("factors", "a list of the design's factors, at least one");
  for (const Json& factor : list) {
    if (!factor.is_string()) choose.refuse("factors", "a list of the design's factors, at least one");
    factors.push_back(factor.get<std::string>());
  }
  rule.inner = 3;
  choose.whole("count", rule.inner, 2, 1000);
  return factors;
}

/// Whether data.test is what is held out: then folds of data.train are there to choose.
bool is_apart(const Section& section, const Json& data) {
  const bool given = data.is_object() && data.contains("test");
  const bool held = section.has("kind") && section.part("kind") == "held_out";
  if (given && !held)
    fail("lab", section.at("kind"), "folds that hold the tests, beside a 'test' in 'data'",
         "no data.test, or kind 'held_out', which holds data.test");
  if (given && !section.has("choose"))
    fail("lab", section.at("kind"), "data.test held out, and nothing chosen on the rest", "'choose', or no folds");
  return given;
}

Rule rule_from(const Section& section, bool tests_apart) {
  Rule rule;
  section.name("kind", rule.kind, {"k_fold", "leave_one_group_out", "held_out"});
  const bool leave_out = rule.kind == "leave_one_group_out";
  if (leave_out) refuse_beside(section, {"count", "repeats"}, "where every group is a fold");
  if (tests_apart) refuse_beside(section, {"count", "repeats"}, "where data.test is held out");
  if (section.has("file")) {
    refuse_beside(section, {"count", "repeats"}, "beside a file that says the folds");
    if (!tests_apart) refuse_beside(section, {"kind"}, "beside a file that says the folds");
  }
  section.whole("count", rule.count, 2, 1000);
  section.whole("repeats", rule.repeats, 1, 1000);
  section.flag("stratified", rule.stratified);
  int64_t seed = 1;
  section.whole("seed", seed, 0);
  rule.seed = static_cast<uint64_t>(seed);
  if (section.has("groups") || leave_out) {
    rule.own_groups = section.part("groups") == true;
    if (!rule.own_groups) rule.groups = section.text("groups");
  }
  if (leave_out || tests_apart || section.has("file")) rule.count = 0;
  return rule;
}

/// What make_folds asks of a set, but for the count.
data::FoldRule columns_of(const Rule& rule, const data::Dataset& set, const std::filesystem::path& description,
                          const std::string& place) {
  data::FoldRule how;
  how.seed = rule.seed;
  if (rule.stratified) how.strata = data::labels_of(set);
  if (rule.own_groups) how.groups = data::groups_of(set);
  if (rule.groups.empty()) return how;
  // What the environment gives is the caller's; a name stands beside the description.
  const std::filesystem::path source = expanded(rule.groups, place + ": groups");
  const bool own = !rule.groups.starts_with("${");
  how.groups = data::read_groups((own ? description.parent_path() / source : source).string(), set.size());
  return how;
}

/// The file of a description that names one. Throws UserError where it is of other data.
data::FoldFile named_file(const Section& section, const std::filesystem::path& description, const data::Dataset& set,
                          const std::string& hash) {
  const std::filesystem::path file = description.parent_path() / expanded(section.text("file"), section.at("file"));
  data::FoldFile folds = data::folds_from_json(read_json(file, "lab"), file.string());
  if (folds.examples != set.size() || (!folds.data.empty() && folds.data != hash))
    fail("lab", section.at("file"), fmt::format("folds of {} examples, hash '{}'", folds.examples, folds.data),
         fmt::format("those of data.train, {} examples, hash '{}'", set.size(), hash));
  return folds;
}

/// What an earlier process of the study has written down for the same rule, if any has.
std::optional<data::FoldFile> recorded_file(const std::filesystem::path& recorded, const Json& rule,
                                            const std::string& hash) {
  if (recorded.empty() || !std::filesystem::exists(recorded)) return {};
  data::FoldFile file = data::folds_from_json(read_json(recorded, "lab"), recorded.string());
  if (file.rule != rule) return {};
  if (file.data != hash)
    fail("lab", recorded.string(), "folds of other data, hash '" + file.data + "'",
         "those of data.train, hash '" + hash + "'; or a folder of its own for the study of other data");
  return file;
}

}  // namespace

namespace {

Folds with_sizes(Folds folds) {
  if (folds.tests_apart) return folds;
  const auto count = static_cast<double>(folds.file.folds.size());
  for (const data::Fold& fold : folds.file.folds) {
    folds.train += static_cast<double>(fold.train.size()) / count;
    folds.test += static_cast<double>(fold.test.size()) / count;
  }
  return folds;
}

}  // namespace

Folds folds_from_json(const Json& json, const Json& data, const std::filesystem::path& file,
                      const std::filesystem::path& recorded) {
  const std::string place = file.string() + ": folds";
  const Section section(json, "lab", place,
                        {"kind", "count", "repeats", "stratified", "groups", "seed", "choose", "file"});
  Folds folds;
  folds.tests_apart = is_apart(section, data);
  Rule rule = rule_from(section, folds.tests_apart);
  folds.chosen = read_choice(section, rule);
  const Section of_data(data, "lab", file.string() + ": data");
  const auto set = data::open_dataset(expanded(of_data.text("train"), of_data.at("train")));
  const std::string hash = data::hash_of(*set);
  const bool named = section.has("file");
  Json resolved = to_json(rule);
  if (named) resolved["file"] = section.text("file");
  if (!named)
    if (auto there = recorded_file(recorded, resolved, hash)) {
      folds.file = std::move(*there);
      return with_sizes(std::move(folds));
    }
  data::FoldRule how = columns_of(rule, *set, file, place);
  const std::vector<int64_t> all = data::in_order(set->size());
  if (named) {
    folds.file = named_file(section, file, *set, hash);
  } else {
    how.count = folds.tests_apart ? rule.inner : rule.count;
    how.repeats = rule.repeats;
    how.first_alone = !folds.tests_apart && rule.kind == "held_out";
    folds.file.examples = set->size();
    folds.file.folds = data::make_folds(all, how);
  }
  folds.file.data = hash;
  folds.file.rule = resolved;
  if (folds.chosen.empty() || folds.tests_apart) return with_sizes(std::move(folds));
  how.count = rule.inner, how.repeats = 1, how.first_alone = false;
  for (data::Fold& fold : folds.file.folds)
    if (fold.inner.empty()) fold.inner = data::make_folds(fold.train, how);
  return with_sizes(std::move(folds));
}

std::string Split::name() const {
  std::string name = fmt::format("{}.{}", repeat, fold);
  return inner ? fmt::format("{}.{}", name, *inner) : name;
}

std::vector<Split> splits_of(const Folds& folds) {
  std::vector<Split> splits;
  const auto part_of = [](const data::Fold& fold) {
    return std::make_shared<const data::Fold>(data::Fold{fold.repeat, fold.number, fold.train, fold.test, {}});
  };
  const auto add_inner = [&](int64_t repeat, int64_t number, const std::vector<data::Fold>& inner) {
    for (size_t i = 0; i < inner.size(); ++i)
      splits.push_back({repeat, number, static_cast<int64_t>(i), part_of(inner[i])});
  };
  if (folds.tests_apart) {
    splits.push_back({});
    add_inner(0, 0, folds.file.folds);
    return splits;
  }
  for (const data::Fold& fold : folds.file.folds) {
    splits.push_back({fold.repeat, fold.number, {}, part_of(fold)});
    if (!folds.chosen.empty()) add_inner(fold.repeat, fold.number, fold.inner);
  }
  return splits;
}

Json data_of(const Json& data, const Split& split) {
  Json own = data;
  if (split.part && own.is_object() && own.contains("train")) own["test"] = own["train"];
  return own;
}

std::string hash_of(const Folds& folds, const Split& split) {
  uint64_t hash = fnv1a(folds.file.data);
  for (const std::vector<int64_t>* part : {&split.part->train, &split.part->test}) {
    for (int64_t index : *part) hash = fnv1a(std::to_string(index) + " ", hash);
    hash = fnv1a(";", hash);
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace nibble::lab
