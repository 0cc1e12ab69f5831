#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.hpp"
#include "base/file.hpp"
#include "data/npz.hpp"
#include "lab/examples.hpp"
#include "lab/study/answer.hpp"
#include "lab/study/division.hpp"
#include "lab/study/execute.hpp"
#include "lab/study/measured.hpp"
#include "scratch.hpp"

namespace nibble::lab {
namespace {

using tests::scratch;

/// 24 gray images of 2 by 2 in two classes, which six persons drew.
void write_examples() {
  std::vector<uint8_t> x;
  std::vector<int64_t> y, person;
  for (int64_t i = 0; i < 24; ++i) {
    for (int64_t k = 0; k < 4; ++k) x.push_back(static_cast<uint8_t>(10 * i + k));
    y.push_back(i % 2);
    person.push_back(i / 4);
  }
  data::write_npz(scratch("examples.npz"), {{"x", Tensor({24, 2, 2}, x)}, {"y", Tensor({24}, y)}});
  data::write_npy(scratch("persons.npy"), Tensor({24}, person));
}

Json description(const std::string& folds, bool with_test = false) {
  const std::string set = "npz:" + scratch("examples.npz").string();
  const std::string test = with_test ? R"(, "test": ")" + set + "\"" : "";
  return parse_json(R"({"name": "s", "data": {"train": ")" + set + "\"" + test + R"(},
    "network": {"topology": "lenet"}, "train": {"epochs": 2},
    "quantize": {"weights": 8, "activations": 8, "train": {"epochs": 1}},
    "design": {"factors": [
      {"factor": "bits", "levels": {"8": {}, "4": {"quantize": {"weights": 4}}}},
      {"factor": "rate", "levels": {"slow": {"/train/learning_rate": 0.1}, "fast": {"/train/learning_rate": 0.2}}}]},
    "folds": )" + folds +
                        "}",
                    "lab", "s.json");
}

Study study_of(const std::string& folds, bool with_test = false) {
  write_examples();
  return study_from_json(description(folds, with_test), scratch("s.json"), scratch("out"));
}

std::string message_of(const auto& work) {
  try {
    work();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(StudyFolds, AreBlocksOfEveryCombinationWithPartsOfTheirOwn) {
  const Study study = study_of(R"({"count": 3, "repeats": 2})");
  EXPECT_EQ(study.runs.size(), 2u * 2 * 6);
  std::set<std::string> hashes, floats;
  std::map<std::string, std::set<std::vector<int64_t>>> tested;
  for (const StudyRun& run : study.runs) {
    hashes.insert(run.hash), floats.insert(run.float_hash);
    const data::Fold& part = *run.split->part;
    EXPECT_EQ(part.train.size(), 16u);
    EXPECT_EQ(part.test.size(), 8u);
    EXPECT_EQ(std::count_if(part.test.begin(), part.test.end(), [](int64_t i) { return i % 2 == 0; }), 4);
    tested[run.split->name()].insert(part.test);
  }
  EXPECT_EQ(hashes.size(), 24u);
  EXPECT_EQ(floats.size(), 12u) << "bits share the float training of a rate and a fold";
  EXPECT_EQ(tested.size(), 6u);
  for (const auto& [name, parts] : tested) EXPECT_EQ(parts.size(), 1u) << "combinations are tested on one part";
}

TEST(StudyFolds, AreReadBackFromTheStudysFolderAndRefusedForOtherData) {
  std::filesystem::remove_all(scratch("out"));
  const Study study = study_of(R"({"count": 3})");
  register_study(study, description(R"({"count": 3})"), scratch("out"));
  Json file = read_json(scratch("out") / "folds.json", "lab");
  std::swap(file["folds"][0]["test"], file["folds"][1]["test"]);
  write_file(scratch("out") / "folds.json", file.dump(), "test");
  const Study again = study_of(R"({"count": 3})");
  EXPECT_EQ(again.folds->file.folds[0].test, study.folds->file.folds[1].test) << "what is written down counts";
  file["data"] = "0000000000000000";
  write_file(scratch("out") / "folds.json", file.dump(), "test");
  EXPECT_NE(message_of([] { study_of(R"({"count": 3})"); }).find("folds of other data"), std::string::npos);
  EXPECT_EQ(message_of([] { study_of(R"({"count": 4})"); }), "") << "another rule makes its own";
}

TEST(StudyFolds, MayBeAFileOfIndices) {
  write_examples();
  const std::string folds = R"({"examples": 24, "folds": [{"test": [0, 1, 2]}, {"test": [5], "train": [7, 8, 9]}]})";
  write_file(scratch("mine.json"), folds, "test");
  const Study study = study_of(R"({"file": "mine.json"})");
  EXPECT_EQ(study.runs.size(), 8u);
  std::set<std::vector<int64_t>> trains;
  for (const StudyRun& run : study.runs) trains.insert(run.split->part->train);
  EXPECT_TRUE(trains.contains({7, 8, 9}));
  write_file(scratch("mine.json"), R"({"examples": 23, "folds": [{"test": [0]}]})", "test");
  EXPECT_NE(message_of([] { study_of(R"({"file": "mine.json"})"); }).find("folds of 23 examples"), std::string::npos);
}

TEST(StudyFolds, OfGroupsLeaveEachOutOnce) {
  const Study study = study_of(R"({"kind": "leave_one_group_out", "groups": "persons.npy"})");
  std::set<std::vector<int64_t>> tests;
  for (const StudyRun& run : study.runs) tests.insert(run.split->part->test);
  EXPECT_EQ(tests.size(), 6u);
  EXPECT_TRUE(tests.contains({8, 9, 10, 11}));
}

TEST(StudyFolds, ThatChooseDivideEachTrainingPartAgain) {
  const Study study = study_of(R"({"count": 3, "choose": {"factors": ["rate"], "count": 2}})");
  EXPECT_EQ(study.runs.size(), 2u * 2 * 3 * (1 + 2));
  std::map<int64_t, std::vector<int64_t>> tests;
  for (const StudyRun& run : study.runs)
    if (!run.split->inner) tests[run.split->fold] = run.split->part->test;
  for (const StudyRun& run : study.runs) {
    if (!run.split->inner) continue;
    for (const auto* part : {&run.split->part->train, &run.split->part->test})
      for (int64_t index : *part)
        EXPECT_FALSE(std::binary_search(tests[run.split->fold].begin(), tests[run.split->fold].end(), index))
            << "what is chosen has not seen the fold's test";
  }
}

TEST(StudyFolds, LeaveATestSetThatIsHeldOutToTheEnd) {
  const Study study = study_of(R"({"kind": "held_out", "choose": {"factors": ["rate"], "count": 3}})", true);
  EXPECT_EQ(study.runs.size(), 2u * 2 * (1 + 3));
  for (const StudyRun& run : study.runs) {
    EXPECT_EQ(run.split->part == nullptr, !run.split->inner.has_value());
    const auto set = experiment_from_json(run.description, study.file);
    EXPECT_EQ(set.test_data, set.train_data);  // here the same file; inner folds take data.train, whatever data.test is
  }
  const Study part = study_of(R"({"kind": "held_out", "count": 4})");
  EXPECT_EQ(part.runs.size(), 4u);
  EXPECT_EQ(part.runs[0].split->part->test.size(), 6u);
}

TEST(StudyFolds, ThatMakeNoSenseAreRefused) {
  const auto said = [](const std::string& folds, bool with_test = false) {
    const std::string message = message_of([&] { study_of(folds, with_test); });
    const size_t file = message.find("s.json: ");
    return file == std::string::npos ? message : message.substr(file + 8);
  };
  EXPECT_EQ(said(R"({"count": 3})", true),
            "folds: kind: folds that hold the tests, beside a 'test' in 'data' (expected no data.test, or kind "
            "'held_out', which holds data.test)");
  EXPECT_EQ(said(R"({"kind": "held_out"})", true),
            "folds: kind: data.test held out, and nothing chosen on the rest (expected 'choose', or no folds)");
  EXPECT_EQ(said(R"({"kind": "leave_one_group_out", "groups": "persons.npy", "count": 3})"),
            "folds: count: it where every group is a fold (expected it left out)");
  EXPECT_NE(said(R"({"kind": "leave_one_group_out"})").find("groups"), std::string::npos);
  EXPECT_EQ(said(R"({"choose": {"factors": ["rte"]}})"),
            "folds: choose: no factor 'rte' (did you mean 'rate'?) (expected one of the design's)");
  EXPECT_NE(said(R"({"count": 30})").find("24 examples (expected at least 30"), std::string::npos);
  EXPECT_NE(said(R"({"count": 1})"), "");
  EXPECT_NE(said(R"({"coun": 3})").find("did you mean 'count'?"), std::string::npos);
}

/// Writes down that a run ended with that accuracy.
void end(const StudyRun& run, const std::string& out, double accuracy, double of_float = 1) {
  const Json row = {{"accuracy", accuracy}, {"interval", {0, 1}}, {"weight_bytes", 8}};
  std::filesystem::create_directories(scratch(out) / "runs" / run.hash);
  write_file(scratch(out) / "runs" / run.hash / "outcome.json",
             Json{{"status", "done"}, {"rows", {{{"accuracy", of_float}}, row}}}.dump(), "test");
}

// Wrong would be: the level that is best on the fold's own test, or the one that is best over all folds.
TEST(MeasuredStudy, CountsTheLevelThatTheInnerFoldsOfEachFoldChose) {
  const std::string folds = R"({"count": 3, "choose": {"factors": ["rate"], "count": 2}})";
  const Study study = study_of(folds);
  register_study(study, description(folds), scratch("out"));
  for (const StudyRun& run : study.runs) {
    const bool slow = run.levels[1] == "slow", eight = run.levels[0] == "8";
    const int64_t fold = run.split->fold;
    // Inside fold 1 slow is better, in the others fast; on the tests it is the other way round.
    const bool better = slow == (fold == 1);
    const double own = better ? 0.5 : 0.9, inner = better ? 0.8 : 0.4;
    end(run, "out", (run.split->inner ? inner : own) + (eight ? 0.05 : 0) + 0.01 * static_cast<double>(fold));
  }
  const Measured found = measured(recorded_study(scratch("out")), scratch("out"));
  ASSERT_EQ(found.combinations.size(), 2u);
  EXPECT_TRUE(found.by_folds);
  EXPECT_EQ(found.design.factors.size(), 1u);
  EXPECT_EQ(found.combinations[0].name, "bits 8, rate chosen");
  EXPECT_EQ(found.combinations[0].choices, (std::map<std::string, int>{{"rate fast", 2}, {"rate slow", 1}}));
  for (size_t fold = 0; fold < 3; ++fold) {
    EXPECT_DOUBLE_EQ(found.combinations[0].outcomes[fold], 0.55 + 0.01 * static_cast<double>(fold));
    EXPECT_DOUBLE_EQ(found.combinations[1].outcomes[fold], 0.5 + 0.01 * static_cast<double>(fold));
  }
  EXPECT_EQ(found.train, 16);
  EXPECT_EQ(found.test, 8);
}

// Nadeau and Bengio on the ten differences of STATISTICS.md, section 5.3 (R): ten folds of 90 and 10.
TEST(AnswerOfFolds, IsTheCorrectedResampledTest) {
  constexpr double a[] = {.912, .905, .918, .921, .909, .915, .911, .920, .907, .914};
  constexpr double b[] = {.908, .903, .911, .918, .910, .909, .907, .914, .905, .911};
  std::vector<float> x(100);
  std::vector<int64_t> y(100);
  for (size_t i = 0; i < 100; ++i) x[i] = static_cast<float>(i), y[i] = static_cast<int64_t>(i % 2);
  data::write_npz(scratch("examples.npz"), {{"x", Tensor({100}, x)}, {"y", Tensor({100}, y)}});
  Json json = description(R"({"count": 10})");
  json["design"]["factors"].erase(1);
  json["design"]["seeds"] = 2;
  const Study study = study_from_json(json, scratch("s.json"), scratch("out"));
  register_study(study, json, scratch("out"));
  for (const StudyRun& run : study.runs) {
    const auto fold = static_cast<size_t>(run.split->fold);
    const double spread = run.seed == 1 ? 0.01 : -0.01;  // the mean over seeds is the fold's value
    end(run, "out", (run.levels[0] == "8" ? a : b)[fold] + spread, b[fold] + spread);
  }
  const Json to_float = answer_json(scratch("out"), {.margin = 1, .baseline = "float"});
  ASSERT_EQ(to_float["differences"].size(), 2u);
  EXPECT_NEAR(to_float["differences"][0]["p_adjusted"].get<double>(), 2 * .00907013, 1e-8);
  EXPECT_EQ(to_float["differences"][1]["difference"], 0.0) << "bits 4 are their float network";
  const Json answer = answer_json(scratch("out"), {.margin = 1, .baseline = "bits 4"});
  EXPECT_EQ(answer["test"]["name"], "corrected_resampled_t");
  EXPECT_EQ(answer["blocks"], (Json{{"kind", "folds"}, {"count", 10}, {"train", 90.0}, {"test", 10.0}}));
  ASSERT_EQ(answer["differences"].size(), 1u);
  EXPECT_NEAR(answer["differences"][0]["difference"].get<double>(), 0.0036, 1e-12);
  EXPECT_NEAR(answer["differences"][0]["p"].get<double>(), .00907013, 1e-8);
  EXPECT_TRUE(answer["differences"][0]["equivalent"].get<bool>());
}

TEST(Normalise, ComesFromTheTrainingPartAlone) {
  write_examples();
  Json json = description("{}", true);
  json.erase("design"), json.erase("folds");
  json["data"]["preprocess"] = {{"channels", "gray"}, {"scale", 1}};
  json["data"]["normalise"] = true;
  Experiment experiment = experiment_from_json(json, scratch("s.json"));
  experiment.fold = std::make_shared<data::Fold>(data::Fold{0, 0, {0, 2}, {1}, {}});
  const Experiment ready = normalised(experiment);
  // pixels 0 1 2 3 and 20 21 22 23
  ASSERT_EQ(ready.preprocess.mean.size(), 1u);
  EXPECT_EQ(ready.preprocess.mean[0], 11.5);
  EXPECT_NEAR(ready.preprocess.standard_deviation[0], std::sqrt(100 + 1.25), 1e-5);
  EXPECT_FALSE(ready.normalise);
  EXPECT_EQ(ready.resolved, experiment.resolved) << "a description says that it is done, whatever comes out";
  json["data"]["preprocess"]["mean"] = {0.5};
  EXPECT_NE(message_of([&] { experiment_from_json(json, "s.json"); }).find("it beside a mean or a std"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble::lab
