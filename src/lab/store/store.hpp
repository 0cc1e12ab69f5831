#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "lab/store/database.hpp"

/// results.db: what a study's runs say, in one file that one asks in SQL (docs/design/studies.md has the tables). The
/// folders of the runs are the truth, and it is merged from them: whoever asks first takes in what has ended since.
namespace nibble::lab {

/// The store of a study's folder with everything that has ended there; one that goes with the process where the folder
/// cannot be written. Throws UserError where the folder is no study's, and what Database and require_schema throw.
Database open_store(const std::filesystem::path& out);

/// Takes in what the folder has and the store has not: a transaction a run, so that any number of processes may do it at
/// once, and be killed. Returns how many float trainings and runs were added or had changed.
int64_t merge(Database& store, const std::filesystem::path& out);

/// Every row by its columns' names.
template <class... Values>
Json rows_of(Database& store, std::string_view sql, const Values&... values) {
  Json rows = Json::array();
  Statement statement = store.prepare(sql, values...);
  while (statement.step()) rows.push_back(statement.row());
  return rows;
}

/// What a network of a run says of each example of its test set. Empty where the store has none.
struct Predictions {
  std::vector<int64_t> labels, classes;
  std::vector<double> errors;
};
Predictions predictions_of(Database& store, const std::string& run, const std::string& representation);

struct CsvTable {
  std::string text;
  size_t rows = 0;  ///< below the header
};
/// A row a run of the plan, those that wait too: hash, factors, seed, status, float and integer accuracy, ...
CsvTable runs_csv(Database& store);
/// A row an epoch of each run: of its float network, then of its quantisers' training.
CsvTable epochs_csv(Database& store);

}  // namespace nibble::lab
