#include "lab/store/database.hpp"

#include <sqlite3.h>

#include "base/error.hpp"

namespace nibble::lab {

void Database::Close::operator()(sqlite3* handle) const {
  sqlite3_close(handle);
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Database::Database(const std::filesystem::path& file) : file_(file.string()) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(file_.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) refuse(code);
  sqlite3_busy_timeout(handle, 60'000);
  // A process that is killed leaves nothing half done. What a machine that loses its power takes with it is made anew from
  // the runs' folders: no reason to wait for the disk at every run.
  run("PRAGMA synchronous = OFF");
}

void Database::refuse(int code) const {
  switch (code & 0xff) {
    case SQLITE_FULL: fail("lab", file_, "the disk is full", "room for what is added; what was there is kept");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      fail("lab", file_, "no database, or a damaged one",
           "a store of Nibble's; without it, it is made anew from the runs");
    case SQLITE_BUSY: fail("lab", file_, "another process has held it for a minute", "one that lets go");
    case SQLITE_ERROR: throw InternalError(file_ + ": " + sqlite3_errmsg(handle_.get()));
    default:
      fail("lab", file_, handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_.get()),
           "a database that can be written");
  }
}

void Database::run(const std::string& statements) {
  const int code = sqlite3_exec(handle_.get(), statements.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) refuse(code);
}

Statement::Statement(const Database& database, std::string_view sql) : database_(&database) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) database.refuse(code);
}

void Statement::bind(int parameter, int64_t value) {
  sqlite3_bind_int64(statement_.get(), parameter, value);
}
void Statement::bind(int parameter, double value) {
  sqlite3_bind_double(statement_.get(), parameter, value);
}
void Statement::bind(int parameter, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), parameter, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}
void Statement::bind(int parameter, const Blob& value) {
  sqlite3_bind_blob64(statement_.get(), parameter, value.bytes.data(), value.bytes.size(), SQLITE_TRANSIENT);
}
void Statement::bind(int parameter, std::nullptr_t) {
  sqlite3_bind_null(statement_.get(), parameter);
}
void Statement::bind(int parameter, const Json& value) {
  if (value.is_null()) return bind(parameter, nullptr);
  if (value.is_boolean()) return bind(parameter, static_cast<int64_t>(value.get<bool>()));
  if (value.is_number_integer()) return bind(parameter, value.get<int64_t>());
  if (value.is_number()) return bind(parameter, value.get<double>());
  bind(parameter, value.is_string() ? value.get<std::string>() : value.dump());
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) database_->refuse(code);
  return code == SQLITE_ROW;
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}
int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}
std::string Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  return bytes == nullptr ? ""
                          : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

Json Statement::row() const {
  Json row = Json::object();
  for (int i = 0; i < sqlite3_column_count(statement_.get()); ++i) {
    Json& cell = row[sqlite3_column_name(statement_.get(), i)];
    switch (sqlite3_column_type(statement_.get(), i)) {
      case SQLITE_INTEGER: cell = integer(i); break;
      case SQLITE_FLOAT: cell = real(i); break;
      case SQLITE_TEXT: cell = text(i); break;
      default: break;
    }
  }
  return row;
}

Transaction::Transaction(Database& database) : database_(database) {
  // At once: a reader that becomes a writer may have to give up where two do.
  database.run("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // Where SQLite has undone it already, as it does on a full disk, there is none to undo.
  if (open_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

}  // namespace nibble::lab
