#include "report/report.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.hpp"
#include "base/file.hpp"
#include "scratch.hpp"
#include "study_folder.hpp"

namespace nibble::report {
namespace {

using tests::MadeUpStudy;

std::filesystem::path folder_of(const MadeUpStudy& study) {
  const std::filesystem::path out = tests::scratch("study");
  std::filesystem::remove_all(out);
  tests::write_study(study, out);
  return out;
}

Document report_with(const MadeUpStudy& study, std::optional<double> margin) {
  return report_of(folder_of(study), {.margin = margin, .baseline = "", .alpha = 0.05});
}

std::vector<std::string> verdicts_of(const Document& document, Verdict::Kind kind) {
  std::vector<std::string> found;
  for (const Block& block : document.sections.at(0).blocks)
    if (const auto* verdict = std::get_if<Verdict>(&block); verdict != nullptr && verdict->kind == kind)
      found.push_back(verdict->text);
  return found;
}

const Chart* chart_named(const Document& document, const std::string& start) {
  for (const Section& section : document.sections)
    for (const Block& block : section.blocks)
      if (const auto* chart = std::get_if<Chart>(&block); chart != nullptr && chart->title.starts_with(start))
        return chart;
  return nullptr;
}

std::vector<std::string> titles_of(const Document& document) {
  std::vector<std::string> titles;
  for (const Section& section : document.sections) titles.push_back(section.title);
  return titles;
}

TEST(Report, SaysFirstWhichAreEquivalentAndWhichLose) {
  MadeUpStudy study;
  study.examples = 2000, study.seeds = 4;
  const Document document = report_with(study, 1.5);
  EXPECT_EQ(titles_of(document), (std::vector<std::string>{"Answer", "Effects", "What it costs", "Training",
                                                           "Quantisers", "Classes", "Where this comes from"}));
  const auto losing = verdicts_of(document, Verdict::Kind::Loses),
             equal = verdicts_of(document, Verdict::Kind::Equivalent);
  ASSERT_EQ(losing.size(), 2u);
  EXPECT_TRUE(losing[0].starts_with("bits 2-2, range min_max: -")) << losing[0];
  ASSERT_EQ(equal.size(), 3u);
  EXPECT_NE(equal[0].find("within ±1.5 points"), std::string::npos) << equal[0];
  const auto& summary = std::get<std::string>(document.sections[0].blocks[0]);
  EXPECT_NE(summary.find("of 5 other combinations: 3 equivalent within ±1.5 points, 2 lose, 0 gain, 0 undecided."),
            std::string::npos)
      << summary;
}

TEST(Report, CallsNothingEquivalentWithoutAMargin) {
  MadeUpStudy study;
  study.examples = 2000, study.seeds = 4;
  const Document document = report_with(study, {});
  EXPECT_TRUE(verdicts_of(document, Verdict::Kind::Equivalent).empty());
  EXPECT_GE(verdicts_of(document, Verdict::Kind::Loses).size(), 2u);
  EXPECT_NE(markdown(document).find("No margin was stated, so nothing is called equivalent"), std::string::npos);
}

TEST(Report, DrawsAFrontOnWhichNothingElseIsBetterInBoth) {
  MadeUpStudy study;
  study.losses = {0.2, 0, 0.1};  // of 8, 4 and 2 bits: 8 bits cost more and are worse
  const Document document = report_with(study, {});
  const Chart* chart = chart_named(document, "accuracy, %, against bytes");
  ASSERT_NE(chart, nullptr);
  for (const Json& point : chart->panels[0].spec["data"]["values"])
    EXPECT_TRUE(!point["combination"].get<std::string>().starts_with("bits 8-8") || point["place"] == "behind it");
  EXPECT_NE(chart->text.find("bits 4-4"), std::string::npos);
}

TEST(Report, CountsWhatIsTakenForWhat) {
  MadeUpStudy study;
  const Document document = report_with(study, {});
  const Chart* chart = chart_named(document, "Confusions");
  ASSERT_NE(chart, nullptr);
  EXPECT_TRUE(chart->panels[0].title.starts_with("bits 2-2"));
  // Class 2 errs most with few bits, and is taken for 0.
  EXPECT_NE(chart->text.find("2 taken for 0 +"), std::string::npos) << chart->text;
  double sum = 0;
  for (const Json& cell : chart->panels[0].spec["data"]["values"]) sum += cell["more"].get<double>();
  EXPECT_NEAR(sum, 0, 1e-3) << "each example is taken for one class in both";
}

TEST(Report, OfAStudyThatHasHardlyBegunSaysSo) {
  MadeUpStudy study;
  const std::filesystem::path out = tests::scratch("study");
  std::filesystem::remove_all(out);
  tests::write_plan(study, out);
  Document document = report_of(out, {});
  EXPECT_EQ(titles_of(document), (std::vector<std::string>{"Answer", "Where this comes from"}));
  EXPECT_EQ(verdicts_of(document, Verdict::Kind::Note).size(), 1u);
  tests::write_float(study, study.runs()[0], out);
  tests::write_run(study, study.runs()[0], out);
  document = report_of(out, {});
  EXPECT_NE(chart_named(document, "With quantisers"), nullptr);
  EXPECT_NE(html(document, "").find("18 runs: 17 waiting, 1 done."), std::string::npos);
}

TEST(Report, RefusesABaselineThatIsNone) {
  MadeUpStudy study;
  const auto out = folder_of(study);
  EXPECT_THROW(report_of(out, {.margin = {}, .baseline = "bits 9", .alpha = 0.05}), UserError);
  EXPECT_THROW(report_of(out / "runs", {}), UserError);
}

TEST(Report, KeepsNamesFromBecomingPartsOfThePage) {
  Document document{"<script>alert(1)</script>", "a & b", {{"S", {}}}};
  document.sections[0].blocks.emplace_back(Table{"t|x", {"<b>", "n"}, {{"a|b_c", "1"}}, 1});
  document.sections[0].blocks.emplace_back(Chart{"c", "what \"it\" shows", {{"", Json{{"x", "</script><b>"}}}}});
  document.sections[0].blocks.emplace_back(Listing{"l", "```\n<i>"});
  const std::string page = html(document, "");
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("</script><b>"), std::string::npos);
  EXPECT_EQ(page.find("<b>\""), std::string::npos);
  EXPECT_NE(page.find("&lt;b&gt;"), std::string::npos);
  EXPECT_NE(page.find("what &quot;it&quot; shows"), std::string::npos);
  const std::string text = markdown(document);
  EXPECT_NE(text.find("a\\|b\\_c"), std::string::npos);
  EXPECT_NE(text.find("````\n```\n"), std::string::npos);
  document.sections[0].blocks.emplace_back("50 % of {x_1} & ~ ±2 < 3 \\");
  EXPECT_NE(latex(document).find("50 \\% of \\{x\\_1\\} \\& \\textasciitilde{} $\\pm$2 $<$ 3 \\textbackslash{}"),
            std::string::npos);
}

TEST(Report, FindsItsLibraryByTheEnvironmentAndRefusesOneThatEndsTheScript) {
  const std::filesystem::path file = tests::scratch("charts.js");
  write_file(file, "var x = 1;", "tests");
  ::setenv("NIBBLE_CHARTS", file.c_str(), 1);
  EXPECT_EQ(chart_library().text, "var x = 1;");
  write_file(file, "var x = '</script>';", "tests");
  EXPECT_THROW(chart_library(), UserError);
  ::setenv("NIBBLE_CHARTS", "/nowhere/charts.js", 1);
  EXPECT_EQ(chart_library().why, "no /nowhere/charts.js");
  ::unsetenv("NIBBLE_CHARTS");
}

}  // namespace
}  // namespace nibble::report
