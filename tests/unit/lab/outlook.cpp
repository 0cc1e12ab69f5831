#include "lab/study/outlook.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "data/npz.hpp"
#include "scratch.hpp"

namespace nibble::lab {
namespace {

using tests::scratch;

/// A study tested on so many examples.
Study study_of(int64_t examples, const std::string& seeds) {
  const std::vector<uint8_t> pixels(static_cast<size_t>(examples));
  const std::vector<int64_t> labels(static_cast<size_t>(examples));
  data::write_npz(scratch("test.npz"), {{"x", Tensor({examples, 1, 1}, pixels)}, {"y", Tensor({examples}, labels)}});
  const Json json = parse_json(R"({"name": "s", "data": {"train": "npz:a", "test": "npz:)" +
                                   scratch("test.npz").string() + R"("}, "network": {"topology": "lenet"},
    "quantize": {"weights": 8, "train": false},
    "design": {"factors": [{"factor": "bits", "levels": {"8": {}, "4": {"quantize": {"weights": 4}}}}], "seeds": )" +
                                   seeds + "}}",
                               "lab", "s.json");
  return study_from_json(json, scratch("s.json"));
}

const Json& row_of(const Json& part, const char* key, double value) {
  for (const Json& row : part["rows"])
    if (row[key] == value) return row;
  throw std::runtime_error("no such case");
}

// STATISTICS.md, section 5.2 (R).
TEST(Outlook, TenThousandTestImagesProveHalfAPointAndNotThreeTenths) {
  const Study study = study_of(10000, "1");
  const Json half = outlook_json(study, 0.5, scratch("out")), less = outlook_json(study, 0.3, scratch("out"));
  ASSERT_EQ(half["parts"].size(), 1u);
  EXPECT_EQ(half["parts"][0]["by"], "examples");
  const Json& at_half = row_of(half["parts"][0], "disagreement", 0.025);
  EXPECT_EQ(at_half["to_prove"], 8564);
  EXPECT_EQ(at_half["to_tell"], 7847);
  EXPECT_LE(at_half["proves_points"].get<double>(), 0.5);
  EXPECT_GT(at_half["proves_points"].get<double>(), 0.3);
  const Json& at_less = row_of(less["parts"][0], "disagreement", 0.025);
  EXPECT_EQ(at_less["to_prove"], 23789);
  EXPECT_EQ(at_less["to_tell"], 21801);
}

// R: power.t.test(type = "paired", delta = 1, sd = 1, power = .8) has n = 9.94.
TEST(Outlook, SeedsTellADifferenceOfTheirDeviationByTen) {
  const Json outlook = outlook_json(study_of(10, "10"), 0.5, scratch("out"));
  ASSERT_EQ(outlook["parts"].size(), 2u);
  const Json& row = row_of(outlook["parts"][0], "deviation_points", 0.5);
  EXPECT_EQ(row["to_tell"], 10);
  EXPECT_NEAR(row["tells_points"].get<double>(), 0.5, 0.005);
}

TEST(Outlook, SaysWhyWhereTheTestSetIsNotThere) {
  const Study study = study_of(10, "1");
  std::filesystem::remove(scratch("test.npz"));
  EXPECT_NE(outlook_json(study, {}, scratch("out"))["parts"][0]["reason"].get<std::string>().find("test.npz"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble::lab
