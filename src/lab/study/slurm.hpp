#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lab/study/execute.hpp"

/// A study on a cluster: every run is a task of one Slurm job array, which takes it by its hash and writes into the
/// study's folder, on a file system that all nodes share.
namespace nibble::lab {

/// What a task asks for; empty or 0: what the cluster gives by default. As JSON, all optional:
/// {"partition": "cpu", "time": "02:00:00", "cpus": 2, "memory": "4G", "account": "name", "parallel": 20, "ntasks": 2,
///  "options": ["--gres=gpu:1"]}
struct SlurmOptions {
  std::string partition, time, memory, account;
  int64_t cpus = 0;
  int64_t parallel = 0;                ///< of the array's tasks at once
  int64_t tasks = 1;                   ///< "ntasks": processes of each, the ranks that train together
  std::vector<std::string> options{};  ///< of sbatch, as they stand
};
/// Throws UserError naming the key.
SlurmOptions slurm_from_json(const Json& json, const std::string& place);

/// What one call has put into the queue.
struct Submission {
  std::string floats, runs;              ///< job arrays; empty where they have no task
  std::vector<std::string> float_tasks;  ///< hashes, by the task's number
  std::vector<std::string> run_tasks;
};

/// Puts the runs that have not ended (with `retry_failed` those that failed too) into the queue, but for those that wait
/// there already, and the float trainings that they share, once each: a run's task begins when its float training's has
/// ended. `command`: nibble and all that a task says before its "--run HASH". A task that is told to end (its time is up,
/// or another job has its node) saves a checkpoint and queues again; what is requeued goes on. Writes out/slurm/N: the
/// script, the lists of hashes, a log a task, and submission.json. Throws UserError with what sbatch says.
Submission submit(const Study& study, const std::filesystem::path& out, const std::vector<std::string>& command,
                  const SlurmOptions& options, bool retry_failed);

/// What the queue (squeue) says of runs that have not ended, and where accounting is on (sacct) of tasks that ended
/// without their run: by the run's hash, "task 12_3 PENDING (Dependency)". Empty where no task was ever submitted, or
/// Slurm does not answer.
std::map<std::string, std::string> queued(const std::filesystem::path& out);

/// Fills what runs wait for into their states, where Slurm has them.
void add_queue(const Study& study, const std::filesystem::path& out, std::vector<RunState>& states);

}  // namespace nibble::lab
