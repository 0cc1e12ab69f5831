#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>

#include "base/json.hpp"
#include "equal/stats/answers.hpp"

namespace nibble::stats {
namespace {

const std::string folder = NIBBLE_SOURCE "/tests/stats/";

/// Every number of `expected` is in `found`, as near as the tolerance says, relative to it; nought is nought but for
/// rounding.
void expect_near(const Json& found, const Json& expected, double tolerance, const std::string& place) {
  if (expected.is_object()) {
    for (const auto& [key, value] : expected.items()) {
      ASSERT_TRUE(found.contains(key)) << place << ": " << key;
      expect_near(found[key], value, tolerance, place + ": " + key);
    }
  } else if (expected.is_array()) {
    ASSERT_EQ(found.size(), expected.size()) << place;
    for (size_t i = 0; i < expected.size(); ++i)
      expect_near(found[i], expected[i], tolerance, place + "[" + std::to_string(i) + "]");
  } else if (expected.is_number()) {
    const double value = expected;
    EXPECT_NEAR(found.get<double>(), value, std::max(tolerance * std::abs(value), 1e-13)) << place;
  } else {
    EXPECT_EQ(found, expected) << place;
  }
}

Json stored() {
  return read_json(folder + "reference.json", "tests")["cases"];
}

TEST(Reference, EveryFunctionGivesTheStoredValuesOfR) {
  std::set<std::string> functions;
  for (const Json& each : stored()) {
    functions.insert(each["function"].get<std::string>());
    expect_near(answer(each["function"], each["data"]), each["expect"], each["tolerance"], each["name"]);
  }
  EXPECT_EQ(functions.size(), 32u);
}

/// What a command prints.
std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) output += static_cast<char>(c);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

TEST(Reference, RStillGivesTheStoredValues) {
  if (std::system("Rscript -e 'library(nlme); library(boot)' >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "no Rscript with nlme and boot";
  const Json now = parse_json(output_of("Rscript '" + folder + "reference.R'"), "tests", "reference.R")["cases"];
  const Json then = stored();
  ASSERT_EQ(now.size(), then.size());
  for (size_t i = 0; i < then.size(); ++i) expect_near(now[i], then[i], 1e-9, then[i]["name"]);
}

}  // namespace
}  // namespace nibble::stats
