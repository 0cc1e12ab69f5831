#include "report/document.hpp"

namespace nibble::report {
namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (text.substr(i).starts_with("±")) {
      result += "$\\pm$", ++i;
      continue;
    }
    switch (c) {
      case '\\': result += "\\textbackslash{}"; break;
      case '~': result += "\\textasciitilde{}"; break;
      case '^': result += "\\textasciicircum{}"; break;
      case '<':
      case '>': result += std::string("$") + c + "$"; break;
      case '&':
      case '%':
      case '$':
      case '#':
      case '_':
      case '{':
      case '}':
        result += '\\';
        result += c;
        break;
      default: result += c;
    }
  }
  return result;
}

std::string line(const std::vector<std::string>& cells) {
  std::string text;
  for (size_t i = 0; i < cells.size(); ++i) text += (i == 0 ? "" : " & ") + escaped(cells[i]);
  return text + " \\\\\n";
}

std::string text_of(const std::string& paragraph) {
  return escaped(paragraph) + "\n\n";
}

std::string text_of(const Verdict& verdict) {
  const std::string_view kind = name_of(verdict.kind);
  std::string text = "\\noindent ";
  if (!kind.empty()) text.append("\\textbf{").append(kind).append("} ");
  return text + escaped(verdict.text) + "\n\n";
}

std::string text_of(const Table& table) {
  std::string columns;
  for (size_t i = 0; i < table.columns.size(); ++i) columns += i < table.texts ? 'l' : 'r';
  std::string text = "\\begin{longtable}{" + columns + "}\n\\caption{" + escaped(table.title) + "}\\\\\n\\toprule\n" +
                     line(table.columns) + "\\midrule\n\\endhead\n";
  for (const auto& row : table.rows) text += line(row);
  return text + "\\bottomrule\n\\end{longtable}\n\n";
}

std::string text_of(const Chart& chart) {
  return "\\paragraph{" + escaped(chart.title) + "} " + escaped(chart.text) + "\n\n";
}

std::string text_of(const Listing& listing) {
  return "\\paragraph{" + escaped(listing.title) + "}\n\\begin{verbatim}\n" + listing.text +
         (listing.text.ends_with('\n') ? "" : "\n") + "\\end{verbatim}\n\n";
}

}  // namespace

std::string latex(const Document& document) {
  std::string text = "% \\usepackage{booktabs,longtable}\n\\section*{" + escaped(document.title) + "}\n" +
                     escaped(document.subtitle) + "\n\n";
  for (const Section& section : document.sections) {
    text += "\\subsection*{" + escaped(section.title) + "}\n";
    for (const Block& block : section.blocks) text += std::visit([](const auto& one) { return text_of(one); }, block);
  }
  return text;
}

}  // namespace nibble::report
