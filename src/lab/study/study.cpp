#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/random.hpp"
#include "lab/experiment.hpp"
#include "lab/study/design.hpp"
#include "lab/study/division.hpp"

namespace nibble::lab {
namespace {

/// As a single experiment is read, where folds hold the tests.
Json with_test(Json base, const Json& study) {
  Split any;
  any.part = std::make_shared<data::Fold>();
  if (study.contains("folds") && base.contains("data")) base["data"] = data_of(base["data"], any);
  return base;
}

std::vector<std::string> variants_of(const Experiment& experiment) {
  std::vector<std::string> names;
  for (const Experiment::Variant& variant : experiment.variants) names.push_back(variant.name);
  return names;
}

/// With every default of the network, its training and its variants.
Json resolved(const Experiment& experiment) {
  Json json = experiment.resolved;
  json["quantize"] = Json::array();
  for (const Experiment::Variant& variant : experiment.variants) json["quantize"].push_back(variant.resolved);
  return json;
}

/// Factors that are chosen must be the design's.
void check_chosen(const Study& study, const std::string& place) {
  std::vector<std::string> names;
  for (const Factor& factor : study.design.factors) names.push_back(factor.name);
  for (const std::string& factor : study.folds->chosen)
    if (std::find(names.begin(), names.end(), factor) == names.end())
      fail("lab", place + ": folds: choose", "no factor '" + factor + "'" + did_you_mean(factor, names),
           "one of the design's");
}

/// Folds are those of one training set.
void check_data(const Json& run, const Json& base, const std::string& place) {
  const auto train = [](const Json& json) { return json.value("data", Json()).value("train", Json()); };
  if (train(run) != train(base))
    fail("lab", place + ": data: train", train(run).dump() + " in a study with folds",
         "the same training set in all levels");
}

/// What the float network depends on.
Json of_float(const Json& whole) {
  Json json = whole;
  json.erase("quantize");
  return json;
}

/// The run of a cell, a seed and a split; `base`: the description without its design and folds.
StudyRun run_of(const Json& base, const Study& study, const Cell& cell, uint64_t seed,
                const std::optional<Split>& split) {
  const Design& design = study.design;
  const std::filesystem::path& file = study.file;
  StudyRun run;
  run.seed = seed;
  run.split = split;
  run.description = base;
  for (size_t i = 0; i < cell.size(); ++i) {
    const Factor::Level& level = design.factors[i].levels[cell[i]];
    const std::string place = file.string() + ": design: '" + design.factors[i].name + "' '" + level.name + "'";
    run.levels.push_back(level.name);
    run.description = patched(std::move(run.description), level, place);
    if (level.patch.is_null()) {
      Json& variants = run.description["quantize"];
      variants = Json::array({variants.at(cell[i])});
    }
  }
  const std::string place = file.string() + " (" + name_of(design, run.levels) + ")";
  run.description["seed"] = seed;
  if (split) {
    check_data(run.description, base, place);
    run.description["data"] = data_of(run.description["data"], *split);
  }
  Experiment experiment = experiment_from_json(run.description, place);
  if (experiment.variants.size() > 1)
    fail("lab", place + ": quantize", std::to_string(experiment.variants.size()) + " variants", "one a run");
  set_seed(experiment, seed);
  if (split) set_split(experiment, study, *split);
  Json whole = resolved(experiment);
  whole.erase("name");
  run.hash = hash_of(whole);
  run.float_hash = hash_of(of_float(whole));
  return run;
}

void refuse_equals(const Study& study, const std::string& place) {
  std::map<std::string, const StudyRun*> seen;
  for (const StudyRun& run : study.runs) {
    const auto [found, is_new] = seen.emplace(run.hash, &run);
    if (!is_new)
      fail("lab", place + ": design",
           "(" + name_of(study.design, found->second->levels) + ") and (" + name_of(study.design, run.levels) +
               ") come to the same description",
           "levels that change something");
  }
}

}  // namespace

std::string name_of(const Design& design, const std::vector<std::string>& levels) {
  std::string name;
  for (size_t i = 0; i < levels.size(); ++i) name += (i == 0 ? "" : ", ") + design.factors[i].name + " " + levels[i];
  return name.empty() ? "the one combination" : name;
}

void set_split(Experiment& experiment, const Study& study, const Split& split) {
  if (!split.part) return;
  experiment.fold = split.part;
  experiment.resolved["data"]["fold"] = {{"name", split.name()}, {"indices", hash_of(*study.folds, split)}};
}

Study study_from_json(const Json& json, const std::filesystem::path& file, const std::filesystem::path& out) {
  const std::string place = file.string();
  if (!json.is_object()) fail("lab", place, json.type_name(), "an object: a description");
  Json base = json;
  base.erase("design");
  base.erase("folds");
  // Levels may give what the description leaves out, so it is read whole only where no design completes it.
  const bool listed = base.contains("quantize") && base["quantize"].is_array() && base["quantize"].size() > 1;
  const Experiment given =
      listed || !json.contains("design") ? experiment_from_json(with_test(base, json), file) : Experiment{};
  int64_t seed = 1;
  Section(base, "lab", place).whole("seed", seed, 0);
  Study study;
  study.file = file;
  study.name = base.contains("name") ? Section(base, "lab", place).text("name") : file.stem().string();
  study.design = design_from_json(json.contains("design") ? json["design"] : Json::object(), variants_of(given),
                                  static_cast<uint64_t>(seed), place + ": design");
  std::vector<std::optional<Split>> splits(1);
  if (json.contains("folds")) {
    study.folds =
        folds_from_json(json["folds"], base.value("data", Json()), file, out.empty() ? out : out / "folds.json");
    check_chosen(study, place);
    splits.clear();
    for (Split& split : splits_of(*study.folds)) splits.emplace_back(std::move(split));
  }
  std::vector<StudyRun> runs;
  for (const std::optional<Split>& split : splits)
    for (uint64_t own : study.design.seeds)
      for (const Cell& cell : study.design.cells) runs.push_back(run_of(base, study, cell, own, split));
  for (int64_t at : Random(study.design.order).permutation(static_cast<int64_t>(runs.size())))
    study.runs.push_back(std::move(runs[static_cast<size_t>(at)]));
  refuse_equals(study, place);
  return study;
}

}  // namespace nibble::lab
