#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lab/experiment.hpp"
#include "lab/study/design.hpp"

/// How a study's data are divided into folds, and what is chosen inside them.
namespace nibble::lab {

/// {"kind": "k_fold", "leave_one_group_out" or "held_out",
///  "count": 5, "repeats": 1, "stratified": true, "seed": 1,
///  "groups": "FILE.npy", "FILE.npz:ARRAY" or "FILE.csv:COLUMN", or true: the set's own
///  "choose": {"factors": ["rate"], "count": 3}}      the best level, on folds of each fold's training part
/// or {"file": "folds.json", "choose": {"factors": ["rate"]}}
///
/// `data`: the description's section of that name. k_fold and leave_one_group_out divide data.train; a data.test beside
/// them would be read by nothing and is refused. held_out holds one part in `count` of data.train, or data.test where it
/// is given (then without `count`). What `recorded` (a study's folds.json) says of the same rule is taken as it stands.
/// Throws UserError naming the key, and where `recorded` is of other data.
Folds folds_from_json(const Json& json, const Json& data, const std::filesystem::path& file,
                      const std::filesystem::path& recorded);

/// Every fold, and behind each its inner ones; one that has no `part` is tested on data.test.
std::vector<Split> splits_of(const Folds& folds);

/// The data section of a run's description on that split.
Json data_of(const Json& data, const Split& split);

/// The experiment on the study's split: its examples, and what tells it from other splits in its resolved description.
void set_split(Experiment& experiment, const Study& study, const Split& split);

/// 16 hexadecimal digits of the data and of the indices that a split trains and tests on.
std::string hash_of(const Folds& folds, const Split& split);

}  // namespace nibble::lab
