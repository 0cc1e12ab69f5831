#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.hpp"
#include "report/report.hpp"
#include "scratch.hpp"
#include "study_folder.hpp"

namespace nibble::report {
namespace {

/// What browser.py found, or null where it could not run.
Json opened(const std::filesystem::path& page) {
  const std::filesystem::path found = page.string() + ".json";
  const std::string command = "python3 " NIBBLE_SOURCE "/tests/unit/report/browser.py '" + page.string() + "' '" +
                              page.parent_path().string() + "' > '" + found.string() + "'";
  const int state = std::system(command.c_str());
  if (WEXITSTATUS(state) == 77) return {};
  EXPECT_EQ(state, 0);
  return read_json(found, "tests");
}

TEST(ReportInABrowser, EveryChartIsDrawnOnAScreenOnAPhoneAndOnPaper) {
  const std::filesystem::path library = std::filesystem::path(NIBBLE_BINARY).parent_path() / "charts.js";
  if (!std::filesystem::exists(library)) GTEST_SKIP() << "no " << library << ": scripts/fetch_vega fetches it";
  const std::filesystem::path out = tests::scratch("study"), page = tests::scratch("report.html");
  std::filesystem::remove_all(out);
  tests::write_study({}, out);
  const Document document = report_of(out, {.margin = 1.0, .baseline = "", .alpha = 0.05});
  size_t panels = 0;
  for (const Section& section : document.sections)
    for (const Block& block : section.blocks)
      if (const auto* chart = std::get_if<Chart>(&block)) panels += chart->panels.size();
  write_file(page, html(document, read_file(library, "tests")), "tests");
  const Json found = opened(page);
  if (found.is_null()) GTEST_SKIP() << "no Chromium here";
  EXPECT_GE(panels, 20u);
  for (const char* width : {"desktop", "phone"}) {
    SCOPED_TRACE(width);
    const Json& seen = found[width];
    EXPECT_EQ(seen["drawn"], panels);
    EXPECT_EQ(seen["failed"], 0);
    EXPECT_EQ(seen["complaints"], Json::array());
    EXPECT_LE(seen["overflow"], 0) << "nothing is wider than the page";
    for (const Json& panel : seen["panels"]) {
      EXPECT_GT(panel["marks"], 0) << panel["label"];
      EXPECT_GT(panel["width"], 100) << panel["label"];
      EXPECT_LE(panel["width"].get<double>(), panel["room"].get<double>() + 1) << panel["label"];
      EXPECT_GT(panel["label"].get<std::string>().size(), 20u);
    }
  }
  EXPECT_EQ(found["desktop"]["picture"][0], 1280);
  EXPECT_EQ(found["phone"]["picture"][0], 390);
  for (const char* width : {"desktop", "phone"}) EXPECT_GT(found[width]["picture"][1], 3000);
  EXPECT_GT(found["paper"]["pages"], 3);
}

}  // namespace
}  // namespace nibble::report
