#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "lab/store/classes.hpp"
#include "lab/store/csv.hpp"
#include "lab/store/store.hpp"

namespace nibble::lab {
namespace {

namespace fs = std::filesystem;
using CsvRow = std::map<std::string, std::string>;

/// A number of a table, or nothing where there is none: a loss that is not finite is "nan".
Json number(const CsvRow& row, const std::string& column) {
  const auto found = row.find(column);
  if (found == row.end()) return {};
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

void add_epochs(Database& store, const std::string& training, const fs::path& folder) {
  if (!fs::exists(folder / "metrics.csv")) return;
  for (const CsvRow& row : read_csv(folder / "metrics.csv"))
    store.insert("INSERT INTO epochs VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", training, number(row, "epoch"),
                 number(row, "train_loss"), number(row, "train_accuracy"), number(row, "test_loss"),
                 number(row, "test_accuracy"), number(row, "learning_rate"), number(row, "seconds"),
                 number(row, "quantisers"));
}

void add_quantisers(Database& store, const std::string& training, const fs::path& folder) {
  if (!fs::exists(folder / "quantisers.csv")) return;
  Json epoch;
  int64_t place = 0;
  for (const CsvRow& row : read_csv(folder / "quantisers.csv")) {
    const Json own = number(row, "epoch");
    place = own == epoch ? place + 1 : 0;
    epoch = own;
    store.insert("INSERT INTO quantisers VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", training, own, place,
                 row.at("quantiser"), number(row, "on"), number(row, "scale_min"), number(row, "scale_max"),
                 number(row, "low"), number(row, "high"), number(row, "below"), number(row, "above"));
  }
}

/// What a training or a run has beside its own row.
void add_possessions(Database& store, const std::string& owner, const Json& outcome) {
  for (const Json& one : outcome.value("artefacts", Json::array()))
    store.insert("INSERT INTO artefacts VALUES(?, ?, ?, ?)", owner, one.at("file"), one.at("bytes"), one.at("hash"));
  const Json versions = outcome.value("versions", Json::object());
  for (const auto& [name, version] : versions.items())
    store.insert("INSERT INTO versions VALUES(?, ?, ?)", owner, name, version);
}

void forget(Database& store, const std::string& owner) {
  for (const char* table : {"epochs", "quantisers"})
    store.insert(fmt::format("DELETE FROM {} WHERE training = ?", table), owner);
  for (const char* table : {"artefacts", "versions"})
    store.insert(fmt::format("DELETE FROM {} WHERE owner = ?", table), owner);
  for (const char* table : {"runs", "trainings"})
    store.insert(fmt::format("DELETE FROM {} WHERE hash = ?", table), owner);
}

/// A row of `labels`: what examples belong to, shared by every network that saw them. Returns its hash.
std::string add_labels(Database& store, const std::vector<int64_t>& numbers) {
  const PackedClasses packed = pack_classes(numbers);
  const std::string hash = fmt::format("{:016x}", fnv1a(packed.bytes));
  store.insert("INSERT OR IGNORE INTO labels VALUES(?, ?, ?)", hash, packed.width, Blob{packed.bytes});
  return hash;
}

void add_predictions(Database& store, const std::string& run, const fs::path& file) {
  if (!fs::exists(file)) return;
  const Json json = read_json(file, "lab");
  Json groups, labels;
  if (json.contains("groups")) groups = add_labels(store, json["groups"].get<std::vector<int64_t>>());
  if (json.contains("labels")) labels = add_labels(store, json["labels"].get<std::vector<int64_t>>());
  for (const char* network : {"FP", "FQ", "QD", "ID"}) {
    if (!json.contains(network) || !json[network].is_array()) continue;
    const auto errors = json[network].get<std::vector<double>>();
    store.insert("INSERT INTO predictions VALUES(?, ?, ?, NULL, ?, NULL, NULL, ?)", run, network, errors.size(), groups,
                 Blob{pack_reals(errors)});
  }
  const Json decided = json.value("classes", Json::object());
  for (const auto& [network, of_network] : decided.items()) {
    const auto classes = of_network.get<std::vector<int64_t>>();
    const PackedClasses packed = pack_classes(classes);
    store.insert("INSERT INTO predictions VALUES(?, ?, ?, ?, ?, ?, ?, NULL)", run, network, classes.size(), labels,
                 groups, packed.width, Blob{packed.bytes});
  }
}

void add_networks(Database& store, const std::string& run, const Json& rows) {
  for (const Json& row : rows)
    store.insert("INSERT INTO networks VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", run,
                 row.at("representation"), row.value("metric", "top1"),
                 row.at(row.contains("error") ? "error" : "accuracy"), row.at("interval").at(0),
                 row.at("interval").at(1), row.at("weights"), row.at("activations"), row.at("weight_bytes"),
                 row.at("flips"), row.at("compared_integers"), row.at("differing_integers"), row.at("requantisations"),
                 row.at("exact"), row.at("model"));
}

Json optional(const Json& json, const char* key) {
  return json.contains(key) ? json[key] : Json();
}

void add_training(Database& store, const std::string& hash, const fs::path& folder, const Json& outcome,
                  const std::string& text) {
  store.insert("INSERT INTO trainings VALUES(?, ?, ?, ?, ?, ?)", hash, outcome.at("status"),
               optional(outcome, "reason"), outcome.at("seconds"), outcome.at("machine"), text);
  add_epochs(store, hash, folder);
}

void add_run(Database& store, const std::string& hash, const fs::path& folder, const Json& outcome,
             const std::string& text) {
  Json latency;
  if (fs::exists(folder / "latency.json")) latency = read_json(folder / "latency.json", "lab").at("seconds");
  store.insert("INSERT INTO runs VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", hash, outcome.at("float"),
               outcome.at("seed"), optional(outcome, "repeat"), optional(outcome, "fold"), optional(outcome, "inner"),
               outcome.at("status"), optional(outcome, "reason"), outcome.at("seconds"), latency, outcome.at("machine"),
               text);
  for (const auto& [factor, level] : outcome.at("levels").items())
    store.insert("INSERT INTO run_levels VALUES(?, ?, ?)", hash, factor, level);
  add_networks(store, hash, outcome.value("rows", Json::array()));
  add_predictions(store, hash, folder / "predictions.json");
  // One variant a run, in a folder of its name.
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    add_epochs(store, hash, entry.path());
    add_quantisers(store, hash, entry.path());
  }
}

/// The outcome that the store has of it, or nothing.
std::string known_outcome(Database& store, const std::string& table, const std::string& hash) {
  Statement statement = store.prepare("SELECT outcome FROM " + table + " WHERE hash = ?", hash);
  return statement.step() ? statement.text(0) : "";
}

using Add = void (*)(Database&, const std::string&, const fs::path&, const Json&, const std::string&);

bool take_in(Database& store, const std::string& table, const fs::path& folder, Add add) {
  const fs::path file = folder / "outcome.json";
  const std::string hash = folder.filename();
  if (!fs::exists(file) || known_outcome(store, table, hash) == read_file(file, "lab")) return false;
  Transaction held(store);
  // Others may have taken it in, or ended it anew, since.
  const std::string text = read_file(file, "lab");
  if (known_outcome(store, table, hash) == text) return false;
  const Json outcome = parse_json(text, "lab", file.string());
  forget(store, hash);
  try {
    add(store, hash, folder, outcome, text);
    add_possessions(store, hash, outcome);
  } catch (const nlohmann::json::exception& error) {
    fail("lab", folder.string(), error.what(), "what a run of this study leaves");
  }
  held.commit();
  return true;
}

int64_t take_in_all(Database& store, const std::string& table, const fs::path& folder, Add add) {
  int64_t count = 0;
  if (!fs::exists(folder)) return 0;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory()) count += take_in(store, table, entry.path(), add);
  return count;
}

void take_in_study(Database& store, const fs::path& out) {
  const std::string plan_text = read_file(out / "plan.json", "lab"), text = read_file(out / "study.json", "lab");
  Statement known = store.prepare("SELECT 1 FROM study WHERE plan = ? AND description = ?", plan_text, text);
  if (known.step()) return;
  const Json plan = parse_json(plan_text, "lab", (out / "plan.json").string());
  Transaction transaction(store);
  store.run("DELETE FROM study; DELETE FROM levels");
  store.insert("INSERT INTO study VALUES(?, ?, ?, ?)", plan.at("name"), plan.at("kind"), text, plan_text);
  int64_t factor_at = 0;
  for (const Json& factor : plan.at("factors")) {
    int64_t level_at = 0;
    for (const Json& level : factor.at("levels"))
      store.insert("INSERT INTO levels VALUES(?, ?, ?, ?)", factor.at("factor"), level, factor_at, level_at++);
    ++factor_at;
  }
  transaction.commit();
}

}  // namespace

int64_t merge(Database& store, const fs::path& out) {
  take_in_study(store, out);
  return take_in_all(store, "trainings", out / "floats", add_training) +
         take_in_all(store, "runs", out / "runs", add_run);
}

}  // namespace nibble::lab
