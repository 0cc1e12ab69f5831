#include <fmt/format.h>

#include "base/embedded.hpp"
#include "base/error.hpp"
#include "base/foreign_text.hpp"
#include "report/document.hpp"

const std::vector<nibble::Embedded>& nibble_page_files();

namespace nibble::report {
namespace {

std::string_view page_file(std::string_view name) {
  for (const Embedded& file : nibble_page_files())
    if (file.name == name) return file.text;
  ensure(false, "the page's files travel in the binary");
  return {};
}

/// JSON that no element's end stands in.
std::string in_script(const Json& json) {
  std::string result;
  for (char c : json.dump(-1, ' ', false, Json::error_handler_t::replace))
    result += c == '<' ? "\\u003c" : std::string(1, c);
  return result;
}

constexpr size_t folded_rows = 25;  ///< longer tables are folded away on a screen

class Page {
 public:
  void add(const std::string& text) { out_ += "<p>" + xml_escaped(text) + "</p>\n"; }

  void add(const Verdict& verdict) {
    const std::string_view name = name_of(verdict.kind);
    out_ += fmt::format("<li class=\"{}\">{}{}</li>\n", name.empty() ? "note" : name,
                        name.empty() ? "" : fmt::format("<b>{}</b> ", name), xml_escaped(verdict.text));
  }

  void add(const Table& table) {
    out_ += "<h3>" + xml_escaped(table.title) + "</h3>\n";
    const bool folded = table.rows.size() > folded_rows;
    if (folded) out_ += fmt::format("<details class=\"table\"><summary>{} rows</summary>\n", table.rows.size());
    out_ += "<div class=\"scroll\" tabindex=\"0\"><table><thead>";
    line(table, table.columns, "th");
    out_ += "</thead><tbody>\n";
    for (const auto& row : table.rows) line(table, row, "td");
    out_ += "</tbody></table></div>\n";
    if (folded) out_ += "</details>\n";
  }

  void add(const Chart& chart) {
    const size_t panels = chart.panels.size();
    const std::string id = fmt::format("chart{}", ++charts_);
    out_ += fmt::format("<figure{0} aria-labelledby=\"{1}\"><h3 id=\"{1}\">{2}</h3>\n",
                        panels > 6 ? " class=\"tall\"" : "", id, xml_escaped(chart.title));
    if (!chart.legend.empty()) legend(chart.legend);
    out_ += fmt::format("<div class=\"panels{}\">\n", panels == 1 ? " one" : panels > 6 ? " small" : "");
    for (const Chart::Panel& panel : chart.panels) {
      out_ += "<div class=\"panel\">";
      if (!panel.title.empty()) out_ += "<h4>" + xml_escaped(panel.title) + "</h4>";
      const std::string label = chart.title + (panel.title.empty() ? "" : ", " + panel.title) + ": " + chart.text;
      out_ += "<div class=\"drawing\" role=\"img\" aria-label=\"" + xml_escaped(label) + "\"></div>";
      Json spec = panel.spec;
      spec["description"] = label;  // what Vega makes the drawing's label
      out_ += "<script type=\"application/json\">" + in_script(spec) + "</script></div>\n";
    }
    out_ += "</div>\n<figcaption>" + xml_escaped(chart.text) + "</figcaption></figure>\n";
  }

  void add(const Listing& listing) {
    out_ += "<h3>" + xml_escaped(listing.title) + "</h3>\n<pre>" + xml_escaped(listing.text) + "</pre>\n";
  }

  void add(const Section& section, size_t number) {
    out_ += fmt::format("<section>\n<h2 id=\"s{}\">{}</h2>\n", number, xml_escaped(section.title));
    bool in_list = false;
    for (const Block& block : section.blocks) {
      const bool is_verdict = std::holds_alternative<Verdict>(block);
      if (is_verdict != in_list) out_ += is_verdict ? "<ul class=\"verdicts\">\n" : "</ul>\n";
      in_list = is_verdict;
      std::visit([&](const auto& one) { add(one); }, block);
    }
    out_ += in_list ? "</ul>\n</section>\n" : "</section>\n";
  }

  void raw(std::string_view text) { out_ += text; }
  std::string text() && { return std::move(out_); }

 private:
  void line(const Table& table, const std::vector<std::string>& cells, std::string_view element) {
    out_ += "<tr>";
    for (size_t i = 0; i < cells.size(); ++i)
      out_ +=
          fmt::format("<{0}{1}>{2}</{0}>", element, i < table.texts ? " class=\"text\"" : "", xml_escaped(cells[i]));
    out_ += "</tr>\n";
  }

  void legend(const std::vector<std::string>& names) {
    out_ += "<ul class=\"legend\">";
    for (size_t i = 0; i < names.size(); ++i)
      out_ += fmt::format("<li><span style=\"background:{}\"></span>{}</li>", palette()[i % palette().size()],
                          xml_escaped(names[i]));
    out_ += "</ul>\n";
  }

  std::string out_;
  int charts_ = 0;
};

}  // namespace

const std::vector<std::string>& palette() {
  static const std::vector<std::string> colours{"#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377",
                                                "#332288", "#cc6677", "#117733", "#ddcc77", "#88ccee", "#882255",
                                                "#44aa99", "#999933", "#aa4499", "#777777", "#000000", "#994455"};
  return colours;
}

std::string html(const Document& document, const std::string& library) {
  Page page;
  page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
  page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
  page.raw(xml_escaped(document.title) + "</title>\n<style>\n");
  page.raw(page_file("page.css"));
  page.raw("</style>\n</head>\n<body>\n<header><h1>" + xml_escaped(document.title) + "</h1>\n<p class=\"subtitle\">");
  page.raw(xml_escaped(document.subtitle) + "</p>\n<nav>");
  for (size_t i = 0; i < document.sections.size(); ++i)
    page.raw(fmt::format("<a href=\"#s{}\">{}</a> ", i, xml_escaped(document.sections[i].title)));
  page.raw("</nav></header>\n<main>\n");
  for (size_t i = 0; i < document.sections.size(); ++i) page.add(document.sections[i], i);
  page.raw("</main>\n<script>\n");
  page.raw(library);
  page.raw("</script>\n<script>\n");
  page.raw(page_file("page.js"));
  page.raw("</script>\n</body>\n</html>\n");
  return std::move(page).text();
}

}  // namespace nibble::report
