#include "lab/study/outlook.hpp"

#include <cmath>
#include <map>
#include <set>

#include "base/error.hpp"
#include "lab/examples.hpp"
#include "lab/study/measured.hpp"
#include "stats/power.hpp"

namespace nibble::lab {
namespace {

constexpr double power = 0.8, alpha = 0.05;
constexpr double disagreements[] = {0.01, 0.025, 0.05};
constexpr double deviations[] = {0.1, 0.2, 0.5};  ///< points, of a difference from seed to seed

/// Folds and seeds that a combination's runs are paired by.
struct Blocks {
  size_t folds = 1, seeds = 1;
  bool by_folds() const { return folds > 1; }
  size_t count() const { return by_folds() ? folds : seeds; }
};

Blocks blocks_of(const Study& study) {
  std::set<std::pair<int64_t, int64_t>> folds;
  std::set<uint64_t> seeds;
  for (const StudyRun& run : study.runs) {
    seeds.insert(run.seed);
    folds.insert(run.split ? std::pair{run.split->repeat, run.split->fold} : std::pair<int64_t, int64_t>{});
  }
  return {folds.size(), seeds.size()};
}

/// Of what a study tests on where it has one seed and one fold.
int64_t test_examples(const Study& study) {
  for (const StudyRun& run : study.runs) {
    if (run.split && run.split->inner) continue;
    Experiment experiment = experiment_from_json(run.description, study.file);
    if (run.split) experiment.fold = run.split->part;
    return test_set(experiment)->size();
  }
  return 0;
}

Json by_examples(const Study& study, const std::optional<double>& margin) {
  Json json = {{"by", "examples"}};
  double examples = 0;
  try {
    examples = static_cast<double>(test_examples(study));
  } catch (const UserError& error) {
    json["reason"] = error.what();
    return json;
  }
  json["count"] = examples;
  for (double share : disagreements) {
    Json row = {{"disagreement", share},
                {"proves_points", 100 * stats::provable_margin(examples, share, power, alpha)}};
    if (stats::mcnemar_power(examples, share, share, alpha) >= power)
      row["tells_points"] = 100 * stats::detectable_share_difference(examples, share, power, alpha);
    if (margin) {
      if (*margin / 100 <= share)
        row["to_tell"] = std::ceil(stats::examples_needed(share, *margin / 100, power, alpha));
      row["to_prove"] = std::ceil(stats::equivalence_examples_needed(share, *margin / 100, power, alpha));
    }
    json["rows"].push_back(row);
  }
  return json;
}

/// The least margin, in standard deviations of the differences, that so many pairs prove.
double provable(double pairs) {
  double low = 0, high = 1;
  const auto enough = [&](double margin) { return stats::tost_power(pairs, 0, {-margin, margin}, alpha) >= power; };
  while (!enough(high)) high *= 2;
  for (int i = 0; i < 50; ++i) (enough((low + high) / 2) ? high : low) = (low + high) / 2;
  return high;
}

Json of_deviation(double deviation, const Blocks& blocks, double excess, const std::optional<double>& margin) {
  const auto count = static_cast<double>(blocks.count());
  Json row = {{"deviation_points", deviation},
              {"tells_points", deviation * excess * stats::detectable_effect(count, power, {.alpha = alpha})},
              {"proves_points", deviation * excess * provable(count)}};
  if (margin && !blocks.by_folds()) {
    const double effect = *margin / deviation;
    row["to_tell"] = std::max(2.0, std::ceil(stats::t_size_needed(effect, power, {.alpha = alpha})));
    row["to_prove"] = std::max(2.0, std::ceil(stats::tost_size_needed(0, {-effect, effect}, power, alpha)));
  }
  return row;
}

/// By how much the first combination's difference from each other one deviates from block to block, in points: the root
/// of the mean variance.
std::optional<double> measured_deviation(const Study& study, const std::filesystem::path& out) {
  if (!std::filesystem::exists(out / "plan.json")) return {};
  const std::vector<Combination> all = measured(study, out).combinations;
  if (all.empty() || all[0].is_error) return {};
  double variances = 0;
  for (size_t i = 1; i < all.size(); ++i) {
    const std::vector<double>&x = all[i].outcomes, &y = all[0].outcomes;
    double mean = 0, squares = 0;
    const auto n = static_cast<double>(x.size());
    for (size_t k = 0; k < x.size(); ++k) mean += (x[k] - y[k]) / n;
    for (size_t k = 0; k < x.size(); ++k) squares += (x[k] - y[k] - mean) * (x[k] - y[k] - mean);
    variances += squares / (n - 1) / static_cast<double>(all.size() - 1);
  }
  if (!(variances > 0)) return {};
  return 100 * std::sqrt(variances);
}

Json by_blocks(const Study& study, const Blocks& blocks, const std::optional<double>& margin,
               const std::filesystem::path& out) {
  Json json = {{"by", blocks.by_folds() ? "folds" : "seeds"}, {"count", blocks.count()}, {"rows", Json::array()}};
  // A mean over folds varies more than one over as many independent runs: s^2 (1/J + test/train).
  double excess = 1;
  if (blocks.by_folds())
    excess = std::sqrt(1 + static_cast<double>(blocks.count()) * study.folds->test / study.folds->train);
  for (double deviation : deviations) json["rows"].push_back(of_deviation(deviation, blocks, excess, margin));
  if (const auto found = measured_deviation(study, out)) {
    json["rows"].push_back(of_deviation(*found, blocks, excess, margin));
    json["rows"].back()["measured"] = true;
  }
  return json;
}

}  // namespace

Json outlook_json(const Study& study, const std::optional<double>& margin, const std::filesystem::path& out) {
  const Blocks blocks = blocks_of(study);
  Json json = {{"power", power}, {"alpha", alpha}};
  if (margin) json["margin_points"] = *margin;
  json["parts"] = Json::array();
  if (blocks.count() > 1) json["parts"].push_back(by_blocks(study, blocks, margin, out));
  if (!blocks.by_folds()) json["parts"].push_back(by_examples(study, margin));
  return json;
}

std::optional<double> seconds_left(const Study& study, const std::vector<RunState>& states,
                                   const std::filesystem::path& out) {
  double of_runs = 0, of_floats = 0;
  size_t runs = 0;
  std::map<std::string, bool> floats;  // by hash: done
  for (size_t i = 0; i < states.size(); ++i) {
    if (states[i].status == RunStatus::Done) of_runs += states[i].seconds, ++runs;
    floats.emplace(study.runs[i].float_hash, false);
  }
  if (runs == 0) return {};
  size_t trained = 0;
  for (auto& [hash, done] : floats) {
    const auto file = out / "floats" / hash / "outcome.json";
    if (!std::filesystem::exists(file)) continue;
    const Json outcome = read_json(file, "lab");
    done = outcome.value("status", "") == "done";
    if (done) of_floats += outcome.value("seconds", 0.0), ++trained;
  }
  const double a_run = of_runs / static_cast<double>(runs);
  const double a_float = trained == 0 ? 0 : of_floats / static_cast<double>(trained);
  return a_run * static_cast<double>(states.size() - runs) + a_float * static_cast<double>(floats.size() - trained);
}

}  // namespace nibble::lab
