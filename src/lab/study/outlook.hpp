#pragma once
#include <filesystem>
#include <optional>

#include "base/json.hpp"
#include "lab/study/execute.hpp"

namespace nibble::lab {

/// What a study of this size can find out of two of its combinations, with a power of 80 % at 5 %, before it is run:
/// {"power": 0.8, "alpha": 0.05, "margin_points": 0.5,
///  "parts": [{"by": "seeds", "folds" or "examples", "count": 3,
///             "rows": [{...a case, what it tells and what it proves equal, in points...}]}]}
///
/// By seeds or folds, where there are several: a case is the deviation of the two's difference from one to the next, in
/// points; what finished runs of `out` deviate by is a case of its own ("measured"). By test examples, where there is one
/// test set: a case is the share of it on which two networks disagree. With a margin (points of percent) each case says
/// how many seeds or examples it takes to tell that difference and to prove equality within it; folds share data, so that
/// no number of them is said. "reason" in the place of rows where the test set cannot be read. Sources: stats/power.hpp;
/// Nadeau and Bengio 2003.
Json outlook_json(const Study& study, const std::optional<double>& margin, const std::filesystem::path& out);

/// Seconds that the runs and float trainings which are not done will take, one after the other, by what finished ones
/// took; nothing where no run has finished.
std::optional<double> seconds_left(const Study& study, const std::vector<RunState>& states,
                                   const std::filesystem::path& out);

}  // namespace nibble::lab
