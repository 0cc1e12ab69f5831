#include "lab/study/execute.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/run.hpp"
#include "lab/study/claim.hpp"
#include "lab/study/division.hpp"
#include "lab/study/recorded.hpp"
#include "lab/study/rehearsal.hpp"

namespace nibble::lab {
namespace {

namespace fs = std::filesystem;

/// A thing of the study's folder that is trained or run once: where it stands and how it ended.
struct Place {
  fs::path folder;
  fs::path lock() const { return folder.string() + ".lock"; }
  fs::path outcome() const { return folder / "outcome.json"; }
};
Place run_place(const fs::path& out, const StudyRun& run) {
  return {out / "runs" / run.hash};
}
Place float_place(const fs::path& out, const StudyRun& run) {
  return {out / "floats" / run.float_hash};
}

bool interrupted(const StudyOptions& options) {
  return options.run.interrupted != nullptr && *options.run.interrupted != 0;
}

std::string machine_name() {
  utsname name{};
  ::uname(&name);
  return fmt::format("{} {} {}", name.nodename, name.sysname, name.machine);
}

/// How it ended, or null where it has not.
Json outcome_of(const Place& place) {
  return fs::exists(place.outcome()) ? read_json(place.outcome(), "lab") : Json();
}
bool is_done(const Json& outcome) {
  return outcome.is_object() && outcome.value("status", "") == "done";
}
bool is_failed(const Json& outcome) {
  return outcome.is_object() && outcome.value("status", "") == "failed";
}

Experiment experiment_of(const Study& study, const StudyRun& run) {
  Experiment experiment = experiment_from_json(run.description, study.file);
  set_seed(experiment, run.seed);
  if (run.split) set_split(experiment, study, *run.split);
  return experiment;
}

/// Each line once, in the order in which they first came: a training that is taken up again warns of some again.
Json warnings_of(const fs::path& file) {
  Json lines = Json::array();
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);)
    if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
  return lines;
}

/// Does `work` and writes down how it ended, and what went wrong without ending it. An interruption is thrown on:
/// nothing ended.
void record(const Place& place, const Json& about, const StudyOptions& options, const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  Json outcome = about;
  RunOptions own = options.run;
  own.out = place.folder;
  own.resume = true;
  const fs::path warnings = place.folder / "warnings.txt";
  fs::create_directories(place.folder);
  own.warn = [&](const std::string& line) {
    std::ofstream(warnings, std::ios::app) << line << '\n';
    if (options.run.warn) options.run.warn(place.folder.filename().string() + ": " + line);
  };
  try {
    work(outcome, own);
    outcome["status"] = "done";
  } catch (const std::exception& error) {
    // Nor is a run to blame for a rank that is gone.
    if (interrupted(options) || (options.run.ranks != nullptr && options.run.ranks->lost())) throw;
    outcome["status"] = "failed";
    outcome["reason"] = error.what();
  }
  if (const Json said = warnings_of(warnings); !said.empty()) outcome["warnings"] = said;
  outcome["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  outcome["machine"] = machine_name();
  write_file(place.outcome(), outcome.dump(1) + "\n", "lab");
}

void train_float(const Study& study, const StudyRun& run, const Place& place, const train::Api& api,
                 const StudyOptions& options) {
  record(place, {{"hash", run.float_hash}}, options, [&](Json& outcome, const RunOptions& own) {
    outcome["versions"] = versions_json(api);
    Experiment experiment = experiment_of(study, run);
    experiment.variants.clear();
    train_experiment(experiment, api, own);
    outcome["artefacts"] = artefacts_json(place.folder);
  });
}

/// The run itself; its float network is trained.
void take(const Study& study, const StudyRun& run, const train::Api& api, const StudyOptions& options) {
  const Place place = run_place(options.run.out, run), of_float = float_place(options.run.out, run);
  record(place, run_json(study.design, run), options, [&](Json& outcome, const RunOptions& own) {
    outcome["versions"] = versions_json(api);
    const Json ended = outcome_of(of_float);
    if (is_failed(ended)) fail("lab", "float training " + run.float_hash, ended.value("reason", ""), "one that ends");
    for (const char* file : {"float.onnx", "experiment.json"})
      write_file(place.folder / file, read_file(of_float.folder / file, "lab"), "lab");
    std::vector<Row> rows = run_experiment(experiment_of(study, run), api, own);
    outcome["rows"] = Json::array();
    for (Row& row : rows) {
      row.model = fs::relative(row.model, options.run.out);
      outcome["rows"].push_back(to_json(row));
    }
    record_predictions(rows, place.folder);
    record_latency(rows, place.folder);
    outcome["artefacts"] = artefacts_json(place.folder);
  });
}

enum class Taken : uint8_t { Nothing, Later, Ended };

/// Takes the run where it is to be taken and nobody is at it.
Taken try_run(const Study& study, const StudyRun& run, const train::Api& api, const StudyOptions& options,
              std::set<std::string>& retried) {
  const Place place = run_place(options.run.out, run), of_float = float_place(options.run.out, run);
  const auto wanted = [&](const Place& what, const std::string& hash) {
    const Json ended = outcome_of(what);
    return !is_done(ended) && !(is_failed(ended) && (!options.retry_failed || retried.contains(hash)));
  };
  if (!wanted(place, run.hash)) return Taken::Nothing;
  const Claim claim(place.lock());
  if (!claim.held()) return Taken::Later;
  if (!wanted(place, run.hash)) return Taken::Nothing;  // ended since
  if (wanted(of_float, run.float_hash)) {
    const Claim of_its_float(of_float.lock());
    if (!of_its_float.held()) return Taken::Later;
    if (wanted(of_float, run.float_hash)) {
      if (options.run.say) options.run.say("float training " + run.float_hash);
      retried.insert(run.float_hash);
      train_float(study, run, of_float, api, options);
    }
  }
  if (options.run.say)
    options.run.say(fmt::format("run {} {}, seed {}{}", run.hash, fmt::join(run.levels, " "), run.seed,
                                run.split ? ", fold " + run.split->name() : ""));
  retried.insert(run.hash);
  take(study, run, api, options);
  return Taken::Ended;
}

}  // namespace

std::string_view to_string(RunStatus status) {
  constexpr std::string_view names[] = {"waiting", "running", "done", "failed"};
  return names[static_cast<size_t>(status)];
}

std::vector<RunState> states_of(const Study& study, const fs::path& out) {
  std::vector<RunState> states;
  for (const StudyRun& run : study.runs) {
    const Place place = run_place(out, run);
    RunState& state = states.emplace_back();
    const Json ended = outcome_of(place);
    if (is_done(ended)) state.status = RunStatus::Done;
    if (is_failed(ended)) state.status = RunStatus::Failed, state.reason = ended.value("reason", "");
    if (Claim::is_held(place.lock())) state.status = RunStatus::Running;
    if (!ended.is_object()) continue;
    state.seconds = ended.value("seconds", 0.0);
    if (!ended.contains("rows") || ended["rows"].empty()) continue;
    const Json& last = ended["rows"].back();
    state.is_error = last.contains("error");
    state.value = last.value(state.is_error ? "error" : "accuracy", 0.0);
  }
  return states;
}

void rehearse(const Study& study) {
  std::set<std::vector<std::string>> seen;
  for (const StudyRun& run : study.runs)
    if (seen.insert(run.levels).second) try {
        rehearse(experiment_of(study, run));
      } catch (const UserError& error) {
        throw UserError(std::string(error.what()) + ", in '" + name_of(study.design, run.levels) + "'");
      }
}

void register_study(const Study& study, Json description, const fs::path& out) {
  description["name"] = study.name;
  fs::create_directories(out / "runs");
  fs::create_directories(out / "floats");
  if (fs::exists(out / "plan.json")) {
    std::set<std::string> own, there;
    for (const StudyRun& run : study.runs) own.insert(run.hash);
    for (const StudyRun& run : recorded_study(out).runs) there.insert(run.hash);
    // What is there may grow: a study is known by its runs.
    if (!std::includes(own.begin(), own.end(), there.begin(), there.end()))
      fail("lab", out.string(), "another study's folder, with runs that this one has not", "a folder of its own");
  }
  write_file(out / "study.json", description.dump(2) + "\n", "lab");
  if (study.folds) write_file(out / "folds.json", data::to_json(study.folds->file).dump() + "\n", "lab");
  write_file(out / "plan.json", plan_json(study).dump(1) + "\n", "lab");
}

namespace {

Split recorded_split(const Section& run) {
  Split split;
  run.whole("repeat", split.repeat, 0);
  run.whole("fold", split.fold, 0);
  if (run.has("inner")) run.whole("inner", split.inner.emplace(), 0);
  return split;
}

}  // namespace

Study recorded_study(const fs::path& out) {
  const fs::path file = out / "plan.json";
  if (!fs::exists(file))
    fail("lab", out.string(), "no plan.json there", "a folder that 'nibble lab' filled for a study");
  const Json json = read_json(file, "lab");
  const Section plan(json, "lab", file.string());
  Study study;
  study.name = plan.text("name");
  study.design.kind = plan.text("kind");
  for (const Json& json_factor : plan.part("factors")) {
    const Section section(json_factor, "lab", file.string() + ": factors");
    Factor& factor = study.design.factors.emplace_back(Factor{section.text("factor"), {}});
    for (const Json& level : section.part("levels")) factor.levels.push_back({level.get<std::string>(), Json()});
  }
  if (plan.has("folds")) {
    const Json& folds = plan.part("folds");
    study.folds.emplace();
    for (const Json& factor : folds.at("chosen")) study.folds->chosen.push_back(factor.get<std::string>());
    study.folds->train = folds.at("train"), study.folds->test = folds.at("test");
  }
  for (const Json& one : plan.part("runs")) {
    const Section section(one, "lab", file.string() + ": runs");
    StudyRun& run = study.runs.emplace_back();
    run.hash = section.text("hash"), run.float_hash = section.text("float");
    int64_t seed = 0;
    section.whole("seed", seed, 0);
    run.seed = static_cast<uint64_t>(seed);
    if (study.folds) run.split = recorded_split(section);
    for (const Factor& factor : study.design.factors)
      run.levels.push_back(Section(section.part("levels"), "lab", file.string()).text(factor.name));
  }
  return study;
}

void take_runs(const Study& study, const train::Api& api, const StudyOptions& options) {
  std::set<std::string> retried;
  for (bool again = true; again;) {
    bool ended = false;
    again = false;
    for (const StudyRun& run : study.runs) {
      if (interrupted(options)) fail("lab", "interrupted", "the study is in " + options.run.out.string(), "to go on");
      const Taken taken = try_run(study, run, api, options, retried);
      ended |= taken == Taken::Ended;
      // A run whose float training somebody else is at; one that somebody is at is theirs.
      again |= taken == Taken::Later && !Claim::is_held(run_place(options.run.out, run).lock());
    }
    again |= ended;
    if (again && !ended) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

namespace {

/// A float training by itself, where that is what the hash means.
bool take_float(const Study& study, const std::string& hash, const train::Api& api, const StudyOptions& options) {
  const auto run = std::find_if(study.runs.begin(), study.runs.end(),
                                [&](const StudyRun& one) { return one.float_hash.starts_with(hash); });
  if (run == study.runs.end()) return false;
  const Place place = float_place(options.run.out, *run);
  for (bool taken = false; !taken;) {
    const Claim claim(place.lock());
    taken = claim.held();
    const Json ended = outcome_of(place);
    if (is_done(ended) || (is_failed(ended) && !options.retry_failed)) break;
    if (taken)
      train_float(study, *run, place, api, options);
    else
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  const Json ended = outcome_of(place);
  if (is_failed(ended)) fail("lab", "float training " + run->float_hash, ended.value("reason", ""), "one that ends");
  return true;
}

}  // namespace

void take_run(const Study& study, const std::string& hash, const train::Api& api, const StudyOptions& options) {
  for (const StudyRun& run : study.runs) {
    if (!run.hash.starts_with(hash)) continue;
    std::set<std::string> retried;
    while (try_run(study, run, api, options, retried) == Taken::Later)
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const Json ended = outcome_of(run_place(options.run.out, run));
    if (is_failed(ended)) fail("lab", "run " + run.hash, ended.value("reason", ""), "a run that ends");
    return;
  }
  if (take_float(study, hash, api, options)) return;
  fail("lab", "run '" + hash + "'", "no run of the study begins so", "a hash that --plan lists");
}

}  // namespace nibble::lab
