#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "data/sources.hpp"

namespace nibble::data {
namespace {

/// "a ""b""" as spreadsheets write a "b"; anything else as it is.
std::string unquoted(const std::string& cell) {
  if (cell.size() < 2 || cell.front() != '"' || cell.back() != '"') return cell;
  std::string text;
  for (size_t i = 1; i + 1 < cell.size(); ++i) {
    text += cell[i];
    if (cell[i] == '"' && i + 2 < cell.size() && cell[i + 1] == '"') ++i;
  }
  return text;
}

/// A row's cells. File names may hold commas, so that the others are counted from the end.
std::vector<std::string> cells_of(std::string row, size_t columns) {
  std::vector<std::string> cells;
  while (cells.size() + 1 < columns) {
    const size_t comma = row.rfind(',');
    if (comma == std::string::npos) break;
    cells.push_back(unquoted(row.substr(comma + 1)));
    row.resize(comma);
  }
  cells.push_back(unquoted(row));
  std::reverse(cells.begin(), cells.end());
  return cells;
}

/// Every row's cells, and what the columns are called: by a first line that has `label` behind its first column, which is
/// the file whatever it is called.
struct Rows {
  std::vector<std::string> names{"file", "label"};
  bool header = false;
  std::vector<std::pair<size_t, std::vector<std::string>>> cells;  ///< by the line's number

  size_t column(const std::string& name, const std::string& place) const {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end() || !header)
      fail("data", place, header ? "no column '" + name + "'" + did_you_mean(name, names) : "no header",
           header ? "one of the header's" : "a first line that names its columns: file,label," + name);
    return static_cast<size_t>(found - names.begin());
  }
};

Rows rows_of(std::string_view text) {
  Rows rows;
  for (size_t at = 0, line = 1; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string row(text.substr(at, end - at));
    at = end + 1;
    if (row.ends_with('\r')) row.pop_back();
    if (row.empty()) continue;
    if (line == 1) {
      const auto names = cells_of(row, static_cast<size_t>(std::count(row.begin(), row.end(), ',')) + 1);
      rows.header = std::find(names.begin() + 1, names.end(), "label") != names.end();
      if (rows.header) {
        rows.names = names;
        continue;
      }
    }
    rows.cells.emplace_back(line, cells_of(row, rows.names.size()));
  }
  return rows;
}

}  // namespace

std::vector<Labelled> parse_labels(std::string_view text, const std::string& place) {
  std::vector<Labelled> files;
  const Rows rows = rows_of(text);
  const auto column =
      static_cast<size_t>(std::find(rows.names.begin(), rows.names.end(), "label") - rows.names.begin());
  for (const auto& [line, cells] : rows.cells) {
    const std::string label = column < cells.size() ? cells[column] : "";
    int64_t number = -1;
    const auto [stop, error] = std::from_chars(label.data(), label.data() + label.size(), number);
    const bool whole = error == std::errc() && stop == label.data() + label.size();
    if (!whole || number < 0 || number >= (1 << 24) || cells.size() < rows.names.size() || cells[0].empty()) {
      std::string row, names;
      for (const std::string& cell : cells) row += (row.empty() ? "" : ",") + cell;
      for (const std::string& name : rows.names) names += (names.empty() ? "" : ",") + name;
      fail("data", place + ":" + std::to_string(line), "'" + row + "'", names + " with a label of 0 or more");
    }
    files.push_back({cells[0], number, line});
  }
  return files;
}

std::vector<std::string> parse_column(std::string_view text, const std::string& column, const std::string& place) {
  const Rows rows = rows_of(text);
  const size_t at = rows.column(column, place);
  std::vector<std::string> cells;
  for (const auto& [line, row] : rows.cells) {
    if (row.size() < rows.names.size())
      fail("data", place + ":" + std::to_string(line), std::to_string(row.size()) + " cells",
           std::to_string(rows.names.size()) + ", as the header has");
    cells.push_back(row[at]);
  }
  return cells;
}

}  // namespace nibble::data
