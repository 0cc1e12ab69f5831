#pragma once
#include <string>
#include <vector>

namespace nibble::verbs {

enum class Side : unsigned char { Left, Right };

struct Column {
  std::string title;
  Side side = Side::Left;
};

/// A table of text whose columns are as wide as their widest cell, two spaces apart.
class Columns {
 public:
  explicit Columns(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace nibble::verbs
