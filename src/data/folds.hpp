#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.hpp"

/// Cross-validation: which examples of a set a network learns from, and which it is judged by.
namespace nibble::data {

/// Indices into a set, rising; none in both.
struct Fold {
  int64_t repeat = 0, number = 0;  ///< from 0: the number'th fold of the repeat'th division
  std::vector<int64_t> train, test;
  std::vector<Fold> inner;  ///< of `train`, for what is chosen before `test` is looked at
  bool operator==(const Fold&) const = default;
};

/// How examples are divided.
struct FoldRule {
  int64_t count = 5;                 ///< folds of a division, at least 2; 0: leave one group out, a fold a group
  int64_t repeats = 1;               ///< divisions, each drawn by itself
  uint64_t seed = 1;                 ///< what is drawn follows from it and from nothing else
  bool first_alone = false;          ///< the first fold of each division and no other: one part in `count` held out
  std::vector<int64_t> strata = {};  ///< of every example of the set, or empty: shares of each are alike in all folds
  std::vector<int64_t> groups = {};  ///< of every example of the set, or empty: a group is never divided
};

/// Divides `examples` (indices into the set). In each division every example is tested once; without groups the sizes of
/// the folds and of each stratum in them are within one of each other. Groups are dealt out from the largest, each to the
/// fold that has least of its strata (or examples). Throws UserError where there are fewer examples or groups than folds.
std::vector<Fold> make_folds(const std::vector<int64_t>& examples, const FoldRule& rule);

/// The class of each example; -1 where the set has none.
std::vector<int64_t> labels_of(const Dataset& set);

/// 16 hexadecimal digits of all that the set holds: examples, labels, targets. Images of a folder are not decoded.
std::string hash_of(const Dataset& set);

/// The group of each of `count` examples, numbered in the order of their sorted names: FILE.npy, FILE.npz:ARRAY (whole
/// numbers, [count]) or FILE.csv:COLUMN (a labels.csv with a header). Throws UserError where it cannot be read, or is of
/// another length.
std::vector<int64_t> read_groups(const std::string& source, int64_t count);

/// Folds as a file of indices:
/// {"data": hash_of, "examples": 100, "rule": {...}, "folds": [{"repeat": 0, "fold": 0, "test": [3, 7, ...],
///   "train": [...], "inner": [{"fold": 0, "test": [...]}]}]}
/// "train" is left out where it is all others; an inner fold divides its fold's "train".
struct FoldFile {
  std::string data;  ///< empty where the file does not say
  int64_t examples = 0;
  Json rule;  ///< what its maker was asked for; null where the file does not say
  std::vector<Fold> folds;
};
Json to_json(const FoldFile& file);
/// Throws UserError naming the fold of an index that is out of the set, twice, or in both parts, and of an empty part.
FoldFile folds_from_json(const Json& json, const std::string& place);

}  // namespace nibble::data
