#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/experiment.hpp"
#include "lab/ranks/environment.hpp"
#include "lab/ranks/team.hpp"
#include "lab/ranks/training.hpp"
#include "lab/run.hpp"
#include "lab/store/store.hpp"
#include "lab/study/answer.hpp"
#include "lab/study/execute.hpp"
#include "lab/study/outlook.hpp"
#include "lab/study/slurm.hpp"
#include "report/report.hpp"
#include "verbs/progress.hpp"
#include "verbs/rows.hpp"
#include "verbs/tables/outlook.hpp"
#include "verbs/tables/studies.hpp"
#include "verbs/torch_module.hpp"

namespace nibble::verbs {
namespace {

volatile int interrupted = 0;
static_assert(std::atomic<int>::is_always_lock_free);

/// The first Ctrl-C asks the training to stop at a checkpoint; a second one kills.
void heed_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = SA_RESETHAND;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

/// --ranks, or what the description says.
int ranks_of(const Call& call, const Json& json) {
  const Json of_training = json.is_object() ? json.value("train", Json()) : Json();
  train::Recipe recipe;
  if (of_training.is_object() && of_training.contains("ranks"))
    recipe = train::recipe_from_json({{"ranks", of_training["ranks"]}}, call.text("EXPERIMENT.json") + ": train");
  return static_cast<int>(call.integer("ranks", recipe.ranks, 1, 1024));
}

/// What another rank than 0 does, where this process is one: all of it.
std::optional<Result> helped(int ranks, const std::optional<train::RankPlace>& place) {
  if (!place || place->rank == 0) return {};
  const train::Api& api = torch_api("nibble train --ranks " + std::to_string(ranks));
  heed_signals();
  lab::help_trainings(api, *place, &interrupted);
  return Result{{{"rank", place->rank}}, ""};
}

/// The ranks of this process' trainings. Those that it starts itself hear of all else from it.
std::unique_ptr<lab::Team> team_of(const Call& call, const train::Api& api, int ranks,
                                   const std::optional<train::RankPlace>& place) {
  return std::make_unique<lab::Team>(
      api, ranks, place,
      std::vector<std::string>{"nibble", "train", call.text("EXPERIMENT.json"), "--out", call.text("out"), "--ranks",
                               std::to_string(ranks), "--quiet"});
}

lab::Experiment experiment_of(const Call& call, const Json& json) {
  lab::Experiment experiment = lab::experiment_from_json(json, call.path("EXPERIMENT.json"));
  if (const auto seed = call.seed()) lab::set_seed(experiment, *seed);
  if (call.has("threads")) lab::set_threads(experiment, call.threads());
  if (call.has("ranks")) lab::set_ranks(experiment, ranks_of(call, json));
  return experiment;
}

lab::RunOptions options_of(const Call& call, Progress& progress, const lab::Team& team) {
  lab::RunOptions options;
  options.out = call.path("out");
  options.resume = call.has("resume");
  if (options.resume && !std::filesystem::exists(options.out / "experiment.json"))
    progress.warn("nothing to go on with in " + options.out.string() + ": begins at the start");
  options.say = [&](const std::string& line) { progress.say(line); };
  options.warn = [&](const std::string& line) { progress.warn(line); };
  options.progress = [&](std::string_view what, int64_t done, int64_t of) { progress.update(what, done, of); };
  options.interrupted = &interrupted;
  options.ranks = team.ranks();
  return options;
}

}  // namespace

Result train(const Call& call) {
  const Json json = read_json(call.path("EXPERIMENT.json"), "lab");
  const int ranks = ranks_of(call, json);
  const auto place = lab::place_in_environment(ranks, ::getenv);
  if (std::optional<Result> result = helped(ranks, place)) return *std::move(result);
  const lab::Experiment experiment = experiment_of(call, json);
  const train::Api& api = torch_api("nibble train");
  Progress progress(call.quiet());
  heed_signals();
  const auto team = team_of(call, api, ranks, place);
  const lab::RunOptions options = options_of(call, progress, *team);
  const graph::Graph network = lab::train_experiment(experiment, api, options);
  const std::string model = (options.out / "float.onnx").string();
  Result result{{{"model", model}, {"metrics", (options.out / "metrics.csv").string()}}, "wrote " + model + "\n"};
  for (const lab::Experiment::Variant& variant : experiment.variants) {
    if (!variant.training) continue;
    lab::quantise_variant(experiment, variant, network, api, options);
    const std::string file = (options.out / variant.name / "fq.onnx").string();
    result.json["variants"][variant.name] = file;
    result.text += "wrote " + file + "\n";
  }
  return result;
}

namespace {

Result lab_experiment(const Call& call, const Json& json) {
  const int ranks = ranks_of(call, json);
  const auto place = lab::place_in_environment(ranks, ::getenv);
  if (std::optional<Result> result = helped(ranks, place)) return *std::move(result);
  const lab::Experiment experiment = experiment_of(call, json);
  const train::Api& api = torch_api("nibble lab");
  Progress progress(call.quiet());
  heed_signals();
  const auto team = team_of(call, api, ranks, place);
  const lab::RunOptions options = options_of(call, progress, *team);
  const std::vector<lab::Row> rows = lab::run_experiment(experiment, api, options);
  return {read_json(options.out / "results.json", "verbs"), lab::table(rows)};
}

/// The command of a process that takes runs of the same study.
std::vector<std::string> words_of_others(const Call& call) {
  std::vector<std::string> words{"nibble", "lab", call.text("EXPERIMENT.json"), "--out", call.text("out"), "--quiet"};
  for (const char* option : {"seed", "threads", "ranks"})
    if (call.has(option)) words.insert(words.end(), {std::string("--") + option, call.text(option)});
  if (call.has("retry-failed")) words.emplace_back("--retry-failed");
  return words;
}

/// Processes that take runs beside this one, as long as this one lives; each writes to a log in the study's folder.
std::vector<pid_t> start_others(const Call& call, int64_t count) {
  std::vector<pid_t> others;
  std::filesystem::create_directories(call.path("out") / "jobs");
  for (int64_t i = 1; i <= count; ++i) {
    std::vector<std::string> words = words_of_others(call);
    const std::string log = (call.path("out") / "jobs" / (std::to_string(i) + ".log")).string();
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const pid_t parent = ::getpid(), child = ::fork();
    if (child < 0) fail("lab", "--jobs", std::strerror(errno), "processes that can be started");
    if (child > 0) {
      others.push_back(child);
      continue;
    }
    // Only calls that are safe between fork and exec.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (::getppid() != parent || file < 0 || ::dup2(file, 1) < 0 || ::dup2(file, 2) < 0) ::_exit(127);
    ::execv("/proc/self/exe", pointers.data());
    ::_exit(127);
  }
  return others;
}

/// --margin: points of percent.
std::optional<double> margin_of(const Call& call) {
  if (!call.has("margin")) return {};
  const std::string& text = call.text("margin");
  char* end = nullptr;
  const double margin = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != 0 || !(margin > 0 && margin <= 1000))
    fail("verbs", call.place("margin"), "'" + text + "'",
         "points of percent (of errors: percent of the baseline's), above 0 and at most 1000");
  return margin;
}

Result plan_of(const Call& call, const lab::Study& study) {
  const std::filesystem::path out = call.path("out");
  const auto states = lab::states_of(study, out);
  const auto seconds = lab::seconds_left(study, states, out);
  Json json = lab::plan_json(study);
  json["outlook"] = lab::outlook_json(study, margin_of(call), out);
  if (seconds) json["seconds_left"] = *seconds;
  return {json, describe_plan(study, states, seconds) + describe_outlook(json["outlook"])};
}

/// What a task of a cluster asks for; its processes are the ranks of what it trains.
lab::SlurmOptions slurm_options(const Call& call, Json& study) {
  if (!call.has("slurm")) return {};
  const std::string& file = call.text("slurm");
  lab::SlurmOptions options = lab::slurm_from_json(read_json(file, "lab"), file);
  if (options.tasks == 1) return options;
  if (call.has("ranks") && call.integer("ranks", 1, 1, 1024) != options.tasks)
    fail("verbs", call.place("ranks"), call.text("ranks"), fmt::format("{}, the ntasks of {}", options.tasks, file));
  if (study.is_object()) study["train"]["ranks"] = options.tasks;
  return options;
}

/// A study's runs into the queue of a cluster; they are taken there.
Result submit_study(const Call& call, const lab::Study& study, const Json& json, const lab::SlurmOptions& options) {
  const std::filesystem::path out = std::filesystem::absolute(call.path("out"));
  lab::rehearse(study);
  lab::register_study(study, json, out);
  std::vector<std::string> words = words_of_others(call);
  if (options.tasks > 1 && !call.has("ranks")) words.insert(words.end(), {"--ranks", std::to_string(options.tasks)});
  words[0] = std::filesystem::read_symlink("/proc/self/exe").string();
  words[2] = std::filesystem::absolute(words[2]).string(), words[4] = out.string();
  const lab::Submission made = lab::submit(study, out, words, options, call.has("retry-failed"));
  const std::string text =
      made.run_tasks.empty()
          ? "nothing to submit: every run has ended or waits in the queue\n"
          : fmt::format(
                "{} runs as job array {}{}\nhow far they are: nibble lab status {}\n", made.run_tasks.size(), made.runs,
                made.float_tasks.empty()
                    ? ""
                    : fmt::format(", after {} float trainings as job array {}", made.float_tasks.size(), made.floats),
                call.text("out"));
  return {{{"floats", made.floats}, {"runs", made.runs}, {"tasks", made.run_tasks}}, text};
}

Result lab_study(const Call& call, Json json) {
  if (json.is_object()) {
    if (const auto seed = call.seed()) json["seed"] = *seed;
    if (call.has("threads")) json["train"]["threads"] = call.threads();
    if (call.has("ranks")) json["train"]["ranks"] = ranks_of(call, {});
  }
  const int ranks = ranks_of(call, json);
  const bool submits = call.has("slurm") && !call.has("plan");
  const auto place = submits ? std::nullopt : lab::place_in_environment(ranks, ::getenv);
  if (std::optional<Result> result = helped(ranks, place)) return *std::move(result);
  const lab::SlurmOptions slurm = slurm_options(call, json);
  const lab::Study study = lab::study_from_json(json, call.path("EXPERIMENT.json"), call.path("out"));
  if (call.has("plan")) return plan_of(call, study);
  if (call.has("margin")) fail("verbs", call.place("margin"), "it without --plan", "--plan, or 'nibble lab compare'");
  if (call.has("slurm")) return submit_study(call, study, json, slurm);
  if (place && call.has("jobs"))
    fail("verbs", call.place("jobs"), "it in a process that is one of several ranks", "one of the two");
  const train::Api& api = torch_api("nibble lab");
  Progress progress(call.quiet());
  heed_signals();
  const auto team = team_of(call, api, ranks, place);
  const lab::StudyOptions options{options_of(call, progress, *team), call.has("retry-failed")};
  if (!call.has("run")) lab::rehearse(study);
  lab::register_study(study, json, options.run.out);
  if (call.has("run")) {
    lab::take_run(study, call.text("run"), api, options);
  } else {
    const std::vector<pid_t> others = start_others(call, call.integer("jobs", 1, 1, 1024) - 1);
    lab::take_runs(study, api, options);
    for (pid_t other : others) ::waitpid(other, nullptr, 0);
    // Not after one run by its hash, which is what a cluster's nodes take: none writes a database over its network.
    lab::open_store(options.run.out);
  }
  const auto states = lab::states_of(study, options.run.out);
  const bool failed = std::any_of(states.begin(), states.end(),
                                  [](const lab::RunState& state) { return state.status == lab::RunStatus::Failed; });
  return {lab::states_json(study, states),
          describe_states(study, states, lab::seconds_left(study, states, options.run.out)), failed ? 1 : 0};
}

}  // namespace

Result lab(const Call& call) {
  const Json json = read_json(call.path("EXPERIMENT.json"), "lab");
  const bool study =
      call.has("plan") || call.has("jobs") || call.has("run") || call.has("retry-failed") || call.has("slurm");
  return study || (json.is_object() && json.contains("design")) ? lab_study(call, json) : lab_experiment(call, json);
}

namespace {

/// What has ended since is taken into the store. It is no part of the answer: what is in its way is a warning.
void bring_store_up_to_date(const Call& call) {
  try {
    lab::open_store(call.path("DIR"));
  } catch (const UserError& error) {
    Progress(call.quiet()).warn(error.what());
  }
}

}  // namespace

Result lab_status(const Call& call) {
  const std::filesystem::path folder = call.path("DIR");
  const lab::Study study = lab::recorded_study(folder);
  auto states = lab::states_of(study, folder);
  lab::add_queue(study, folder, states);
  bring_store_up_to_date(call);
  return {lab::states_json(study, states), describe_states(study, states, lab::seconds_left(study, states, folder))};
}

namespace {

lab::Question question_of(const Call& call) {
  lab::Question question;
  question.margin = margin_of(call);
  question.baseline = call.text("baseline", "");
  return question;
}

}  // namespace

Result lab_compare(const Call& call) {
  const Json answer = lab::answer_json(call.path("DIR"), question_of(call));
  bring_store_up_to_date(call);
  return {answer, describe_answer(answer)};
}

Result lab_export(const Call& call) {
  lab::Database store = lab::open_store(call.path("DIR"));
  Json written = Json::array();
  std::string text;
  const auto write = [&](const char* option, lab::CsvTable (*table_of)(lab::Database&)) {
    if (!call.has(option)) return;
    const lab::CsvTable table = table_of(store);
    write_file(call.path(option), table.text, "lab");
    written.push_back({{"file", call.text(option)}, {"rows", table.rows}});
    text += fmt::format("{}: {} rows\n", call.text(option), table.rows);
  };
  write("csv", lab::runs_csv);
  write("epochs", lab::epochs_csv);
  return {{{"store", store.file()}, {"written", written}}, text};
}

Result lab_report(const Call& call) {
  const std::string format = call.text("format", "html");
  const report::Document document = report::report_of(call.path("DIR"), question_of(call));
  report::Library library;
  if (format == "html") library = report::chart_library();
  if (!library.why.empty())
    Progress(call.quiet())
        .warn("the report has no charts, but its tables and texts: " + library.why +
              " (scripts/fetch_vega fetches it)");
  write_file(call.path("output"),
             format == "markdown" ? report::markdown(document)
             : format == "latex"  ? report::latex(document)
                                  : report::html(document, library.text),
             "report");
  return {{{"file", call.text("output")}, {"format", format}, {"charts", format == "html" && library.why.empty()}},
          call.text("output") + "\n"};
}

}  // namespace nibble::verbs
