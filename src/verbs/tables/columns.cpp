#include "verbs/tables/columns.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace nibble::verbs {

void Columns::add(std::vector<std::string> cells) {
  ensure(cells.size() == columns_.size(), "a row has a cell for every column");
  rows_.push_back(std::move(cells));
}

std::string Columns::text() const {
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  std::vector<size_t> widths(columns_.size());
  std::vector<const std::vector<std::string>*> lines{&titles};
  for (const auto& row : rows_) lines.push_back(&row);
  for (const auto* line : lines)
    for (size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], (*line)[i].size());
  std::string text;
  for (const auto* line : lines) {
    std::string made;
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string space(widths[i] - (*line)[i].size(), ' ');
      if (i > 0) made += "  ";
      made += columns_[i].side == Side::Right ? space + (*line)[i] : (*line)[i] + space;
    }
    made.erase(made.find_last_not_of(' ') + 1);
    text += made + "\n";
  }
  return text;
}

}  // namespace nibble::verbs
