#include "lab/study/measured.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"

namespace nibble::lab {
namespace {

/// A finished outcome's rows, or null: of the float network first, of the integer one last.
Json finished_rows(const std::filesystem::path& run) {
  const auto file = run / "outcome.json";
  if (!std::filesystem::exists(file)) return {};
  const Json outcome = read_json(file, "lab");
  if (outcome.value("status", "") != "done") return {};
  return outcome.at("rows");
}

std::vector<double> examples_of(const Json& predictions, const char* representation, bool errors) {
  if (errors) return predictions.value(representation, std::vector<double>());
  std::vector<double> examples;
  for (char digit : predictions.value(representation, std::string())) examples.push_back(digit == '1');
  return examples;
}

void read_examples(const std::filesystem::path& run, Combination& one) {
  const auto file = run / "predictions.json";
  if (!std::filesystem::exists(file)) return;
  const Json predictions = read_json(file, "lab");
  one.examples = examples_of(predictions, "ID", one.is_error);
  one.float_examples = examples_of(predictions, "FP", one.is_error);
  if (one.is_error) one.groups = predictions.value("groups", std::vector<int64_t>());
}

bool is_error(const Json& row) {
  return row.contains("error");
}
double outcome_of(const Json& row) {
  return row.at(is_error(row) ? "error" : "accuracy");
}

/// A fold of a repeat.
using Outer = std::pair<int64_t, int64_t>;

/// A run of a cell by itself.
struct One {
  One() = default;
  One(std::string of, Json rows) : hash(std::move(of)) {
    if (rows.is_array()) row = rows.back(), float_row = rows.front();
  }

  std::string hash;
  Json row, float_row;  ///< null where it is not done
};
/// Runs of a cell: by fold and seed its own, and those on inner folds.
struct OfCell {
  std::vector<std::string> levels;
  std::map<std::pair<Outer, uint64_t>, One> own;
  std::map<std::pair<Outer, uint64_t>, std::vector<One>> inner;
};

Cell cell_of(const Design& design, const StudyRun& run) {
  Cell cell;
  for (size_t i = 0; i < run.levels.size(); ++i) {
    const auto& levels = design.factors[i].levels;
    const auto found = std::find_if(levels.begin(), levels.end(),
                                    [&](const Factor::Level& level) { return level.name == run.levels[i]; });
    cell.push_back(static_cast<size_t>(found - levels.begin()));
  }
  return cell;
}

class Reader {
 public:
  Reader(const Study& study, const std::filesystem::path& out) : out_(out) {
    for (size_t i = 0; i < study.design.factors.size(); ++i) {
      const std::string& name = study.design.factors[i].name;
      const bool chosen = study.folds && std::find(study.folds->chosen.begin(), study.folds->chosen.end(), name) !=
                                             study.folds->chosen.end();
      (chosen ? chosen_ : kept_).push_back(i);
    }
    result_.design = study.design;
    result_.design.factors.clear();
    for (size_t i : kept_) result_.design.factors.push_back(study.design.factors[i]);
    for (const StudyRun& run : study.runs) add(study.design, run);
    result_.by_folds = outers_.size() > 1;
    if (result_.by_folds) result_.train = study.folds->train, result_.test = study.folds->test;
    factors_ = study.design.factors;
  }

  Measured read() {
    std::map<Cell, std::vector<const OfCell*>> candidates;
    for (const auto& [cell, runs] : cells_) {
      Cell kept;
      for (size_t i : kept_) kept.push_back(cell[i]);
      candidates[kept].push_back(&runs);
    }
    for (const auto& [cell, own] : candidates) read(own);
    return std::move(result_);
  }

 private:
  void add(const Design& design, const StudyRun& run) {
    OfCell& cell = cells_[cell_of(design, run)];
    cell.levels = run.levels;
    const Outer outer = run.split ? Outer{run.split->repeat, run.split->fold} : Outer{};
    One one(run.hash, finished_rows(out_ / "runs" / run.hash));
    outers_.insert(outer);
    seeds_.insert(run.seed);
    if (run.split && run.split->inner)
      cell.inner[{outer, run.seed}].push_back(std::move(one));
    else
      cell.own[{outer, run.seed}] = std::move(one);
  }

  std::vector<std::string> of(const std::vector<size_t>& which, const std::vector<std::string>& levels) const {
    std::vector<std::string> own;
    for (size_t i : which) own.push_back(levels[i]);
    return own;
  }

  /// Every factor of the design is in it: its level, or that the folds chose one.
  std::string name_of_kept(const std::vector<std::string>& levels) const {
    std::string name = kept_.empty() && !chosen_.empty() ? "" : name_of(result_.design, levels);
    for (size_t i : chosen_) name += (name.empty() ? "" : ", ") + factors_[i].name + " chosen";
    return name;
  }

  std::string choice_of(const OfCell& cell) const {
    std::string name;
    for (size_t i : chosen_) name += (name.empty() ? "" : ", ") + factors_[i].name + " " + cell.levels[i];
    return name;
  }

  /// The candidate whose mean over the inner folds is best; null where a run is missing.
  static const OfCell* best(const std::vector<const OfCell*>& candidates, const std::pair<Outer, uint64_t>& at) {
    const OfCell* best = nullptr;
    double most = 0;  // an error counts as its negative
    for (const OfCell* candidate : candidates) {
      double sum = 0;
      for (const One& one : candidate->inner.at(at)) {
        if (!one.row.is_object()) return nullptr;
        sum += is_error(one.row) ? -outcome_of(one.row) : outcome_of(one.row);
      }
      if (best == nullptr || sum > most) best = candidate, most = sum;
    }
    return best;
  }

  /// Adds a combination, or its name to those that lack a run.
  void read(const std::vector<const OfCell*>& candidates) {
    const std::vector<std::string> levels = of(kept_, candidates.front()->levels);
    Combination one{name_of_kept(levels), levels};
    for (const Outer& outer : outers_) {
      double sum = 0, float_sum = 0;
      for (uint64_t seed : seeds_) {
        const std::pair at{outer, seed};
        const OfCell* runs = chosen_.empty() ? candidates.front() : best(candidates, at);
        const One* run = runs == nullptr ? nullptr : &runs->own.at(at);
        if (run == nullptr || !run->row.is_object()) {
          result_.missing.push_back(one.name);
          return;
        }
        if (!chosen_.empty()) ++one.choices[choice_of(*runs)];
        const Json& row = run->row;
        sum += outcome_of(row);
        float_sum += outcome_of(run->float_row);
        if (!result_.by_folds) one.outcomes.push_back(outcome_of(row));
        if (!result_.by_folds) one.float_outcomes.push_back(outcome_of(run->float_row));
        one.is_error = is_error(row);
        one.low = row.at("interval")[0], one.high = row.at("interval")[1];
        one.weight_bytes = row.at("weight_bytes");
        if (outers_.size() * seeds_.size() > 1) continue;
        one.to_float = row.value("to_float", Json());
        read_examples(out_ / "runs" / run->hash, one);
      }
      if (result_.by_folds) one.outcomes.push_back(sum / static_cast<double>(seeds_.size()));
      if (result_.by_folds) one.float_outcomes.push_back(float_sum / static_cast<double>(seeds_.size()));
    }
    result_.combinations.push_back(std::move(one));
  }

  std::filesystem::path out_;
  std::vector<size_t> kept_, chosen_;
  std::vector<Factor> factors_;
  std::map<Cell, OfCell> cells_;
  std::set<Outer> outers_;
  std::set<uint64_t> seeds_;
  Measured result_;
};

}  // namespace

Measured measured(const Study& study, const std::filesystem::path& out) {
  return Reader(study, out).read();
}

}  // namespace nibble::lab
