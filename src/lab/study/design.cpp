#include "lab/study/design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/random.hpp"
#include "lab/experiment.hpp"
#include "lab/study/combinations.hpp"

namespace nibble::lab {
namespace {

Factor factor_from_json(const Json& json, const std::string& place) {
  const Section section(json, "lab", place, {"factor", "levels"});
  Factor factor{section.text("factor"), {}};
  if (factor.name.empty() || factor.name.find_first_of("*=") != std::string::npos)
    fail("lab", place + ": factor", "'" + factor.name + "'", "a name without * and =");
  const Json& levels = section.part("levels");
  if (!levels.is_object() || levels.size() < 2)
    fail("lab", section.at("levels"), levels.is_object() ? std::to_string(levels.size()) + " of them" : levels.dump(),
         "an object of at least two levels, a patch each");
  for (const auto& [name, patch] : levels.items()) {
    if (!patch.is_object()) fail("lab", section.at("levels") + ": " + name, patch.dump(), "an object: what it changes");
    const auto paths = std::count_if(patch.items().begin(), patch.items().end(),
                                     [](const auto& item) { return item.key().starts_with('/'); });
    if (paths != 0 && paths != static_cast<ptrdiff_t>(patch.size()))
      fail("lab", section.at("levels") + ": " + name, "paths and keys", "either: /train/epochs, or train");
    factor.levels.push_back({name, patch});
  }
  return factor;
}

std::vector<Factor> factors_of(const Section& section, const std::vector<std::string>& variants) {
  std::vector<Factor> factors;
  if (section.has("factors")) {
    const Json& list = section.part("factors");
    if (!list.is_array()) section.refuse("factors", "a list of factors");
    for (size_t i = 0; i < list.size(); ++i)
      factors.push_back(factor_from_json(list[i], section.at("factors") + "[" + std::to_string(i) + "]"));
  }
  if (variants.size() > 1) {
    Factor own{"variant", {}};
    for (const std::string& name : variants) own.levels.push_back({name, nullptr});
    factors.push_back(std::move(own));
  }
  for (size_t i = 0; i < factors.size(); ++i)
    for (size_t before = 0; before < i; ++before)
      if (factors[before].name == factors[i].name)
        fail("lab", section.at("factors"), "two factors '" + factors[i].name + "'", "names of their own");
  return factors;
}

/// A factor's level by their names.
std::pair<size_t, size_t> level_named(const std::vector<Factor>& factors, const std::string& name, const Json& level,
                                      const std::string& place) {
  std::vector<std::string> names;
  for (size_t i = 0; i < factors.size(); ++i) {
    names.push_back(factors[i].name);
    if (factors[i].name != name) continue;
    std::vector<std::string> levels;
    for (const Factor::Level& own : factors[i].levels) {
      if (level == own.name) return {i, levels.size()};
      levels.push_back(own.name);
    }
    const std::string given = level.is_string() ? level.get<std::string>() : level.dump();
    fail("lab", place + ": " + name, "no level '" + given + "'" + did_you_mean(given, levels), "one of the factor's");
  }
  fail("lab", place, "no factor '" + name + "'" + did_you_mean(name, names), "one of the design's");
}

/// A list of objects that name factors and their levels.
std::vector<std::map<size_t, size_t>> combinations_of(const Section& section, std::string_view key,
                                                      const std::vector<Factor>& factors) {
  std::vector<std::map<size_t, size_t>> result;
  if (!section.has(key)) return result;
  const Json& list = section.part(key);
  if (!list.is_array()) section.refuse(key, "a list of objects: a level for each factor that is named");
  for (const Json& entry : list) {
    const std::string place = section.at(key) + "[" + std::to_string(result.size()) + "]";
    if (!entry.is_object() || entry.empty()) fail("lab", place, entry.dump(), "an object: factors and their levels");
    auto& combination = result.emplace_back();
    for (const auto& [name, level] : entry.items()) combination.insert(level_named(factors, name, level, place));
  }
  return result;
}

std::vector<Cell> listed(const Section& section, const std::vector<Factor>& factors) {
  std::vector<Cell> cells;
  for (const auto& combination : combinations_of(section, "runs", factors)) {
    Cell cell;
    for (size_t i = 0; i < factors.size(); ++i) {
      const auto found = combination.find(i);
      if (found == combination.end())
        fail("lab", section.at("runs") + "[" + std::to_string(cells.size()) + "]",
             "no level of '" + factors[i].name + "'", "one of every factor");
      cell.push_back(found->second);
    }
    cells.push_back(std::move(cell));
  }
  if (cells.empty()) fail("lab", section.at("runs"), "no runs", "the combinations of a design of kind 'list'");
  return cells;
}

std::vector<uint64_t> seeds_of(const Section& section, uint64_t own) {
  if (!section.has("seeds")) return {own};
  const Json& json = section.part("seeds");
  std::vector<uint64_t> seeds;
  if (json.is_array()) {
    for (const Json& seed : json) {
      const auto whole = whole_number(seed);
      if (!whole || *whole < 0) section.refuse("seeds", "how many, or a list of whole numbers from 0");
      if (std::find(seeds.begin(), seeds.end(), static_cast<uint64_t>(*whole)) != seeds.end())
        fail("lab", section.at("seeds"), std::to_string(*whole) + " twice", "each once");
      seeds.push_back(static_cast<uint64_t>(*whole));
    }
  } else {
    int64_t count = 0;
    section.whole("seeds", count, 1, 1000);
    for (int64_t i = 0; i < count; ++i) seeds.push_back(own + static_cast<uint64_t>(i));
  }
  if (seeds.empty()) section.refuse("seeds", "at least one");
  return seeds;
}

std::vector<std::string> texts_of(const Section& section, std::string_view key) {
  std::vector<std::string> texts;
  if (!section.has(key)) return texts;
  const Json& list = section.part(key);
  if (!list.is_array()) section.refuse(key, "a list of texts");
  for (const Json& text : list) {
    if (!text.is_string()) section.refuse(key, "a list of texts");
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

/// Of a key that only one kind of design takes.
void refuse_beside(const Section& section, std::string_view key, const std::string& kind, std::string_view takes) {
  if (section.has(key) && kind != takes)
    fail("lab", section.at(key), "in a design of kind '" + kind + "'", "kind '" + std::string(takes) + "'");
}

}  // namespace

Design design_from_json(const Json& json, const std::vector<std::string>& variants, uint64_t seed,
                        const std::string& place) {
  const Section section(json, "lab", place, {"kind", "factors", "generators", "runs", "exclude", "seeds", "order"});
  Design design;
  section.name("kind", design.kind, {"factorial", "fractional", "latin", "one_at_a_time", "list"});
  refuse_beside(section, "generators", design.kind, "fractional");
  refuse_beside(section, "runs", design.kind, "list");
  int64_t order = 1;
  section.whole("order", order, 0);
  design.order = static_cast<uint64_t>(order);
  design.seeds = seeds_of(section, seed);
  design.factors = factors_of(section, variants);
  if (design.kind == "factorial") design.cells = factorial(design.factors);
  if (design.kind == "one_at_a_time") design.cells = one_at_a_time(design.factors);
  if (design.kind == "latin") design.cells = latin_square(design.factors, design.order, place + ": factors");
  if (design.kind == "list") design.cells = listed(section, design.factors);
  if (design.kind == "fractional")
    design.cells = fractional(design.factors, texts_of(section, "generators"), place, design.aliases);
  const auto excluded = combinations_of(section, "exclude", design.factors);
  const auto all = static_cast<int64_t>(design.cells.size());
  std::erase_if(design.cells, [&](const Cell& cell) {
    return std::any_of(excluded.begin(), excluded.end(), [&](const std::map<size_t, size_t>& combination) {
      return std::all_of(combination.begin(), combination.end(),
                         [&](const auto& named) { return cell[named.first] == named.second; });
    });
  });
  design.excluded = all - static_cast<int64_t>(design.cells.size());
  if (design.cells.empty()) fail("lab", place + ": exclude", "every combination", "some that are left");
  return design;
}

Json patched(Json description, const Factor::Level& level, const std::string& place) {
  if (!level.patch.is_object()) return description;
  if (level.patch.empty() || !level.patch.begin().key().starts_with('/')) {
    description.merge_patch(level.patch);
    return description;
  }
  for (const auto& [path, value] : level.patch.items()) {
    try {
      const Json::json_pointer pointer(path);
      // at() of what holds it: a path adds a key to an object that is there, and no object of its own making.
      Json& holder = description.at(pointer.parent_pointer());
      if (!holder.is_object() && !holder.contains(pointer.back())) throw std::out_of_range(path);
      if (holder.is_array())
        holder[std::stoul(pointer.back())] = value;
      else
        holder[pointer.back()] = value;
    } catch (const std::exception&) {
      fail("lab", place + ": " + path, "no such place in the description", "a path to something that is there");
    }
  }
  return description;
}

std::string hash_of(const Json& description) {
  // A plain object has its keys in order.
  return fmt::format("{:016x}", fnv1a(nlohmann::json::parse(description.dump()).dump()));
}

}  // namespace nibble::lab
