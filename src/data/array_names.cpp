#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "data/npz.hpp"

namespace nibble::data {
namespace {

/// The only array that may be the only input: any one, or x, or the one beside y.
std::optional<size_t> only_array(const Arrays& arrays) {
  if (arrays.size() == 1) return 0;
  std::optional<size_t> only;
  size_t count = 0;
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (arrays[i].first == "x") return i;
    if (arrays[i].first == "y") continue;
    only = i;
    ++count;
  }
  return count == 1 ? only : std::nullopt;
}

}  // namespace

std::optional<size_t> position_in(std::string_view name, std::string_view stem) {
  if (name == stem) return 0;
  for (const std::string_view before : {std::string_view("arr"), stem}) {
    if (!name.starts_with(before) || name.size() < before.size() + 2 || name[before.size()] != '_') continue;
    const std::string_view digits = name.substr(before.size() + 1);
    size_t position = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position);
    if (error == std::errc() && end == digits.data() + digits.size()) return position;
  }
  return {};
}

std::vector<size_t> arrays_of_inputs(const Arrays& arrays, const std::vector<std::string>& inputs,
                                     std::string_view room, const std::string& place) {
  std::vector<size_t> found;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto index = [&](auto at) { return static_cast<size_t>(at - arrays.begin()); };
    const auto named = std::find_if(arrays.begin(), arrays.end(), [&](const auto& a) { return a.first == inputs[i]; });
    const auto placed =
        std::find_if(arrays.begin(), arrays.end(), [&](const auto& a) { return position_in(a.first, "input") == i; });
    const auto only = inputs.size() == 1 ? only_array(arrays) : std::nullopt;
    if (named != arrays.end()) {
      found.push_back(index(named));
    } else if (placed != arrays.end()) {
      found.push_back(index(placed));
    } else if (only) {
      found.push_back(*only);
    } else {
      std::string held;
      for (const auto& array : arrays) held.append(held.empty() ? "" : ", ").append(array.first);
      fail(room, place, "arrays " + (held.empty() ? "none" : held), "one named '" + inputs[i] + "'");
    }
  }
  return found;
}

}  // namespace nibble::data
