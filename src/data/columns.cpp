#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "data/catalogue.hpp"
#include "data/folds.hpp"
#include "data/npz.hpp"
#include "data/sources.hpp"

namespace nibble::data {
namespace {

std::string_view bytes_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size()};
}

uint64_t hashed(const Tensor& tensor, uint64_t hash) {
  return fnv1a(bytes_of(tensor), fnv1a(to_string(tensor.type()), fnv1a(to_string(tensor.shape()), hash)));
}

/// Numbers for names, in their sorted order; whole numbers are sorted as such.
template <class Name>
std::vector<int64_t> numbered(const std::vector<Name>& names) {
  std::map<Name, int64_t> numbers;
  for (const Name& name : names) numbers.emplace(name, 0);
  int64_t next = 0;
  for (auto& [name, number] : numbers) number = next++;
  std::vector<int64_t> result;
  for (const Name& name : names) result.push_back(numbers.at(name));
  return result;
}

std::vector<int64_t> whole_numbers(const Tensor& column, const std::string& place) {
  if (is_real(column.type()) || column.rank() != 1)
    fail("data", place, fmt::format("{} of shape {}", to_string(column.type()), to_string(column.shape())),
         "whole numbers, one an example");
  return column.to_integers();
}

Tensor array_named(const std::filesystem::path& file, const std::string& name, const std::string& place) {
  std::vector<std::string> names;
  for (auto& [own, array] : read_npz(file)) {
    if (own == name) return array;
    names.push_back(own);
  }
  fail("data", place, "no array '" + name + "'" + did_you_mean(name, names), "one of the file's");
}

std::vector<int64_t> groups_in(const std::string& source) {
  if (source.ends_with(".npy")) return numbered(whole_numbers(read_npy(source), source));
  const size_t colon = source.rfind(':');
  const std::string file = source.substr(0, colon), column = colon == source.npos ? "" : source.substr(colon + 1);
  if (column.empty() || !(file.ends_with(".npz") || file.ends_with(".csv")))
    fail("data", "groups", "'" + source + "'", "FILE.npy, FILE.npz:ARRAY or FILE.csv:COLUMN");
  if (file.ends_with(".npz")) return numbered(whole_numbers(array_named(file, column, source), source));
  return numbered(parse_column(read_file(file, "data", size_t{1} << 30), column, file));
}

}  // namespace

std::vector<int64_t> labels_of(const Dataset& set) {
  const auto* catalogue = dynamic_cast<const Catalogue*>(&set);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < set.size(); ++i) labels.push_back(catalogue ? catalogue->label_of(i) : set.sample(i).label);
  return labels;
}

std::string hash_of(const Dataset& set) {
  const auto* catalogue = dynamic_cast<const Catalogue*>(&set);
  uint64_t hash = fnv1a(std::to_string(set.size()));
  for (int64_t i = 0; i < set.size(); ++i) {
    if (catalogue) {
      hash = fnv1a(catalogue->stored(i), fnv1a(std::to_string(catalogue->label_of(i)) + " ", hash));
      continue;
    }
    const Sample sample = set.sample(i);
    hash = hashed(sample.x, fnv1a(std::to_string(sample.label) + " ", hash));
    for (const Tensor& other : sample.others) hash = hashed(other, hash);
    if (sample.target) hash = hashed(*sample.target, hash);
  }
  return fmt::format("{:016x}", hash);
}

std::vector<int64_t> read_groups(const std::string& source, int64_t count) {
  std::vector<int64_t> groups = groups_in(source);
  if (static_cast<int64_t>(groups.size()) != count)
    fail("data", source, fmt::format("{} groups", groups.size()), fmt::format("{}, one an example", count));
  return groups;
}

}  // namespace nibble::data
