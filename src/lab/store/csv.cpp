#include "lab/store/csv.hpp"

#include "base/error.hpp"
#include "base/file.hpp"

namespace nibble::lab {
namespace {

/// Fields from `at` on, which goes behind the line's end.
std::vector<std::string> fields_of(const std::string& text, size_t& at, const std::string& place) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted && c == '"' && at + 1 < text.size() && text[at + 1] == '"') {
      fields.back() += text[++at];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && c == ',') {
      fields.emplace_back();
    } else if (!quoted && c == '\n') {
      ++at;
      return fields;
    } else if (quoted || c != '\r') {
      fields.back() += c;
    }
  }
  if (quoted) fail("lab", place, "a quote without an end", "a table as RFC 4180 has it");
  return fields;
}

}  // namespace

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += ',';
    if (fields[i].find_first_of(",\"\r\n") == std::string::npos) {
      line += fields[i];
      continue;
    }
    line += '"';
    for (char c : fields[i]) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + "\n";
}

std::vector<std::map<std::string, std::string>> read_csv(const std::filesystem::path& file) {
  const std::string text = read_file(file, "lab");
  std::vector<std::map<std::string, std::string>> rows;
  size_t at = 0;
  const std::vector<std::string> header = fields_of(text, at, file.string());
  for (size_t line = 2; at < text.size(); ++line) {
    const std::vector<std::string> fields = fields_of(text, at, file.string());
    if (fields.size() != header.size())
      fail("lab", file.string() + ": line " + std::to_string(line), std::to_string(fields.size()) + " fields",
           std::to_string(header.size()) + ", as the header has");
    auto& row = rows.emplace_back();
    for (size_t i = 0; i < fields.size(); ++i) row[header[i]] = fields[i];
  }
  return rows;
}

}  // namespace nibble::lab
