#include "data/folds.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.hpp"
#include "data/npz.hpp"
#include "data/sources.hpp"
#include "unit/data/files.hpp"

namespace nibble::data {
namespace {

std::vector<int64_t> drawn(int64_t count, uint64_t of, uint64_t seed) {
  Random random(seed);
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<int64_t>(random.below(of)));
  return values;
}

/// Of each division: every example once in a test, never in its own training, and both parts together are all.
void expect_whole(const std::vector<Fold>& folds, const std::vector<int64_t>& examples) {
  std::map<int64_t, std::multiset<int64_t>> tested;
  for (const Fold& fold : folds) {
    std::vector<int64_t> both = fold.train;
    both.insert(both.end(), fold.test.begin(), fold.test.end());
    std::sort(both.begin(), both.end());
    EXPECT_EQ(both, examples);
    EXPECT_FALSE(fold.train.empty());
    EXPECT_FALSE(fold.test.empty());
    tested[fold.repeat].insert(fold.test.begin(), fold.test.end());
  }
  for (const auto& [repeat, of_repeat] : tested)
    EXPECT_EQ(of_repeat, std::multiset<int64_t>(examples.begin(), examples.end())) << "repeat " << repeat;
}

void expect_within_one(const std::vector<Fold>& folds, const std::vector<int64_t>& strata) {
  for (int64_t stratum = -1; stratum < 20; ++stratum) {
    int64_t least = INT64_MAX, most = 0;
    for (const Fold& fold : folds) {
      int64_t count = 0;
      for (int64_t index : fold.test) count += stratum < 0 || strata[static_cast<size_t>(index)] == stratum;
      least = std::min(least, count), most = std::max(most, count);
    }
    EXPECT_LE(most - least, 1) << "stratum " << stratum;
  }
}

TEST(Folds, TestEveryExampleOnceInEachRepeatAndDivideEveryStratumEvenly) {
  for (const int64_t count : {2, 3, 7, 10})
    for (const uint64_t classes : {1u, 3u, 10u})
      for (uint64_t seed = 0; seed < 10; ++seed) {
        const auto strata = drawn(10 + 13 * static_cast<int64_t>(seed), classes, seed);
        const auto all = in_order(static_cast<int64_t>(strata.size()));
        const auto folds = make_folds(all, {.count = count, .repeats = 2, .seed = seed, .strata = strata});
        EXPECT_EQ(folds.size(), static_cast<size_t>(2 * count));
        expect_whole(folds, all);
        const std::vector<Fold> first(folds.begin(), folds.begin() + count), second(folds.begin() + count, folds.end());
        expect_within_one(first, strata);
        expect_within_one(second, strata);
        const auto same = [](const Fold& a, const Fold& b) { return a.test == b.test; };
        EXPECT_FALSE(std::equal(first.begin(), first.end(), second.begin(), same)) << "a repeat is another division";
      }
}

TEST(Folds, FollowFromTheSeedAlone) {
  const FoldRule rule{.count = 3, .repeats = 2, .seed = 4, .strata = drawn(50, 3, 1)};
  EXPECT_EQ(make_folds(in_order(50), rule), make_folds(in_order(50), rule));
  FoldRule other = rule;
  other.seed = 5;
  EXPECT_NE(make_folds(in_order(50), rule), make_folds(in_order(50), other));
}

TEST(Folds, NeverDivideAGroupAndKeepTheirSizesAlike) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const auto groups = drawn(200, 25, seed), strata = drawn(200, 3, seed + 100);
    for (const bool stratified : {false, true}) {
      const FoldRule rule{
          .count = 4, .seed = seed, .strata = stratified ? strata : std::vector<int64_t>(), .groups = groups};
      const auto folds = make_folds(in_order(200), rule);
      expect_whole(folds, in_order(200));
      for (const Fold& fold : folds) {
        std::set<int64_t> inside, outside;
        for (int64_t index : fold.test) inside.insert(groups[static_cast<size_t>(index)]);
        for (int64_t index : fold.train) outside.insert(groups[static_cast<size_t>(index)]);
        for (int64_t group : inside) EXPECT_FALSE(outside.contains(group));
        // 8 examples a group on average: the largest ones are dealt first.
        EXPECT_NEAR(static_cast<double>(fold.test.size()), 50, 12);
      }
    }
  }
}

TEST(Folds, OfGroupsOfOneStratumEachHaveAsManyOfEach) {
  std::vector<int64_t> groups, strata;
  for (int64_t group = 0; group < 24; ++group)
    for (int64_t i = 0; i < 5; ++i) groups.push_back(group), strata.push_back(group / 8);
  const auto folds = make_folds(in_order(120), {.count = 4, .seed = 1, .strata = strata, .groups = groups});
  for (const Fold& fold : folds) {
    int64_t count[3] = {};
    for (int64_t index : fold.test) ++count[strata[static_cast<size_t>(index)]];
    for (int64_t of_stratum : count) EXPECT_EQ(of_stratum, 10);
  }
}

TEST(Folds, LeaveOneGroupOutTestsEachGroupByItself) {
  const std::vector<int64_t> groups{2, 0, 1, 2, 0, 2};
  const auto folds = make_folds(in_order(6), {.count = 0, .groups = groups});
  ASSERT_EQ(folds.size(), 3u);
  EXPECT_EQ(folds[0].test, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(folds[1].test, (std::vector<int64_t>{2}));
  EXPECT_EQ(folds[2].test, (std::vector<int64_t>{0, 3, 5}));
  EXPECT_EQ(folds[2].train, (std::vector<int64_t>{1, 2, 4}));
}

TEST(Folds, OfATrainingPartStayWithinIt) {
  const std::vector<int64_t> part{3, 5, 7, 11, 13, 17, 19, 23};
  const auto strata = drawn(24, 2, 3);
  const auto folds = make_folds(part, {.count = 3, .seed = 2, .strata = strata});
  expect_whole(folds, part);
}

TEST(Folds, HeldOutAloneAreThePartOfTheFirstFold) {
  FoldRule rule{.count = 5, .repeats = 3, .seed = 2};
  const auto all = make_folds(in_order(53), rule);
  rule.first_alone = true;
  const auto held = make_folds(in_order(53), rule);
  ASSERT_EQ(held.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(held[i], all[5 * i]);
}

std::string message_of(const auto& work) {
  try {
    work();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(Folds, OfFewerExamplesOrGroupsThanFoldsAreRefused) {
  EXPECT_EQ(message_of([] { make_folds(in_order(4), {.count = 5}); }),
            "data: folds: 4 examples (expected at least 5, one a fold)");
  EXPECT_EQ(message_of([] {
              make_folds(in_order(6), {.count = 3, .groups = {0, 0, 0, 1, 1, 1}});
            }),
            "data: folds: 2 groups (expected at least 3, one a fold)");
  EXPECT_EQ(message_of([] {
              make_folds(in_order(2), {.count = 0, .groups = {4, 4}});
            }),
            "data: folds: 1 groups (expected at least 2, one a fold)");
}

TEST(FoldFile, IsReadAsItWasWritten) {
  FoldFile file{"0123456789abcdef", 40, {{"count", 3}}, make_folds(in_order(40), {.count = 3, .repeats = 2})};
  file.folds[1].inner = make_folds(file.folds[1].train, {.count = 2});
  file.folds[2].train.pop_back();
  const FoldFile again = folds_from_json(parse_json(to_json(file).dump(), "data", "f"), "f");
  EXPECT_EQ(again.folds, file.folds);
  EXPECT_EQ(again.data, file.data);
  EXPECT_EQ(again.rule, file.rule);
  EXPECT_EQ(again.examples, 40);
}

TEST(FoldFile, RefusesIndicesThatNoFoldCanHave) {
  const auto said = [](const std::string& folds) {
    return message_of(
        [&] { folds_from_json(parse_json(R"({"examples": 4, "folds": )" + folds + "}", "data", "f"), "f.json"); });
  };
  EXPECT_EQ(said(R"([{"test": [0, 1]}])"), "");
  EXPECT_EQ(said("[]"), "data: f.json: folds: [] (expected a list of folds, at least one)");
  EXPECT_EQ(said(R"([{"test": [0, 4]}])"),
            "data: f.json: folds[0]: test: index 4 (expected one of 4 examples from 0 to 3 that the fold divides)");
  EXPECT_EQ(said(R"([{"test": [1, 1]}])"), "data: f.json: folds[0]: test: index 1 twice (expected each once)");
  EXPECT_EQ(said(R"([{"test": [1], "train": [1, 2]}])"),
            "data: f.json: folds[0]: train: index 1, which is in 'test' too (expected parts that share nothing)");
  EXPECT_EQ(said(R"([{"test": [0, 1, 2, 3]}])"),
            "data: f.json: folds[0]: test: every example (expected some left to train on)");
  EXPECT_EQ(said(R"([{"test": [1], "inner": [{"test": [1]}]}])"),
            "data: f.json: folds[0]: inner[0]: test: index 1 (expected one of 3 examples from 0 to 3 that the fold "
            "divides)");
  EXPECT_NE(said(R"([{"test": [1]}, {"test": [2], "fold": 0}])").find("a second fold"), std::string::npos);
}

TEST(Groups, AreAColumnOfAnArrayOrOfLabelsCsv) {
  const testing::Folder folder;
  write_npy(folder.path / "g.npy", Tensor({3}, std::vector<int64_t>{70, -2, 70}));
  write_npz(folder.path / "a.npz",
            {{"x", Tensor({3}, std::vector<float>{0, 1, 2})}, {"person", Tensor({3}, std::vector<int32_t>{5, 5, 1})}});
  folder.write("labels.csv", "file,label,person\na,b.png,0,tom\nc.png,1,ann\nd.png,0,tom\n");
  const std::string at = (folder.path / "").string();
  EXPECT_EQ(read_groups(at + "g.npy", 3), (std::vector<int64_t>{1, 0, 1}));
  EXPECT_EQ(read_groups(at + "a.npz:person", 3), (std::vector<int64_t>{1, 1, 0}));
  EXPECT_EQ(read_groups(at + "labels.csv:person", 3), (std::vector<int64_t>{1, 0, 1}));
  const auto said = [&](const std::string& source) {
    const std::string message = message_of([&] { read_groups(at + source, 3); });
    const size_t found = message.find(at);
    return found == std::string::npos ? message : message.substr(0, found) + message.substr(found + at.size());
  };
  EXPECT_EQ(said("a.npz:persons"),
            "data: a.npz:persons: no array 'persons' (did you mean 'person'?) (expected one of the file's)");
  EXPECT_EQ(said("a.npz:x"), "data: a.npz:x: float32 of shape [3] (expected whole numbers, one an example)");
  EXPECT_EQ(said("labels.csv:persn"),
            "data: labels.csv: no column 'persn' (did you mean 'person'?) (expected one of the header's)");
  write_npy(folder.path / "short.npy", Tensor({2}, std::vector<int64_t>{1, 2}));
  EXPECT_EQ(said("short.npy"), "data: short.npy: 2 groups (expected 3, one an example)");
  EXPECT_NE(said("none.npy"), "");
  EXPECT_NE(said("labels.csv").find("FILE.npy, FILE.npz:ARRAY or FILE.csv:COLUMN"), std::string::npos);
}

TEST(HashOfASet, TellsExamplesAndLabelsApart) {
  const auto hash = [](std::vector<float> x, std::vector<int64_t> y) {
    return hash_of(*dataset_of(
        {{"x", Tensor({static_cast<int64_t>(x.size())}, x)}, {"y", Tensor({static_cast<int64_t>(y.size())}, y)}}, "p"));
  };
  EXPECT_EQ(hash({1, 2}, {0, 1}), hash({1, 2}, {0, 1}));
  EXPECT_NE(hash({1, 2}, {0, 1}), hash({1, 3}, {0, 1}));
  EXPECT_NE(hash({1, 2}, {0, 1}), hash({1, 2}, {1, 0}));
  EXPECT_NE(hash({1, 2}, {0, 1}), hash({2, 1}, {0, 1}));
}

}  // namespace
}  // namespace nibble::data
