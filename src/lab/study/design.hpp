#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/json.hpp"
#include "data/folds/folds.hpp"

/// What a study compares, and the runs that it takes. docs/design/studies.md.
namespace nibble::lab {

/// Something that is varied, and what each of its levels makes of the description: an object that is merged into it
/// (JSON Merge Patch, RFC 7386), or one whose keys all begin with '/' and are paths in it (JSON Pointer, RFC 6901).
struct Factor {
  struct Level {
    std::string name;
    Json patch;
  };
  std::string name;
  std::vector<Level> levels;
};

/// Which level each factor has, one index a factor.
using Cell = std::vector<size_t>;

/// {"kind": "factorial" (every combination), "fractional", "latin", "one_at_a_time" or "list",
///  "factors": [{"factor": "bits", "levels": {"8-8": {...patch...}, "4-4": {...}}}, ...],
///  "generators": ["C = A*B", ...]    fractional: factors of two levels, given by products of others
///  "runs": [{"bits": "8-8"}, ...]    list: a level of every factor
///  "exclude": [{"bits": "4-4"}, ...] combinations that are left out: all that is named agrees
///  "seeds": 3 or [1, 2, 3]           replicates; 1 where it is left out: the description's own seed
///  "order": 1}                       seed of the order in which runs are taken
struct Design {
  std::string kind = "factorial";
  std::vector<Factor> factors;
  std::vector<Cell> cells;           ///< without what is excluded, in the design's own order
  std::vector<std::string> aliases;  ///< fractional: effects that cannot be told apart, a line a set
  int64_t excluded = 0;
  std::vector<uint64_t> seeds;
  uint64_t order = 1;
};

/// `variants`: names of the description's own variants, a factor of their own ("variant") where there are several.
/// Throws UserError "lab: <place>: ..." naming the key.
Design design_from_json(const Json& json, const std::vector<std::string>& variants, uint64_t seed,
                        const std::string& place);

/// The description with a level's patch. Throws UserError where a path leads nowhere.
Json patched(Json description, const Factor::Level& level, const std::string& place);

/// What a run trains and is tested on.
struct Split {
  int64_t repeat = 0, fold = 0;            ///< as data::Fold numbers them
  std::optional<int64_t> inner;            ///< of the fold's training part
  std::shared_ptr<const data::Fold> part;  ///< null: the sets as they are
  /// "2.1" or "2.1.0": repeat, fold, and the inner one.
  std::string name() const;
  auto operator<=>(const Split& other) const { return key() <=> other.key(); }
  bool operator==(const Split& other) const { return key() == other.key(); }

 private:
  std::tuple<int64_t, int64_t, int64_t> key() const { return {repeat, fold, inner.value_or(-1)}; }
};

/// How a study's data are divided (division.hpp).
struct Folds {
  data::FoldFile file;                ///< of data.train: its folds; where `tests_apart`, the inner folds of one
  bool tests_apart = false;           ///< the fold is data.train whole, tested on data.test
  std::vector<std::string> chosen{};  ///< factors of which the inner folds choose a level
  double train = 0, test = 0;         ///< examples of a fold on average, inner ones not counted; 0 where `tests_apart`
};

/// One run: one network, one variant at most, one seed, one split.
struct StudyRun {
  std::vector<std::string> levels;  ///< of the factors, in their order
  uint64_t seed = 1;
  std::optional<Split> split;  ///< of a study with folds
  Json description;            ///< what run_experiment takes, every default written out
  std::string hash;            ///< of the description: a run's name in the folder and in the store
  std::string float_hash;      ///< of what its float network depends on: runs that share it train it once
};

struct Study {
  std::string name;
  std::filesystem::path file;  ///< of the description: what it names stands beside it
  Design design;
  std::optional<Folds> folds;
  std::vector<StudyRun> runs;  ///< in the order in which they are taken
};

/// Reads a description with a "design" (or without: its variants are the design) and resolves every run, so that what
/// is wrong with any of them is said before the first begins. Two runs that come to the same description are refused.
/// With "folds" the training set is read; those that the study's folder `out` has recorded are taken as they stand.
Study study_from_json(const Json& json, const std::filesystem::path& file, const std::filesystem::path& out = {});

/// "bits 8-8, range mse": what tables and messages call a combination.
std::string name_of(const Design& design, const std::vector<std::string>& levels);

/// 16 hexadecimal digits that tell resolved descriptions apart, whatever the order of their keys.
std::string hash_of(const Json& description);

}  // namespace nibble::lab
