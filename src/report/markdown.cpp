#include <algorithm>

#include "report/document.hpp"

namespace nibble::report {
namespace {

/// A cell or a line: what Markdown would take for its own is behind a backslash.
std::string escaped(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (std::string_view("\\`*_[]<>|#").find(c) != std::string_view::npos) result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

std::string line(const std::vector<std::string>& cells) {
  std::string text = "|";
  for (const std::string& cell : cells) text += " " + escaped(cell) + " |";
  return text + "\n";
}

std::string text_of(const std::string& paragraph) {
  return escaped(paragraph) + "\n\n";
}

std::string text_of(const Verdict& verdict) {
  const std::string_view kind = name_of(verdict.kind);
  std::string text = "- ";
  if (!kind.empty()) text.append("**").append(kind).append("** ");
  return text + escaped(verdict.text) + "\n";
}

std::string text_of(const Table& table) {
  std::string text = "**" + escaped(table.title) + "**\n\n" + line(table.columns) + "|";
  for (size_t i = 0; i < table.columns.size(); ++i) text += i < table.texts ? " --- |" : " ---: |";
  text += "\n";
  for (const auto& row : table.rows) text += line(row);
  return text + "\n";
}

std::string text_of(const Chart& chart) {
  return "**" + escaped(chart.title) + "**: " + escaped(chart.text) + "\n\n";
}

std::string text_of(const Listing& listing) {
  // A fence longer than any in the text.
  std::string fence = "```";
  while (listing.text.find(fence) != std::string::npos) fence += '`';
  return "**" + escaped(listing.title) + "**\n\n" + fence + "\n" + listing.text +
         (listing.text.ends_with('\n') ? "" : "\n") + fence + "\n\n";
}

}  // namespace

std::string markdown(const Document& document) {
  std::string text = "# " + escaped(document.title) + "\n\n" + escaped(document.subtitle) + "\n\n";
  for (const Section& section : document.sections) {
    text += "## " + escaped(section.title) + "\n\n";
    for (size_t i = 0; i < section.blocks.size(); ++i) {
      text += std::visit([](const auto& block) { return text_of(block); }, section.blocks[i]);
      const bool ends_list =
          std::holds_alternative<Verdict>(section.blocks[i]) &&
          (i + 1 == section.blocks.size() || !std::holds_alternative<Verdict>(section.blocks[i + 1]));
      if (ends_list) text += "\n";
    }
  }
  return text;
}

}  // namespace nibble::report
