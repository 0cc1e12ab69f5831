#include "lab/study/slurm.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/study/command.hpp"

namespace nibble::lab {
namespace {

namespace fs = std::filesystem;

/// As one word of a shell's.
std::string quoted(const std::string& word) {
  std::string text = "'";
  for (char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

/// A line each.
std::string lines_of(const std::vector<std::string>& words) {
  return fmt::format("{}\n", fmt::join(words, "\n"));
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(by, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// What a task does: the TASK'th line of a list is its hash. Told to end, it waits for the checkpoint and queues again.
std::string script_of(const std::vector<std::string>& command, const SlurmOptions& options) {
  std::string words, tell = "kill -TERM \"$child\"";
  if (options.tasks > 1) {
    words = fmt::format("srun --ntasks={} ", options.tasks);
    if (options.cpus > 0) words += fmt::format("--cpus-per-task={} ", options.cpus);
    // srun itself would kill what it is to tell.
    tell = "scancel --signal=TERM \"$SLURM_JOB_ID.0\"";
  }
  for (const std::string& word : command) words += quoted(word) + " ";
  return "#!/bin/bash\n"
         "hash=$(sed -n \"$((SLURM_ARRAY_TASK_ID + 1))p\" \"$1\")\n"
         "told=\n"
         "trap 'told=1; " +
         tell + " 2>/dev/null' TERM\n" + words +
         "--run \"$hash\" &\n"
         "child=$!\n"
         "wait \"$child\"\n"
         "status=$?\n"
         "if [[ -n $told ]]; then\n"
         "  wait \"$child\"\n"
         "  status=$?\n"
         "  ((status == 0)) || scontrol requeue \"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\"\n"
         "fi\n"
         "exit \"$status\"\n";
}

/// Submits `hashes` as one array. Returns its job.
std::string submit_array(const fs::path& folder, const std::string& what, const std::vector<std::string>& hashes,
                         const std::string& name, const SlurmOptions& options, const std::string& dependency) {
  if (hashes.empty()) return {};
  const fs::path list = folder / (what + ".txt");
  write_file(list, lines_of(hashes), "lab");
  std::string array = fmt::format("--array=0-{}", hashes.size() - 1);
  if (options.parallel > 0) array += fmt::format("%{}", options.parallel);
  std::vector<std::string> words{"sbatch",
                                 "--parsable",
                                 array,
                                 "--requeue",
                                 "--open-mode=append",
                                 "--signal=B:TERM@30",
                                 "--job-name=" + name + " " + what,
                                 "--output=" + (folder / (what + "_%a.log")).string()};
  const auto option = [&](const char* key, const std::string& value) {
    if (!value.empty()) words.push_back(fmt::format("--{}={}", key, value));
  };
  option("partition", options.partition), option("time", options.time), option("mem", options.memory);
  option("account", options.account), option("dependency", dependency);
  if (options.cpus > 0) option("cpus-per-task", std::to_string(options.cpus));
  if (options.tasks > 1) option("ntasks", std::to_string(options.tasks));
  words.insert(words.end(), options.options.begin(), options.options.end());
  words.push_back((folder / "task.sh").string());
  words.push_back(list.string());
  const CommandResult result = run_command(words);
  if (result.status != 0) fail("lab", "sbatch", result.message.substr(0, result.message.find('\n')), "a job array");
  return split(split(result.output, '\n').at(0), ';').at(0);
}

/// Each run's task waits for its own float training's alone, and no longer for all of them.
void narrow_dependencies(const Submission& submission, const std::map<std::string, std::string>& float_of) {
  for (size_t i = 0; i < submission.float_tasks.size(); ++i) {
    std::vector<size_t> tasks;
    for (size_t k = 0; k < submission.run_tasks.size(); ++k)
      if (float_of.at(submission.run_tasks[k]) == submission.float_tasks[i]) tasks.push_back(k);
    // What it says when this fails does not matter: then the run waits for all float trainings.
    run_command({"scontrol", "update", fmt::format("JobId={}_[{}]", submission.runs, fmt::join(tasks, ",")),
                 fmt::format("Dependency=afterany:{}_{}", submission.floats, i)});
  }
}

bool is_ended(const fs::path& folder, bool retry_failed) {
  const fs::path file = folder / "outcome.json";
  return fs::exists(file) && !(retry_failed && read_json(file, "lab").value("status", "") == "failed");
}

/// Every submission of the folder, the first one first.
std::vector<Submission> submissions(const fs::path& out) {
  std::vector<Submission> all;
  for (int64_t number = 1;; ++number) {
    const fs::path file = out / "slurm" / std::to_string(number) / "submission.json";
    if (!fs::exists(file)) return all;
    const Json json = read_json(file, "lab");
    const Section section(json, "lab", file.string(), {"floats", "runs", "float_tasks", "run_tasks"});
    Submission& one = all.emplace_back(Submission{section.text("floats"), section.text("runs"), {}, {}});
    for (const Json& hash : section.part("float_tasks")) one.float_tasks.push_back(hash.get<std::string>());
    for (const Json& hash : section.part("run_tasks")) one.run_tasks.push_back(hash.get<std::string>());
  }
}

/// "12_3" -> "PENDING (Dependency)", of what is in the queue.
std::map<std::string, std::string> tasks_in_queue() {
  std::map<std::string, std::string> tasks;
  const CommandResult result = run_command({"squeue", "--noheader", "--array", "--me", "--format=%F_%K|%T|%r"});
  if (result.status != 0) return tasks;
  for (const std::string& line : split(result.output, '\n')) {
    const std::vector<std::string> cells = split(line, '|');
    if (cells.size() < 2) continue;
    const bool reason = cells.size() > 2 && cells[2] != "None";
    tasks[cells[0]] = cells[1] + (reason ? " (" + cells[2] + ")" : "");
  }
  return tasks;
}

/// "12_3" -> "TIMEOUT", of what accounting has of those jobs.
std::map<std::string, std::string> tasks_that_ended(const std::vector<std::string>& jobs) {
  std::map<std::string, std::string> tasks;
  const CommandResult result = run_command({"sacct", "--noheader", "--parsable2", "--allocations",
                                            "--format=JobID,State", fmt::format("--jobs={}", fmt::join(jobs, ","))});
  if (result.status != 0) return tasks;
  for (const std::string& line : split(result.output, '\n')) {
    const std::vector<std::string> cells = split(line, '|');
    if (cells.size() == 2) tasks[cells[0]] = cells[1];
  }
  return tasks;
}

}  // namespace

SlurmOptions slurm_from_json(const Json& json, const std::string& place) {
  const Section section(json, "lab", place,
                        {"partition", "time", "cpus", "memory", "account", "parallel", "ntasks", "options"});
  SlurmOptions options;
  const auto text = [&](const char* key, std::string& field) {
    if (section.has(key)) field = section.text(key);
  };
  text("partition", options.partition), text("time", options.time), text("memory", options.memory);
  text("account", options.account);
  section.whole("cpus", options.cpus, 1, 1 << 20);
  section.whole("parallel", options.parallel, 1, 1 << 20);
  section.whole("ntasks", options.tasks, 1, 1024);
  if (!section.has("options")) return options;
  if (!section.part("options").is_array()) section.refuse("options", "a list of sbatch's options");
  for (const Json& option : section.part("options")) {
    if (!option.is_string() || !option.get<std::string>().starts_with("-"))
      section.refuse("options", "a list of sbatch's options");
    options.options.push_back(option.get<std::string>());
  }
  return options;
}

Submission submit(const Study& study, const fs::path& out, const std::vector<std::string>& command,
                  const SlurmOptions& options, bool retry_failed) {
  const std::map<std::string, std::string> waiting = queued(out);
  Submission submission;
  std::map<std::string, std::string> float_of;
  std::set<std::string> floats;
  for (const StudyRun& run : study.runs) {
    float_of[run.hash] = run.float_hash;
    const auto queue = waiting.find(run.hash);
    if (is_ended(out / "runs" / run.hash, retry_failed) ||
        (queue != waiting.end() && !queue->second.starts_with("ended")))
      continue;
    submission.run_tasks.push_back(run.hash);
    if (!is_ended(out / "floats" / run.float_hash, retry_failed) && floats.insert(run.float_hash).second)
      submission.float_tasks.push_back(run.float_hash);
  }
  if (submission.run_tasks.empty()) return submission;
  const fs::path folder = fs::absolute(out / "slurm" / std::to_string(submissions(out).size() + 1));
  fs::create_directories(folder);
  write_file(folder / "task.sh", script_of(command, options), "lab");
  submission.floats = submit_array(folder, "floats", submission.float_tasks, study.name, options, {});
  submission.runs = submit_array(folder, "runs", submission.run_tasks, study.name, options,
                                 submission.floats.empty() ? "" : "afterany:" + submission.floats);
  const Json json = {{"floats", submission.floats},
                     {"runs", submission.runs},
                     {"float_tasks", submission.float_tasks},
                     {"run_tasks", submission.run_tasks}};
  write_file(folder / "submission.json", json.dump(1) + "\n", "lab");
  narrow_dependencies(submission, float_of);
  return submission;
}

std::map<std::string, std::string> queued(const fs::path& out) {
  std::map<std::string, std::string> result;
  const std::vector<Submission> all = submissions(out);
  if (all.empty()) return result;
  try {
    const auto queue = tasks_in_queue();
    std::vector<std::string> jobs;
    for (const Submission& one : all) jobs.push_back(one.runs);
    const auto ended = tasks_that_ended(jobs);
    for (const Submission& one : all)
      for (size_t i = 0; i < one.run_tasks.size(); ++i) {
        const std::string task = fmt::format("{}_{}", one.runs, i);
        if (const auto there = queue.find(task); there != queue.end())
          result[one.run_tasks[i]] = "task " + task + " " + there->second;
        else if (const auto was = ended.find(task); was != ended.end())
          result[one.run_tasks[i]] = "ended " + task + " " + was->second;
      }
  } catch (const UserError&) {
    // Not a machine of the cluster: what the runs' folders say is all that is known.
  }
  return result;
}

void add_queue(const Study& study, const fs::path& out, std::vector<RunState>& states) {
  const auto queue = queued(out);
  for (size_t i = 0; i < states.size(); ++i) {
    const auto found = queue.find(study.runs[i].hash);
    RunState& state = states[i];
    if (found == queue.end() || state.status == RunStatus::Done || state.status == RunStatus::Failed) continue;
    state.reason = found->second;
    if (found->second.find(" RUNNING") != std::string::npos) state.status = RunStatus::Running;
  }
}

}  // namespace nibble::lab
