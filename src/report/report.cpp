#include "report/report.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/own_file.hpp"
#include "report/sections.hpp"

namespace nibble::report {

namespace fs = std::filesystem;

Document report_of(const fs::path& out, const lab::Question& question) {
  lab::Database store = lab::open_store(out);
  const Findings findings = findings_of(out, question, store);
  Document document{findings.study.name, "", {}};
  document.subtitle = "What a study of quantised networks says: " +
                      (findings.metric.more_is_better ? "accuracy" : findings.metric.name) +
                      " of the integer networks on the test set.";
  for (Section& section : std::vector{answer_section(findings), effects_section(findings), costs_section(findings),
                                      training_section(findings, store), quantisers_section(findings, store),
                                      classes_section(findings, store), provenance_section(findings, store)})
    if (!section.blocks.empty()) document.sections.push_back(std::move(section));
  return document;
}

Library chart_library() {
  std::error_code error;
  const auto files = places_of_own_file("charts.js", "NIBBLE_CHARTS", NIBBLE_CHARTS_FOLDER);
  for (const fs::path& file : files)
    if (fs::is_regular_file(file, error)) {
      std::string text = read_file(file, "report");
      if (text.find("</script") == std::string::npos) return {std::move(text), ""};
      fail("report", file.string(), "a closing tag in it", "what scripts/fetch_vega makes");
    }
  return {"", "no " + files.front().string()};
}

}  // namespace nibble::report
