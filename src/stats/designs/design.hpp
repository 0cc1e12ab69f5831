#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::stats {

/// A factor of an experiment: the level of each run, by its place in `levels`.
struct Factor {
  std::string name;
  std::vector<std::string> levels;
  std::vector<int> of_run;
};
/// Levels in the order in which they first appear.
Factor factor(std::string name, std::span<const std::string> level_of_run);

/// A main effect (one factor) or an interaction: places of its factors, ascending.
using Term = std::vector<size_t>;
/// All main effects and interactions of up to `order` of the factors, the smaller before the larger.
std::vector<Term> interactions(size_t factors, size_t order);

/// What may explain an outcome, besides its mean. A term stands after all terms that it contains, and each of its
/// factors' own terms is there (marginality): a term's columns are what it adds to them.
struct Design {
  std::vector<Factor> factors;
  std::vector<Term> terms;
};
/// "bits:algorithm".
std::string name_of(const Design& design, const Term& term);
/// Whether `outer` holds all factors of `inner`.
bool contains(const Term& outer, const Term& inner);

/// Throws UserError where factors have fewer than two levels in use, another number of runs than `runs`; where
/// terms break the rules above.
void check_design(std::string_view what, const Design& design, size_t runs);

}  // namespace nibble::stats
