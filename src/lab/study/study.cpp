#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/random.hpp"
#include "lab/experiment.hpp"
#include "lab/study/design.hpp"

namespace nibble::lab {
namespace {

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

/// What the float network depends on.
Json of_float(const Json& whole) {
  Json json = whole;
  json.erase("quantize");
  return json;
}

/// The run of a cell and a seed; `base`: the description without its design.
StudyRun run_of(const Json& base, const Design& design, const Cell& cell, uint64_t seed,
                const std::filesystem::path& file) {
  StudyRun run;
  run.seed = seed;
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
  Experiment experiment = experiment_from_json(run.description, place);
  if (experiment.variants.size() > 1)
    fail("lab", place + ": quantize", std::to_string(experiment.variants.size()) + " variants", "one a run");
  set_seed(experiment, seed);
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

Study study_from_json(const Json& json, const std::filesystem::path& file) {
  const std::string place = file.string();
  if (!json.is_object()) fail("lab", place, json.type_name(), "an object: a description");
  Json base = json;
  base.erase("design");
  // Levels may give what the description leaves out, so it is read whole only where no design completes it.
  const bool listed = base.contains("quantize") && base["quantize"].is_array() && base["quantize"].size() > 1;
  const Experiment given = listed || !json.contains("design") ? experiment_from_json(base, file) : Experiment{};
  int64_t seed = 1;
  Section(base, "lab", place).whole("seed", seed, 0);
  Study study;
  study.file = file;
  study.name = base.contains("name") ? Section(base, "lab", place).text("name") : file.stem().string();
  study.design = design_from_json(json.contains("design") ? json["design"] : Json::object(), variants_of(given),
                                  static_cast<uint64_t>(seed), place + ": design");
  std::vector<StudyRun> runs;
  for (uint64_t own : study.design.seeds)
    for (const Cell& cell : study.design.cells) runs.push_back(run_of(base, study.design, cell, own, file));
  for (int64_t at : Random(study.design.order).permutation(static_cast<int64_t>(runs.size())))
    study.runs.push_back(std::move(runs[static_cast<size_t>(at)]));
  refuse_equals(study, place);
  return study;
}

}  // namespace nibble::lab
