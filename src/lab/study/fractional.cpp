#include <algorithm>
#include <bit>
#include <map>

#include "base/error.hpp"
#include "lab/study/combinations.hpp"

namespace nibble::lab {
namespace {

/// A product of factors, a bit each.
using Word = uint64_t;

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

struct Generator {
  size_t factor;
  Word product;
  bool negative;  ///< "C = -A*B"
};

size_t factor_named(const std::vector<Factor>& factors, const std::string& name, const std::string& place) {
  std::vector<std::string> names;
  for (size_t i = 0; i < factors.size(); ++i) {
    if (factors[i].name == name) return i;
    names.push_back(factors[i].name);
  }
  fail("lab", place, "no factor '" + name + "'" + did_you_mean(name, names), "one of the design's");
}

Generator generator_of(const std::vector<Factor>& factors, const std::string& text, const std::string& place) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) fail("lab", place, "'" + text + "'", "a factor as a product of others: C = A*B");
  Generator result{factor_named(factors, trimmed(text.substr(0, equals)), place), 0, false};
  std::string product = trimmed(text.substr(equals + 1));
  if (product.starts_with('-')) result.negative = true, product = product.substr(1);
  for (size_t at = 0; at <= product.size();) {
    const size_t end = std::min(product.find('*', at), product.size());
    const Word factor = Word{1} << factor_named(factors, trimmed(product.substr(at, end - at)), place);
    if ((result.product & factor) != 0) fail("lab", place, "'" + text + "' names a factor twice", "each once");
    result.product |= factor;
    at = end + 1;
  }
  return result;
}

std::string name_of(const std::vector<Factor>& factors, Word word) {
  std::string name;
  for (size_t i = 0; i < factors.size(); ++i)
    if ((word >> i & 1) != 0) name += (name.empty() ? "" : "*") + factors[i].name;
  return name.empty() ? "mean" : name;
}

/// Products of factors that are the same in every cell, without the empty one.
std::vector<Word> defining_words(const std::vector<Generator>& generators) {
  std::vector<Word> words;
  for (size_t choice = 1; choice < size_t{1} << generators.size(); ++choice) {
    Word word = 0;
    for (size_t i = 0; i < generators.size(); ++i)
      if ((choice >> i & 1) != 0) word ^= generators[i].product | Word{1} << generators[i].factor;
    words.push_back(word);
  }
  return words;
}

std::vector<std::string> aliases_of(const std::vector<Factor>& factors, const std::vector<Word>& words) {
  const auto letters = [](Word word) { return std::popcount(word); };
  const Word shortest =
      *std::min_element(words.begin(), words.end(), [&](Word a, Word b) { return letters(a) < letters(b); });
  std::vector<std::string> lines{"resolution " + std::to_string(letters(shortest))};
  std::map<Word, size_t> lines_of;  // by the least word of an effect's set
  std::vector<std::string> sets;
  for (int most = 1; most <= 2; ++most)
    for (Word effect = 1; effect < Word{1} << factors.size(); ++effect) {
      if (letters(effect) != most) continue;
      Word least = effect;
      for (Word word : words) least = std::min(least, effect ^ word);
      const auto [found, is_new] = lines_of.emplace(least, sets.size());
      if (is_new) sets.push_back(least == 0 ? "mean" : "");
      std::string& set = sets[found->second];
      set += (set.empty() ? "" : " = ") + name_of(factors, effect);
    }
  for (const std::string& set : sets)
    if (set.find(" = ") != std::string::npos) lines.push_back(set);
  return lines;
}

}  // namespace

std::vector<Cell> fractional(const std::vector<Factor>& factors, const std::vector<std::string>& texts,
                             const std::string& place, std::vector<std::string>& aliases) {
  if (factors.size() > 30) fail("lab", place, std::to_string(factors.size()) + " factors", "at most 30");
  for (const Factor& factor : factors)
    if (factor.levels.size() != 2)
      fail("lab", place + ": factors: '" + factor.name + "'", std::to_string(factor.levels.size()) + " levels",
           "2 in a fraction of two-level factors");
  if (texts.empty()) fail("lab", place + ": generators", "none", "a product for each factor that is not free: C = A*B");
  std::vector<Generator> generators;
  Word given = 0;
  for (const std::string& text : texts) {
    generators.push_back(generator_of(factors, text, place + ": generators"));
    const Word own = Word{1} << generators.back().factor;
    if ((given & own) != 0) fail("lab", place + ": generators", "'" + text + "' gives a factor again", "each once");
    given |= own;
  }
  for (size_t i = 0; i < generators.size(); ++i)
    if ((generators[i].product & given) != 0)
      fail("lab", place + ": generators", "'" + texts[i] + "' uses a factor that a generator gives", "free factors");
  std::vector<Factor> free;
  for (size_t i = 0; i < factors.size(); ++i)
    if ((given >> i & 1) == 0) free.push_back(factors[i]);
  std::vector<Cell> cells;
  for (const Cell& own : factorial(free)) {
    Cell cell(factors.size(), 0);
    for (size_t i = 0, at = 0; i < factors.size(); ++i)
      if ((given >> i & 1) == 0) cell[i] = own[at++];
    for (const Generator& generator : generators) {
      // -1 is the first level: a product is the second where an even number of its factors are at the first.
      size_t firsts = generator.negative ? 1 : 0;
      for (size_t i = 0; i < factors.size(); ++i)
        if ((generator.product >> i & 1) != 0 && cell[i] == 0) ++firsts;
      cell[generator.factor] = firsts % 2 == 0 ? 1 : 0;
    }
    cells.push_back(std::move(cell));
  }
  aliases = aliases_of(factors, defining_words(generators));
  return cells;
}

}  // namespace nibble::lab
