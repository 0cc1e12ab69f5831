#include "lab/store/store.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "lab/store/classes.hpp"
#include "lab/store/csv.hpp"
#include "lab/store/schema.hpp"

namespace nibble::lab {
namespace {

/// As a table has it: texts as they are, numbers so that they are read back, nothing for null.
std::string field(const Json& cell) {
  if (cell.is_null()) return "";
  if (cell.is_string()) return cell.get<std::string>();
  return cell.is_number_float() ? fmt::format("{}", cell.get<double>()) : cell.dump();
}

/// A column's title, and its key in a row.
using CsvColumns = std::vector<std::pair<std::string, std::string>>;

CsvTable csv_of(const CsvColumns& columns, const Json& rows) {
  std::vector<std::string> fields;
  for (const auto& [title, key] : columns) fields.push_back(title);
  std::string text = csv_line(fields);
  for (const Json& row : rows) {
    fields.clear();
    for (const auto& [title, key] : columns) fields.push_back(field(row.value(key, Json())));
    text += csv_line(fields);
  }
  return {text, rows.size()};
}

Json plan_of(Database& store) {
  Statement statement = store.prepare("SELECT plan FROM study");
  ensure(statement.step(), "a merged store has its study");
  return parse_json(statement.text(0), "lab", store.file() + ": study: plan");
}

/// A factor may be called as a column is.
std::string key_of(const std::string& factor) {
  return "factor " + factor;
}

Json levels_of(const Json& run) {
  Json levels = Json::object();
  for (const auto& [factor, level] : run.at("levels").items()) levels[key_of(factor)] = level;
  return levels;
}

/// The run's factors stand between `before` and `behind`.
CsvColumns columns_of(const Json& plan, std::initializer_list<const char*> before,
                      std::initializer_list<const char*> behind) {
  CsvColumns columns;
  for (const char* own : before) columns.emplace_back(own, own);
  for (const Json& factor : plan.at("factors")) {
    const std::string name = factor.at("factor");
    const auto is_name = [&](const char* own) { return name == own; };
    const bool taken = std::ranges::any_of(before, is_name) || std::ranges::any_of(behind, is_name);
    columns.emplace_back(taken ? key_of(name) : name, key_of(name));
  }
  for (const char* own : behind) columns.emplace_back(own, own);
  return columns;
}

}  // namespace

Database open_store(const std::filesystem::path& out) {
  if (!std::filesystem::exists(out / "plan.json"))
    fail("lab", out.string(), "no plan.json there", "a folder that 'nibble lab' filled for a study");
  const bool writable = ::access(out.c_str(), W_OK) == 0;
  Database store(writable ? out / "results.db" : std::filesystem::path(":memory:"));
  require_schema(store);
  merge(store, out);
  return store;
}

Predictions predictions_of(Database& store, const std::string& run, const std::string& representation) {
  Statement statement = store.prepare(
      "SELECT predictions.width, predictions.classes, labels.width, labels.classes, errors FROM predictions "
      "LEFT JOIN labels ON labels.hash = labels WHERE run = ? AND representation = ?",
      run, representation);
  Predictions found;
  if (!statement.step()) return found;
  if (!statement.is_null(1)) found.classes = unpack_classes({statement.integer(0), statement.text(1)});
  if (!statement.is_null(3)) found.labels = unpack_classes({statement.integer(2), statement.text(3)});
  if (!statement.is_null(4)) found.errors = unpack_reals(statement.text(4));
  return found;
}

CsvTable runs_csv(Database& store) {
  std::map<std::string, Json> ended;
  for (const Json& row : rows_of(store,
                                 "SELECT hash, status, reason, repeat, fold, inner, fp.value AS float_value, "
                                 "id.metric, id.value, id.low, id.high, id.flips, id.weight_bytes, latency, seconds, "
                                 "machine FROM runs "
                                 "LEFT JOIN networks fp ON fp.run = hash AND fp.representation = 'FP' "
                                 "LEFT JOIN networks id ON id.run = hash AND id.representation = 'ID'"))
    ended[row.at("hash")] = row;
  const Json plan = plan_of(store);
  Json rows = Json::array();
  for (const Json& run : plan.at("runs")) {
    Json row = levels_of(run);
    row["run"] = run.at("hash"), row["float"] = run.at("float"), row["seed"] = run.at("seed");
    for (const char* split : {"repeat", "fold", "inner"}) row[split] = run.value(split, Json());
    row["status"] = "waiting";
    if (const auto found = ended.find(run.at("hash")); found != ended.end()) row.update(found->second);
    rows.push_back(std::move(row));
  }
  return csv_of(columns_of(plan, {"run", "float"},
                           {"seed", "repeat", "fold", "inner", "status", "reason", "metric", "float_value", "value",
                            "low", "high", "flips", "weight_bytes", "latency", "seconds", "machine"}),
                rows);
}

CsvTable epochs_csv(Database& store) {
  const Json plan = plan_of(store);
  std::map<std::string, Json> levels;
  for (const Json& run : plan.at("runs")) levels[run.at("hash")] = levels_of(run);
  Json rows =
      rows_of(store,
              "SELECT hash AS run, seed, repeat, fold, phase, epochs.* FROM (SELECT hash, seed, repeat, fold, "
              "'float' AS phase, training AS of FROM runs UNION ALL SELECT hash, seed, repeat, fold, 'quantised', "
              "hash FROM runs) JOIN epochs ON epochs.training = of ORDER BY hash, phase, epoch");
  for (Json& row : rows)
    if (const auto found = levels.find(row.at("run")); found != levels.end()) row.update(found->second);
  return csv_of(columns_of(plan, {"run"},
                           {"seed", "repeat", "fold", "phase", "epoch", "train_loss", "train_accuracy", "test_loss",
                            "test_accuracy", "learning_rate", "seconds", "quantisers"}),
                rows);
}

}  // namespace nibble::lab
