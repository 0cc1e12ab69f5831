#include "data/folds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/random.hpp"

namespace nibble::data {
namespace {

/// Which fold tests the i'th of the examples.
using Deal = std::vector<int64_t>;

int64_t of_example(const std::vector<int64_t>& values, int64_t example) {
  return values.empty() ? 0 : values[static_cast<size_t>(example)];
}

/// Positions in `examples` by a value of theirs, in its order.
std::map<int64_t, std::vector<int64_t>> sorted_by(const std::vector<int64_t>& values,
                                                  const std::vector<int64_t>& examples) {
  std::map<int64_t, std::vector<int64_t>> result;
  for (size_t i = 0; i < examples.size(); ++i)
    result[of_example(values, examples[i])].push_back(static_cast<int64_t>(i));
  return result;
}

/// Stratum after stratum like cards: the next one begins where the last ended, so that whole folds are alike too.
Deal deal_examples(const std::vector<int64_t>& examples, const FoldRule& rule, Random& random) {
  Deal deal(examples.size());
  int64_t next = 0;
  for (const auto& [stratum, positions] : sorted_by(rule.strata, examples))
    for (int64_t at : random.permutation(static_cast<int64_t>(positions.size())))
      deal[static_cast<size_t>(positions[static_cast<size_t>(at)])] = next++ % rule.count;
  return deal;
}

/// A group's examples, in all and by stratum.
struct Group {
  std::vector<int64_t> positions;
  std::map<int64_t, double> of_stratum;
};

std::vector<Group> groups_of(const std::vector<int64_t>& examples, const FoldRule& rule) {
  std::vector<Group> groups;
  for (auto& [name, positions] : sorted_by(rule.groups, examples)) {
    Group& group = groups.emplace_back(Group{positions, {}});
    for (int64_t at : positions) ++group.of_stratum[of_example(rule.strata, examples[static_cast<size_t>(at)])];
  }
  return groups;
}

/// Each group, from the largest, to the fold that has least of what it brings: sum over strata of the fold's share of
/// the stratum times what the group adds to it; where that is equal, to the smallest.
Deal deal_groups(const std::vector<int64_t>& examples, const FoldRule& rule, Random& random) {
  const std::vector<Group> groups = groups_of(examples, rule);
  std::vector<int64_t> order = random.permutation(static_cast<int64_t>(groups.size()));
  const auto size_of = [&](int64_t group) { return groups[static_cast<size_t>(group)].positions.size(); };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return size_of(a) > size_of(b); });
  std::map<int64_t, double> total;
  for (const Group& group : groups)
    for (const auto& [stratum, count] : group.of_stratum) total[stratum] += count;
  struct Part {
    std::map<int64_t, double> of_stratum;
    size_t size = 0;
  };
  std::vector<Part> parts(static_cast<size_t>(rule.count));
  Deal deal(examples.size());
  for (int64_t index : order) {
    const Group& group = groups[static_cast<size_t>(index)];
    const auto burden = [&](Part& part) {
      double sum = 0;
      for (const auto& [stratum, count] : group.of_stratum) sum += part.of_stratum[stratum] * count / total[stratum];
      return std::pair{sum, part.size};
    };
    const auto least =
        std::min_element(parts.begin(), parts.end(), [&](Part& a, Part& b) { return burden(a) < burden(b); });
    for (const auto& [stratum, count] : group.of_stratum) least->of_stratum[stratum] += count;
    least->size += group.positions.size();
    for (int64_t at : group.positions) deal[static_cast<size_t>(at)] = least - parts.begin();
  }
  return deal;
}

Deal leave_one_group_out(const std::vector<int64_t>& examples, const FoldRule& rule) {
  Deal deal(examples.size());
  int64_t number = 0;
  for (const Group& group : groups_of(examples, rule)) {
    for (int64_t at : group.positions) deal[static_cast<size_t>(at)] = number;
    ++number;
  }
  return deal;
}

/// Of the rule, with as many folds as there are groups where it leaves one out. Throws UserError where they are too few.
FoldRule checked(const std::vector<int64_t>& examples, FoldRule rule) {
  const auto units = static_cast<int64_t>(rule.groups.empty() ? examples.size() : groups_of(examples, rule).size());
  const char* name = rule.groups.empty() ? "examples" : "groups";
  const int64_t least = std::max<int64_t>(rule.count, 2);
  if (units < least)
    fail("data", "folds", fmt::format("{} {}", units, name), fmt::format("at least {}, one a fold", least));
  if (rule.count == 0) rule.count = units;
  return rule;
}

}  // namespace

std::vector<Fold> make_folds(const std::vector<int64_t>& examples, const FoldRule& given) {
  ensure(given.count == 0 ? !given.groups.empty() : given.count >= 2, "folds are at least two, or as many as groups");
  const FoldRule rule = checked(examples, given);
  std::vector<Fold> folds;
  for (int64_t repeat = 0; repeat < rule.repeats; ++repeat) {
    Random random = Random(rule.seed).fork(static_cast<uint64_t>(repeat));
    const Deal deal = given.count == 0      ? leave_one_group_out(examples, rule)
                      : rule.groups.empty() ? deal_examples(examples, rule, random)
                                            : deal_groups(examples, rule, random);
    for (int64_t number = 0; number < (rule.first_alone ? 1 : rule.count); ++number) {
      Fold& fold = folds.emplace_back(Fold{repeat, number, {}, {}, {}});
      for (size_t i = 0; i < examples.size(); ++i) (deal[i] == number ? fold.test : fold.train).push_back(examples[i]);
      std::sort(fold.train.begin(), fold.train.end());
      std::sort(fold.test.begin(), fold.test.end());
    }
  }
  return folds;
}

}  // namespace nibble::data
