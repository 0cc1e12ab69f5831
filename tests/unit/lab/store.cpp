#include "lab/store/store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/store/classes.hpp"
#include "lab/store/csv.hpp"
#include "lab/store/schema.hpp"
#include "scratch.hpp"
#include "study_folder.hpp"

namespace nibble::lab {
namespace {

namespace fs = std::filesystem;
using tests::MadeUpStudy;

fs::path folder_of(const MadeUpStudy& study, bool with_runs = true) {
  const fs::path out = tests::scratch("study");
  fs::remove_all(out);
  fs::create_directories(out);
  with_runs ? tests::write_study(study, out) : tests::write_plan(study, out);
  return out;
}

int64_t count_of(Database& store, const std::string& from) {
  Statement statement = store.prepare("SELECT count(*) FROM " + from);
  statement.step();
  return statement.integer(0);
}

std::string message_of(const auto& work) {
  try {
    work();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

/// Everything that it holds, table by table.
std::string contents_of(Database& store) {
  std::string text;
  for (const Json& table : rows_of(store, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"))
    text += rows_of(store, "SELECT * FROM " + table["name"].get<std::string>() + " ORDER BY 1, 2, 3").dump() + "\n";
  for (const Json& row : rows_of(store, "SELECT run, representation, hex(classes) AS classes FROM predictions"))
    text += row.dump() + "\n";
  return text;
}

}  // namespace

TEST(Store, HoldsWhatTheRunsLeft) {
  MadeUpStudy study;
  Database store = open_store(folder_of(study));
  EXPECT_EQ(count_of(store, "runs"), 18);
  EXPECT_EQ(count_of(store, "trainings"), 3);
  EXPECT_EQ(count_of(store, "networks"), 4 * 18);
  EXPECT_EQ(count_of(store, "epochs"), 4 * (18 + 3));
  EXPECT_EQ(count_of(store, "quantisers"), 3 * 4 * 18);
  EXPECT_EQ(count_of(store, "labels"), 1) << "runs of one test set share its labels";
  EXPECT_EQ(count_of(store, "quantisers WHERE quantiser = 'conv1, relu' AND place = 1"), 4 * 18);
  EXPECT_EQ(count_of(store, "artefacts WHERE bytes = 4711"), 18);
  EXPECT_EQ(count_of(store, "versions WHERE name = 'libtorch' AND version = '1.13.1'"), 18);
  EXPECT_EQ(count_of(store, "runs WHERE latency = 8e-4"), 6);
  const Json first = rows_of(store, "SELECT * FROM results LIMIT 1").at(0);
  EXPECT_EQ(first["combination"], "bits 2-2, range min_max") << "factors in the design's order";
  EXPECT_EQ(first["weight_bytes"], 2500);
  EXPECT_EQ(first["metric"], "top1");
  EXPECT_EQ(count_of(store, "curves WHERE phase = 'float'"), 18 * 4);
}

TEST(Store, GivesEachExamplesDecisionBack) {
  MadeUpStudy study;
  const fs::path out = folder_of(study);
  Database store = open_store(out);
  for (const auto& run : study.runs()) {
    const Json written = read_json(out / "runs" / run.hash / "predictions.json", "tests");
    const Predictions found = predictions_of(store, run.hash, "ID");
    EXPECT_EQ(Json(found.classes), written["classes"]["ID"]);
    EXPECT_EQ(Json(found.labels), written["labels"]);
  }
  EXPECT_TRUE(predictions_of(store, "no such run", "ID").classes.empty());
  EXPECT_EQ(count_of(store, "predictions WHERE length(classes) != examples"), 0) << "a byte an example";
}

TEST(Store, HoldsEachExamplesErrorWhereTargetsAreGiven) {
  MadeUpStudy study;
  const fs::path out = folder_of(study);
  const std::string hash = study.runs()[0].hash;
  write_file(out / "runs" / hash / "predictions.json",
             R"({"FP": [0.25, 1e-300], "ID": [0.5, 0.1], "groups": [3, 300]})", "tests");
  Database store = open_store(out);
  EXPECT_EQ(predictions_of(store, hash, "ID").errors, (std::vector<double>{0.5, 0.1}));
  EXPECT_EQ(predictions_of(store, hash, "FP").errors, (std::vector<double>{0.25, 1e-300}));
  EXPECT_EQ(count_of(store, "predictions JOIN labels ON hash = groups WHERE labels.width = 2"), 2);
}

TEST(Store, MergedAgainIsTheSameAndTakesWhatHasChanged) {
  MadeUpStudy study;
  const fs::path out = folder_of(study);
  Database store = open_store(out);
  const std::string before = contents_of(store);
  EXPECT_EQ(merge(store, out), 0);
  EXPECT_EQ(contents_of(store), before);
  const fs::path outcome = out / "runs" / study.runs()[3].hash / "outcome.json";
  Json failed = read_json(outcome, "tests");
  failed.erase("rows");
  failed["status"] = "failed", failed["reason"] = "it, \"diverged\"";
  write_file(outcome, failed.dump(), "tests");
  EXPECT_EQ(merge(store, out), 1);
  EXPECT_EQ(count_of(store, "runs"), 18);
  EXPECT_EQ(count_of(store, "results"), 17);
  EXPECT_EQ(count_of(store, "failures WHERE reason LIKE '%diverged%'"), 1);
  tests::write_run(study, study.runs()[3], out);
  EXPECT_EQ(merge(store, out), 1);
  EXPECT_EQ(contents_of(store), before);
  // The folder may be gone; what was there is kept.
  fs::remove_all(out / "runs" / study.runs()[5].hash);
  EXPECT_EQ(merge(store, out), 0);
  EXPECT_EQ(contents_of(store), before);
}

// NIBBLE_STORE_RUNS=10000 is the long form.
TEST(Store, LosesNothingAndHasNothingTwiceWhereSixteenProcessesWriteAndSomeAreKilled) {
  const char* asked = std::getenv("NIBBLE_STORE_RUNS");
  MadeUpStudy study;
  study.examples = 12, study.epochs = 2;
  study.seeds = (asked == nullptr ? 120 : std::max(std::atoi(asked), 6)) / 6;
  const fs::path out = folder_of(study, false);
  const auto runs = study.runs();
  for (const auto& run : runs) tests::write_float(study, run, out);
  std::vector<pid_t> children;
  for (size_t child = 0; child < 16; ++child) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      int code = 1;
      try {
        for (size_t i = child, mine = 0; i < runs.size(); i += 16, ++mine) {
          tests::write_run(study, runs[i], out);
          if (mine % (runs.size() / 64 + 1) == 0) open_store(out);
        }
        open_store(out);
        code = 0;
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(code);
    }
    children.push_back(pid);
  }
  // Every fourth is killed on its way, and what it had not run is run.
  for (size_t child = 0; child < 16; child += 4) {
    ::usleep(30'000);
    ::kill(children[child], SIGKILL);
  }
  for (size_t child = 0; child < 16; ++child) {
    int state = 0;
    ::waitpid(children[child], &state, 0);
    EXPECT_TRUE(child % 4 == 0 || (WIFEXITED(state) && WEXITSTATUS(state) == 0));
  }
  for (const auto& run : runs)
    if (!fs::exists(out / "runs" / run.hash / "outcome.json")) tests::write_run(study, run, out);
  Database store = open_store(out);
  EXPECT_EQ(count_of(store, "runs"), static_cast<int64_t>(runs.size()));
  EXPECT_EQ(count_of(store, "networks"), static_cast<int64_t>(4 * runs.size()));
  EXPECT_EQ(rows_of(store, "PRAGMA integrity_check"), Json::array({{{"integrity_check", "ok"}}}));
  Database fresh(":memory:");
  require_schema(fresh);
  merge(fresh, out);
  EXPECT_EQ(contents_of(store), contents_of(fresh));
}

namespace {
int most_pages = 0;
/// Every connection that is opened from now on may have so many pages: the disk of this test.
int limit_pages(sqlite3* handle, char**, const sqlite3_api_routines*) {
  return sqlite3_exec(handle, ("PRAGMA max_page_count = " + std::to_string(most_pages)).c_str(), nullptr, nullptr,
                      nullptr);
}
}  // namespace

TEST(Store, SaysThatTheDiskIsFullAndKeepsWhatWasThere) {
  MadeUpStudy study;
  study.examples = 3000;
  const fs::path out = folder_of(study, false);
  const auto runs = study.runs();
  tests::write_float(study, runs[0], out);
  for (size_t i = 0; i < 6; ++i) tests::write_run(study, runs[i], out);
  std::string before;
  {
    Database store = open_store(out);
    before = contents_of(store);
    most_pages = static_cast<int>(rows_of(store, "PRAGMA page_count").at(0)["page_count"].get<int64_t>()) + 1;
  }
  for (size_t i = 6; i < runs.size(); ++i) tests::write_run(study, runs[i], out);
  const auto entry = reinterpret_cast<void (*)()>(limit_pages);
  sqlite3_auto_extension(entry);
  const std::string said = message_of([&] { open_store(out); });
  sqlite3_cancel_auto_extension(entry);
  EXPECT_EQ(said, "lab: " + (out / "results.db").string() +
                      ": the disk is full (expected room for what is added; what was there is kept)");
  {
    Database store(out / "results.db");
    EXPECT_EQ(contents_of(store), before);
  }
  Database store = open_store(out);
  EXPECT_EQ(count_of(store, "runs"), 18);
}

TEST(Store, RefusesADatabaseOfANewerSchemaByName) {
  MadeUpStudy study;
  const fs::path out = folder_of(study);
  open_store(out).run("PRAGMA user_version = 7");
  EXPECT_EQ(
      message_of([&] { open_store(out); }),
      "lab: " + (out / "results.db").string() + ": schema version 7 (expected at most 1: a newer Nibble wrote it)");
  EXPECT_EQ(Database(out / "results.db").prepare("SELECT count(*) FROM runs").step(), true);
}

TEST(Store, RefusesWhatIsNoStore) {
  MadeUpStudy study;
  study.seeds = 1;
  const fs::path out = folder_of(study), file = out / "results.db";
  Database(file).run("CREATE TABLE of_another(x)");
  EXPECT_NE(message_of([&] { open_store(out); }).find("a database of something else"), std::string::npos);
  write_file(file, std::string(5000, 'x'), "tests");
  EXPECT_NE(message_of([&] { open_store(out); }).find("no database, or a damaged one"), std::string::npos);
  fs::remove(file);
  fs::create_directories(file);
  EXPECT_NE(message_of([&] { open_store(out); }), "");
  fs::remove_all(file);
  write_file(out / "runs" / study.runs()[0].hash / "outcome.json", "{\"status\": \"done\"}", "tests");
  EXPECT_NE(message_of([&] { open_store(out); }).find("what a run of this study leaves"), std::string::npos);
  EXPECT_NE(message_of([&] { open_store(out / "runs"); }).find("no plan.json there"), std::string::npos);
}

TEST(Store, GivesARowARunThoseThatWaitToo) {
  MadeUpStudy study;
  const fs::path out = folder_of(study, false);
  tests::write_float(study, study.runs()[0], out);
  tests::write_run(study, study.runs()[0], out);
  Database store = open_store(out);
  const CsvTable table = runs_csv(store);
  EXPECT_EQ(table.rows, 18u);
  write_file(out / "runs.csv", table.text, "tests");
  const auto rows = read_csv(out / "runs.csv");
  ASSERT_EQ(rows.size(), 18u);
  EXPECT_EQ(rows[0].at("bits"), "8-8");
  EXPECT_EQ(rows[0].at("range"), "min_max");
  EXPECT_EQ(rows[0].at("status"), "done");
  EXPECT_EQ(rows[0].at("weight_bytes"), "10000");
  EXPECT_EQ(rows[1].at("status"), "waiting");
  EXPECT_EQ(rows[1].at("value"), "");
  EXPECT_EQ(epochs_csv(store).rows, 8u);
}

TEST(Csv, IsReadAsItWasWritten) {
  const fs::path file = tests::scratch("table.csv");
  write_file(file, csv_line({"a", "b, \"c\""}) + csv_line({"", "two\nlines"}) + "1,2\r\n", "tests");
  const auto rows = read_csv(file);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].at("b, \"c\""), "two\nlines");
  EXPECT_EQ(rows[1].at("a"), "1");
  EXPECT_EQ(rows[1].at("b, \"c\""), "2");
  write_file(file, "a,b\n1\n", "tests");
  EXPECT_NE(message_of([&] { read_csv(file); }).find("line 2: 1 fields (expected 2, as the header has)"),
            std::string::npos);
  write_file(file, "a,\"b\n1\n", "tests");
  EXPECT_NE(message_of([&] { read_csv(file); }).find("a quote without an end"), std::string::npos);
}

TEST(Classes, TakeTheFewestBytesThatHoldThem) {
  for (const int64_t most : {1L, 255L, 256L, 65535L, 65536L, 5'000'000'000L}) {
    const std::vector<int64_t> classes{0, most, most / 2, 3};
    const PackedClasses packed = pack_classes(classes);
    EXPECT_EQ(packed.width, most < 256 ? 1 : most < 65536 ? 2 : most < 1L << 32 ? 4 : 8);
    EXPECT_EQ(packed.bytes.size(), 4 * static_cast<size_t>(packed.width));
    EXPECT_EQ(unpack_classes(packed), classes);
  }
  EXPECT_TRUE(unpack_classes(pack_classes({})).empty());
}

}  // namespace nibble::lab
