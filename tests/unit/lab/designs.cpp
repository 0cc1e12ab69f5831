#include <gtest/gtest.h>

#include <set>

#include "base/error.hpp"
#include "lab/study/combinations.hpp"
#include "lab/study/design.hpp"

namespace nibble::lab {
namespace {

Json base_description() {
  return parse_json(R"({"name": "s", "seed": 5, "data": {"train": "npz:a", "test": "npz:b"},
    "network": {"topology": "lenet"}, "train": {"epochs": 2},
    "quantize": {"weights": 8, "activations": 8, "train": {"epochs": 1}}})",
                    "lab", "s.json");
}

Study study_of(const std::string& design, Json base = base_description()) {
  base["design"] = parse_json(design, "lab", "s.json");
  return study_from_json(base, "s.json");
}

constexpr const char* two_by_three = R"("factors": [
  {"factor": "bits", "levels": {"8": {"quantize": {"weights": 8}}, "4": {"quantize": {"weights": 4}}}},
  {"factor": "rate", "levels": {"a": {"/train/learning_rate": 0.1}, "b": {"/train/learning_rate": 0.2},
                                "c": {"/train/learning_rate": 0.3}}}])";

std::string with(const std::string& rest) {
  return std::string("{") + two_by_three + rest + "}";
}

std::string message_of(const auto& work) {
  try {
    work();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(Design, AFactorialHasEveryCombinationForEverySeedInAnOrderOfItsOwn) {
  const Study study = study_of(with(R"(, "seeds": 3)"));
  EXPECT_EQ(study.design.cells.size(), 6u);
  ASSERT_EQ(study.runs.size(), 18u);
  std::set<std::string> hashes, floats;
  std::set<std::pair<std::vector<std::string>, uint64_t>> named;
  for (const StudyRun& run : study.runs) {
    hashes.insert(run.hash), floats.insert(run.float_hash), named.insert({run.levels, run.seed});
    EXPECT_EQ(run.description["quantize"]["weights"], run.levels[0] == "8" ? 8 : 4);
    EXPECT_EQ(run.description["train"]["learning_rate"], run.levels[1] == "a" ? 0.1 : run.levels[1] == "b" ? 0.2 : 0.3);
    EXPECT_TRUE(run.seed >= 5 && run.seed <= 7);
  }
  EXPECT_EQ(hashes.size(), 18u);
  EXPECT_EQ(named.size(), 18u);
  EXPECT_EQ(floats.size(), 9u) << "bits share the float training of a rate and a seed";
  const Study again = study_of(with(R"(, "seeds": [7, 5, 6])"));
  std::set<std::string> others;
  for (const StudyRun& run : again.runs) others.insert(run.hash);
  EXPECT_EQ(others, hashes);
  EXPECT_NE(study_of(with(R"(, "seeds": 3, "order": 2)")).runs.front().hash + study.runs[1].hash,
            study.runs.front().hash + study_of(with(R"(, "seeds": 3, "order": 2)")).runs[1].hash);
}

TEST(Design, AHashIsTheResolvedDescriptionsWhateverIsSpelledOut) {
  Json spelled = base_description();
  spelled["train"]["batch_size"] = Json(study_of("{}").runs[0].description)["train"].value("batch_size", 128);
  Json turned = Json::object();
  for (const char* key : {"quantize", "train", "network", "data", "seed", "name"})
    turned[key] = base_description()[key];
  EXPECT_EQ(study_of("{}", turned).runs[0].hash, study_of("{}").runs[0].hash);
  Json other = base_description();
  other["train"]["epochs"] = 3;
  EXPECT_NE(study_of("{}", other).runs[0].hash, study_of("{}").runs[0].hash);
}

TEST(Design, ExcludesWhatAgreesWithAllThatIsNamed) {
  const Study study = study_of(with(R"(, "exclude": [{"bits": "4", "rate": "b"}, {"rate": "c"}])"));
  EXPECT_EQ(study.design.excluded, 3);
  EXPECT_EQ(study.runs.size(), 3u);
  EXPECT_NE(message_of([] { study_of(with(R"(, "exclude": [{"bits": "8"}, {"bits": "4"}])")); }), "");
  EXPECT_NE(message_of([] { study_of(with(R"(, "exclude": [{"bits": "5"}])")); }).find("no level '5'"),
            std::string::npos);
  EXPECT_NE(message_of([] { study_of(with(R"(, "exclude": [{"bit": "4"}])")); }).find("did you mean 'bits'?"),
            std::string::npos);
}

TEST(Design, OneAtATimeChangesOneFactorFromTheFirstLevels) {
  const Study study = study_of(with(R"(, "kind": "one_at_a_time")"));
  EXPECT_EQ(study.design.cells, (std::vector<Cell>{{0, 0}, {1, 0}, {0, 1}, {0, 2}}));
}

TEST(Design, AListIsWhatItSays) {
  const Study study =
      study_of(with(R"(, "kind": "list", "runs": [{"rate": "c", "bits": "4"}, {"bits": "8", "rate": "a"}])"));
  EXPECT_EQ(study.design.cells, (std::vector<Cell>{{1, 2}, {0, 0}}));
  EXPECT_NE(
      message_of([] { study_of(with(R"(, "kind": "list", "runs": [{"bits": "8"}])")); }).find("no level of 'rate'"),
      std::string::npos);
  EXPECT_NE(message_of([] { study_of(with(R"(, "runs": [{"bits": "8", "rate": "a"}])")); }), "");
}

std::vector<Factor> factors(std::initializer_list<const char*> names, size_t levels) {
  std::vector<Factor> result;
  for (const char* name : names) {
    Factor& factor = result.emplace_back(Factor{name, {}});
    for (size_t i = 0; i < levels; ++i) factor.levels.push_back({std::to_string(i), Json::object()});
  }
  return result;
}

TEST(Design, ALatinSquareHasEveryPairOfLevelsOnce) {
  for (const size_t n : {2u, 3u, 5u})
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const auto cells = latin_square(factors({"r", "c", "t"}, n), seed, "p");
      std::set<std::pair<size_t, size_t>> pairs[3];
      for (const Cell& cell : cells)
        for (size_t i = 0; i < 3; ++i) pairs[i].insert({cell[i], cell[(i + 1) % 3]});
      EXPECT_EQ(cells.size(), n * n);
      for (const auto& pair : pairs) EXPECT_EQ(pair.size(), n * n);
    }
  EXPECT_NE(message_of([] { latin_square(factors({"r", "c"}, 3), 1, "p"); }), "");
}

// Box, Hunter and Hunter: 2^(5-2) of resolution III with D = AB, E = AC.
TEST(Design, AFractionIsBalancedAndNamesWhatItCannotTellApart) {
  std::vector<std::string> aliases;
  const auto cells = fractional(factors({"A", "B", "C", "D", "E"}, 2), {"D = A*B", "E = A * C"}, "p", aliases);
  EXPECT_EQ(cells.size(), 8u);
  for (size_t i = 0; i < 5; ++i)
    for (size_t k = 0; k < i; ++k) {
      int count[2][2] = {};
      for (const Cell& cell : cells) ++count[cell[i]][cell[k]];
      for (const auto& row : count)
        for (const int n : row) EXPECT_EQ(n, 2);
    }
  EXPECT_EQ(aliases, (std::vector<std::string>{"resolution 3", "A = B*D = C*E", "B = A*D", "C = A*E", "D = A*B",
                                               "E = A*C", "B*C = D*E", "C*D = B*E"}));
}

TEST(Design, AHalfOfResolutionFiveLeavesPairsByThemselves) {
  std::vector<std::string> aliases;
  EXPECT_EQ(fractional(factors({"A", "B", "C", "D", "E"}, 2), {"E = A*B*C*D"}, "p", aliases).size(), 16u);
  EXPECT_EQ(aliases, std::vector<std::string>{"resolution 5"});
}

TEST(Design, AGeneratorThatMakesNoSenseIsRefused) {
  std::vector<std::string> aliases;
  const auto said = [&](std::vector<std::string> generators) {
    return message_of([&] { fractional(factors({"A", "B", "C"}, 2), generators, "p", aliases); });
  };
  EXPECT_NE(said({}), "");
  EXPECT_NE(said({"C"}), "");
  EXPECT_NE(said({"C = A*D"}), "");
  EXPECT_NE(said({"C = A*A"}), "");
  EXPECT_NE(said({"C = A*B", "C = A"}), "");
  EXPECT_NE(said({"C = A*B", "B = A*C"}), "");
  EXPECT_EQ(said({"C = -A*B"}), "");
}

TEST(Design, VariantsOfADescriptionAreAFactorOfTheirOwn) {
  Json base = base_description();
  base["quantize"] = parse_json(R"([{"weights": 8}, {"weights": 4, "name": "four", "train": true}])", "lab", "s.json");
  const Study study = study_from_json(base, "s.json");
  ASSERT_EQ(study.runs.size(), 2u);
  EXPECT_EQ(study.design.factors.at(0).name, "variant");
  EXPECT_EQ(study.runs[0].float_hash, study.runs[1].float_hash);
  for (const StudyRun& run : study.runs) EXPECT_EQ(run.description["quantize"].size(), 1u);
}

TEST(Design, WhatIsWrongWithARunIsSaidBeforeAnyBegins) {
  const auto said = [](const std::string& level) {
    return message_of(
        [&] { study_of(R"({"factors": [{"factor": "f", "levels": {"ok": {}, "bad": )" + level + "}}]}"); });
  };
  EXPECT_NE(said(R"({"train": {"epoch": 3}})").find("(f bad)"), std::string::npos);
  EXPECT_NE(said(R"({"/train/nothing/there": 3})").find("no such place"), std::string::npos);
  EXPECT_NE(said(R"({"/train/epochs": 3, "train": {}})"), "");
  EXPECT_NE(said("{}").find("same description"), std::string::npos);
  EXPECT_NE(said("3"), "");
}

}  // namespace
}  // namespace nibble::lab
