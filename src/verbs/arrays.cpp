#include "verbs/arrays.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "data/formats/wav.hpp"
#include "verbs/sources.hpp"

namespace nibble::verbs {
namespace {

std::vector<Tensor> inputs_by_name(const graph::Graph& graph, const data::Arrays& arrays, const std::string& file) {
  std::vector<std::string> names;
  for (graph::ValueId id : graph.inputs) names.push_back(graph[id].name);
  std::vector<Tensor> inputs;
  for (size_t index : data::arrays_of_inputs(arrays, names, "verbs", file)) inputs.push_back(arrays[index].second);
  return inputs;
}

/// An image or a sound, with a batch of 1.
Tensor file_input(const Call& call, const graph::Graph& graph) {
  const std::filesystem::path file = call.path("input");
  const bool sounds = file.extension() == ".wav" || file.extension() == ".WAV";
  if (graph.inputs.size() != 1)
    fail("verbs", call.text("input"),
         std::string("one ") + (sounds ? "sound" : "image") + " for " + std::to_string(graph.inputs.size()) + " inputs",
         "an .npz");
  const data::Preprocess preprocess = preprocess_of(call, graph);
  Tensor x;
  if (sounds) {
    const data::Sound sound = data::read_wav(file);
    const auto count = static_cast<int64_t>(sound.samples.size());
    x = data::apply(preprocess, Tensor({count}, sound.samples), sound.rate);
  } else {
    x = data::apply(preprocess, data::read_image(file));
  }
  Shape shape = x.shape();
  shape.insert(shape.begin(), 1);
  return x.reshaped(shape);
}

/// How an element reads in a message.
template <class T>
std::string written(T value) {
  if constexpr (std::is_floating_point_v<T>) return fmt::format("{}", value);
  return std::to_string(value);
}

/// Whether two elements are equal: reals to within `rounding` of the element and of the largest one of the tensor.
class Equality {
 public:
  /// Of numbers that are integers on one side at least.
  Equality() = default;
  /// Of reals, which float32 has rounded on the way.
  explicit Equality(const std::vector<double>& expected) : of_element_(0x1p-17) {
    for (double x : expected)
      if (std::isfinite(x)) slack_ = std::max(slack_, 0x1p-20 * std::abs(x));
  }
  bool operator()(int64_t a, int64_t b) const { return a == b; }
  bool operator()(double a, double b) const {
    if (a == b || (std::isnan(a) && std::isnan(b))) return true;
    return std::abs(a - b) <= of_element_ * std::abs(b) + slack_;
  }

 private:
  double of_element_ = 0, slack_ = 0;
};

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
                                           const std::vector<T>& expected, const Equality& equal = {}) {
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

data::Arrays read_arrays(const std::filesystem::path& file) {
  if (file.extension() == ".npz") return data::read_npz(file);
  return {{"", data::read_npy(file)}};
}

std::vector<Tensor> read_inputs(const Call& call, const graph::Graph& graph) {
  const std::filesystem::path file = call.path("input");
  if (file.extension() != ".npz" && file.extension() != ".npy") return {file_input(call, graph)};
  return inputs_by_name(graph, read_arrays(file), file.string());
}

std::optional<Difference> first_difference(const std::string& name, const Tensor& found, const Tensor& expected) {
  if (found.shape() != expected.shape())
    return Difference{.tensor = name,
                      .index = {},
                      .found = "shape " + to_string(found.shape()),
                      .expected = "shape " + to_string(expected.shape()),
                      .count = static_cast<int64_t>(found.size())};
  if (is_real(found.type()) || is_real(expected.type())) {
    const std::vector<double> reals = expected.to_reals();
    const bool both = is_real(found.type()) && is_real(expected.type());
    return compare_elements(name, found.shape(), found.to_reals(), reals, both ? Equality(reals) : Equality());
  }
  return compare_elements(name, found.shape(), found.to_integers(), expected.to_integers());
}

}  // namespace nibble::verbs
