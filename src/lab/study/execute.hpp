#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "lab/experiment.hpp"
#include "lab/study/design.hpp"

/// Runs of a study in its folder, known by their hashes: whatever took part of them, processes of this machine or of
/// others that share the folder, may be killed at any moment, and the next one goes on.
///
///   study.json, plan.json      the description, and the runs that it comes to
///   floats/HASH/               a float training, the folder of 'nibble train'
///   runs/HASH/                 a run, the folder of an experiment, with
///     outcome.json               how it ended: written last, so that a run is whole or is taken up again
///     predictions.json           whether its networks are right, a digit an example of the test set; or each one's
///                                error, and its group where there are groups
///   floats/HASH.lock, runs/HASH.lock   held (flock) by the process that is at it, and let go of by its death
namespace nibble::lab {

enum class RunStatus : uint8_t { Waiting, Running, Done, Failed };
std::string_view to_string(RunStatus status);

struct RunState {
  RunStatus status = RunStatus::Waiting;
  std::string reason;     ///< why it failed
  double seconds = 0;     ///< what it took
  double value = 0;       ///< accuracy of its integer network, or of its float network where it has no variant
  bool is_error = false;  ///< an error instead
};

/// Of each run of the study, in its order.
std::vector<RunState> states_of(const Study& study, const std::filesystem::path& out);

struct StudyOptions {
  RunOptions run;             ///< `run.out`: the study's folder; `say`, `warn`, `progress`, `interrupted`
  bool retry_failed = false;  ///< runs that failed are taken again, once
};

/// Makes the folder, study.json and plan.json, or finds the same study there, or one that has grown. Throws UserError where another one is.
void register_study(const Study& study, Json description, const std::filesystem::path& out);

/// The study that a folder was filled for, without the descriptions of its runs: what tables of it need, wherever the
/// data are. Throws UserError where there is none.
Study recorded_study(const std::filesystem::path& out);

/// Takes runs that nobody is at until none is left to take: those that wait for a float training which another process
/// is at come later. A run that fails is written down with its reason and the next one is taken; an interruption ends.
void take_runs(const Study& study, const train::Api& api, const StudyOptions& options);

/// One run, by the hash's first digits, done already or not. Throws UserError where it fails, or none is meant.
void take_run(const Study& study, const std::string& hash, const train::Api& api, const StudyOptions& options);

/// {"hash", "float", "seed", "levels"}
Json run_json(const Design& design, const StudyRun& run);
/// The design and every run, as --plan --json prints them and plan.json keeps them; and how far each is.
Json plan_json(const Study& study);
Json states_json(const Study& study, const std::vector<RunState>& states);

}  // namespace nibble::lab
