#include "verbs/arrays.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.hpp"
#include "verbs/sources.hpp"

namespace nibble::verbs {
namespace {

std::vector<std::string> names_of(const graph::Graph& graph, const std::vector<graph::ValueId>& ids) {
  std::vector<std::string> names;
  for (graph::ValueId id : ids) names.push_back(graph[id].name);
  return names;
}

std::vector<Tensor> inputs_by_name(const graph::Graph& graph, const data::Arrays& arrays, const std::string& file) {
  const std::vector<std::string> names = names_of(graph, graph.inputs);
  if (arrays.size() == 1 && names.size() == 1) return {arrays.front().second};
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto named = [&](const auto& array) { return array.first == names[i]; };
    const auto placed = [&](const auto& array) { return position_in(array.first, "input") == i; };
    auto found = std::find_if(arrays.begin(), arrays.end(), named);
    if (found == arrays.end()) found = std::find_if(arrays.begin(), arrays.end(), placed);
    if (found == arrays.end()) {
      std::string held;
      for (const auto& array : arrays) held.append(held.empty() ? "" : ", ").append(array.first);
      fail("verbs", file, "arrays " + (held.empty() ? "none" : held), "one named '" + names[i] + "'");
    }
    inputs.push_back(found->second);
  }
  return inputs;
}

Tensor image_input(const Call& call, const graph::Graph& graph) {
  if (graph.inputs.size() != 1)
    fail("verbs", call.text("input"), "one image for " + std::to_string(graph.inputs.size()) + " inputs", "an .npz");
  const Tensor image = data::apply(preprocess_of(call, graph), data::read_image(call.path("input")));
  Shape shape = image.shape();
  shape.insert(shape.begin(), 1);
  return image.reshaped(shape);
}

/// How an element reads in a message.
template <class T>
std::string written(T value) {
  if constexpr (std::is_floating_point_v<T>) return fmt::format("{}", value);
  return std::to_string(value);
}

template <class T>
bool equal(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a == b || (std::isnan(a) && std::isnan(b));
  return a == b;
}

std::vector<int64_t> index_of(const Shape& shape, size_t position) {
  std::vector<int64_t> index(shape.size());
  auto rest = static_cast<int64_t>(position);
  for (size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = rest % shape[axis];
    rest /= shape[axis];
  }
  return index;
}

template <class T>
std::optional<Difference> compare_elements(const std::string& name, const Shape& shape, const std::vector<T>& found,
                                           const std::vector<T>& expected) {
  Difference difference{.tensor = name, .index = {}, .found = "", .expected = ""};
  for (size_t i = 0; i < found.size(); ++i) {
    if (equal(found[i], expected[i])) continue;
    if (difference.count++ > 0) continue;
    difference.index = index_of(shape, i);
    difference.found = written(found[i]);
    difference.expected = written(expected[i]);
  }
  if (difference.count == 0) return {};
  return difference;
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

data::Arrays read_arrays(const std::filesystem::path& file) {
  if (file.extension() == ".npz") return data::read_npz(file);
  return {{"", data::read_npy(file)}};
}

std::vector<Tensor> read_inputs(const Call& call, const graph::Graph& graph) {
  const std::filesystem::path file = call.path("input");
  if (file.extension() != ".npz" && file.extension() != ".npy") return {image_input(call, graph)};
  return inputs_by_name(graph, read_arrays(file), file.string());
}

std::optional<Difference> first_difference(const std::string& name, const Tensor& found, const Tensor& expected) {
  if (found.shape() != expected.shape())
    return Difference{.tensor = name,
                      .index = {},
                      .found = "shape " + to_string(found.shape()),
                      .expected = "shape " + to_string(expected.shape()),
                      .count = static_cast<int64_t>(found.size())};
  if (is_real(found.type()) || is_real(expected.type()))
    return compare_elements(name, found.shape(), found.to_reals(), expected.to_reals());
  return compare_elements(name, found.shape(), found.to_integers(), expected.to_integers());
}

}  // namespace nibble::verbs
