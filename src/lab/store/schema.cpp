#include "lab/store/schema.hpp"

#include <string>

#include "base/error.hpp"

namespace nibble::lab {
namespace {

/// PRAGMA application_id: "NIBL".
constexpr int application = 0x4e49424c;

constexpr const char* tables = R"(
CREATE TABLE study(              -- one row
  name TEXT NOT NULL,
  kind TEXT NOT NULL,            -- of its design: factorial, ...
  description TEXT NOT NULL,     -- study.json
  plan TEXT NOT NULL             -- plan.json: every run, those that wait too
);
CREATE TABLE levels(             -- of the design's factors, in its order
  factor TEXT NOT NULL, level TEXT NOT NULL,
  factor_at INTEGER NOT NULL, level_at INTEGER NOT NULL,
  PRIMARY KEY(factor, level)
) WITHOUT ROWID;
CREATE TABLE trainings(          -- float trainings, which runs share
  hash TEXT PRIMARY KEY,
  status TEXT NOT NULL,          -- done, failed
  reason TEXT,                   -- why it failed
  seconds REAL NOT NULL,
  machine TEXT NOT NULL,
  outcome TEXT NOT NULL          -- its outcome.json
) WITHOUT ROWID;
CREATE TABLE runs(               -- that have ended
  hash TEXT PRIMARY KEY,         -- of the resolved description
  training TEXT NOT NULL,        -- the hash of its float training
  seed INTEGER NOT NULL,
  repeat INTEGER, fold INTEGER,  -- where the study has folds
  inner INTEGER,                 -- the fold within the fold's training part, of runs that choose a level
  status TEXT NOT NULL,          -- done, failed
  reason TEXT,                   -- why it failed
  seconds REAL NOT NULL,         -- what it took
  latency REAL,                  -- median seconds of one inference of the integer network, one thread, on that machine
  machine TEXT NOT NULL,
  outcome TEXT NOT NULL          -- its outcome.json
) WITHOUT ROWID;
CREATE TABLE run_levels(
  run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, factor TEXT NOT NULL, level TEXT NOT NULL,
  PRIMARY KEY(run, factor)
) WITHOUT ROWID;
CREATE TABLE networks(           -- of a run: FP, FQ, QD and ID
  run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
  representation TEXT NOT NULL,
  metric TEXT NOT NULL,          -- top1: the share of right decisions; mean_square, nme: errors
  value REAL NOT NULL,
  low REAL NOT NULL, high REAL NOT NULL,  -- its 95 % interval over the test set
  weights INTEGER NOT NULL, activations INTEGER NOT NULL,  -- bits
  weight_bytes INTEGER NOT NULL,
  flips INTEGER NOT NULL,        -- decisions unlike float's
  compared_integers INTEGER NOT NULL, differing_integers INTEGER NOT NULL,
  requantisations INTEGER NOT NULL, exact INTEGER NOT NULL,
  model TEXT NOT NULL,           -- its file below the study's folder
  PRIMARY KEY(run, representation)
) WITHOUT ROWID;
CREATE TABLE epochs(             -- of float trainings and of runs that train their quantisers
  training TEXT NOT NULL,        -- a float training's hash, or a run's
  epoch INTEGER NOT NULL,        -- from 1
  train_loss REAL, train_accuracy REAL, test_loss REAL, test_accuracy REAL, learning_rate REAL, seconds REAL,
  quantisers INTEGER,            -- how many are on
  PRIMARY KEY(training, epoch)
) WITHOUT ROWID;
CREATE TABLE quantisers(         -- after each epoch
  training TEXT NOT NULL, epoch INTEGER NOT NULL,
  place INTEGER NOT NULL,        -- in the network's order
  quantiser TEXT NOT NULL,
  is_on INTEGER NOT NULL,
  scale_min REAL, scale_max REAL,  -- over its channels
  low REAL, high REAL,           -- its range over all channels
  below REAL, above REAL,        -- shares of what it reads that lie outside
  PRIMARY KEY(training, epoch, place)
) WITHOUT ROWID;
CREATE TABLE labels(             -- of a test set's examples, classes or groups: runs that share it share the row
  hash TEXT PRIMARY KEY,         -- of the classes' bytes
  width INTEGER NOT NULL,        -- bytes an example
  classes BLOB NOT NULL          -- whole numbers without sign, the lowest byte first
) WITHOUT ROWID;
CREATE TABLE predictions(        -- on the test set, in its order
  run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
  representation TEXT NOT NULL,
  examples INTEGER NOT NULL,
  labels TEXT REFERENCES labels, -- of those examples
  groups TEXT REFERENCES labels, -- what examples are of one person, one recording
  width INTEGER,                 -- bytes an example of `classes`
  classes BLOB,                  -- what the network decides, as in labels
  errors BLOB,                   -- where targets are given: of the metric, float64, the lowest byte first
  PRIMARY KEY(run, representation)
) WITHOUT ROWID;
CREATE TABLE artefacts(          -- files that runs and float trainings left
  owner TEXT NOT NULL,           -- a run's hash, or a float training's
  file TEXT NOT NULL,            -- below its folder
  bytes INTEGER NOT NULL,
  hash TEXT NOT NULL,            -- FNV-1a of its bytes, 64 bits
  PRIMARY KEY(owner, file)
) WITHOUT ROWID;
CREATE TABLE versions(           -- of what ran
  owner TEXT NOT NULL,           -- a run's hash, or a float training's
  name TEXT NOT NULL, version TEXT NOT NULL,
  PRIMARY KEY(owner, name)
) WITHOUT ROWID;
)";

constexpr const char* views = R"(
CREATE VIEW combinations AS      -- what tables call a run: "bits 8-8, range mse"
  SELECT hash AS run, coalesce((SELECT group_concat(name, ', ') FROM (
    SELECT of.factor || ' ' || of.level AS name FROM run_levels of
      JOIN levels USING (factor, level) WHERE of.run = runs.hash ORDER BY factor_at)), 'the one combination') AS combination
  FROM runs;
CREATE VIEW results AS           -- a row a run that is done, inner ones not: its float network and its integer one
  SELECT combination, seed, repeat, fold, id.metric, fp.value AS float_value, id.value, id.low, id.high,
    id.value - fp.value AS difference, id.flips, id.weight_bytes, latency, seconds, machine, runs.hash AS run
  FROM runs JOIN combinations c ON c.run = runs.hash
    JOIN networks fp ON fp.run = runs.hash AND fp.representation = 'FP'
    LEFT JOIN networks id ON id.run = runs.hash AND id.representation = 'ID'
  WHERE status = 'done' AND inner IS NULL ORDER BY combination, seed, repeat, fold;
CREATE VIEW failures AS
  SELECT combination, seed, repeat, fold, reason, machine, runs.hash AS run
  FROM runs JOIN combinations c ON c.run = runs.hash WHERE status = 'failed' ORDER BY combination, seed, repeat, fold;
CREATE VIEW curves AS            -- epochs of each run: of its float network, then of its quantisers' training
  SELECT combination, seed, repeat, fold, 'float' AS phase, epochs.* FROM runs
    JOIN combinations c ON c.run = runs.hash JOIN epochs ON epochs.training = runs.training
  UNION ALL
  SELECT combination, seed, repeat, fold, 'quantised', epochs.* FROM runs
    JOIN combinations c ON c.run = runs.hash JOIN epochs ON epochs.training = runs.hash;
)";

int64_t pragma(Database& database, const std::string& name) {
  Statement statement = database.prepare("PRAGMA " + name);
  return statement.step() ? statement.integer(0) : 0;
}

}  // namespace

void require_schema(Database& database) {
  if (pragma(database, "application_id") != application || pragma(database, "user_version") != schema_version) {
    Transaction transaction(database);
    const int64_t version = pragma(database, "user_version"), owner = pragma(database, "application_id");
    const bool empty = !database.prepare("SELECT 1 FROM sqlite_master").step();
    if (owner != application && !empty)
      fail("lab", database.file(), "a database of something else", "a store of Nibble's");
    if (version > schema_version)
      fail("lab", database.file(), "schema version " + std::to_string(version),
           "at most " + std::to_string(schema_version) + ": a newer Nibble wrote it");
    if (empty) {
      database.run(tables);
      database.run(views);
      database.run("PRAGMA application_id = " + std::to_string(application) +
                   "; PRAGMA user_version = " + std::to_string(schema_version));
    }
    transaction.commit();
  }
  database.run("PRAGMA foreign_keys = ON");
}

}  // namespace nibble::lab
