#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"

struct sqlite3;
struct sqlite3_stmt;

/// SQLite, in C++. What it refuses is a UserError "lab: <file>: <what>": a full disk, a file that is no database, one that
/// cannot be written, one that others hold for longer than a minute. A transaction that is not committed leaves nothing.
namespace nibble::lab {

/// Bytes of a column.
struct Blob {
  std::string bytes;
};

class Statement;

/// A connection. Any number of processes may have one to a file.
class Database {
 public:
  /// Opens the file, or makes it; ":memory:" is one that goes with it.
  explicit Database(const std::filesystem::path& file);

  const std::string& file() const { return file_; }
  /// Statements without parameters, one after the other.
  void run(const std::string& statements);
  /// One statement, its parameters in order: whole numbers, reals, texts, Blobs, JSON values, nothing (null).
  template <class... Values>
  Statement prepare(std::string_view sql, const Values&... values);
  template <class... Values>
  void insert(std::string_view sql, const Values&... values);

  [[noreturn]] void refuse(int code) const;
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::string file_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A statement and the row that it stands at. Columns count from 0.
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);
  void bind(int parameter, int64_t value);
  void bind(int parameter, int value) { bind(parameter, static_cast<int64_t>(value)); }
  void bind(int parameter, uint64_t value) { bind(parameter, static_cast<int64_t>(value)); }
  void bind(int parameter, double value);
  void bind(int parameter, std::string_view value);
  void bind(int parameter, const std::string& value) { bind(parameter, std::string_view(value)); }
  void bind(int parameter, const char* value) { bind(parameter, std::string_view(value)); }
  void bind(int parameter, const Blob& value);
  void bind(int parameter, std::nullptr_t value);
  /// Texts, numbers, true and false as themselves, null as nothing, the rest as its text.
  void bind(int parameter, const Json& value);

  /// The next row; false where there is none.
  bool step();
  bool is_null(int column) const;
  int64_t integer(int column) const;
  double real(int column) const;
  /// Of texts and blobs.
  std::string text(int column) const;
  /// The row by its columns' names, without blobs.
  Json row() const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Holds the file for writing, from its beginning to its end; what is not committed is undone.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

template <class... Values>
Statement Database::prepare(std::string_view sql, const Values&... values) {
  Statement statement(*this, sql);
  int parameter = 0;
  (statement.bind(++parameter, values), ...);
  return statement;
}

template <class... Values>
void Database::insert(std::string_view sql, const Values&... values) {
  prepare(sql, values...).step();
}

}  // namespace nibble::lab
