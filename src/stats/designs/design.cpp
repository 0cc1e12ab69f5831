#include "stats/designs/design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"

namespace nibble::stats {

Factor factor(std::string name, std::span<const std::string> level_of_run) {
  Factor result{std::move(name), {}, {}};
  for (const std::string& level : level_of_run) {
    auto found = std::find(result.levels.begin(), result.levels.end(), level);
    if (found == result.levels.end()) found = result.levels.insert(found, level);
    result.of_run.push_back(static_cast<int>(found - result.levels.begin()));
  }
  return result;
}

std::vector<Term> interactions(size_t factors, size_t order) {
  std::vector<Term> terms;
  std::vector<Term> last = {{}};
  for (size_t size = 1; size <= std::min(order, factors); ++size) {
    std::vector<Term> larger;
    for (const Term& term : last)
      for (size_t next = term.empty() ? 0 : term.back() + 1; next < factors; ++next) {
        larger.push_back(term);
        larger.back().push_back(next);
      }
    terms.insert(terms.end(), larger.begin(), larger.end());
    last = std::move(larger);
  }
  return terms;
}

std::string name_of(const Design& design, const Term& term) {
  std::string name;
  for (size_t place : term) name += (name.empty() ? "" : ":") + design.factors[place].name;
  return name;
}

bool contains(const Term& outer, const Term& inner) {
  return std::includes(outer.begin(), outer.end(), inner.begin(), inner.end());
}

namespace {

void check_factor(std::string_view what, const Factor& factor, size_t runs) {
  const std::string place = std::string(what) + ": factor '" + factor.name + "'";
  if (factor.of_run.size() != runs)
    fail("stats", place, fmt::format("levels of {} runs beside {} outcomes", factor.of_run.size(), runs),
         "one level a run");
  const int levels = static_cast<int>(factor.levels.size());
  const std::set<int> used(factor.of_run.begin(), factor.of_run.end());
  for (int level : used)
    if (level < 0 || level >= levels)
      fail("stats", place, fmt::format("level {} of {}", level, levels), "a place among the levels");
  if (used.size() < 2) fail("stats", place, "one level in all runs", "at least two");
  if (static_cast<int>(used.size()) < levels)
    fail("stats", place, fmt::format("{} of {} levels in no run", levels - static_cast<int>(used.size()), levels),
         "a run of each");
}

}  // namespace

void check_design(std::string_view what, const Design& design, size_t runs) {
  for (const Factor& each : design.factors) check_factor(what, each, runs);
  std::set<Term> before;
  for (const Term& term : design.terms) {
    const bool known = !term.empty() && std::is_sorted(term.begin(), term.end()) &&
                       std::adjacent_find(term.begin(), term.end()) == term.end() &&
                       term.back() < design.factors.size();
    if (!known) fail("stats", what, "a term of other factors than the design's", "each factor at most once, ascending");
    if (!before.insert(term).second) fail("stats", what, "term '" + name_of(design, term) + "' twice", "once");
    for (size_t left_out = 0; term.size() > 1 && left_out < term.size(); ++left_out) {
      Term smaller = term;
      smaller.erase(smaller.begin() + static_cast<std::ptrdiff_t>(left_out));
      if (!before.contains(smaller))
        fail("stats", what, "term '" + name_of(design, term) + "' without '" + name_of(design, smaller) + "'",
             "the terms that it contains before it");
    }
  }
}

}  // namespace nibble::stats
