#pragma once
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/random.hpp"

/// A study's folder as its runs leave it, made up: two factors, seeds, a test set of three classes.
namespace nibble::tests {

struct MadeUpStudy {
  std::vector<std::string> bits{"8-8", "4-4", "2-2"};
  std::vector<std::string> ranges{"min_max", "mse"};
  std::vector<double> losses{0, 0.002, 0.06};  ///< of accuracy, by bits
  int seeds = 3;
  int examples = 200;
  int epochs = 4;

  struct Run {
    std::string hash, of_float, bits, range;
    int seed;
    double loss;
  };
  std::vector<Run> runs() const {
    std::vector<Run> all;
    for (int seed = 1; seed <= seeds; ++seed)
      for (size_t b = 0; b < bits.size(); ++b)
        for (const std::string& range : ranges)
          all.push_back({fmt::format("{:016x}", all.size() + 1), fmt::format("{:016x}", 0xf000 + seed), bits[b], range,
                         seed, losses[b]});
    return all;
  }
};

/// Without waiting for the disk, as a run does: made-up studies have many files.
inline void write_text(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path beside = file.string() + ".beside";
  std::ofstream(beside, std::ios::binary) << text;
  std::filesystem::rename(beside, file);
}

inline Json levels_json(const MadeUpStudy::Run& run) {
  return {{"bits", run.bits}, {"range", run.range}};
}

inline void write_plan(const MadeUpStudy& study, const std::filesystem::path& out) {
  std::filesystem::create_directories(out / "runs");
  std::filesystem::create_directories(out / "floats");
  Json plan = {{"name", "made up"}, {"kind", "factorial"}, {"excluded", 0}, {"aliases", Json::array()}};
  plan["factors"] = {{{"factor", "bits"}, {"levels", study.bits}}, {{"factor", "range"}, {"levels", study.ranges}}};
  for (const auto& run : study.runs())
    plan["runs"].push_back(
        {{"hash", run.hash}, {"float", run.of_float}, {"seed", run.seed}, {"levels", levels_json(run)}});
  write_text(out / "plan.json", plan.dump());
  write_text(out / "study.json", Json{{"name", "made up"}, {"design", {{"seeds", study.seeds}}}}.dump());
}

inline std::string metrics_of(int epochs, double loss, Random& random) {
  std::string text =
      "epoch,epochs,train_loss,train_accuracy,test_loss,test_accuracy,learning_rate,seconds,quantisers,reestimated\n";
  for (int e = 1; e <= epochs; ++e) {
    const double accuracy = 0.95 - loss - 0.4 * std::exp(-e) + 0.01 * random.uniform();
    text += fmt::format("{},{},{},{},{},{},0.01,1.5,3,0\n", e, epochs, 1 - accuracy, accuracy, 1.1 - accuracy,
                        accuracy - 0.01);
  }
  return text;
}

inline std::string quantisers_of(int epochs, Random& random) {
  std::string text = "epoch,quantiser,on,scale_min,scale_max,low,high,below,above\n";
  for (int e = 1; e <= epochs; ++e)
    for (const char* name : {"conv1_w", "\"conv1, relu\"", "fc_w"}) {
      const double scale = 0.02 * (1 + 0.2 / e + 0.1 * random.uniform());
      text += fmt::format("{},{},1,{},{},{},{},0.001,0.002\n", e, name, scale / 2, scale, -8 * scale, 7 * scale);
    }
  return text;
}

inline void write_float(const MadeUpStudy& study, const MadeUpStudy::Run& run, const std::filesystem::path& out) {
  const auto folder = out / "floats" / run.of_float;
  if (std::filesystem::exists(folder / "outcome.json")) return;
  std::filesystem::create_directories(folder);
  Random random(static_cast<uint64_t>(run.seed));
  write_text(folder / "metrics.csv", metrics_of(study.epochs, 0, random));
  const Json outcome = {{"hash", run.of_float}, {"status", "done"}, {"seconds", 6.5}, {"machine", "here"}};
  write_text(folder / "outcome.json", outcome.dump());
}

/// The outcome last, as a run does.
inline void write_run(const MadeUpStudy& study, const MadeUpStudy::Run& run, const std::filesystem::path& out) {
  const auto folder = out / "runs" / run.hash;
  std::filesystem::create_directories(folder / "v");
  Random random(static_cast<uint64_t>(run.seed)), own(fnv1a(run.hash));
  Json predictions = Json::object(), rows = Json::array();
  for (const char* network : {"FP", "FQ", "QD", "ID"}) {
    Random same(static_cast<uint64_t>(run.seed));  // all networks of a seed err on much the same examples
    std::string right;
    std::vector<int64_t> labels, classes;
    int64_t count = 0;
    for (int i = 0; i < study.examples; ++i) {
      labels.push_back(i % 3);
      const bool is_float = network[0] == 'F' && network[1] == 'P';
      const bool hit = same.uniform() < 0.95 && (is_float || own.uniform() >= run.loss * (1 + i % 3) / 2);
      classes.push_back(hit ? labels.back() : (i + 1) % 3);
      right += hit ? '1' : '0';
      count += hit;
    }
    const double share = static_cast<double>(count) / study.examples;
    predictions[network] = right, predictions["labels"] = labels, predictions["classes"][network] = classes;
    const int bits = run.bits[0] - '0';
    rows.push_back({{"variant", network[1] == 'P' ? "" : "v"},
                    {"representation", network},
                    {"weights", bits},
                    {"activations", bits},
                    {"metric", "top1"},
                    {"accuracy", share},
                    {"interval", {share - 0.03, share + 0.03}},
                    {"flips", 3},
                    {"compared_integers", 1000},
                    {"differing_integers", 0},
                    {"weight_bytes", network[1] == 'P' ? 40000 : 1250 * bits},
                    {"requantisations", 4},
                    {"exact", 4},
                    {"model", "runs/" + run.hash + "/v/id.onnx"}});
  }
  write_text(folder / "predictions.json", predictions.dump());
  write_text(folder / "latency.json", Json{{"seconds", 1e-4 * (run.bits[0] - '0')}, {"threads", 1}}.dump());
  write_text(folder / "v" / "metrics.csv", metrics_of(study.epochs, run.loss, own));
  write_text(folder / "v" / "quantisers.csv", quantisers_of(study.epochs, own));
  Json outcome = {{"hash", run.hash},
                  {"float", run.of_float},
                  {"seed", run.seed},
                  {"levels", levels_json(run)},
                  {"versions", {{"nibble", "0.1.0"}, {"libtorch", "1.13.1"}}},
                  {"rows", rows},
                  {"artefacts", {{{"file", "v/id.onnx"}, {"bytes", 4711}, {"hash", run.hash}}}},
                  {"status", "done"},
                  {"seconds", 2.5},
                  {"machine", "here"}};
  write_text(folder / "outcome.json", outcome.dump(1));
}

inline void write_study(const MadeUpStudy& study, const std::filesystem::path& out) {
  write_plan(study, out);
  for (const auto& run : study.runs()) write_float(study, run, out), write_run(study, run, out);
}

}  // namespace nibble::tests
